"""The lines that a run prints: a word, then a sentence of facts."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..data import Dataset
from ..data.sounds import Sounds
from ..evaluate import Revealed, Score, wilson
from ..models import BaseModel, human
from ..training import Optimizer
from .formats import size as memory
from .record import Settings

CLASSES_TOLD = 5  # of more, the one whose share differs most
Say: TypeAlias = Callable[[str, str], None]


def say(word: str, sentence: str) -> None:
    """One line on standard output: `data      photos: 600 pictures ...`."""
    print(f"{word:<9} {sentence}", flush=True)


def quiet(word: str, sentence: str) -> None:
    """Says nothing."""


def say_data(say: Say, data: Dataset) -> None:
    """What was read, how it was split, and what is to be known about it."""
    say("data", data_line(data))
    say("classes", classes_line(data))
    for note in data.facts.notes:
        say("warning", note)


def classes_line(data: Dataset) -> str:
    """The share of each class in the parts; of many classes the one that differs most between two parts."""
    number = len(data.classes)
    counts = [np.bincount(part.labels.numpy(), minlength=number) for part in (data.train, data.validation)]
    counts += [np.array(data.facts.test_counts)] if len(data.test) else []
    counts = [part for part in counts if part.sum()]
    shares = np.array([100 * part / part.sum() for part in counts]).T  # (K, parts) in percent
    words = ["/".join(f"{share:.1f}" for share in row) + " %" for row in shares]
    parts = "/".join(["train", "validation", "test"][: len(counts)])
    if number <= CLASSES_TOLD:
        named = ", ".join(f"{name} {word}" for name, word in zip(data.classes, words, strict=True))
        return f"{named} of {parts}"
    apart = np.ptp(shares, axis=1)
    most = int(apart.argmax())
    if apart[most] < 0.05:
        return f"{number:,}, with the same shares in {parts}"
    widest = f"class {data.classes[most]} {words[most]}"
    return f"{number:,}, shares at most {apart[most]:.1f} points apart in {parts}: {widest}"


def data_line(data: Dataset) -> str:
    """What was read and how it was split."""
    total = len(data.train) + len(data.validation) + len(data.test)
    facts = data.facts
    test = f"test {len(data.test):,} (sealed)" if len(data.test) else "no test part"
    found = [
        f"{data.name}: {total:,} {data.things}, {counted(len(data.classes), 'class', 'classes')}, {_shape(data)}",
        f"train {len(data.train):,}, validation {len(data.validation):,}, {test}",
    ]
    if facts.skipped:
        found.append(f"{counted(len(facts.skipped), 'file')} skipped, see report")
    if facts.groups is not None:
        found.append(f"{facts.groups:,} groups, none on two sides")
    if facts.duplicates_removed:
        found.append(f"{counted(facts.duplicates_removed, 'copy', 'copies')} of other parts removed")
    copies = f"{counted(facts.duplicates, 'duplicate')}, none" if facts.duplicates else "no duplicates"
    found.append(f"{copies} across parts")
    if facts.near_duplicates:
        found.append(f"{counted(facts.near_duplicates, 'near copy', 'near copies')}, none across parts")
    if facts.conflicts:
        one = "series" if data.things == "series" else data.things.removesuffix("s")
        found.append(f"{counted(len(facts.conflicts), one, data.things)} under two labels, see report")
    return " · ".join(found)


def _shape(data: Dataset) -> str:
    """Of a sample: `48x48 RGB`, `0.67 s at 8,000 Hz`."""
    reads = data.reads
    if isinstance(reads, Sounds):
        return f"{reads.samples / reads.rate:.3g} s at {reads.rate:,} Hz"
    return shape_words(data.shape)


def shape_words(shape: tuple[int, ...]) -> str:
    """`(224, 224, 3)` -> "224x224 RGB"."""
    if len(shape) == 3 and shape[-1] in (1, 3):
        return f"{shape[0]}x{shape[1]} {'RGB' if shape[-1] == 3 else 'grey'}"
    return f"{shape[0]:,} values" if len(shape) == 1 else "x".join(map(str, shape))


def model_line(model: BaseModel, batch_size: int, optimizer: Optimizer) -> str:
    """What is trained and what it costs."""
    summary = model.summary()
    kinds = [row.layer for row in summary.rows]
    counts = {
        word: sum(word_of in kind for kind in kinds)
        for word, word_of in (("conv", "Conv"), ("pool", "Pooling"), ("dense", "Dense"))
    }
    made = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return (
        f"{summary.name}: {made}, {summary.parameters:,} parameters, {human(summary.flops, 'FLOP')} a sample, "
        f"{memory(summary.training_bytes(batch_size, len(optimizer.slots([]))))} to train at batch {batch_size}"
    )


def recipe_line(settings: Settings) -> str:
    """How the default recipe, or the optimizer that was chosen, trains here."""
    optimizer, changed = settings.optimizer, augment_line(settings)
    if optimizer["class_name"] == "Discriminative":
        rates, starts = optimizer["config"]["rates"], optimizer["config"]["starts"]
        later = f" from {100 * max(starts):.0f} % of the training on" if max(starts) else ""
        changed = f", the deepest layer at {min(rates):.2g} of that{later}{changed}"
        optimizer = optimizer["config"]["optimizer"]
    kind, rate = optimizer["class_name"], optimizer["config"]["learning_rate"]
    if not settings.recipe:
        made = f"{kind}, learning rate {rate:.3g}" if isinstance(rate, float) else f"{kind}, {rate['class_name']}"
        return made + changed
    return (
        f"{kind}, one cycle up to {rate['config']['max_learning_rate']:.3g} over {counted(settings.epochs, 'epoch')}, "
        f"label smoothing {settings.label_smoothing:g}{changed}"
    )


def augment_line(settings: Settings) -> str:
    """How samples are changed for training, to be put behind how it trains; "" where they are not."""
    if settings.shift:
        return f", pictures moved by up to {counted(settings.shift, 'pixel')}"
    if isinstance(settings.augment, str):
        return f", {settings.augment} augmentation" if settings.augment else ""
    return f", augmentation by {', '.join(row['class_name'] for row in settings.augment)}"


def counted(n: int, word: str, words: str | None = None) -> str:
    """`counted(3, "file")` -> "3 files"."""
    return f"{n:,} {word if n == 1 else words or word + 's'}"


def saved_line(folder: Path, *, sealed: bool) -> str:
    """Where everything is and what comes next."""
    next_step = f" · next: holdfast evaluate {quoted(folder)} --unseal" if sealed else ""
    return f"{folder} · report: {folder / 'report.html'}{next_step}"


def sealed_line(told: Revealed, openings: int, n: int) -> str:
    """Why the score of an opening of the test part, of n samples, is not told."""
    accuracy = Score("accuracy", told.value, wilson(told.value * n, n), n, "test")
    return (
        f"opened {counted(openings, 'time')}; no better than the {accuracy.text} revealed at opening {told.opening} by "
        "more than the standard error, so its value stays sealed (Ladder, Blum & Hardt 2015)"
    )


def workers_line(size: int, batch_size: int) -> str:
    """How many processes train the model."""
    return f"{size} train it together, each on its share of every {batch_size} samples"


def resume_line(folder: Path, *, from_memory: bool) -> str:
    """What to run when it did not come to its end."""
    return f"holdfast.resume({str(folder)!r}, data)" if from_memory else f"holdfast train --resume {quoted(folder)}"


def quoted(folder: Path) -> str:
    """As it is to be typed."""
    return shlex.quote(str(folder))
