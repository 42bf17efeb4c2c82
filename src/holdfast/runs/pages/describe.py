"""The page of `holdfast data`: what it shows of each kind of data; the words and numbers come from describe.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from ...core import derive
from ...data import Dataset, Part
from ...data.near import SMALLEST_PX
from ...data.series import Series
from ...data.sounds import Sounds
from ...data.table import Table
from .. import describe, lines
from ..odd import measured
from ..sizes import Lengths, Sizes
from .report import rendered
from .tiles import Tile, tile

if TYPE_CHECKING:
    from ..describe import Copies, Description

SAMPLES, CLASSES_DRAWN, LEAST_EACH, MOST_EACH = 120, 20, 4, 8  # tiles of the grid; classes in it; tiles a class
ODD_DRAWN, SETS_DRAWN, OF_A_SET = 48, 12, 5
ROWS, FEATURES, RANKED = 5, 40, 100_000  # of a table: rows and columns that are shown, rows that are ranked
SCATTER, BINS = 260, 40  # side of the drawing of sizes; bars of that of lengths


@dataclass(frozen=True)
class Shown:
    """A drawn sample and what is written under it."""

    tile: Tile | None
    name: str
    label: str
    why: str = ""


@dataclass(frozen=True)
class ClassRow:
    """A class and its samples in the parts; `share` is of all samples, `length` of the longest bar, both in [0, 1]."""

    name: str
    counts: Sequence[int]
    share: float
    length: float


@dataclass(frozen=True)
class Spot:
    """A size in the drawing of sizes: place and radius in pixels, and what it says."""

    x: float
    y: float
    radius: float
    said: str


@dataclass(frozen=True)
class Feature:
    """A column of a table: the least, middle and largest value, and the first ones."""

    name: str
    ends: tuple[float, float, float]
    first: Sequence[float]


def page(found: "Description") -> str:
    """The page as one HTML file that asks the network for nothing."""
    data = found.data
    expected = found.forecast
    values = {
        "found": found,
        "data": data,
        "things": data.things,
        "total": len(data.train) + len(data.validation) + len(data.test),
        "parts": [("train", len(data.train)), ("validation", len(data.validation)), ("test", len(data.test))],
        "classes": class_rows(data),
        "grid": grid(data),
        "odd": [_shown(data, one.part, one.place, one.why) for one in found.odd[:ODD_DRAWN]],
        "copies": [(one, copies_of(data, one)) for one in found.copies[:SETS_DRAWN]],
        "drawn_sizes": spots(found.sizes) if isinstance(found.sizes, Sizes) else None,
        "drawn_lengths": bins(found.sizes) if isinstance(found.sizes, Lengths) else None,
        "near": near_copies_can_be_told(found),
        "groups": group_sizes(data),
        "times": times(data),
        "features": features(data),
        "rows": [data.train.names[index] for index in range(min(ROWS, len(data.train)))],
        "memory": memory(found),
        "forecast_line": describe.forecast_line(found),
        "command": describe.next_command(found),
        "shape": shape_of(data),
        "expected": expected,
        "SCATTER": SCATTER,
        "BINS": BINS,
    }
    return rendered("describe.html.j2", values, html=True)


def shape_of(data: Dataset) -> str:
    """The shape of a sample in words: `0.67 s at 8,000 Hz`, `100 steps of 3 channels`, `12 columns`."""
    reads, words = data.reads, lines.shape_words(data.shape)
    if isinstance(reads, Sounds):
        return f"{reads.samples / reads.rate:.3g} s at {reads.rate:,} Hz"
    if isinstance(reads, Series):
        masked = ", with a mask of what was measured" if reads.masked else ""
        return f"{reads.steps:,} steps of {lines.counted(len(reads.channels), 'channel')}{masked}"
    return f"{words} columns" if len(data.shape) == 1 else words


def class_rows(data: Dataset) -> list[ClassRow]:
    """In their own order, of many the largest first."""
    counts = describe.class_counts(data)
    totals = counts.sum(1)
    order = range(len(totals)) if len(totals) <= CLASSES_DRAWN else np.argsort(-totals, kind="stable").tolist()
    return [
        ClassRow(
            data.classes[place],
            counts[place].tolist(),
            float(totals[place] / totals.sum()),
            float(totals[place] / totals.max()),
        )
        for place in order
    ]


def grid(data: Dataset) -> list[tuple[str, list[Shown]]]:
    """Samples of the training part, drawn at random, a row for each class; of many classes, of some."""
    if data.kind == "table" or tile(data.train.images[0].numpy(), data.kind) is None:
        return []
    labels = data.train.labels.numpy()
    random = np.random.default_rng(derive(0, "samples of", data.fingerprint))
    classes = np.unique(labels)
    if len(classes) > CLASSES_DRAWN:
        classes = np.sort(random.permutation(classes)[:CLASSES_DRAWN])
    each = min(MOST_EACH, max(LEAST_EACH, SAMPLES // len(classes)))
    if data.things != "pictures":
        each = min(each, 4)
    rows = []
    for label in map(int, classes):
        places = random.permutation(np.flatnonzero(labels == label))[:each]
        rows.append((data.classes[label], [_shown(data, "train", int(place)) for place in places]))
    return rows


def copies_of(data: Dataset, copies: "Copies") -> list[Shown]:
    """The first samples of a set."""
    return [_shown(data, copies.part, place) for place in copies.places[:OF_A_SET]]


def _shown(data: Dataset, part: str, place: int, why: str = "") -> Shown:
    samples: Part = getattr(data, part)  # train or validation
    drawn = None if data.kind == "table" else tile(measured(samples.images[place].numpy(), data), data.kind)
    return Shown(drawn, samples.names[place], data.classes[int(samples.labels[place])], why)


def spots(sizes: Sizes) -> tuple[list[Spot], list[tuple[float, int]]]:
    """Each size as a disc whose area goes with the number of pictures, in doublings; and the marks of both axes."""
    sides = [side for size, _ in sizes.counts for side in size]
    low, high = log(min(sides)) - 0.2, log(max(sides)) + 0.2
    at = [(log(w) - low, log(h) - low) for (h, w), _ in sizes.counts]
    scale = SCATTER / (high - low)
    doubled = [2**n for n in range(15) if min(sides) <= 2**n <= max(sides)]
    shown = doubled if 1 < len(doubled) < 6 else sorted({min(sides), max(sides)})
    marks = [((log(side) - low) * scale, side) for side in shown]
    drawn = [
        Spot(
            x * scale,
            SCATTER - y * scale,
            max(2.0, 22 * (count / sizes.n) ** 0.5),
            f"{width}x{height}: {count:,}",
        )
        for (x, y), ((height, width), count) in zip(at, sizes.counts, strict=True)
    ]
    return drawn, marks


def bins(lengths: Lengths) -> list[tuple[float, float, str]]:
    """(place, height, words) of each bar of the drawing of lengths, in shares of it."""
    counts, ends = np.histogram(lengths.seconds, BINS)
    return [
        (place / BINS, float(count / counts.max()), f"{low:.2f} to {high:.2f} s: {count:,}")
        for place, (count, low, high) in enumerate(zip(counts.tolist(), ends[:-1], ends[1:], strict=True))
    ]


def near_copies_can_be_told(found: "Description") -> bool:
    """Whether these are pictures, and large enough for it; that they are too alike, a note says."""
    data, sizes = found.data, found.sizes
    if data.things != "pictures" or any(note.startswith("near copies") for note in data.facts.notes):
        return False
    return min(sizes.middle if isinstance(sizes, Sizes) else data.shape[:2]) >= SMALLEST_PX


def group_sizes(data: Dataset) -> list[tuple[str, int, str]]:
    """(name, samples, part) of each group of train and validation, the largest first."""
    found = []
    for name, part in (("train", data.train), ("validation", data.validation)):
        if part.groups is None or not data.group_names:
            continue
        numbers, counts = np.unique(part.groups, return_counts=True)
        found += [
            (data.group_names[number], count, name)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
            if number in data.group_names
        ]
    return sorted(found, key=lambda row: (-row[1], row[0]))


def times(data: Dataset) -> list[tuple[str, float, float]]:
    """(part, first, last) where samples have times."""
    parts = (("train", data.train), ("validation", data.validation))
    return [
        (name, float(part.times.min()), float(part.times.max()))
        for name, part in parts
        if part.times is not None and len(part)
    ]


def features(data: Dataset) -> list[Feature]:
    """The columns of a table, or of any rows of numbers."""
    if len(data.shape) != 1 or data.kind == "sounds":
        return []
    values = data.train.images[:RANKED].numpy()
    names = data.reads.features if isinstance(data.reads, Table) else [f"[{n}]" for n in range(data.shape[0])]
    ends = np.quantile(values, (0, 0.5, 1), axis=0).T
    return [
        Feature(name, (float(low), float(middle), float(high)), values[:ROWS, column].tolist())
        for column, (name, (low, middle, high)) in enumerate(zip(names[:FEATURES], ends[:FEATURES], strict=True))
    ]


def memory(found: "Description") -> list[tuple[str, float, float]]:
    """(what, bytes, share of the bar) of what training takes and of what is left."""
    expected = found.forecast
    if expected is None:
        return []
    whole = max(expected.needed, expected.memory or 0.0)
    rest = expected.needed - expected.data - expected.step
    pieces = [("data", expected.data), ("model and batch", expected.step), ("Python and torch", rest)]
    left = whole - expected.needed
    pieces += [("free", left)] if left > 0 else []
    return [(what, amount, amount / whole) for what, amount in pieces]
