"""Learning curves: the score against the number of training samples.  What it says of more data is in growth.py."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from ..core import BadValue, derive
from ..data import Dataset, Part
from ..evaluate import Ledger, Score
from ..models.arrays import check_number
from . import lines
from .bases import with_what_was_seen
from .folder import recorded
from .formats import duration, percent
from .growth import A_SHARE, Forecast, Gain, forecast, gain, interval_over, said_of_data, said_of_model, shares_of
from .loading import load_for
from .pages.curve import page, things_of
from .plan import How, ModelChoice, check_settings, fitted, plan
from .record import Record
from .run import REPORT
from .write import write_text

CURVE = "curve.json"
MOST_SIZES = 6
Order: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]  # see nested_order
A_CLASS = 10  # training samples of each class, at least, in the smallest set


@dataclass(frozen=True)
class Point:
    """One size.

    Attributes:
        n: training samples.
        train: the accuracy on them, the mean over the repeats.
        validation: the mean over the repeats, with an interval over samples and repeats.
        repeats: the accuracy on validation of each repeat.
    """

    n: int
    train: float
    validation: Score
    repeats: tuple[float, ...]


@dataclass(frozen=True)
class LearningCurve:
    """What `learning_curve` found.

    Attributes:
        folder: where it is kept.
        record: what its run.json holds.
        points: by rising size.
        gain: of the last step.
        forecast: at twice the data, of three sizes or more.
        sentences: whether more data would pay, and whether a bigger model would.
    """

    folder: Path
    record: Record
    points: tuple[Point, ...]
    gain: Gain
    forecast: Forecast | None
    sentences: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.folder}: {self.sentences[0]}"


@dataclass(frozen=True)
class Trained:
    """What the models of one size got right: (R, N) of validation, and (R, n) of what they were trained on."""

    n: int
    validation: NDArray[np.bool_]
    train: NDArray[np.bool_]


def learning_curve(
    data: Dataset | str | Path,
    model: ModelChoice = "convnet",
    *,
    sizes: Sequence[int] | None = None,
    repeats: int = 3,
    out: str | Path = "runs",
    verbose: Literal[0, 1, 2] = 1,
    **how: Unpack[How],
) -> LearningCurve:
    """Trains on less and less of the training part, and says whether more data or a bigger model would pay.

    Every size is trained as `train` would train so many samples, and judged on the whole validation part, which takes
    no part in training.  Where there is patience, a seventh of the training samples says when to stop.  The test part
    stays sealed.  Each look at validation is in the ledger.

    Args:
        data: a Dataset, or what `data.load` takes.
        model: as in `train`; one that is given is not changed, fresh copies of it are trained.
        sizes: numbers of training samples; None: all, half, a quarter, ..., at most 6, with at least 10 of each class.
        repeats: trainings a size, each with a seed and a stratified draw of its own.  In one repeat smaller sets lie
            within larger ones, and groups and copies are never cut, so that sizes may differ a little from those asked.
        out: folder in which `<name>-curve-001` is made.
        verbose: 0 silent, 1 with a line a training, 2 with a line an epoch.
        how: as in `train`.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong.

    Example:
        >>> found = learning_curve("digits", "dense", sizes=[100, 200], repeats=2, epochs=2, out=folder, verbose=0)
        >>> [point.n for point in found.points], found.points[-1].validation.n
        ([100, 200], 270)
    """
    say = lines.say if verbose else lines.quiet
    out, seed = Path(out), how.get("seed", 0)
    check_settings(model, how, out)
    check_number(f"learning_curve(repeats={repeats!r})", repeats)
    for size in sizes or ():
        check_number(f"learning_curve(sizes={list(sizes or ())})", size)
    data = data if isinstance(data, Dataset) else load_for(model, quiet=not verbose, out=out, path=data, seed=seed)
    orders = [nested_order(data.train, derive(seed, "curve", repeat)) for repeat in range(repeats)]
    wanted = checked_sizes(data, sizes, orders)
    settings, network = plan(data, model, how)
    data = with_what_was_seen(data, settings.base)
    lines.say_data(say, data)
    say("sizes", f"{', '.join(f'{size:,}' for size in wanted)}; {lines.counted(repeats, 'training')} each")
    with recorded(out, data, settings, network, kind="curve") as (folder, record, ledger):
        began = time.perf_counter()
        found = [_trained(data, model, how, size, orders, record, ledger, verbose) for size in wanted]
        curve = _curve(folder, record, data, found, ledger.looks(data.validation.fingerprint))
        plain = asdict(curve) | {"folder": None, "record": None}
        plain = {key: value for key, value in plain.items() if value is not None}
        record.scores = {"curve": plain}
        write_text(folder / CURVE, json.dumps(plain, indent=1))
        write_text(folder / REPORT, page(curve, time.perf_counter() - began))
    say("more data", curve.sentences[0])
    say("model", curve.sentences[1])
    say("saved", f"{folder} · report: {folder / REPORT}")
    return curve


def checked_sizes(data: Dataset, sizes: Sequence[int] | None, orders: Sequence[Order]) -> list[int]:
    """The sizes that were asked for, rising; or those halvings of the training part that its groups allow.

    Raises:
        BadValue: fewer than two, or some that the training part has not, or too small for all classes to be there, or
            such that groups cannot tell them apart.
    """
    if sizes is None:
        return _halvings(data, orders)
    found, n = sorted(set(sizes)), len(data.train)
    asked = f"learning_curve(sizes={list(sizes)})"
    if len(found) < 2:
        raise BadValue(f"{asked}: a curve needs at least two sizes.")
    if found[-1] > n:
        raise BadValue(f"{asked}: {data.name} has {n:,} training samples, no {found[-1]:,}.")
    if found[0] < len(data.classes):
        raise BadValue(f"{asked}: {found[0]} samples are too few for one of each of the {len(data.classes)} classes.")
    if any(cut(order, after) == cut(order, before) for order in orders for before, after in pairwise(found)):
        raise BadValue(f"{asked}: groups are never cut, and those of {data.name} are too large to tell these apart.")
    return found


def _halvings(data: Dataset, orders: Sequence[Order]) -> list[int]:
    """All, half, a quarter, ... of the training part, as long as each class has ten and no group needs to be cut."""
    counts = np.bincount(data.train.labels.numpy(), minlength=len(data.classes))
    n, rarest = len(data.train), int(counts.argmin())
    found = [
        size
        for size in (n >> power for power in reversed(range(MOST_SIZES)))
        if size * counts[rarest] >= A_CLASS * n and all(abs(cut(order, size) - size) <= size / 4 for order in orders)
    ]
    if len(found) < 2:
        raise BadValue(
            f"{data.name}: half of its {n:,} training samples are too few, or groups are too large to be halved; class "
            f"{data.classes[rarest]!r} has {counts[rarest]}, and at least {A_CLASS} of each are needed; say the sizes "
            f"yourself, e.g. --sizes {n // 2},{n}"
        )
    return found


def cut(order: Order, size: int) -> int:
    """The number nearest to `size` at which no unit is cut."""
    ends = order[1]
    return int(ends[np.abs(ends - size).argmin()])


def nested_order(part: Part, seed: int) -> Order:
    """An order whose every beginning is stratified, and where it may be cut.

    What must stay together, a group or a sample alone, is one unit, of the class that most of its samples have.  Units
    of each class are shuffled and spread evenly over the order, beginning with one of each class.

    Returns:
        (N,) indices into the part, and (U,) numbers of samples after which no unit is cut.
    """
    labels, n = part.labels.numpy(), len(part)
    together = np.arange(n) if part.groups is None else part.groups
    _, unit, sizes = np.unique(together, return_inverse=True, return_counts=True)
    random = np.random.default_rng(seed)
    label = _usual_label(unit, labels, len(sizes))
    shuffled = random.permutation(len(sizes))
    by_label = shuffled[np.argsort(label[shuffled], kind="stable")]
    before = np.cumsum(sizes[by_label]) - sizes[by_label]  # samples of units that come earlier
    starts = np.searchsorted(label[by_label], label[by_label])
    rank = np.empty(len(sizes))
    rank[by_label] = (before - before[starts]) / np.bincount(label, sizes)[label[by_label]]
    units = np.lexsort((random.random(len(sizes)), rank))
    place = np.empty(len(sizes), np.int64)
    place[units] = np.arange(len(units))
    return np.argsort(place[unit], kind="stable"), np.cumsum(sizes[units])


def _usual_label(unit: NDArray[np.int64], labels: NDArray[np.int64], units: int) -> NDArray[np.int64]:
    """(U,) the label that most samples of each unit have."""
    classes = int(labels.max()) + 1
    pairs, counts = np.unique(unit * classes + labels, return_counts=True)
    found = np.zeros(units, np.int64)
    rising = np.argsort(counts, kind="stable")  # the last one that is written stays
    found[pairs[rising] // classes] = pairs[rising] % classes
    return found


def _trained(
    data: Dataset,
    model: ModelChoice,
    how: How,
    size: int,
    orders: Sequence[Order],
    record: Record,
    ledger: Ledger,
    verbose: Literal[0, 1, 2],
) -> Trained:
    """Trains one size, once in each order, and writes down each look."""
    say = lines.say if verbose else lines.quiet
    seed, judged, taught = how.get("seed", 0), list[NDArray[np.bool_]](), list[NDArray[np.bool_]]()
    for repeat, order in enumerate(orders):
        began = time.perf_counter()
        end = cut(order, size)
        part = data.with_parts(data.train.take(np.sort(order[0][:end])), data.validation)
        network = fitted(part, model, {**how, "seed": seed + repeat}, verbose=verbose)
        for right, of in ((judged, part.validation), (taught, part.train)):
            right.append(network.predict(of).argmax(1) == of.labels.numpy())
        share = float(judged[-1].mean())
        ledger.look(record.ledger_id, "validation", part.validation.fingerprint, {"accuracy": share}, purpose="report")
        shares = f"validation {percent(share)}, train {percent(float(taught[-1].mean()))}"
        say(f"{end:,}", f"{shares}, repeat {repeat + 1} of {len(orders)}, {duration(time.perf_counter() - began)}")
    least = min(map(len, taught))  # groups may make them differ
    n = round(float(np.mean([len(right) for right in taught])))
    return Trained(n, np.stack(judged), np.stack([right[:least] for right in taught]))


def _curve(folder: Path, record: Record, data: Dataset, found: Sequence[Trained], looks: int) -> LearningCurve:
    """What these trainings say."""
    groups, n, things = data.validation.groups, len(data.validation), things_of(record)
    shares = [shares_of(one.validation, groups) for one in found]
    points = tuple(
        Point(
            n=one.n,
            train=float(one.train.mean()),
            validation=Score(
                "accuracy", float(one.validation.mean()), interval_over(share, n, A_SHARE), n, "validation", looks
            ),
            repeats=tuple(map(float, one.validation.mean(1))),
        )
        for one, share in zip(found, shares, strict=True)
    )
    step = gain(found[-2].n, found[-1].n, shares[-2], shares[-1], n)
    later = forecast([one.n for one in found], shares, record.settings.seed)
    of_train = shares_of(found[-1].train, None)
    said = said_of_data(step, later, things), said_of_model(found[-1].n, of_train, shares[-1], n, things)
    return LearningCurve(folder, record, points, step, later, said)
