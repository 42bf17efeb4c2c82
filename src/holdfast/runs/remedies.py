"""Remedies for too many dimensions, judged in the same folds: each fold fits everything anew, on its own samples."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, derive
from ..data import Dataset, Part
from ..data.reads import Learns
from ..data.series import Series
from ..evaluate import Score, bbc, corrected_resampled, paired
from ..evaluate.interval import Interval, deviations, mean_over_folds
from .baseline import sides_of, values_of
from .curve import Order, cut, nested_order
from .folds import Fold, folds_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ..features import Remedy
    from ..features.remedies import Pairs

INNER, ONE_SPLIT = 3, 2000  # inner folds; with more samples than these only the first of them chooses
NONE: Interval = (0.0, 0.0)
LEVEL = 0.05  # of all comparisons together


@dataclass(frozen=True)
class Path:
    """The path of the L1 penalty, over all folds, point by point.

    Attributes:
        relative: C, as a multiple of the one at which all weights are zero.
        accuracy: on samples that no fold learned from, the mean over the folds.
        zeros: the share of weights that are exactly zero.
        features: that have a weight which is not, the mean over the folds.
        chosen: by the inner splits of each fold: multiples of C.
        sparsity: the share of zeros in the models that were chosen, each fold's.
    """

    relative: tuple[float, ...]
    accuracy: tuple[float, ...]
    zeros: tuple[float, ...]
    features: tuple[float, ...]
    chosen: tuple[float, ...]
    sparsity: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """What a remedy, or the baseline, is worth.

    Attributes:
        name: "PCA".
        accuracy: out of fold, the mean over the folds, with Nadeau and Bengio's interval.
        folds: the accuracy of each.
        kept: how many features, components or weights it left, in words; "" where it says nothing.
        seconds: to fit and judge, over all folds.
        difference: to the baseline in the same folds; 0 of the baseline itself.
        interval: of the difference; all of them together hold with 95 %.
    """

    name: str
    accuracy: Score
    folds: tuple[float, ...]
    kept: str
    seconds: float
    difference: float = 0.0
    interval: Interval = NONE

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "no difference shown"."""
        return "better" if self.interval[0] > 0 else "worse" if self.interval[1] < 0 else "no difference shown"


@dataclass(frozen=True)
class Best:
    """The best of them, without the luck of being the best of so many."""

    name: str
    value: float
    interval: Interval
    naive: float
    candidates: int
    n: int


@dataclass(eq=False)
class Judged:
    """What the folds have said so far.

    Attributes:
        right: by name, (R, N): 1 where an answer is right, 0 where it is wrong, NaN where no fold judges.
        smaller: the same of the baseline, by the share of the training samples that it learned from.
        learned: by that share, how many samples that is in each fold.
        scores: by name, of each fold.
        kept: by name, what each fold left.
        seconds: by name.
        paths: of each fold: the fitted `L1LogisticRegression`, and the share that each point gets right.
    """

    right: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    smaller: dict[float, NDArray[np.float64]] = field(default_factory=dict)
    learned: dict[float, list[int]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    kept: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    paths: list[tuple[Any, NDArray[np.float64]]] = field(default_factory=list)  # Any: of features.l1


def judge_remedies(
    data: Dataset,
    pool: Part,
    folds: Sequence[Fold],
    shares: Sequence[float],
    seed: int,
    tell: Callable[[Fold, str, float], None] = lambda fold, name, seconds: None,
) -> Iterator[tuple[Fold, Judged]]:
    """Fits baseline and remedies fold by fold, and gives what is known after each.

    Args:
        data: names the classes; a table fills its gaps anew in each fold.
        pool: that the folds divide.
        folds: of it.
        shares: of each fold's training samples, below 1, from which the baseline learns, too.
        seed: of what is drawn.
        tell: called with each remedy that is judged in a fold, and how long it took.
    """
    found, repeats = Judged(), 1 + max(fold.repeat for fold in folds)
    sides = sides_of(data.shape)
    values = None if isinstance(data.reads, Learns) else values_of(pool, None, sides)
    for fold in folds:
        part = data.with_parts(pool.take(fold.train), pool.take(fold.judged)) if values is None else None
        samples = Samples(
            values_of(part.train, None, sides) if part is not None else values[fold.train],  # type: ignore[index]
            values_of(part.validation, None, sides) if part is not None else values[fold.judged],  # type: ignore[index]
            pool.labels.numpy()[fold.train],
            pool.labels.numpy()[fold.judged],
        )
        _one_fold(data, pool.take(fold.train), samples, fold, shares, (repeats, len(pool)), seed, found, tell)
        yield fold, found


@dataclass(frozen=True, eq=False)
class Samples:
    """The values and labels of a fold: (n, F) and (n,)."""

    train: NDArray[np.float32]
    judged: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    judged_labels: NDArray[np.int64]


def _one_fold(
    data: Dataset,
    part: Part,
    samples: Samples,
    fold: Fold,
    shares: Sequence[float],
    size: tuple[int, int],
    seed: int,
    found: Judged,
    tell: Callable[[Fold, str, float], None],
) -> None:
    """Adds what one fold says."""
    from ..features import baseline, remedies

    inner, shape = inner_of(data, part, seed), used_shape(data)
    plain = _judge(baseline(), samples, inner, fold, size, found, tell)
    strength = float(plain["logistic"].C)
    masked = isinstance(data.reads, Series) and data.reads.masked
    for remedy in remedies(shape, len(part), strength=strength, masked=masked, seed=derive(seed, "dims") % 2**31):
        fitted = _judge(remedy, samples, inner, fold, size, found, tell)
        if remedy.name == "L1":
            said = fitted["l1"].said_along(fitted[:-1].transform(samples.judged))
            found.paths.append((fitted["l1"], (said == samples.judged_labels).mean(1)))
    order = order_of(part, fold, seed)
    for share in shares:
        chosen = smaller(order, share)
        fewer = Samples(samples.train[chosen], samples.judged, samples.train_labels[chosen], samples.judged_labels)
        right = _right(
            baseline().fitted(fewer.train, fewer.train_labels, inner_of(data, part.take(chosen), seed)), fewer
        )
        found.smaller.setdefault(share, np.full(size, np.nan))[fold.repeat, fold.judged] = right
        found.learned.setdefault(share, []).append(len(chosen))


def order_of(part: Part, fold: Fold, seed: int) -> Order:
    """The order in which a fold's training samples are taken for the curve."""
    return nested_order(part, derive(seed, "dims", fold.repeat, fold.name))


def smaller(order: Order, share: float) -> NDArray[np.int64]:
    """The places of about this share of the samples, rising; no group is cut."""
    return np.sort(order[0][: cut(order, round(share * len(order[0])))])


def _judge(
    remedy: "Remedy",
    samples: Samples,
    inner: "Pairs",
    fold: Fold,
    size: tuple[int, int],
    found: Judged,
    tell: Callable[[Fold, str, float], None],
) -> "Pipeline":
    began = time.perf_counter()
    fitted = remedy.fitted(samples.train, samples.train_labels, inner)
    right = _right(fitted, samples)
    found.right.setdefault(remedy.name, np.full(size, np.nan))[fold.repeat, fold.judged] = right
    found.scores.setdefault(remedy.name, []).append(float(right.mean()))
    seconds = time.perf_counter() - began
    found.seconds[remedy.name] = found.seconds.get(remedy.name, 0.0) + seconds
    found.kept.setdefault(remedy.name, []).append(_left(fitted))
    tell(fold, remedy.name, seconds)
    return fitted


def _right(fitted: "Pipeline", samples: Samples) -> NDArray[np.bool_]:
    return np.asarray(fitted.predict(samples.judged) == samples.judged_labels)


def _left(fitted: "Pipeline") -> int:
    """Features or components that the last step sees; of L1 those with a weight that is not zero."""
    last = fitted[-1]
    return int((last.coef_ != 0).any(0).sum()) if "l1" in fitted.named_steps else int(last.n_features_in_)


def used_shape(data: Dataset) -> tuple[int, ...]:
    """The shape of a sample as the remedies see it: large pictures are made smaller by the mean over areas."""
    return (*(sides_of(data.shape) or data.shape[:-1]), data.shape[-1])


def inner_of(data: Dataset, part: Part, seed: int) -> "Pairs":
    """The inner splits of a fold's training part, by which settings are chosen; none where it is too small for them.

    Groups and copies are not cut here either.
    """
    try:
        found = folds_of(data, part, INNER, seed=seed)
    except BadData:
        return []
    return [(fold.train, fold.judged) for fold in found[: 1 if len(part) > ONE_SPLIT else INNER]]


def outcomes_of(found: Judged, folds: Sequence[Fold], looks: int) -> tuple[Outcome, ...]:
    """The baseline first, then each remedy with its paired difference, corrected for how many there are."""
    sizes = [(len(fold.train), len(fold.judged)) for fold in folds]
    train_n, judged_n = (sum(counts) for counts in zip(*sizes, strict=True))
    level = 1 - LEVEL / (len(found.scores) - 1)
    plain = found.right["baseline"]
    outcomes = []
    for name, scores in found.scores.items():
        values, right = np.array(scores), found.right[name]
        n = int((~np.isnan(right[0])).sum())
        mean, interval = mean_over_folds(values, train_n, judged_n, n)
        score = Score("accuracy", mean, interval, n, "out-of-fold", looks)
        outcome = Outcome(name, score, tuple(scores), _kept(found.kept[name]), found.seconds[name])
        if name != "baseline":
            steps = values - np.array(found.scores["baseline"])
            by_folds = corrected_resampled(steps, train_n, judged_n, level=level, bounds=(-1.0, 1.0))
            by_samples = _paired(right[0], plain[0], level)
            interval = min(by_folds[0], by_samples[0]), max(by_folds[1], by_samples[1])
            outcome = Outcome(**{**vars(outcome), "difference": float(steps.mean()), "interval": interval})
        outcomes.append(outcome)
    return tuple(outcomes)


def _paired(one: NDArray[np.float64], other: NDArray[np.float64], level: float) -> Interval:
    """By the samples alone; folds that happen to agree make no sample larger."""
    known = ~np.isnan(one)
    first, second = one[known] == 1, other[known] == 1
    counts = [int(np.sum(which)) for which in (first & second, first & ~second, ~first & second, ~first & ~second)]
    return paired(*counts, z=deviations(level))


def _kept(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def best_of(found: Judged, outcomes: Sequence[Outcome], groups: NDArray[np.int64] | None, seed: int) -> Best:
    """The best of all, judged by samples that had no say in which it is (BBC-CV), and no surer than its folds allow."""
    judged = ~np.isnan(found.right["baseline"][0])
    right = np.stack([found.right[one.name][:, judged].mean(0) for one in outcomes])
    chosen = bbc(right, groups=None if groups is None else groups[judged], seed=derive(seed, "best") % 2**31)
    own = outcomes[chosen.chosen].accuracy
    down, up = own.value - own.interval[0], own.interval[1] - own.value
    low, high = min(chosen.interval[0], chosen.value - down), max(chosen.interval[1], chosen.value + up)
    interval = max(0.0, low), min(1.0, high)
    return Best(outcomes[chosen.chosen].name, chosen.value, interval, chosen.naive, len(outcomes), chosen.n)


def path_of(found: Judged) -> Path:
    """The means over the folds; those without inner splits have a single point, and walk no path."""
    models, points = [model for model, _ in found.paths], max(len(model.Cs_) for model, _ in found.paths)
    whole = [(model, right) for model, right in found.paths if len(model.Cs_) == points]
    weights = [model.coefs_ for model, _ in whole]
    return Path(
        relative=tuple(map(float, whole[0][0].Cs_ / whole[0][0].Cs_[0])),
        accuracy=_means([right for _, right in whole]),
        zeros=_means([(one == 0).mean((1, 2)) for one in weights]),
        features=_means([(one != 0).any(1).sum(1) for one in weights]),
        chosen=tuple(float(model.C_ / model.Cs_[0]) for model in models),
        sparsity=tuple(model.sparsity_ for model in models),
    )


def _means(rows: Sequence[NDArray[Any]]) -> tuple[float, ...]:  # Any: counts or shares
    return tuple(map(float, np.mean(rows, axis=0)))
