"""Scores: how well a model does on a part of the data, and how far that number can be believed.

What is looked at, and how often, is in ledger.py; what the scores of two parts say together, in verdict.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import BadData, BadShape, BadValue
from .interval import Interval, normal, wilson

PartName = Literal["train", "validation", "test", "out-of-fold"]
EPSILON = 1e-7  # no probability counts as smaller, as in Keras: a certain mistake costs 16.1 nats


@dataclass(frozen=True)
class Score:
    """A number with a past.  It prints only with its interval.

    Attributes:
        metric: "accuracy" or "log_loss".
        value: a share in [0, 1], or nats; without the optimism, where that is known.
        interval: of 95 %, in the units of `value`; of what is left without the optimism.
        n: samples it was measured on.
        part: of the data; "out-of-fold" is train and validation, each sample judged by a model that never saw it.
        looks: how often the part had been looked at when this was measured, for training too; 0 where none counts.
        optimism: how much too good the best of these looks was, in the units of `value` (`selection.optimism`).
    """

    metric: str
    value: float
    interval: Interval
    n: int
    part: PartName
    looks: int = 0
    optimism: float = 0.0

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Score":  # Any: what JSON holds
        """What `asdict` gave."""
        return cls(**{key: _back(value) for key, value in plain.items()})

    @property
    def naive(self) -> float:
        """What was seen: the value with its optimism still in it."""
        return self.value + self.optimism

    @property
    def where(self) -> str:
        """What judged it: "on validation", "out of fold"."""
        return "out of fold" if self.part == "out-of-fold" else f"on {self.part}"

    @property
    def text(self) -> str:
        """The value with its interval: "81.1 % [71.8, 87.9]", "0.610 [0.48, 0.74]"."""
        if self.metric == "log_loss":
            low, high = self.interval
            return f"{self.value:.3f} [{low:.2f}, {high:.2f}]"
        return f"{percent(self.value)} {ends(self.interval)}"

    def __str__(self) -> str:
        done = "opened" if self.part == "test" else "looked at"
        times = "once" if self.looks == 1 else f"{self.looks:,} times"
        past = f", {done} {times}" if self.looks else ""
        if self.optimism >= 0.0005:
            past += f", {100 * self.optimism:.1f} points of optimism removed (best seen {percent(self.naive)})"
        return f"{self.part} {self.metric.replace('_', '-')} {self.text} n={self.n:,}{past}"


@dataclass(frozen=True)
class ClassScore:
    """One class.  NaN where there is nothing to divide by: recall without samples, precision without predictions.

    Attributes:
        name: of the class.
        n: samples that are of it.
        precision: the share that is of it, of those said to be.
        recall: the share that is said to be of it, of those that are.
        f1: the harmonic mean of the two.
        interval: 95 %, of the recall.
    """

    name: str
    n: int
    precision: float
    recall: float
    f1: float
    interval: Interval


@dataclass(frozen=True, eq=False)
class Report:
    """All that is measured of a model on one part.

    Attributes:
        accuracy: with Wilson's interval.
        log_loss: the mean cross-entropy in nats, with the normal interval of a mean.
        baseline: the accuracy of always answering `baseline_class`, the most frequent class of this part.
        baseline_class: its name.
        per_class: in the order of the classes.
        confusion: (K, K) int64, rows the truth, columns the prediction.
    """

    accuracy: Score
    log_loss: Score
    baseline: float
    baseline_class: str
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it: lists for arrays, null for NaN."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Report":  # Any: what JSON holds
        """What `to_dict` was made from."""
        return cls(
            accuracy=Score.from_dict(plain["accuracy"]),
            log_loss=Score.from_dict(plain["log_loss"]),
            baseline=plain["baseline"],
            baseline_class=plain["baseline_class"],
            per_class=tuple(
                ClassScore(**{key: _back(value) for key, value in row.items()}) for row in plain["per_class"]
            ),
            confusion=np.array(plain["confusion"], np.int64),
        )

    def __str__(self) -> str:
        return f"{self.accuracy} · log-loss {self.log_loss.text} · majority class {percent(self.baseline)}"


def score(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    part: PartName,
    looks: int = 0,
    classes: Sequence[str] | None = None,
) -> Report:
    """What these predictions are worth.

    Args:
        targets: (N,) class indices in 0..K-1.
        probabilities: (N, K), rows that sum to 1.
        part: which part of the data it is.
        looks: how often it has been looked at (`Ledger.looks`, `Ledger.openings`).
        classes: K names; "0", "1", ... when None.

    Raises:
        BadShape: the shapes do not fit each other, or there are no samples.
        BadData: targets out of range, NaN, rows that are no probabilities.
    """
    actual, shares = checked(targets, probabilities)
    n, k = shares.shape
    names = [str(index) for index in range(k)] if classes is None else list(classes)
    if len(names) != k:
        raise BadShape(f"score: {len(names)} class names for probabilities of {k} classes.")
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (actual, shares.argmax(1)), 1)
    right, counts = int(np.trace(confusion)), confusion.sum(1)
    losses = -np.log(shares[np.arange(n), actual].clip(EPSILON, 1))
    return Report(
        accuracy=Score("accuracy", right / n, wilson(right, n), n, part, looks),
        log_loss=Score("log_loss", float(losses.mean()), normal(losses, 0.0, -math.log(EPSILON)), n, part, looks),
        baseline=int(counts.max()) / n,
        baseline_class=names[int(counts.argmax())],
        per_class=tuple(_class_score(name, confusion, index) for index, name in enumerate(names)),
        confusion=confusion,
    )


def percent(share: float) -> str:
    """0.8111 -> "81.1 %"."""
    return f"{100 * share:.1f} %"


def ends(interval: Interval) -> str:
    """(0.7178, 0.8791) -> "[71.8, 87.9]", in percent or points."""
    low, high = interval
    return f"[{100 * low:z.1f}, {100 * high:z.1f}]"


def _class_score(name: str, confusion: NDArray[np.int64], index: int) -> ClassScore:
    hits, n, said = int(confusion[index, index]), int(confusion[index].sum()), int(confusion[:, index].sum())
    return ClassScore(
        name=name,
        n=n,
        precision=hits / said if said else math.nan,
        recall=hits / n if n else math.nan,
        f1=2 * hits / (n + said) if n + said else math.nan,
        interval=wilson(hits, n),
    )


def checked(targets: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N,) class indices and (N, K) probabilities, or what is wrong with them, as `score` raises it."""
    actual, shares = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if actual.ndim != 1 or shares.ndim != 2 or len(actual) != len(shares):
        raise BadShape(
            f"score: targets have shape {actual.shape}, probabilities {shares.shape}; they must be (N,) and (N, K)."
        )
    if not shares.size:
        raise BadShape(f"score: probabilities have shape {shares.shape}; a score needs at least one sample.")
    if actual.dtype.kind not in "iu":
        raise BadValue(f"score: targets are {actual.dtype}; they must be class indices, integers from 0.")
    if actual.min() < 0 or actual.max() >= shares.shape[1]:
        raise BadData(f"score: targets are in {actual.min()}..{actual.max()}, there are {shares.shape[1]} classes.")
    # NaN is not within any bounds.
    if not (shares.min() >= 0 and np.abs(shares.sum(1) - 1).max() < 0.01):
        raise BadData("score: each row of probabilities must be >= 0 and sum to 1; of logits, take the softmax first.")
    return actual.astype(np.int64), shares


def _back(value: Any) -> Any:  # Any: a value that `_plain` made
    if isinstance(value, list):
        return tuple(map(_back, value))
    return math.nan if value is None else value


def _plain(value: Any) -> Any:  # Any: a value of a dataclass on its way into JSON
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
