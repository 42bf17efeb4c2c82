"""Dimensions: whether there are samples enough for the features, and which of the classic remedies helps."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadValue
from ..data import Dataset, Part
from ..evaluate import Ledger, Score
from . import lines
from .baseline import drawn, sides_of, values_of
from .dims_words import note_on_use, said_of_best, said_of_outcome, said_of_remedies, said_of_samples
from .folder import recorded
from .folds import Fold, folds_of
from .formats import duration, percent
from .growth import A_SHARE, Forecast, Gain, forecast, gain, interval_over, said_of_data, shares_of
from .loading import load_shown
from .pages.dims import page
from .record import Record, Settings
from .remedies import (
    Best,
    Judged,
    Outcome,
    best_of,
    judge_remedies,
    order_of,
    outcomes_of,
    path_of,
    smaller,
    used_shape,
)
from .remedies import Path as L1Path
from .run import REPORT, REPORT_JSON
from .write import write_text

if TYPE_CHECKING:
    from ..features import Faked

VALUES, SAMPLES, LEAST = 2_000_000, 20_000, 1000  # of the pool that is used: values, samples; samples at least
A_CLASS, HALVINGS = 10, 4  # training samples of each class, at least, in the smallest set of the curve; its steps
SLOW = 2.0  # seconds, from which on a remedy has a line of its own in the first fold
KEEP = 10  # features that a selection outside the folds would choose
VARIANCES = (0.5, 0.8, 0.9, 0.95, 0.99)
DESCRIBED = 2000  # samples that the variance is explained of


@dataclass(frozen=True)
class Size:
    """A point of the learning curve.

    Attributes:
        n: training samples, the mean over the folds.
        accuracy: out of fold, with an interval over samples and repeats.
    """

    n: int
    accuracy: Score


@dataclass(frozen=True)
class Variance:
    """How few directions hold how much of the variance of the standardised values: what PCA could leave out.

    Attributes:
        shares: (components,) held by the first, the first two, ...; thinned out where there are many.
        components: how many those are.
        needed: by share of the variance, how many components hold it.
    """

    shares: tuple[float, ...]
    components: tuple[int, ...]
    needed: dict[str, int]


@dataclass(frozen=True)
class Dimensions:
    """What `dimensions` found.

    Attributes:
        folder: where it is kept.
        record: what its run.json holds.
        samples: of the pool of train and validation.
        features: values of a sample as it is.
        used: (samples, features) that the remedies saw: large data is drawn from, large pictures are made smaller.
        counts: samples of each class.
        chance: the accuracy of always answering the largest class, on the samples that are judged.
        outcomes: the baseline, then the remedies.
        best: the best of them, without the luck of being the best.
        points: of the learning curve of the baseline; empty where there are too few samples to halve.
        gain: of its last step.
        forecast: at twice the data, of three sizes or more.
        path: of the L1 penalty.
        variance: that components explain.
        faked: what a selection of features outside the folds would have made of the score.
        sentences: on the samples, the score, the remedies, more data.
    """

    folder: Path
    record: Record
    samples: int
    features: int
    used: tuple[int, int]
    counts: tuple[int, ...]
    chance: float
    outcomes: tuple[Outcome, ...]
    best: Best
    points: tuple[Size, ...]
    gain: Gain | None
    forecast: Forecast | None
    path: L1Path
    variance: Variance
    faked: "Faked"
    sentences: dict[str, str]

    @property
    def found(self) -> bool:
        """Whether the best is better than chance for sure."""
        return self.best.interval[0] > self.chance

    @property
    def helping(self) -> tuple[Outcome, ...]:
        """The remedies that beat the baseline."""
        return tuple(one for one in self.outcomes if one.verdict == "better")

    def __str__(self) -> str:
        return f"{self.folder}: {self.sentences['score']}"


def dimensions(
    data: Dataset | str | Path,
    *,
    cv: Any = 5,  # Any: as in cross_validate
    repeats: int = 2,
    seed: int = 0,
    out: str | Path = "runs",
    verbose: Literal[0, 1] = 1,
) -> Dimensions:
    """Says whether there are samples enough for the features, and tries the classic remedies inside the folds.

    A standardised logistic regression is the baseline; each remedy changes one thing about it: selection of features,
    by themselves or by trees, PCA, an autoencoder, an L1 penalty, statistics.  All that they learn, they learn from the
    training samples of each fold, their settings from inner folds of these.  The differences to the baseline are
    paired, with intervals that hold together; the best score is told without the luck of being the best.  The test
    part stays sealed; looks are in the ledger.

    Args:
        data: a Dataset, or what `data.load` takes; its parts train and validation are dealt out.
        cv: as in `cross_validate`, at least 3 folds.
        repeats: how often the pool is dealt out; 1 where that cannot be done anew.
        seed: of the split, the folds and what remedies draw.
        out: folder in which `<name>-dims-001` is made.
        verbose: 0 silent, 1 with a line a fold.

    Raises:
        BadData, BadFile, BadValue: one sentence says what is wrong.

    Example:
        >>> found = dimensions("digits", cv=3, repeats=1, out=folder, verbose=0)
        >>> found.samples, found.features, found.found, len(found.outcomes)
        (1527, 64, True, 7)
    """
    say = lines.say if verbose else lines.quiet
    out = Path(out)
    if isinstance(cv, int) and cv < 3:
        raise BadValue(f"dimensions(cv={cv}): at least 3 folds are needed.")
    data = data if isinstance(data, Dataset) else load_shown(quiet=not verbose, out=out, path=data, seed=seed)
    features = prod(data.shape)
    if features < 2:
        raise BadData(f"{data.name}: samples have one value; there are no dimensions to leave out.")
    whole = data.pool
    pool = _used(whole, prod(used_shape(data)), seed, least=max(A_CLASS, cv if isinstance(cv, int) else 0))
    repeats = repeats if isinstance(cv, int) and pool.times is None else 1
    folds = folds_of(data, pool, cv, repeats=repeats, seed=seed)
    shares = _shares(pool, folds, seed)
    lines.say_data(say, data)
    used = len(pool), prod(used_shape(data))
    said = {"samples": said_of_samples(len(whole), features, _counts(whole, data), data)}
    say("samples", said["samples"])
    if note := note_on_use(len(whole), features, used, data):
        say("note", note)
    settings = settings_of(seed)
    with recorded(out, data, settings, None, kind="dims") as (folder, record, ledger):
        began = time.perf_counter()
        judged = _judged(data, pool, folds, shares, seed, say)
        found = _found(folder, record, data, whole, pool, folds, judged, said, ledger)
        plain = {key: value for key, value in asdict(found).items() if key not in ("folder", "record")}
        plain |= {"found": found.found, "note": note, "verdicts": {one.name: one.verdict for one in found.outcomes}}
        record.scores = {"dims": plain}
        write_text(
            folder / REPORT_JSON, json.dumps({"schema": 1, "kind": "dims", "name": record.name} | plain, indent=1)
        )
        write_text(folder / REPORT, page(found, note, time.perf_counter() - began))
    for one in found.outcomes:
        say("remedy" if one.name != "baseline" else "score", said_of_outcome(one))
    for word in ("score", "remedies", "more data", "outside"):
        say(word if word != "score" else "verdict", found.sentences[word])
    say("saved", f"{folder} · report: {folder / REPORT}")
    return found


def _used(pool: Part, features: int, seed: int, *, least: int) -> Part:
    """The samples that are used: all, or of much data a draw, each class in proportion, and with enough for folds."""
    most = min(SAMPLES, max(LEAST, VALUES // features))
    return pool if len(pool) <= most else pool.take(drawn(pool.labels.numpy(), most, seed, least=least))


def _counts(part: Part, data: Dataset) -> tuple[int, ...]:
    return tuple(np.bincount(part.labels.numpy(), minlength=len(data.classes)).tolist())


def settings_of(seed: int) -> Settings:
    """What the record says of how it was trained; nothing of it is a network's."""
    return Settings(
        model="logistic regression", epochs=1, batch_size=1, optimizer={}, patience=None, seed=seed, device="cpu",
        precision="float32",
    )  # fmt: skip


def _shares(pool: Part, folds: Sequence[Fold], seed: int) -> list[float]:
    """Of the training samples of a fold: a half, a quarter, ... while ten of each class are left; rising.

    Groups are not cut; a share that they leave no room for is left out.
    """
    labels = pool.labels.numpy()
    rarest = min(int(np.bincount(labels[fold.train], minlength=int(labels.max()) + 1).min()) for fold in folds)
    found = [share for share in (0.5**power for power in range(HALVINGS, 0, -1)) if rarest * share >= A_CLASS]
    if pool.groups is not None:
        for fold in folds if found else ():
            part = pool.take(fold.train)
            order, taught = order_of(part, fold, seed), part.labels.numpy()
            found = [share for share in found if _divides(taught, smaller(order, share), share)]
    return found


def _divides(labels: NDArray[np.int64], chosen: NDArray[np.int64], share: float) -> bool:
    """Whether so many were chosen, or nearly, and some of each class."""
    wanted = share * len(labels)
    return abs(len(chosen) - wanted) <= wanted / 4 and len(np.unique(labels[chosen])) == len(np.unique(labels))


def _judged(
    data: Dataset, pool: Part, folds: Sequence[Fold], shares: Sequence[float], seed: int, say: lines.Say
) -> Judged:
    """Fold by fold, with a line for each, and how long the rest takes."""

    def tell(fold: Fold, name: str, seconds: float) -> None:
        if fold is folds[0] and seconds > SLOW:  # later ones are known from how long the first took
            say(fold.name, f"{name}: {duration(seconds)}")

    began, judged = time.perf_counter(), Judged()
    for number, (fold, judged) in enumerate(judge_remedies(data, pool, folds, shares, seed, tell), 1):
        passed = time.perf_counter() - began
        left = passed / number * (len(folds) - number)
        scores = {name: values[-1] for name, values in judged.scores.items()}
        plain, best = scores.pop("baseline"), max(scores, key=scores.__getitem__)
        again = f", repeat {fold.repeat + 1}" if folds[-1].repeat else ""
        more = f", about {duration(left)} to go" if left > 1 else ""
        say(fold.name, f"baseline {percent(plain)}, {best} {percent(scores[best])} n={len(fold.judged):,}{again}{more}")
    return judged


def _found(
    folder: Path,
    record: Record,
    data: Dataset,
    whole: Part,
    pool: Part,
    folds: Sequence[Fold],
    judged: Judged,
    said: dict[str, str],
    ledger: Ledger,
) -> Dimensions:
    """All that the folds say together."""
    looks = ledger.looks(whole.fingerprint)
    outcomes = outcomes_of(judged, folds, looks)
    for one in outcomes:
        values = {"accuracy": one.accuracy.value}
        ledger.look(record.ledger_id, "out-of-fold", whole.fingerprint, values, purpose="report")
    counts = _counts(pool.take(np.flatnonzero(~np.isnan(judged.right["baseline"][0]))), data)
    chance, largest = max(counts) / sum(counts), data.classes[int(np.argmax(counts))]
    best = best_of(judged, outcomes, pool.groups, record.settings.seed)
    points, step, later = _curve(judged, folds, pool, looks, record.settings.seed)
    samples = values_of(pool, None, sides_of(data.shape))
    said = said | {
        "score": said_of_best(best, chance, largest),
        "remedies": said_of_remedies(outcomes),
        "more data": said_of_data(step, later, data.things) if step else "too few samples to halve them",
    }
    faked = _faked(samples, pool, folds)
    return Dimensions(
        folder=folder,
        record=record,
        samples=len(whole),
        features=prod(data.shape),
        used=(len(pool), samples.shape[1]),
        counts=_counts(whole, data),
        chance=chance,
        outcomes=outcomes,
        best=best,
        points=points,
        gain=step,
        forecast=later,
        path=path_of(judged),
        variance=explained(samples),
        faked=faked,
        sentences=said | {"outside": str(faked)},
    )


def _faked(values: NDArray[np.float32], pool: Part, folds: Sequence[Fold]) -> "Faked":
    from ..features import selection_outside_folds

    first = [(fold.train, fold.judged) for fold in folds if not fold.repeat]
    return selection_outside_folds(values, pool.labels.numpy(), keep=KEEP, cv=first)


def _curve(
    judged: Judged, folds: Sequence[Fold], pool: Part, looks: int, seed: int
) -> tuple[tuple[Size, ...], Gain | None, Forecast | None]:
    """The learning curve of the baseline, the gain of its last step, and where it leads."""
    seen = ~np.isnan(judged.right["baseline"][0])
    groups, n = None if pool.groups is None else pool.groups[seen], int(seen.sum())
    whole = [len(fold.train) for fold in folds]
    rows = [(learned, judged.smaller[share]) for share, learned in sorted(judged.learned.items())]
    rows.append((whole, judged.right["baseline"]))
    sizes = [round(float(np.mean(learned))) for learned, _ in rows]
    right = [row[:, seen] for _, row in rows]
    shares = [shares_of(row, groups) for row in right]
    points = tuple(
        Size(size, Score("accuracy", float(row.mean()), interval_over(share, n, A_SHARE), n, "out-of-fold", looks))
        for size, row, share in zip(sizes, right, shares, strict=True)
    )
    if len(points) < 2:
        return points, None, None
    return points, gain(sizes[-2], sizes[-1], shares[-2], shares[-1], n), forecast(sizes, shares, seed)


def explained(values: NDArray[np.float32]) -> Variance:
    """What PCA finds in standardised values; it describes them, and judges nothing."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    step = -(-len(values) // DESCRIBED)
    ratios = PCA().fit(StandardScaler().fit_transform(values[::step].astype(np.float64))).explained_variance_ratio_
    held = np.nan_to_num(np.cumsum(ratios), nan=1.0)
    needed = {f"{share:.0%}": int(np.searchsorted(held, share - 1e-9) + 1) for share in VARIANCES}
    needed = {share: min(count, len(held)) for share, count in needed.items()}
    places = np.unique(np.geomspace(1, len(held), 40).round().astype(int))
    return Variance(tuple(map(float, held[places - 1])), tuple(places.tolist()), needed)
