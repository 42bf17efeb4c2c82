"""Several lines over one another, as geometry: runs over their epochs, scores over sizes.  overlay.html.j2 draws it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from .drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axes, axes_for

COLOURS = 8  # in colours.css; more lines than these are dashed, too
LABELLED = 12  # lines whose names fit at the right end


@dataclass(frozen=True)
class Line:
    """One line, its colour by number, and the height of its name at the right end."""

    name: str
    colour: int
    dashed: bool
    points: str  # of an SVG polyline
    bars: list[tuple[float, float, float, float]]  # x, y, and both ends of its interval
    band: str  # of an SVG polygon: around the line, from interval to interval; or ""
    label_y: float


@dataclass(frozen=True)
class Overlay:
    """A drawing of one quantity, in SVG's coordinates.  `spots`, and `marks`, which are seen, are (x, what to say)."""

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    spots: list[tuple[float, str]]
    marks: list[tuple[float, str]]


@dataclass(frozen=True)
class Values:
    """A line before it is drawn: its places from 1 on, the values there, and the intervals of the last of them.

    `banded` intervals become a band, others a bar at each place.
    """

    places: Sequence[float]
    values: Sequence[float]
    intervals: Sequence[tuple[float, float]] = ()
    dashed: bool = False
    banded: bool = False


def overlay(
    title: str,
    series: Mapping[str, Values],
    ticks: Sequence[tuple[float, str]],
    *,
    is_share: bool,
    spots: Sequence[tuple[float, str]] = (),
    marks: Sequence[tuple[float, str]] = (),
) -> Overlay:
    """Lines in one frame.

    Args:
        title: of the drawing.
        series: by name.
        ticks: places and what to write under them.
        is_share: whether values are shares, written as percentages.
        spots: places and what to say there.
        marks: places where a dashed line stands, and what to say there.
    """
    drawn = [value for line in series.values() for value in (*line.values, *chain(*line.intervals))]
    last = max(place for line in series.values() for place in line.places)
    axes = axes_for(1, drawn, math.nan, is_share)  # for heights; places need be no epochs
    heights = _apart([axes.y(line.values[-1]) for line in series.values()], 17)
    return Overlay(
        title=title,
        lines=[
            Line(
                name,
                number % COLOURS,
                line.dashed or number >= COLOURS,
                _points(line, axes, last),
                [] if line.banded else _bars(line, axes, last),
                _band(_bars(line, axes, last)) if line.banded else "",
                height,
            )
            for number, ((name, line), height) in enumerate(zip(series.items(), heights, strict=True))
        ],
        x_ticks=[(_x(place, last), text) for place, text in ticks],
        y_ticks=[(axes.y(tick), f"{100 * tick:g} %" if is_share else f"{tick:g}") for tick in axes.ticks],
        spots=[(_x(place, last), text) for place, text in spots],
        marks=[(_x(place, last), text) for place, text in marks],
    )


def _x(place: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (place - 1) / (last - 1 or 1)


def _points(line: Values, axes: Axes, last: float) -> str:
    return " ".join(f"{_x(x, last):.1f},{axes.y(y):.1f}" for x, y in zip(line.places, line.values, strict=True))


def _bars(line: Values, axes: Axes, last: float) -> list[tuple[float, float, float, float]]:
    start = len(line.places) - len(line.intervals)
    ends = zip(line.places[start:], line.values[start:], line.intervals, strict=True)
    return [(_x(x, last), axes.y(y), axes.y(low), axes.y(high)) for x, y, (low, high) in ends]


def _band(bars: Sequence[tuple[float, float, float, float]]) -> str:
    """There along the lower ends, and back along the upper ones."""
    ends = [(x, low) for x, _, low, _ in bars] + [(x, high) for x, _, _, high in reversed(bars)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in ends)


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """The heights in their order, moved until they are `least` apart and, as far as there is room, in the frame."""
    moved, last = list(heights), float(TOP) - least
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        last = moved[number] = max(heights[number], last + least)
    beyond = float(HEIGHT - BOTTOM)
    for number in sorted(range(len(moved)), key=moved.__getitem__, reverse=True):
        moved[number] = min(moved[number], beyond)
        beyond = moved[number] - least
    return moved
