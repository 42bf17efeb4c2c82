"""The base of a run: how a run finds it again, what it tells of it, and what the base has seen of the run's data."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core import BadFile
from ..data import Dataset, Part
from ..layers import Layer
from ..models import BaseModel
from ..transfer import FromBase
from .record import FILE, Record, Settings

KEPT = "base.keras"  # of a base that came from memory, so that other seeds begin with its weights, too
LEARNED = "learned.npy"  # digests of what a base has learned from without labels
SPLITTING = ("path", "validation", "test", "seed", "group_by", "time_by")  # what of an origin decides on the split


def base_words(network: BaseModel, settings: Settings) -> str:
    """What a model learns from, what of it is frozen, and how many of its weights are trained; "" without a base."""
    if not isinstance(network.made_from, FromBase) and not settings.base:
        return ""
    layers = [layer for layer in network.layers if isinstance(layer, Layer) and layer.weights()]
    frozen, summary = sum(not layer.trainable for layer in layers), network.summary()
    given = Path(settings.base).name if settings.base else network.name or "a model"
    given = f"{Path(settings.base).parent.name}/{given}" if Path(given).suffix else given
    end = f" until {settings.until}" if settings.until else ""
    tuned = f", its last {settings.fine_tune} fine-tuned" if settings.fine_tune else ""
    return (
        f"{given}{end}: {frozen:,} of {len(layers):,} layers with weights are frozen{tuned}; "
        f"{summary.trainable:,} of {summary.parameters:,} weights are trained"
    )


def keep_base(network: BaseModel, settings: Settings, folder: Path) -> None:
    """Writes the base of a model into the folder of its run, if it is nowhere else."""
    if isinstance(network.made_from, FromBase) and not settings.base:
        network.made_from.loaded.save(folder / KEPT)


def base_of(settings: Settings, folder: Path) -> FromBase | None:
    """The base of the run in a folder; None for a run without."""
    if settings.base:
        return FromBase(
            settings.base, settings.until, settings.fine_tune, settings.preprocessing, dropout=settings.dropout
        )
    kept = folder / KEPT
    return FromBase(kept, settings.until, settings.fine_tune, dropout=settings.dropout) if kept.is_file() else None


def with_what_was_seen(data: Dataset, base: str, judging: Part | None = None) -> Dataset:
    """The data, with a note where a base, or what that began with, has learned from samples that are to judge.

    Args:
        base: its place; "" for none.
        judging: of a cross-validation all that its folds judge; None: the validation part.

    Raises:
        BadFile: a damaged folder.
    """
    notes = [note for home in _line_of(base) for note in _seen_notes(data, home, judging)]
    new = tuple(note for note in notes if note not in data.facts.notes)
    return replace(data, facts=replace(data.facts, notes=(*data.facts.notes, *new))) if new else data


def seen(home: Path, part: Part) -> int:
    """How many samples of a part the base in a folder has learned from without labels.

    Raises:
        BadFile: a damaged folder.
    """
    place = home / LEARNED
    if not place.is_file() or part.digests is None:
        return 0
    try:
        known = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadFile(f"{place}: is damaged: {error}.") from error
    return int(np.isin(part.digests, known).sum())


def _line_of(base: str) -> Iterator[Path]:
    """The folder of a base, of the base that this began with, and so on."""
    met = set[Path]()
    while base and Path(base).exists():
        home = Path(base).resolve()
        home = home if home.is_dir() else home.parent
        if home in met:
            return
        met.add(home)
        yield home
        record = _record_of(home)
        base = record.settings.base if record else ""


def _record_of(home: Path) -> Record | None:
    """The record of the run in a folder, if there is one that can be read."""
    with suppress(BadFile):
        return Record.read(home) if (home / FILE).is_file() else None
    return None


def _seen_notes(data: Dataset, home: Path, judging: Part | None) -> Iterator[str]:
    part = data.validation if judging is None else judging
    known, record = seen(home, part), _record_of(home)
    if known and judging is None:
        yield (
            f"the base has seen {known:,} of these {len(part):,} validation {data.things}, without labels, and maybe "
            "some of the test part: make it with the --seed, --validation and --test of this training"
        )
    elif known:
        yield f"the base has seen {known:,} of the {len(part):,} {data.things} that the folds judge, without labels"
    if record is None or not _same_data(record, data) or (record.settings.base and not record.settings.fine_tune):
        return  # a head that learned is not part of a base
    if judging is not None:
        yield (
            f"the base {home.name} has learned the labels of {data.things} that the folds judge, so the score is too "
            "good: judge it with `holdfast train`, with the --seed, --validation and --test of that run"
        )
    elif not _learned_apart(record, data):
        yield (
            f"the base {home.name} has learned the labels of {data.things} that are now to judge, so the score is too "
            "good: take the --seed, --validation and --test of that run"
        )


def _same_data(record: Record, data: Dataset) -> bool:
    place = record.origin.get("path")
    return record.prints.get("data") == data.fingerprint or (place is not None and place == data.origin.get("path"))


def _learned_apart(record: Record, data: Dataset) -> bool:
    """Whether it learned from the training part alone; of pictures in another size only their origin tells."""
    if record.kind != "run":
        return False
    if record.prints.get("split") == data.split_fingerprint:
        return True
    both = [[origin.get(key) for key in SPLITTING] for origin in (record.origin, data.origin)]
    return bool(record.origin) and both[0] == both[1] and record.prints.get("data") != data.fingerprint
