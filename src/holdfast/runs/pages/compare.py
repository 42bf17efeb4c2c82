"""The page of a comparison: curves over one another, the runs, their differences, the classes that changed most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..formats import decimals, percent
from ..predictions import Predictions
from .drawing import epoch_ticks, round_ticks
from .overlay import COLOURS, LABELLED, Overlay, Values, overlay
from .report import rendered

if TYPE_CHECKING:
    from ..compare import Compared

CLASSES_SHOWN = 20


@dataclass(frozen=True)
class Shown:
    """What the page needs of a run beside its row: the logs of its epochs and what it said of the common part."""

    name: str
    logs: Sequence[Mapping[str, float | None]]
    kept: Predictions


@dataclass(frozen=True)
class ClassRow:
    """One class: how many samples, what share of them each run finds, and what share is not answered alike by all."""

    name: str
    n: int
    recalls: tuple[float, ...]
    changed: float


def page(compared: "Compared", runs: Sequence[Shown], classes: Sequence[str]) -> str:
    """The comparison as one HTML file that asks the network for nothing."""
    reach = 1.05 * max(0.01, *(abs(end) for pair in compared.pairs for end in pair.interval))
    rows = changed_classes(runs, classes)
    shown = [row for row in rows if row.changed][:CLASSES_SHOWN]
    values = {
        "compared": compared,
        "charts": [chart for key in ("val_accuracy", "val_loss") if (chart := curves(runs, key))],
        "reach": reach,
        "place": lambda difference: 50 + 50 * difference / reach,
        "ticks": [tick for tick in round_ticks(-reach, reach, 6) if abs(tick) <= reach],
        "classes": shown,
        "more": len(rows) - len(shown),
        "CLASSES_SHOWN": CLASSES_SHOWN,
        "COLOURS": COLOURS,
        "LABELLED": LABELLED,
    }
    return rendered("compare.html.j2", values, html=True)


def curves(runs: Sequence[Shown], key: str) -> Overlay | None:
    """The curves of all runs that have this key in their logs; None where none has."""
    series = dict[str, Values]()
    for run in runs:
        points = [(epoch, log[key]) for epoch, log in enumerate(run.logs, 1) if log.get(key) is not None]
        if points:
            places, values = zip(*points, strict=True)
            series[run.name] = Values(places, values)
    if not series:
        return None
    last = int(max(place for line in series.values() for place in line.places))
    show = percent if key == "val_accuracy" else decimals
    spots = []
    for epoch in range(1, last + 1):
        said = [
            f"{name} {show(line.values[line.places.index(epoch)])}"
            for name, line in series.items()
            if epoch in line.places
        ]
        spots.append((float(epoch), f"epoch {epoch}: {', '.join(said)}"))
    ticks = [(tick, f"{tick:g}") for tick in epoch_ticks(last)]
    title = f"validation {key.removeprefix('val_')}"
    return overlay(title, series, ticks, is_share=key == "val_accuracy", spots=spots)


def changed_classes(runs: Sequence[Shown], classes: Sequence[str]) -> list[ClassRow]:
    """Every class that has samples, those first in which most answers differ."""
    labels = runs[0].kept.labels
    said = np.stack([run.kept.said for run in runs])
    counts = np.bincount(labels, minlength=len(classes))
    differ = np.bincount(labels, (said != said[0]).any(0), len(classes))
    hits = [np.bincount(labels, row == labels, len(classes)) for row in said]
    rows = [
        ClassRow(name, int(n), tuple(float(of[index] / n) for of in hits), float(differ[index] / n))
        for index, (name, n) in enumerate(zip(classes, counts, strict=True))
        if n
    ]
    return sorted(rows, key=lambda row: (-row.changed, -(max(row.recalls) - min(row.recalls)), row.name))
