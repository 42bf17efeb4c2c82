"""The report of a search: its score, what mattered, and drawings of all trials, as geometry.

runs/pages/tune.html.j2 makes it HTML.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..evaluate import wilson
from ..runs.again import READING, winner_again
from ..runs.formats import percent, setting
from ..runs.pages.curve import things_of
from ..runs.pages.diagrams import Scale
from ..runs.pages.drawing import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Axes, axes_for, round_ticks
from ..runs.pages.report import rendered
from .influence import LEAST, at, best_of, counted, in_order, is_number, merits
from .words import count_words, searched, usual_words, values_words

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from .found import Search
    from .task import Told

SHOWN = 200  # trials in the table; trials.csv has all
EDGE = 20  # on the right of a drawing without names there
WIDE, AXES = 850, 8  # of the parallel coordinates: units across, dimensions besides the accuracy
SIDE = 300  # of a contour drawing
GRID, LEVELS = 40, 10  # points a side and steps of a contour, which are those of all: what is flat has one colour
NEAR = 0.18  # of a side: where no trial is so near, nothing is drawn
FITTED = 300  # trials that a surface is fitted to, at most, the last ones
PAIRS = 3  # contours, at most


@dataclass(frozen=True)
class Dot:
    """A trial in a drawing: its place, how it ended, whether it is among the best, and what to say there."""

    x: float
    y: float
    state: str
    best: bool
    said: str


@dataclass(frozen=True)
class History:
    """Accuracy over the trials in their order, with the best so far."""

    dots: list[Dot]
    best: str  # of an SVG polyline
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    below: int  # trials that lie under the frame


@dataclass(frozen=True)
class Parallel:
    """Each trial as a line across the dimensions, to its accuracy on the last axis."""

    axes: list[tuple[float, str, list[tuple[float, str]]]]  # x, name, (y, label) of its ticks
    lines: Sequence[tuple[str, str, str]]  # points of a polyline, its class, what to say there; the best last, on top
    width: float


@dataclass(frozen=True)
class Contour:
    """Ranks of trials over two dimensions: level curves of a smooth surface through them, and the trials."""

    names: tuple[str, str]
    n: int
    levels: list[tuple[float, str]]  # opacity, path
    key: list[tuple[float, str]]  # opacity, from which rank on, in percent
    dots: list[Dot]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def page(found: "Search") -> str:
    """The report as one HTML file that asks the network for nothing."""
    score, distributions = found.score, found.searched
    told = counted(found.trials, distributions)
    named = [one.name for one in found.influences] or list(distributions)
    intervals = {one.number: wilson(one.value * score.n, score.n) for one in found.trials if one.value is not None}
    best = {one.number for one in best_of(told)}
    winner = None if found.run is None else found.run.folder.name
    values = {
        "found": found,
        "record": found.record,
        "score": score,
        "counts": count_words(found.trials),
        "best_words": values_words(found.best.values),
        "winner": winner,
        "winner_words": _winner_words(found),
        "usual_words": usual_words(found.usual, found.best, score),
        "intervals": intervals,
        "scale": Scale(
            [score.value, score.naive, *([found.nested.score.value] if found.nested else [])],
            [score.interval, intervals[found.best.number], *([found.nested.score.interval] if found.nested else [])]
            + ([intervals[found.usual.number]] if found.usual else []),
        ),
        "history": history(found.trials, best),
        "parallel": parallel(told, distributions, named, best),
        "contours": contours(told, distributions, named, best),
        "searched": {name: searched(one) for name, one in distributions.items()},
        "names": named,
        "trials": in_order(found.trials)[:SHOWN],
        "best": best,
        "n_told": len(told),
        "setting": setting,
        "said": values_words,
        "things": things_of(found.record),
        "seconds": sum(one.seconds for one in found.trials),
        "least": LEAST,
        "options": found.record.search,
        "again": _again(found) if found.record.search.get("space") else "",
        "EDGE": EDGE,
        "SIDE": SIDE,
        "MARGIN": MARGIN,
    }
    return rendered("tune.html.j2", values, html=True)


def _again(found: "Search") -> str:
    """What trains on the best values, on the data as the winner read it."""
    record = found.record if found.run is None else found.run.record
    if record.origin:
        chosen = {name: value for name, value in found.values.items() if name in (*READING, "image_size")}
        record = record.model_copy(update={"origin": record.origin | chosen})
    command, python = winner_again(record, str(found.folder / "best.toml"))
    return command if record.origin else python


def _winner_words(found: "Search") -> str:
    if found.run is None:
        return "the winner was not trained anew"
    told = found.run.record.scores["search"]
    if told["policy"] == "all":
        return "trained anew on train and validation together; nothing judges that model itself, the score is this one"
    return f"trained anew as its trial was; {told['reproduced'] or 'not compared with it'}"


def history(trials: "Sequence[Told]", best: set[int]) -> History:
    """Trials that reached far less than most are drawn at the lower edge, so that the others can be told apart."""
    seen = {one.number: one.value for one in trials if one.value is not None}
    axes = _shares(trials)
    last = max(one.number for one in trials) or 1
    across = {one.number: LEFT + (WIDTH - LEFT - EDGE) * one.number / last for one in trials}
    dots = [
        Dot(across[number], axes.y(max(value, axes.low)), one.state, number in best, _said(one))
        for one in trials
        if (value := seen.get(number := one.number)) is not None
    ]
    steps, record = list[str](), 0.0
    for one in trials:
        if one.state == "complete" and one.value is not None and one.value > record:
            if steps:
                steps.append(f"{across[one.number]:.1f},{axes.y(max(record, axes.low)):.1f}")
            record = one.value
            steps.append(f"{across[one.number]:.1f},{axes.y(max(record, axes.low)):.1f}")
    if steps:
        steps.append(f"{max(across.values()):.1f},{axes.y(max(record, axes.low)):.1f}")
    marks = [tick for tick in round_ticks(0, last, 6, integer=True) if 0 <= tick <= last]
    return History(
        dots=sorted(dots, key=lambda dot: dot.best),
        best=" ".join(steps),
        x_ticks=[(LEFT + (WIDTH - LEFT - EDGE) * tick / last, f"{tick:g}") for tick in marks],
        y_ticks=[(axes.y(tick), f"{100 * tick:g} %") for tick in axes.ticks],
        below=sum(value < axes.low for value in seen.values()),
    )


def _shares(trials: "Sequence[Told]") -> Axes:
    """An axis on which those that came to their end can be told apart, but for far outliers."""
    ended = [one.value for one in trials if one.value is not None and one.state == "complete"]
    values = np.array(ended or [one.value for one in trials if one.value is not None])
    top, middle = float(values.max()), float(np.median(values))
    return axes_for(1, [max(float(values.min()), top - 3 * (top - middle)), top], math.nan, is_share=True)


def _said(one: "Told") -> str:
    seen = "–" if one.value is None else percent(one.value)
    return f"trial {one.number}: {seen} as seen, {one.state}; {values_words(one.values)}"


def parallel(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", names: Sequence[str], best: set[int]
) -> Parallel | None:
    """The dimensions that matter most come first; None where there are fewer than two trials or no dimension."""
    names = [name for name in names if not distributions[name].single()][:AXES]
    trials = [one for one in trials if one.value is not None]
    if len(trials) < 2 or not names:
        return None
    places = np.linspace(50, WIDE - 70, len(names) + 1)
    axes = _shares(trials)
    drawn = [
        (float(x), name, [(_height(place), label) for place, label in _ticks(distributions[name])])
        for x, name in zip(places, names, strict=False)
    ]
    drawn.append((float(places[-1]), "accuracy", [(axes.y(tick), f"{100 * tick:g} %") for tick in axes.ticks]))
    rows = list[tuple[str, str, str]]()
    for one in reversed(in_order(trials)):
        assert one.value is not None
        points = [
            f"{x:.1f},{_height(place(one.values[name], distributions[name])):.1f}"
            for x, name in zip(places, names, strict=False)
            if name in one.values
        ]
        points.append(f"{places[-1]:.1f},{axes.y(max(one.value, axes.low)):.1f}")
        rows.append((" ".join(points), "best" if one.number in best else one.state, _said(one)))
    return Parallel(drawn, rows, WIDE)


def _height(place: float) -> float:
    """Of a place on an axis, 0 at the bottom to 1."""
    return TOP + 10 + (HEIGHT - TOP - BOTTOM - 10) * (1 - place)


def place(value: Any, distribution: Any) -> float:  # Any: a value of this distribution
    """Where a value lies on its axis, 0 to 1; words at equal distances, in their order."""
    if is_number(distribution):
        return at(value, distribution)
    choices = list(map(repr, distribution.choices))
    return (choices.index(repr(value)) + 0.5) / len(choices)


def _ticks(distribution: Any, most: int = 4) -> list[tuple[float, str]]:  # Any: one with ends or choices
    """Places on an axis and what to write there."""
    if not is_number(distribution):
        return [(place(choice, distribution), setting(choice)) for choice in distribution.choices]
    low, high = float(distribution.low), float(distribution.high)
    if not distribution.log:
        whole = isinstance(distribution.low, int)
        ticks = [tick for tick in round_ticks(low, high, most, integer=whole) if low <= tick <= high]
        return [(at(tick, distribution), f"{tick:g}") for tick in ticks]
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = [10.0**power for power in range(first, last + 1)]
    ticks = decades if len(decades) > 1 else [low, math.sqrt(low * high), high]
    return [(at(tick, distribution), f"{tick:.2g}") for tick in ticks]


MARGIN = (52, 10, 34)  # of a contour drawing: left, top and right, bottom


def contours(
    trials: "Sequence[Told]", distributions: "Mapping[str, BaseDistribution]", names: Sequence[str], best: set[int]
) -> list[Contour]:
    """Of the pairs of numbers that matter most; none where too few trials have both."""
    numbers = [name for name in names if is_number(distributions[name]) and not distributions[name].single()]
    found = []
    for pair in combinations(numbers[:PAIRS], 2):
        both = [one for one in trials if all(name in one.values for name in pair)]
        if len(both) >= LEAST:
            found.append(_contour(both, distributions, pair, best))
    return found


def _contour(
    trials: "Sequence[Told]",
    distributions: "Mapping[str, BaseDistribution]",
    names: tuple[str, str],
    best: set[int],
) -> Contour:
    from contourpy import FillType, contour_generator

    places = np.array([[place(one.values[name], distributions[name]) for name in names] for one in trials])
    surface = _surface(places[-FITTED:], merits(trials)[-FITTED:]).clip(0, 1)
    steps = np.linspace(0, 1, LEVELS + 1)
    line = np.linspace(0, 1, GRID)
    made: Any = contour_generator(
        line, line, np.ma.masked_invalid(surface), fill_type=FillType.OuterCode
    )  # Any: filled() gives what fill_type says
    levels, key = list[tuple[float, str]](), list[tuple[float, str]]()
    for number, (under, over) in enumerate(pairwise(steps)):
        opacity = round(0.06 + 0.64 * number / (LEVELS - 1), 2)
        polygons, codes = made.filled(under - (number == 0) * 1e-9, over + (number == LEVELS - 1) * 1e-9)
        path = " ".join(_path(points, code) for points, code in zip(polygons, codes, strict=True))
        if path:
            levels.append((opacity, path))
            key.append((opacity, f"{100 * under:.0f}"))
    dots = [
        Dot(
            *_at(*(place(one.values[name], distributions[name]) for name in names)),
            one.state,
            one.number in best,
            _said(one),
        )
        for one in reversed(in_order(trials))
    ]
    across = [(_at(tick, 0)[0], label) for tick, label in _ticks(distributions[names[0]])]
    down = [(_at(0, tick)[1], label) for tick, label in _ticks(distributions[names[1]])]
    return Contour(names, len(trials), levels, key, dots, across, down)


def _surface(places: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(GRID, GRID) a smooth surface through these values; NaN where no trial is near.

    A Gaussian process with noise, since trials at one place differ in their other dimensions.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(1.0, (0.05, 10)) * RBF([0.4, 0.4], (0.25, 2.0)) + WhiteKernel(0.3, (0.01, 2.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is as good
        process.fit(places, values)
    line = np.linspace(0, 1, GRID)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    far = np.sqrt(((grid[:, None] - places[None]) ** 2).sum(-1)).min(1)
    told = np.where(far < NEAR, process.predict(grid), np.nan)
    return np.asarray(told.reshape(GRID, GRID), np.float64)


def _path(points: NDArray[np.float64], codes: NDArray[np.uint8]) -> str:
    """The `d` of an SVG path, of matplotlib's codes: 1 begins, 2 draws a line, 79 closes."""
    drawn = []
    for (x, y), code in zip(points, codes, strict=True):
        across, down = _at(x, y)
        drawn.append("Z" if code == 79 else f"{'M' if code == 1 else 'L'}{across:.1f} {down:.1f}")
    return "".join(drawn)


def _at(x: float, y: float) -> tuple[float, float]:
    """A place, 0 to 1 both ways, in the drawing of a contour."""
    left, edge, bottom = MARGIN
    return left + (SIDE - left - edge) * float(x), edge + (SIDE - edge - bottom) * (1 - float(y))
