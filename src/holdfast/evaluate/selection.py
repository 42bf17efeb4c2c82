"""Selection: what is left of the best score when it was chosen among many, after many looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core import BadShape
from .interval import Interval, wilson
from .score import Report, percent

BAGS = 1000


@dataclass(frozen=True)
class Chosen:
    """The best of several candidates, with what it is worth on new samples.

    Attributes:
        chosen: the row of the best candidate.
        value: its accuracy, without the optimism of the choice.
        interval: 95 %, of `value`.
        naive: its accuracy as seen, which is too good; never to be shown alone.
        n: samples.
        candidates: it was chosen from.
    """

    chosen: int
    value: float
    interval: Interval
    naive: float
    n: int
    candidates: int

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        return (
            f"accuracy {percent(self.value)} [{low:.1f}, {high:.1f}] n={self.n:,}, the best of {self.candidates:,} "
            f"without the {100 * (self.naive - self.value):.1f} points that the choice adds"
        )


def bbc(right: NDArray[np.bool_], *, groups: NDArray[np.int64] | None = None, seed: int = 0) -> Chosen:
    """The best of C candidates, and its accuracy without the optimism of choosing it: BBC-CV.

    Each of 1,000 bootstrap samples chooses its best candidate; that one is judged by the samples left out, which had
    no say in the choice.  The value is the mean of these.

    Args:
        right: (C, N) whether each candidate's out-of-fold prediction of each sample is right.
        groups: (N,) numbers of what belongs together; whole groups are drawn.
        seed: of the draws.

    Source: Tsamardinos, Greasidou & Borboudakis 2018, Machine Learning 107:1895-1922, algorithm 2.
    """
    if right.ndim != 2 or not right.size:
        raise BadShape(f"bbc: right has shape {right.shape}; it must be (C, N), with both of 1 or more.")
    candidates, n = right.shape
    units = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(units).astype(np.float64)
    hits = np.stack([np.bincount(units, row) for row in right.astype(np.float64)])  # (C, units)
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), BAGS)
    best = (counts @ hits.T / (counts @ sizes)[:, None]).argmax(1)
    left = (counts == 0).astype(np.float64)
    usable = left @ sizes > 0
    scores = ((left @ hits.T)[np.arange(BAGS), best] / np.maximum(left @ sizes, 1))[usable]
    naive = right.mean(1)
    value = float(scores.mean())
    return Chosen(int(naive.argmax()), value, wilson(value * n, n), float(naive.max()), n, candidates)


def optimism(values: Sequence[float], n: int) -> float:
    """How much too good the best of these looks is expected to be: the expected maximum over them, as a share.

    The largest of k equal scores lies E_k standard deviations above their level, by the order statistics of the
    normal distribution.  k are the looks that could have been the best by luck alone; the standard deviation is that
    from one look to the next, at most the binomial standard error.

    Args:
        values: accuracies of the looks, in the order they were made; shares.
        n: samples that were looked at.

    Returns:
        To be taken off the best; 0 for one look.
    """
    seen = np.asarray(values, np.float64)
    if len(seen) < 2:
        return 0.0
    best = float(seen.max())
    spread = math.sqrt(best * (1 - best) / n)
    reach, rivals = 2 * _largest(len(seen)), 0  # how far apart the best and the worst of equal ones lie
    while True:
        near = seen[seen >= best - reach * spread]
        if len(near) == rivals:
            return _largest(rivals) * spread
        rivals = len(near)
        steps = np.abs(np.diff(near))
        spread = min(spread, float(steps.mean()) * math.sqrt(math.pi) / 2) if rivals > 1 else 0.0


def without_optimism(report: Report, seen: Sequence[float]) -> Report:
    """The report of a model that was chosen among others by looking: its accuracy without what the choice adds.

    Args:
        report: of the chosen one, as it was seen.
        seen: the accuracies of all that it was chosen from, on the same part, in the order of the looks.  Where the
            chosen one is not the best of them, so much less is taken away.
    """
    accuracy = report.accuracy
    gone = max(0.0, optimism(seen, accuracy.n) - max(0.0, max(seen) - accuracy.value))
    value = accuracy.value - gone
    interval = wilson(value * accuracy.n, accuracy.n)
    return replace(report, accuracy=replace(accuracy, value=value, interval=interval, optimism=gone))


def _largest(count: int) -> float:
    """The expected largest of so many standard normal values: 0, 0.564, 0.846, 1.029, ..."""
    from scipy.special import ndtr

    x = np.linspace(0, 10, 2001)
    return float(np.trapezoid(1 - ndtr(x) ** count - ndtr(-x) ** count, x))
