"""The search for wrong labels: cross-validation, what it makes suspicious, and the sheet to review it by."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from ..core import need, whole_file
from ..data import Dataset, Part
from ..evaluate import LabelErrors, label_errors
from . import lines
from .crossval import CrossValidation, cross_validate
from .formats import percent
from .loading import load_shown
from .pages.report import rendered
from .pages.told import Picture
from .plan import How, ModelChoice
from .write import write_text

SHEET, TABLE = "labels.html", "labels.csv"
LEAST, SHOWN = 24, 300  # pictures on the sheet, suspected or not; the table has all samples
WEAK = 0.8  # accuracy out of fold below which most suspects are mistakes of the models


@dataclass(frozen=True, eq=False)
class LabelReview:
    """What `review_labels` found.

    Attributes:
        found: the order in which to look at labels, and which are suspected.
        crossval: where the probabilities come from; its `names` and `labels` are those of the samples.
        sheet: the HTML file with the suspected pictures; None where the samples are no pictures.
        table: the CSV file with every sample, the most suspicious first.
    """

    found: LabelErrors
    crossval: CrossValidation
    sheet: Path | None
    table: Path


def review_labels(
    data: Dataset | str | Path,
    model: ModelChoice = "convnet",
    *,
    folds: int = 5,
    out: str | Path = "runs",
    verbose: Literal[0, 1, 2] = 1,
    **how: Unpack[How],
) -> LabelReview:
    """Looks for wrong labels in all of the data but the sealed test part; changes nothing.

    Every sample is judged by a model that has not learned from it; a label that this model finds improbable is
    suspected.  Whether it is wrong, a person decides: rare and hard pictures look suspicious, too.

    Args:
        data: a Dataset, or what `data.load` takes.
        model: as in `train`.
        folds: of the cross-validation.
        out: folder of the runs; labels.html and labels.csv come into that of the cross-validation.
        verbose: as in `cross_validate`.
        how: as in `train`.

    Raises:
        MissingExtra: the packages of `holdfast[labels]` are not installed.
        BadData, BadFile, BadShape, BadValue, UnknownName: as `cross_validate` does.
    """
    need("cleanlab.filter", extra="labels")  # before the training
    say = lines.say if verbose else lines.quiet
    if not isinstance(data, Dataset):
        data = load_shown(quiet=not verbose, out=out, path=data, seed=how.get("seed", 0))
    crossval = cross_validate(model, data, cv=folds, out=out, verbose=verbose, **how)
    found = label_errors(crossval.labels, crossval.probabilities)
    table = crossval.folder / TABLE
    write_table(table, found, crossval, data.classes)
    pool, sheet = data.pool, None
    if len(data.shape) == 3 and data.shape[-1] in (1, 3):
        sheet = crossval.folder / SHEET
        write_text(sheet, page(found, crossval, pool, data))
    n = len(crossval.labels)
    say("labels", f"{lines.counted(len(found), 'label')} of {n:,} suspected")
    if weakness := weak(crossval):
        say("note", weakness)
    say("review", f"{sheet or table}" + (f" · all: {table}" if sheet else ""))
    return LabelReview(found, crossval, sheet, table)


def weak(crossval: CrossValidation) -> str:
    """A sentence of warning where the models are too bad to judge labels; else ""."""
    accuracy = crossval.score.value
    if accuracy >= WEAK:
        return ""
    return (
        f"the models are right on {percent(accuracy)} only, so most suspects are their mistakes; look at the first few"
    )


def write_table(path: Path, found: LabelErrors, crossval: CrossValidation, classes: tuple[str, ...]) -> None:
    """Every sample, the most suspicious first."""
    header = ["rank", "sample", "given", "suggested", "probability_given", "probability_suggested", "suspected"]
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8", errors="replace") as file:
        table = csv.writer(file)
        table.writerow(header)
        for rank, place in enumerate(map(int, found.order), 1):
            given, suggested = int(crossval.labels[place]), int(found.suggested[place])
            shares = [f"{crossval.probabilities[place, k]:.4f}" for k in (given, suggested)]
            words = [crossval.names[place], classes[given], classes[suggested]]
            table.writerow([rank, *words, *shares, "yes" if found.suspected[place] else "no"])


def page(found: LabelErrors, crossval: CrossValidation, pool: Part, data: Dataset) -> str:
    """The sheet: the most suspicious pictures, what they are called and what they look like to the models."""
    places = dict(zip(pool.names, range(len(pool)), strict=True))
    order = [int(place) for place in found.order[: min(SHOWN, max(LEAST, len(found)))]]
    pictures = [
        Picture(
            pool.images[places[crossval.names[place]]].numpy(),
            data.classes[int(crossval.labels[place])],
            data.classes[int(found.suggested[place])],
            float(crossval.probabilities[place, found.suggested[place]]),
            crossval.names[place],
        )
        for place in order
    ]
    pairs: dict[tuple[str, str], int] = {}
    for place in map(int, np.flatnonzero(found.suspected)):
        pair = data.classes[int(crossval.labels[place])], data.classes[int(found.suggested[place])]
        pairs[pair] = pairs.get(pair, 0) + 1
    values = {
        "name": data.name,
        "n": len(crossval.labels),
        "suspected": len(found),
        "pictures": pictures,
        "given": [float(found.quality[place]) for place in order],
        "pairs": sorted(pairs.items(), key=lambda item: -item[1])[:12],
        "score": crossval.score,
        "folder": str(crossval.folder),
        "weakness": weak(crossval),
    }
    return rendered("labels.html.j2", values, html=True)
