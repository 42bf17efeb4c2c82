"""Does a base pay?  Scratch, fine-tuned and transfer on more and more labels, under equal time, with paired seeds."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from ..core import BadValue, derive
from ..data import Dataset
from ..evaluate import Ledger, Score
from ..evaluate.interval import Interval
from ..models import BaseModel
from ..models.arrays import check_number
from ..transfer import FromBase
from ..transfer.assembling import trainable
from . import lines
from .bases import with_what_was_seen
from .budget import Pace, clock, pace_of
from .curve import Order, cut, nested_order
from .folder import recorded
from .formats import duration, percent
from .growth import A_DIFFERENCE, A_SHARE, interval_over, shares_of
from .loading import load_for
from .pages.curve import things_of
from .pages.pays import page
from .plan import How, ModelChoice, check_settings, fitted, plan, session_for
from .record import Record
from .run import REPORT
from .write import write_text

Way: TypeAlias = Literal["scratch", "fine-tuned", "transfer"]
WITH_BASE: tuple[Way, ...] = ("transfer", "fine-tuned")
WAYS: tuple[Way, ...] = ("scratch", "fine-tuned", "transfer")
PAYS = "pays.json"
LAYERS = 3  # of a base that are fine-tuned unless it is said; by the recipe, deeper ones would hardly move
LATE = 1.3  # so many times its time, and a second, are told
LEVEL = 0.95  # of all differences together
Answers: TypeAlias = dict[
    tuple[int, "Way"], list[tuple[NDArray[np.bool_], float]]
]  # of each seed what is right; seconds


@dataclass(frozen=True)
class Outcome:
    """What one way of training reaches with so many labels.

    Attributes:
        way: "scratch"; "fine-tuned", the base's weights are where training begins; "transfer", they stay.
        accuracy: on validation, the mean over the seeds, with an interval over samples and seeds.
        repeats: of each seed.
        epochs: that fitted into the time.
        seconds: of a training, see `budget.clock`, the mean over the seeds; what a frozen base takes for the samples is
            counted each time.
        gain: over scratch, of the same samples and seeds.
        interval: of the gain; all those of a study hold together in 95 % of studies.  None for scratch itself.
    """

    way: Way
    accuracy: Score
    repeats: tuple[float, ...]
    epochs: int
    seconds: float
    gain: float
    interval: Interval | None

    @property
    def gains(self) -> bool:
        """Whether it is better than scratch for sure."""
        return self.interval is not None and self.interval[0] > 0

    @property
    def loses(self) -> bool:
        """Whether it is worse than scratch for sure."""
        return self.interval is not None and self.interval[1] < 0


@dataclass(frozen=True)
class Labels:
    """One number of labels.

    Attributes:
        share: of the training part.
        n: labelled samples.
        budget: seconds that each way may take.
        outcomes: of the three ways.
    """

    share: float
    n: int
    budget: float
    outcomes: tuple[Outcome, ...]

    def of(self, way: Way) -> Outcome:
        """What one way reaches."""
        return next(one for one in self.outcomes if one.way == way)


@dataclass(frozen=True)
class Pays:
    """What `pays` found.

    Attributes:
        folder: where it is kept.
        record: what its run.json holds.
        base: what it is called.
        scratch: what the net from scratch is called.
        layers: of the base, that the fine-tuned way trains.
        points: by rising numbers of labels.
        crossings: of each way that gains somewhere, the labels from which on no gain is shown; None where it gains to
            the end.
        sentences: what transfer is worth, and what fine-tuning is.
        notes: what is to be known about the data and what the base has seen of it; shares that were left out, and why;
            trainings that took longer than they should.
    """

    folder: Path
    record: Record
    base: str
    scratch: str
    layers: int
    points: tuple[Labels, ...]
    crossings: dict[Way, int | None]
    sentences: dict[Way, str]
    notes: tuple[str, ...]

    @property
    def pays(self) -> bool:
        """Whether either way gains anywhere."""
        return bool(self.crossings)

    def __str__(self) -> str:
        return f"{self.folder}: {self.sentences['transfer']}"


@dataclass(frozen=True)
class Planned:
    """One number of labels before anything is trained: the orders to take them from, paces and the time."""

    share: float
    n: int
    orders: tuple[Order, ...]
    paces: dict[Way, Pace]
    budget: float

    @property
    def seconds(self) -> float:
        """About what all its trainings take."""
        took = (pace.features_s + pace.epochs(self.budget) * pace.epoch_s for pace in self.paces.values())
        return len(self.orders) * sum(took)


def pays(
    data: Dataset | str | Path,
    base: FromBase | BaseModel | str | Path,
    *,
    model: ModelChoice = "convnet",
    labels: Sequence[float] = (0.01, 0.05, 0.1, 1.0),
    seeds: int = 3,
    time_s: float | None = None,
    out: str | Path = "runs",
    verbose: Literal[0, 1, 2] = 1,
    **how: Unpack[How],
) -> Pays:
    """Says with how many labels a base pays: against a net trained from scratch in the same time.

    Three ways are trained on the same samples: scratch, the base's weights as the start, and a new head on the frozen
    base.  Each may take the same time: it trains as many epochs as fit, by its own recipe, at most ten times those of
    the recipe.  All are judged on the whole validation part, which takes no part in training; each look is in the
    ledger.  The test part stays sealed.

    Args:
        data: a Dataset, or what `data.load` takes.
        base: what `transfer.load_base` takes, or a FromBase, whose `fine_tune` says how many of its last layers the
            fine-tuned way trains; 0: 3.
        model: the net from scratch.
        labels: shares of the training part, stratified by class; smaller ones lie within larger ones.
        seeds: trainings of each way, each with a draw of the samples that all ways have in common.
        time_s: for each training; None: what the slowest of the three needs by its own recipe.
        out: folder in which `<name>-pays-001` is made.
        verbose: 0 silent, 1 with a line a training, 2 with a line an epoch.
        how: as in `train`, for all ways; `epochs` are those of the recipe.

    Raises:
        BadData, BadFile, BadShape, BadValue, UnknownName: one sentence says what is wrong.

    Example:
        >>> from holdfast.models import convnet
        >>> base = convnet((8, 8, 1), 10)  # it has learned nothing
        >>> found = pays("digits", base, labels=[0.05], seeds=2, time_s=0.2, out=folder, verbose=0)
        >>> found.points[0].n, found.pays
        (63, False)
    """
    say = lines.say if verbose else lines.quiet
    out, seed = Path(out), how.get("seed", 0)
    base = base if isinstance(base, FromBase) else FromBase(base)
    ways = ways_of(base, model)
    for choice in ways.values():
        check_settings(choice, how, out)
    check_number(f"pays(seeds={seeds!r})", seeds)
    if time_s is not None and not time_s > 0:
        raise BadValue(f"pays(time_s={time_s!r}): must be seconds above 0.")
    check_labels(labels)
    data = data if isinstance(data, Dataset) else load_for(base, quiet=not verbose, out=out, path=data, seed=seed)
    orders = tuple(nested_order(data.train, derive(seed, "pays", repeat)) for repeat in range(seeds))
    sizes, left_out = sizes_of(data, labels, orders)
    data = with_what_was_seen(data, base.place)
    lines.say_data(say, data)
    for note in left_out:
        say("left out", note)
    notes = data.facts.notes + left_out
    settings, network = plan(data, ways["transfer"], how)
    planned = [planned_for(data, share, n, orders, ways, how, time_s) for share, n in sizes]
    each = f"{lines.counted(seeds, 'seed')} of {', '.join(WAYS)}"
    say("labels", f"{', '.join(f'{one.n:,} ({100 * one.share:g} %)' for one in planned)}; {each}")
    say("time", time_line(planned, time_s))
    with recorded(out, data, settings, network, kind="pays") as (folder, record, ledger):
        began = time.perf_counter()
        for way in WITH_BASE:
            keep_features(data, ways[way], how, verbose)
        answers = _answers(data, planned, ways, how, record, ledger, verbose)
        found = _found(folder, record, data, ways, planned, answers, notes, ledger)
        plain = {key: value for key, value in asdict(found).items() if key not in ("folder", "record")}
        plain |= {"pays": found.pays}
        record.scores = {"pays": plain}
        write_text(folder / PAYS, json.dumps(plain, indent=1))
        write_text(folder / REPORT, page(found, time.perf_counter() - began))
    for note in found.notes[len(notes) :]:
        say("warning", note)
    for way in WITH_BASE:
        say("verdict", found.sentences[way])
    say("saved", f"{folder} · report: {folder / REPORT}")
    return found


def ways_of(base: FromBase, model: ModelChoice) -> dict[Way, ModelChoice]:
    """What each way trains."""
    layers = base.fine_tune or min(LAYERS, len(trainable(base.loaded)))
    return {"scratch": model, "fine-tuned": replace(base, fine_tune=layers), "transfer": replace(base, fine_tune=0)}


def check_labels(labels: Sequence[float]) -> None:
    """Raises BadValue for what are no shares of the training part."""
    wrong = [share for share in labels if not 0 < share <= 1]
    if wrong or not labels:
        what = f"{wrong[0]:g} is no share" if wrong else "there are none"
        raise BadValue(
            f"pays(labels={list(labels)}): {what}; give shares of the training part, such as [0.01, 0.1, 1]."
        )


def sizes_of(
    data: Dataset, labels: Sequence[float], orders: Sequence[Order]
) -> tuple[list[tuple[float, int]], tuple[str, ...]]:
    """(share, samples), rising; and a sentence for each share that is left out, as it cannot hold all classes.

    Raises:
        BadValue: none is left.
    """
    sizes, notes = dict[int, float](), list[str]()
    classes = data.train.labels.numpy()
    for share in sorted(set(labels)):
        size = round(share * len(data.train))
        chosen = [order[0][: cut(order, size)] for order in orders] if size else [np.array([], np.int64)]
        n = round(float(np.mean([len(one) for one in chosen])))
        if min(len(np.unique(classes[one])) for one in chosen) < len(data.classes):
            notes.append(f"{100 * share:g} %: {n:,} labels are not one of each of the {len(data.classes)} classes")
        elif n in sizes:
            notes.append(f"{100 * share:g} %: as many {data.things} as at {100 * sizes[n]:g} %")
        else:
            sizes[n] = share
    if not sizes:
        raise BadValue(f"pays(labels={list(labels)}): nothing is left to train on; {notes[-1]}.")
    return [(share, n) for n, share in sizes.items()], tuple(notes)


def planned_for(
    data: Dataset,
    share: float,
    n: int,
    orders: tuple[Order, ...],
    ways: dict[Way, ModelChoice],
    how: How,
    time_s: float | None,
) -> Planned:
    """How long the ways take on so many samples, and what time they get.

    Raises:
        BadValue: a time in which one of them cannot train an epoch.
    """
    part = data.with_parts(data.train.take(orders[0][0][: cut(orders[0], n)]), data.train.take([]))
    paces = dict[Way, Pace]()
    for way, choice in ways.items():
        settings, network = plan(part, choice, how)
        paces[way] = pace_of(part, network, settings)
    budget = max(pace.own_s for pace in paces.values()) if time_s is None else time_s
    slow = next((way for way in WAYS if not paces[way].epochs(budget)), None)
    if slow is not None:
        least = paces[slow].features_s + paces[slow].epoch_s
        raise BadValue(
            f"pays(time_s={time_s}): one epoch of {slow} on {n:,} {data.things} takes {duration(1.1 * least)}; "
            f"give so much (--time), or leave the share of {100 * share:g} % out."
        )
    return Planned(share, n, orders, paces, budget)


def keep_features(data: Dataset, choice: ModelChoice, how: How, verbose: Literal[0, 1, 2]) -> None:
    """Computes what a frozen front gives for all samples, so that no training has an advantage over the one before."""
    settings, network = plan(data, choice, how)
    session_for(network, data, settings, (), verbose)


def time_line(planned: Sequence[Planned], time_s: float | None) -> str:
    """What each training may take, by what, and how long it all takes."""
    least, most = (duration(chosen([one.budget for one in planned])) for chosen in (min, max))
    each = f"{most} a training" if least == most else f"{least} to {most} a training, by the number of labels"
    slowest = max(planned[-1].paces, key=lambda way: planned[-1].paces[way].own_s)
    by = "" if time_s is not None else f", what {slowest} needs by its recipe"
    count = sum(3 * len(one.orders) for one in planned)
    return f"at most {each}{by}; {count} trainings, about {duration(sum(one.seconds for one in planned))}"


def _answers(
    data: Dataset,
    planned: Sequence[Planned],
    ways: dict[Way, ModelChoice],
    how: How,
    record: Record,
    ledger: Ledger,
    verbose: Literal[0, 1, 2],
) -> Answers:
    """Trains all, the ways by turns; writes down each look."""
    say = lines.say if verbose else lines.quiet
    seed, found = how.get("seed", 0), Answers()
    for one in planned:
        for repeat, order in enumerate(one.orders):
            part = data.with_parts(data.train.take(np.sort(order[0][: cut(order, one.n)])), data.validation)
            for way, choice in ways.items():
                pace, began = one.paces[way], clock(record.settings.device)
                trained: How = {**how, "epochs": pace.epochs(one.budget), "seed": seed + repeat}
                network = fitted(part, choice, trained, verbose=verbose)
                seconds = clock(record.settings.device) - began + pace.features_s  # they are kept by now
                right = network.predict(part.validation).argmax(1) == part.validation.labels.numpy()
                found.setdefault((one.n, way), []).append((right, seconds))
                seen = {"accuracy": float(right.mean())}
                ledger.look(record.ledger_id, "validation", part.validation.fingerprint, seen, purpose="report")
                took = f"{lines.counted(trained['epochs'] or 0, 'epoch')} in {duration(seconds)}"
                say(f"{one.n:,}", f"{way} {percent(seen['accuracy'])}, {took}, seed {repeat + 1} of {len(one.orders)}")
    return found


def _found(
    folder: Path,
    record: Record,
    data: Dataset,
    ways: dict[Way, ModelChoice],
    planned: Sequence[Planned],
    answers: Answers,
    notes: tuple[str, ...],
    ledger: Ledger,
) -> Pays:
    """What these trainings say."""
    looks, differences = ledger.looks(data.validation.fingerprint), len(WITH_BASE) * len(planned)
    points = tuple(
        Labels(
            one.share, one.n, one.budget, tuple(_outcome(data, one, way, answers, looks, differences) for way in WAYS)
        )
        for one in planned
    )
    crossings = {
        way: crossing([one.n for one in points], [one.of(way).gains for one in points])
        for way in WITH_BASE
        if any(one.of(way).gains for one in points)
    }
    things = things_of(record)
    sentences = {way: said_of(way, points, crossings, things) for way in WITH_BASE}
    notes += tuple(
        f"{one.way} at {point.n:,} labels took {duration(one.seconds)} and not {duration(point.budget)}"
        for point in points
        for one in point.outcomes
        if one.seconds > LATE * point.budget + 1
    )
    base, scratch = ways["fine-tuned"], ways["scratch"]
    assert isinstance(base, FromBase)
    net = "the model given" if isinstance(scratch, BaseModel) else str(scratch)
    return Pays(folder, record, base.label, net, base.fine_tune, points, crossings, sentences, notes)


def _outcome(data: Dataset, planned: Planned, way: Way, answers: Answers, looks: int, differences: int) -> Outcome:
    n, groups = len(data.validation), data.validation.groups
    right, scratch = (np.stack([one for one, _ in answers[planned.n, which]]) for which in (way, "scratch"))
    steps = shares_of(right, groups) - shares_of(scratch, groups)
    interval = interval_over(shares_of(right, groups), n, A_SHARE)
    level = 1 - (1 - LEVEL) / differences  # Bonferroni's
    return Outcome(
        way=way,
        accuracy=Score("accuracy", float(right.mean()), interval, n, "validation", looks),
        repeats=tuple(map(float, right.mean(1))),
        epochs=planned.paces[way].epochs(planned.budget),
        seconds=float(np.mean([seconds for _, seconds in answers[planned.n, way]])),
        gain=float(steps.mean()),
        interval=None if way == "scratch" else interval_over(steps, n, A_DIFFERENCE, level=level),
    )


def crossing(sizes: Sequence[int], gains: Sequence[bool]) -> int | None:
    """The first of the sizes behind the last one with a gain; None where the gain lasts to the end.

    Example:
        >>> crossing([10, 20, 40], [True, False, False]), crossing([10, 20, 40], [False, True, True])
        (20, None)
    """
    last = max((place for place, gain in enumerate(gains) if gain), default=-1)
    return sizes[last + 1] if last + 1 < len(sizes) else None


def said_of(way: Way, points: Sequence[Labels], crossings: dict[Way, int | None], things: str) -> str:
    """What a way is worth beside scratch, as a sentence without a full stop."""
    judged = f"n={points[0].outcomes[0].accuracy.n:,}, {lines.counted(len(points[0].outcomes[0].repeats), 'seed')}"
    if way not in crossings:
        worst = min(points, key=lambda one: (not one.of(way).loses, one.of(way).gain))
        if worst.of(way).loses:
            return f"no gain: {way} loses {_points(worst.of(way), -1)} at {worst.n:,} labels ({judged})"
        best = max(points, key=lambda one: one.of(way).gain)
        return f"no gain: over scratch {way} has at best {_points(best.of(way))}, at {best.n:,} labels ({judged})"
    first, last = next(one for one in points if one.of(way).gains), points[-1]
    said = f"{way} gains {_points(first.of(way))} at {first.n:,} labels"
    end = crossings[way]
    if end is None:
        still = "" if first is last else f", and still {_points(last.of(way))} at {last.n:,}"
        return f"{said}{still}; with all these {things} scratch is worse ({judged})"
    worse = next((one for one in points if one.n >= end and one.of(way).loses), None)
    then = "no difference can be told"
    if worse is not None:
        then = f"it gains nothing, and loses {_points(worse.of(way), -1)} at {worse.n:,}"
    return f"{said}; from {end:,} on {then} ({judged})"


def _points(outcome: Outcome, sign: int = 1) -> str:
    """`21.0 points [12.3, 29.1]`."""
    assert outcome.interval is not None
    low, high = sorted(100 * sign * end for end in outcome.interval)
    return f"{100 * sign * outcome.gain:z.1f} points [{low:z.1f}, {high:z.1f}]"
