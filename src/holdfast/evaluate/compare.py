"""Comparisons: which of several models is better on the same samples, and how often models answer alike."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import BadShape, BadValue
from .interval import Interval, paired, wilson, worth
from .score import ends, percent

LEVEL = 0.05  # a p below it is a difference


@dataclass(frozen=True)
class Comparison:
    """Two models on the same samples.  `sentence` says which is better, if either is.

    Attributes:
        first, second: names of the models.
        n: samples.
        first_accuracy, second_accuracy: shares of right answers.
        difference: first minus second.
        interval: 95 %, of the difference (`interval.paired`).
        p: of McNemar's exact test.
        adjusted_p: by Holm, over all the pairs that were compared; `p` when there was one.
        churn: the share of samples that get another answer.
        both_wrong: the share of samples that neither gets right.
    """

    first: str
    second: str
    n: int
    first_accuracy: float
    second_accuracy: float
    difference: float
    interval: Interval
    p: float
    adjusted_p: float
    churn: float
    both_wrong: float

    @property
    def winner(self) -> str | None:
        """The name of the better one; None when no difference is shown."""
        if self.adjusted_p >= LEVEL:
            return None
        return self.first if self.difference > 0 else self.second

    @property
    def sentence(self) -> str:
        """What may be said: "a beats b by 3.2 points [1.1, 5.3], p=0.004, n=1,000"."""
        sign = -1 if self.winner == self.second else 1
        low, high = sorted(sign * end for end in self.interval)
        facts = f"{100 * sign * self.difference:.1f} points {ends((low, high))}, {self._p}, n={self.n:,}"
        if self.winner is None:
            return f"no difference shown between {self.first} and {self.second}: {facts}"
        return f"{self.winner} beats {self.second if sign > 0 else self.first} by {facts}"

    @property
    def _p(self) -> str:
        return "p<0.001" if self.adjusted_p < 0.001 else f"p={self.adjusted_p:.3f}"

    def __str__(self) -> str:
        return f"{self.sentence}; {percent(self.churn)} of the answers differ"


def compare(targets: ArrayLike, predictions: Mapping[str, ArrayLike]) -> tuple[Comparison, ...]:
    """Every pair of these models, by McNemar's exact test; Holm's correction where there are several pairs.

    Args:
        targets: (N,) class indices.
        predictions: by the name of the model, (N,) class indices it answered for the same samples.

    Raises:
        BadShape: not one answer of each model for each target.
        BadValue: fewer than two models.

    Source: McNemar 1947, exact by the binomial distribution of the samples that only one of the two gets right;
    Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    actual = np.asarray(targets)
    said = {name: np.asarray(answers) for name, answers in predictions.items()}
    if len(said) < 2:
        raise BadValue(f"compare: {len(said)} model given; it takes two or more.")
    for name, answers in said.items():
        if actual.ndim != 1 or not len(actual) or answers.shape != actual.shape:
            raise BadShape(
                f"compare: targets have shape {actual.shape}, the answers of {name!r} {answers.shape}; "
                "both must be (N,), with N of 1 or more."
            )
    pairs = list(combinations(said, 2))
    found = [_counts(said[first] == actual, said[second] == actual) for first, second in pairs]
    raw = [_mcnemar(counts[1], counts[2]) for counts in found]
    n = len(actual)
    return tuple(
        Comparison(
            first=first,
            second=second,
            n=n,
            first_accuracy=(both + one) / n,
            second_accuracy=(both + other) / n,
            difference=(one - other) / n,
            interval=paired(both, one, other, neither),
            p=p,
            adjusted_p=adjusted,
            churn=float(np.mean(said[first] != said[second])),
            both_wrong=neither / n,
        )
        for (first, second), (both, one, other, neither), p, adjusted in zip(pairs, found, raw, _holm(raw), strict=True)
    )


def _counts(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Samples right in both, in the first only, in the second only, in neither."""
    both, one, other = (int(np.sum(which)) for which in (first & second, first & ~second, ~first & second))
    return both, one, other, len(first) - both - one - other


def _mcnemar(one: int, other: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def _holm(values: list[float]) -> list[float]:
    adjusted, largest = [1.0] * len(values), 0.0
    for rank, index in enumerate(np.argsort(values)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted


@dataclass(frozen=True)
class SeedAgreement:
    """How alike models answer that differ in their seed only.

    Attributes:
        value: the share of equal answers, the mean over all pairs of seeds.
        interval: 95 %, over samples: Wilson's, of as many as would vary like these shares of equal answers.
        seeds: models.
        n: samples.
    """

    value: float
    interval: Interval
    seeds: int
    n: int

    def __str__(self) -> str:
        return f"{percent(self.value)} {ends(self.interval)} of the answers agree, {self.seeds} seeds, n={self.n:,}"


def agreement_of_seeds(predictions: ArrayLike) -> SeedAgreement:
    """How often two models that differ in their seed only give the same answer.

    Args:
        predictions: (S, N) class indices, a row a seed.

    Raises:
        BadShape: fewer than two seeds, or no samples.
    """
    said = np.asarray(predictions)
    if said.ndim != 2 or len(said) < 2 or not said.shape[1]:
        raise BadShape(f"agreement_of_seeds: predictions have shape {said.shape}; they must be (S, N), S of 2 or more.")
    seeds, n = said.shape
    pairs = np.array([said[one] == said[other] for one, other in combinations(range(seeds), 2)], np.float64)
    shares = pairs.mean(0)  # of each sample
    value, error = float(shares.mean()), float(shares.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    size = max(n, worth(value, error, n))  # a share that is 0 or 1 throughout varies as little as one of n can
    return SeedAgreement(value, wilson(value * size, size), seeds, n)
