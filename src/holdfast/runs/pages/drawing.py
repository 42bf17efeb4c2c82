"""The drawings of a report, as geometry: curves over epochs, and the confusion matrix.  The template makes them SVG."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import decimals, percent

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 250, 46, 90, 14, 30  # of a chart and its margins, in SVG's units


@dataclass(frozen=True)
class Curve:
    """The line of one part, and the height of its name at the right end."""

    part: str
    points: str  # of an SVG polyline
    label_y: float


@dataclass(frozen=True)
class Chart:
    """A drawing of one quantity over the epochs, in SVG's coordinates."""

    title: str
    curves: list[Curve]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    kept: float | None
    measured: tuple[float, float] | None
    epochs: list[tuple[float, float, str]]  # left edge, width, what to say there


@dataclass(frozen=True)
class Axes:
    """Where epochs, counted from 1, and values lie in a chart."""

    epochs: int
    low: float
    high: float
    ticks: list[float]

    def x(self, epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(self.epochs - 1, 1)

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)


def charts(
    logs: Sequence[Mapping[str, float]], measured: Mapping[str, float], kept_epoch: int | None
) -> Iterator[Chart]:
    """One for each quantity that training and validation both have, in the order of the logs; see report.Facts."""
    names = dict.fromkeys(name for log in logs for name in log)
    for name in names:
        if f"val_{name}" in names:
            yield _chart(name, logs, measured.get(name, math.nan), kept_epoch)


def _chart(name: str, logs: Sequence[Mapping[str, float]], measured: float, kept: int | None) -> Chart:
    is_share = name.endswith(("accuracy", "acc"))
    series = {"train": _points(logs, name), "validation": _points(logs, f"val_{name}")}
    axes = axes_for(len(logs), [value for line in series.values() for value in line.values()], measured, is_share)
    return Chart(
        title=name.replace("_", " "),
        curves=_curves(series, axes),
        x_ticks=[(axes.x(epoch), f"{epoch:g}") for epoch in epoch_ticks(axes.epochs)],
        y_ticks=[(axes.y(tick), f"{100 * tick:g} %" if is_share else f"{tick:g}") for tick in axes.ticks],
        kept=axes.x(kept) if kept else None,
        measured=(axes.x(kept or axes.epochs), axes.y(measured)) if math.isfinite(measured) else None,
        epochs=list(_said_of_epochs(series, axes, percent if is_share else decimals)),
    )


def _points(logs: Sequence[Mapping[str, float]], key: str) -> dict[int, float]:
    """From epochs, counted from 1, to the finite values of this key."""
    return {epoch: log[key] for epoch, log in enumerate(logs, 1) if math.isfinite(log.get(key, math.nan))}


def axes_for(epochs: int, values: list[float], measured: float, is_share: bool) -> Axes:
    """Axes that hold these values; of a share they span ten points at least."""
    drawn = [value for value in (*values, measured) if math.isfinite(value)] or [0.0, 1.0]
    low = min(*drawn, max(drawn) - 0.1) if is_share else min(0.0, *drawn)  # ten points at least: no drama in a tenth
    ticks = [tick for tick in round_ticks(low, max(drawn), 4) if not is_share or 0 <= tick <= 1]
    bottom = min(*ticks, *drawn)
    return Axes(epochs, bottom, max(*ticks, *drawn, bottom + 0.1), ticks)  # of nothing but zeros there is no span


def _curves(series: Mapping[str, Mapping[int, float]], axes: Axes) -> list[Curve]:
    ends = [axes.y(list(line.values())[-1]) if line else HEIGHT / 2 for line in series.values()]
    return [
        Curve(part, " ".join(f"{axes.x(epoch):.1f},{axes.y(value):.1f}" for epoch, value in line.items()), height)
        for (part, line), height in zip(series.items(), _apart(ends, 17), strict=True)
    ]


def _apart(heights: list[float], least: float) -> list[float]:
    """Two heights, moved away from each other until they are `least` apart."""
    first, second = heights
    push = max(0.0, least - abs(first - second)) / 2
    return [first - push, second + push] if first <= second else [first + push, second - push]


def round_ticks(low: float, high: float, most: int, **options: Any) -> list[float]:  # Any: of MaxNLocator
    """Round numbers from at most `low` to at least `high`, in about `most` steps."""
    from matplotlib.ticker import MaxNLocator

    return [float(tick) for tick in MaxNLocator(most, **options).tick_values(low, high)]


def epoch_ticks(epochs: int) -> list[float]:
    """The first epoch and round ones after it."""
    inner = round_ticks(1, epochs, 5, integer=True, steps=[1, 2, 5, 10]) if epochs > 1 else []
    return [1.0, *(tick for tick in inner if 1 < tick <= epochs)]


def _said_of_epochs(
    series: Mapping[str, Mapping[int, float]], axes: Axes, show: Callable[[float], str]
) -> Iterator[tuple[float, float, str]]:
    width = (WIDTH - LEFT - RIGHT) / max(axes.epochs - 1, 1)
    for epoch in range(1, axes.epochs + 1):
        said = [f"{part} {show(line[epoch])}" for part, line in series.items() if epoch in line]
        yield axes.x(epoch) - width / 2, width, f"epoch {epoch}: " + ", ".join(said)


class Matrix:
    """The confusion matrix as a drawing: a square a pair of classes, rows the truth, columns the prediction."""

    def __init__(self, counts: NDArray[Any], classes: Sequence[str]) -> None:
        self.counts = np.asarray(counts)
        self.classes = classes
        self.side = min(38.0, max(9.0, 880 / len(classes)))
        self.count_px = min(13.0, 0.52 * self.side)
        self.name_px = min(13.0, 0.8 * self.side)
        self.upright = max(map(len, classes)) <= 3 and self.side > 24
        self.label = 12 + 0.6 * self.name_px * min(16, max(map(len, classes)))
        self.size = self.label + self.side * len(classes)

    def cells(self) -> Iterator[tuple[int, int, int, float]]:
        """(truth, prediction, count, opacity) wherever something was counted.

        Opacity grows with the root of the share of the row, so that single mistakes are seen too.
        """
        for row, column in np.argwhere(self.counts):
            count, total = int(self.counts[row, column]), int(self.counts[row].sum())
            yield int(row), int(column), count, 0.06 + 0.6 * math.sqrt(count / total)

    def confusions(self, most: int = 8) -> list[tuple[str, str, int, int]]:
        """(truth, prediction, count, pictures of this truth) of the mistakes made most often, at least twice."""
        wrong = [(count, row, column) for row, column, count, _ in self.cells() if row != column and count > 1]
        wrong.sort(key=lambda item: (-item[0], item[1:]))
        return [
            (self.classes[row], self.classes[column], count, int(self.counts[row].sum()))
            for count, row, column in wrong[:most]
        ]
