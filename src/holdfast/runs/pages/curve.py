"""The page of a learning curve: its sentences, the drawing, the table."""

from math import log2
from typing import TYPE_CHECKING

from .. import lines
from ..formats import percent
from ..record import Record
from .overlay import LABELLED, Overlay, Values, overlay
from .report import rendered

if TYPE_CHECKING:
    from ..curve import LearningCurve


def page(curve: "LearningCurve", seconds: float) -> str:
    """The report as one HTML file that asks the network for nothing."""
    score, things = curve.points[-1].validation, things_of(curve.record)
    values = {
        "curve": curve,
        "chart": chart(curve),
        "things": things,
        "repeats": lines.counted(len(curve.points[-1].repeats), "training"),
        "seconds": seconds,
        "looks": f"Validation, n={score.n:,}, has been looked at {score.looks:,} times by now, over all runs in the "
        "ledger. The test part stayed sealed.",
        "LABELLED": LABELLED,
    }
    return rendered("curve.html.j2", values, html=True)


def chart(curve: "LearningCurve") -> Overlay:
    """Train and validation over the sizes, in doublings; a forecast is one more point."""
    first = curve.points[0].n
    places = [1 + log2(point.n / first) for point in curve.points]
    series = {
        "train": Values(places, [point.train for point in curve.points]),
        "validation": Values(
            places,
            [point.validation.value for point in curve.points],
            [point.validation.interval for point in curve.points],
        ),
    }
    ticks = [(place, f"{point.n:,}") for place, point in zip(places, curve.points, strict=True)]
    spots = [
        (place, f"{point.n:,}: validation {point.validation.text}, train {percent(point.train)}")
        for place, point in zip(places, curve.points, strict=True)
    ]
    if (later := curve.forecast) is not None:
        place, score = 1 + log2(later.n / first), curve.points[-1].validation
        ends = "[{:.1f}, {:.1f}]".format(*(100 * end for end in later.interval))
        values = Values([places[-1], place], [score.value, later.value], [later.interval], dashed=True)
        series["power law"] = values
        ticks.append((place, f"{later.n:,}"))
        spots.append((place, f"{later.n:,}: by the power law {percent(later.value)} {ends}"))
    apart = [tick for tick, (after, _) in zip(ticks, [*ticks[1:], (99.0, "")], strict=True) if after - tick[0] > 0.4]
    return overlay("accuracy", series, apart, is_share=True, spots=spots)


def things_of(record: Record) -> str:
    """What its samples are called."""
    return record.things or ("pictures" if len(record.shape) == 3 else "samples")
