"""The page of a study of dimensions: its sentences, the remedies, the curve, the path, the variance."""

from math import log2
from typing import TYPE_CHECKING

from .. import lines
from ..formats import interval, percent
from .curve import things_of
from .diagrams import Scale
from .drawing import round_ticks
from .overlay import LABELLED, Overlay, Values, overlay
from .report import rendered

if TYPE_CHECKING:
    from ..dims import Dimensions, Variance
    from ..remedies import Path

TICKS = 7  # of a chart, at most, so that their numbers do not touch


def page(found: "Dimensions", note: str, seconds: float) -> str:
    """The report as one HTML file that asks the network for nothing."""
    scores, best = [one.accuracy for one in found.outcomes], found.best
    remedies = found.outcomes[1:]
    reach = 1.05 * max(0.01, *(abs(end) for one in remedies for end in one.interval))
    looks = found.outcomes[-1].accuracy.looks + len(found.outcomes)
    values = {
        "found": found,
        "note": note,
        "things": things_of(found.record),
        "scale": Scale(
            [*(one.value for one in scores), best.value, found.chance],
            [*(one.interval for one in scores), best.interval],
        ),
        "reach": reach,
        "place": lambda difference: 50 + 50 * difference / reach,
        "ticks": [tick for tick in round_ticks(-reach, reach, 6) if abs(tick) <= reach],
        "level": percent(1 - 0.05 / len(remedies)),
        "curve": curve(found) if found.gain else None,
        "path": path_charts(found.path),
        "zeros": (min(found.path.sparsity), max(found.path.sparsity)),
        "variance": variance_chart(found.variance),
        "seconds": seconds,
        "folds": lines.counted(len(found.outcomes[0].folds), "fold"),
        "looks": f"These samples have been looked at {looks:,} times by now, over all runs in the ledger. "
        "The test part stayed sealed.",
        "LABELLED": LABELLED,
    }
    return rendered("dims.html.j2", values, html=True)


def curve(found: "Dimensions") -> Overlay:
    """The baseline over the sizes, in doublings; a forecast is one more point."""
    points = found.points
    places = [1 + log2(point.n / points[0].n) for point in points]
    scores = [point.accuracy for point in points]
    series = {"baseline": Values(places, [one.value for one in scores], [one.interval for one in scores])}
    ticks = [(place, f"{point.n:,}") for place, point in zip(places, points, strict=True)]
    spots = [(place, f"{point.n:,}: {point.accuracy.text}") for place, point in zip(places, points, strict=True)]
    if (later := found.forecast) is not None:
        place = 1 + log2(later.n / points[0].n)
        series["power law"] = Values(
            [places[-1], place], [scores[-1].value, later.value], [later.interval], dashed=True
        )
        ticks.append((place, f"{later.n:,}"))
        spots.append((place, f"{later.n:,}: by the power law {percent(later.value)} {interval(later.interval)}"))
    return overlay("accuracy", series, ticks, is_share=True, spots=spots)


def path_charts(path: "Path") -> list[Overlay]:
    """Accuracy and zeros along the path of the penalty."""
    places = [1 + log2(value) for value in path.relative]
    ticks = _apart([(place, f"×{value:.3g}") for place, value in zip(places, path.relative, strict=True)])
    spots = [
        (place, f"C ×{c:.3g}: accuracy {percent(right)}, {percent(zero)} of the weights zero, {left:.0f} features left")
        for place, c, right, zero, left in zip(
            places, path.relative, path.accuracy, path.zeros, path.features, strict=True
        )
    ]
    return [
        overlay(title, {name: Values(places, values)}, ticks, is_share=True, spots=spots)
        for title, name, values in (
            ("accuracy, out of fold", "accuracy", path.accuracy),
            ("weights that are exactly zero", "zeros", path.zeros),
        )
    ]


def variance_chart(variance: "Variance") -> Overlay:
    """The share of the variance that so many components hold."""
    places = [1 + log2(count) for count in variance.components]
    ticks = _apart([(place, f"{count:,}") for place, count in zip(places, variance.components, strict=True)])
    spots = [
        (place, f"{count:,} components hold {percent(share)}")
        for place, count, share in zip(places, variance.components, variance.shares, strict=True)
    ]
    return overlay("variance held", {"PCA": Values(places, variance.shares)}, ticks, is_share=True, spots=spots)


def _apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those that do not touch the one before."""
    kept, least = ticks[:1], (ticks[-1][0] - ticks[0][0]) / TICKS
    for tick in ticks[1:]:
        if tick[0] - kept[-1][0] >= least:
            kept.append(tick)
    return kept
