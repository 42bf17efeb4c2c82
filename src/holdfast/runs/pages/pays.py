"""The page of a study of a base: its sentences, the three ways over the labels, the table."""

from math import log2
from typing import TYPE_CHECKING

from .. import lines
from .curve import things_of
from .overlay import LABELLED, Overlay, Values, overlay
from .report import rendered

if TYPE_CHECKING:
    from ..payoff import Pays


def page(found: "Pays", seconds: float) -> str:
    """The report as one HTML file that asks the network for nothing."""
    score = found.points[-1].outcomes[0].accuracy
    values = {
        "found": found,
        "chart": chart(found),
        "things": things_of(found.record),
        "score": score,
        "seeds": lines.counted(len(found.points[0].outcomes[0].repeats), "seed"),
        "seconds": seconds,
        "looks": f"Validation, n={score.n:,}, has been looked at {score.looks:,} times by now, over all runs in the "
        "ledger. The test part stayed sealed.",
        "LABELLED": LABELLED,
    }
    return rendered("pays.html.j2", values, html=True)


def chart(found: "Pays") -> Overlay:
    """The three ways over the labels, in doublings, with bands; and where scratch is no longer shown to be worse."""
    points = found.points
    places = {point.n: 1 + log2(point.n / points[0].n) for point in points}
    series: dict[str, Values] = {
        one.way: Values(
            list(places.values()),
            [point.of(one.way).accuracy.value for point in points],
            [point.of(one.way).accuracy.interval for point in points],
            banded=len(points) > 1,
        )
        for one in points[0].outcomes
    }
    spots = [
        (places[point.n], f"{point.n:,}: {', '.join(f'{one.way} {one.accuracy.text}' for one in point.outcomes)}")
        for point in points
    ]
    marks = [(places[end], f"{way}: no gain from {end:,} on") for way, end in found.crossings.items() if end]
    ticks = [(place, f"{n:,}") for n, place in places.items()]
    return overlay("accuracy", series, ticks, is_share=True, spots=spots, marks=marks)
