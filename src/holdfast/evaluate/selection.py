"""Selection: what is left of the best score when it was chosen among many, after many looks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core import BadShape
from .interval import Interval, wilson, worth
from .score import Report, ends, percent

BAGS = 1000
PLAYED = 500  # of the bags, to see how far the value errs,
REPLAYS = 100  # in so many plays


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
        return (
            f"accuracy {percent(self.value)} {ends(self.interval)} n={self.n:,} without the luck of being the best of "
            f"{self.candidates:,} (seen: {percent(self.naive)})"
        )


def bbc(
    right: NDArray[np.bool_] | NDArray[np.float64], *, groups: NDArray[np.int64] | None = None, seed: int = 0
) -> Chosen:
    """The best of C candidates, and its accuracy without the optimism of choosing it: BBC-CV.

    Each of 1,000 bootstrap samples chooses its best candidate; that one is judged by the samples left out, which had
    no say in the choice.  The value is the mean of these.  Its interval comes from a second bootstrap (`_error`);
    above, it reaches at least as far as that of a model that was not chosen, for the value errs to the low side where
    one candidate is a little better than the others.  What it is worth: docs/honest.md.

    Args:
        right: (C, N) whether each candidate's out-of-fold prediction of each sample is right; of several repeats, in
            what share of them it is.
        groups: (N,) numbers of what belongs together; whole groups are drawn.
        seed: of the draws.

    Raises:
        BadShape: no candidate, or fewer than two samples or groups.

    Source: Tsamardinos, Greasidou & Borboudakis 2018, Machine Learning 107:1895-1922, algorithm 2.
    """
    units = np.arange(right.shape[-1]) if groups is None else np.unique(groups, return_inverse=True)[1]
    if right.ndim != 2 or not len(right) or len(units) != right.shape[1] or len(set(units.tolist())) < 2:
        raise BadShape(
            f"bbc: right has shape {right.shape}, with {len(set(units.tolist()))} groups of its {len(units)} samples; "
            "it must be (C, N), with 1 candidate and 2 groups or more."
        )
    sizes = np.bincount(units).astype(np.float32)  # single samples are groups of one
    hits = np.stack([np.bincount(units, row) for row in right.astype(np.float32)]).astype(np.float32)
    random = np.random.default_rng(seed)
    counts = _bags(len(sizes), random)
    seen = counts @ hits.T / (counts @ sizes)[:, None]  # (bags, C): accuracy of each candidate in each bag
    # Ties are common on few samples; always taking the first would favour it.
    best = (seen + random.random(seen.shape, np.float32) * np.float32(0.5 / right.shape[1])).argmax(1)
    left = (counts == 0).astype(np.float32)
    judges = left @ sizes
    scores = (left @ hits.T)[np.arange(BAGS), best][judges > 0] / judges[judges > 0]
    value, n, naive = float(scores.mean()), right.shape[1], right.mean(1)
    chosen = int(naive.argmax())
    played = worth(value, _error(naive.astype(np.float32), (seen - naive.astype(np.float32))[:PLAYED]), n)
    alone = worth(float(naive[chosen]), float(seen[:, chosen].std()), n)
    interval = wilson(value * played, played)[0], max(wilson(value * size, size)[1] for size in (played, alone))
    return Chosen(chosen, value, interval, float(naive[chosen]), n, len(right))


def _bags(n: int, random: np.random.Generator) -> NDArray[np.float32]:
    """(bags, n): how often each of n was drawn, n times with replacement."""
    counts = np.empty((BAGS, n), np.float32)
    for bag in counts:
        bag[:] = np.bincount(random.integers(0, n, n), minlength=n)
    return counts


def _error(naive: NDArray[np.float32], noise: NDArray[np.float32]) -> float:
    """How far the value of `bbc` lies from the true accuracy of the best candidate: the root of the mean square.

    Bagged scores move less than binomial ones when many candidates take turns as the best, and as much when one is
    best throughout.  So the whole is played again where the truth is known: true accuracies `level`, which are the
    ones seen, shrunk to their mean by as much of their spread as noise explains; from them scores are seen, bags
    choose, and the value is compared with the true accuracy of the best seen.  Noise is that of the bags, scaled to
    the binomial variance at the accuracy it is added to; else candidates that look good would vary too little.

    Args:
        naive: (C,) accuracies as seen.
        noise: (bags, C) what each bag saw, minus `naive`.

    Source: the double bootstrap, Hall 1992, The Bootstrap and Edgeworth Expansion, ch. 1; shrinkage of Efron &
    Morris 1973, Journal of the American Statistical Association 68:117-130.
    """
    mean, spread = naive.mean(), float(((naive - naive.mean()) ** 2).sum())
    by_noise = float(((noise - noise.mean(1, keepdims=True)) ** 2).sum(1).mean())
    level = mean + (naive - mean) * np.float32(max(0.0, 1 - by_noise / spread) if spread else 0.0)
    unit = noise / np.sqrt(naive * (1 - naive)).clip(1e-3)  # who is always right or wrong has no noise
    errors = []
    for played in level + unit[:REPLAYS] * np.sqrt(level * (1 - level)):
        again = unit * np.sqrt((played * (1 - played)).clip(0))
        best = (played + again).argmax(1)
        value = (played[best] - again[np.arange(len(again)), best]).mean()
        errors.append(value - level[played.argmax()])
    return float(np.sqrt(np.mean(np.square(errors))))


def optimism(values: Sequence[float], n: int) -> float:
    """How much too good the best of these looks is expected to be: the expected maximum over them, as a share.

    The largest of k equally good looks lies E_k standard deviations above their level, by the order statistics of the
    normal distribution.  k counts the looks that luck alone may have put below the best.  Their standard deviation s
    is what is left of them beside a rising trend, which is taken for learning.  So epochs that move together have a
    small s, whatever their number.  No more than the binomial standard error of n samples can be luck: where s is
    larger, the looks truly differ, and the best is a draw from both; its part of luck is then error² / s a deviation.

    It assumes looks in the order of training, or in an order that has nothing to do with their scores, as trials of a
    search; sorted ones would pass for learning.  Of two to five looks it finds a half or less of the optimism, for so
    few may as well be learning.

    Args:
        values: accuracies of the looks, in the order they were made; shares.
        n: samples that were looked at.

    Returns:
        To be taken off the best; 0 for one look.
    """
    seen = np.asarray(values, np.float64)
    if len(seen) < 2:
        return 0.0
    best, spread = seen.max(), _binomial(seen, n)
    reach, rivals = 2 * _largest(len(seen)) + 2, 0  # deviations between the best and the worst of equally good ones
    while True:
        near = seen[seen >= best - reach * spread]
        error, beside = _binomial(near, n), _beside_trend(near)
        if len(near) == rivals:
            return _largest(rivals) * (beside if beside <= error else error**2 / beside)
        rivals, spread = len(near), min(spread, beside, error)


def _binomial(values: NDArray[np.float64], n: int) -> float:
    level = float(values.mean())
    return math.sqrt(level * (1 - level) / n)


def _beside_trend(values: NDArray[np.float64]) -> float:
    """The standard deviation from the best rising curve through the values (isotonic regression, by scipy)."""
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(values)
    free = len(values) - len(curve.weights)  # a degree of freedom goes with each step of the curve
    return math.sqrt(float(((values - curve.x) ** 2).sum()) / free) if free else 0.0


def without_optimism(report: Report, seen: Sequence[float]) -> Report:
    """The report of a model that was chosen among others by looking: its accuracy without what the choice adds.

    Args:
        report: of the chosen one, as it was seen.
        seen: the accuracies of all that it was chosen from, on the same part, in the order of the looks.  Where the
            chosen one is not the best of them, so much less is taken away.
    """
    accuracy = report.accuracy
    gone = max(0.0, optimism(seen, accuracy.n) - max(0.0, max(seen) - accuracy.value))
    gone = min(gone, accuracy.value)  # of very few samples it may be more than there is
    value = accuracy.value - gone
    interval = wilson(value * accuracy.n, accuracy.n)
    return replace(report, accuracy=replace(accuracy, value=value, interval=interval, optimism=gone))


def _largest(count: int) -> float:
    """The expected largest of so many standard normal values: 0, 0.564, 0.846, 1.029, ..."""
    from scipy.special import ndtr

    x = np.linspace(0, 10, 2001)
    return float(np.trapezoid(1 - ndtr(x) ** count - ndtr(-x) ** count, x))
