"""Growth: what more training data brings, in intervals over samples and repeats: the last step, the law, the words.

The trainings that it rests on are in curve.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import derive
from ..evaluate.interval import Interval
from .formats import percent

Shares = NDArray[np.float64]  # of right answers: a row a repeat, a column a sample or a group of them
A_SHARE = (1.0, 1.0, 0.0, 0.0)  # Agresti and Coull: two right ones and two wrong ones are added
A_DIFFERENCE = (1.0, -1.0)  # Bonett and Price: one of each kind is added
DRAWS = 400  # of the bootstrap
LITTLE = 0.01  # so few mistakes in training leave a bigger model nothing to win; half of it is a small gain
STEEPNESS = np.linspace(0.05, 2.0, 40)  # exponents among which the power law has its own


@dataclass(frozen=True)
class Gain:
    """What the last step to more data brought.

    Attributes:
        before, after: training samples.
        value: the difference of the accuracies, after minus before.
        interval: 95 %, over samples and repeats, which are the same on both sides.
    """

    before: int
    after: int
    value: float
    interval: Interval

    @property
    def shown(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.interval[0] > 0


@dataclass(frozen=True)
class Forecast:
    """The accuracy at twice the data, if the power law goes on.

    Attributes:
        n: training samples.
        value: a share in [0, 1].
        interval: 95 %, over samples and repeats; how right the law is, it does not know.
    """

    n: int
    value: float
    interval: Interval


def shares_of(right: NDArray[np.bool_] | Shares, groups: NDArray[np.int64] | None) -> Shares:
    """(R, N) right answers as (R, G) shares whose row means are the accuracies.

    Samples of one group are not independent.  They become one column: the mean accuracy plus what the group's samples
    add to it, so that large groups weigh more.
    """
    if groups is None:
        return right.astype(np.float64)
    numbers, members = np.unique(groups, return_inverse=True)
    means = right.mean(1, keepdims=True)
    sums = np.stack([np.bincount(members, row, len(numbers)) for row in right - means])
    return np.asarray(means + sums * len(numbers) / len(groups), np.float64)


def interval_over(values: Shares, n: int, pseudo: Sequence[float], *, level: float = 0.95) -> Interval:
    """The interval of the mean of (R, G) values, for other repeats and other samples of the same kind.

    Repeats and samples are crossed and both random: Var = (MS_repeats + MS_samples - MS_rest) / (R G), as in the
    analysis of several readers who judge the same cases, with Satterthwaite's degrees of freedom.  In simulations with
    3 repeats it held the truth in 88 to 99 % of cases.

    Args:
        values: of one repeat, only the samples count.
        n: samples, of which a column may hold several.
        pseudo: samples to add, or the interval of a score near 0 or 1 would be too narrow: `A_SHARE`, `A_DIFFERENCE`.
        level: share of such intervals that hold the truth.

    Source: Dorfman, Berbaum & Metz 1992, Investigative Radiology 27:723-731 (the variance); Agresti & Coull 1998 and
    Bonett & Price 2012 (the samples added).
    """
    from scipy.stats import t

    variance, freedom = _crossed(values)
    added, all_n = np.array(pseudo), n + len(pseudo)
    mean = (n * float(values.mean()) + float(added.sum())) / all_n
    error = math.sqrt(n * n * variance + float(np.square(added - mean).sum())) / all_n
    half = float(t.ppf((1 + level) / 2, freedom)) * error
    return max(min(0.0, *pseudo), mean - half), min(1.0, mean + half)


def _crossed(values: Shares) -> tuple[float, float]:
    """The variance of the mean of (R, G) values, and its degrees of freedom."""
    repeats, columns = values.shape
    if columns < 2:
        return 1.0, 1.0  # one group says nothing of others
    of_columns = repeats * float(values.mean(0).var(ddof=1))
    if repeats == 1:
        return of_columns / columns, columns - 1
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    of_rest = float(np.square(rest).sum()) / ((repeats - 1) * (columns - 1))
    of_rows, of_columns = columns * float(values.mean(1).var(ddof=1)), max(of_columns, of_rest)
    more = max(of_rows - of_rest, 0.0)
    total = of_columns + more
    doubt = of_columns**2 / (columns - 1) + more * of_rows / (repeats - 1)
    return total / (repeats * columns), total**2 / doubt if doubt else columns - 1


def gain(before: int, after: int, first: Shares, last: Shares, n: int) -> Gain:
    """What the step from `before` to `after` training samples brought on n samples, paired by sample and repeat."""
    steps = last - first
    return Gain(before, after, float(steps.mean()), interval_over(steps, n, A_DIFFERENCE))


def forecast(sizes: Sequence[int], shares: Sequence[Shares], seed: int = 0) -> Forecast | None:
    """The accuracy at twice the largest size, by error = a + b n^-c with a, b >= 0; None of less than three sizes.

    The interval is a bootstrap of samples and repeats together, each drawn alike for all sizes.

    Args:
        sizes: training samples, rising.
        shares: at each size.

    Source of the law: Cortes et al. 1993, NeurIPS 6; Viering & Loog 2023, IEEE TPAMI 45:7799-7819.
    """
    if len(sizes) < 3:
        return None
    errors = 1 - np.stack(shares)  # (K, R, G)
    _, repeats, units = errors.shape
    random = np.random.default_rng(derive(seed, "forecast"))
    even = np.full(units, 1 / units)
    drawn = np.stack([errors @ random.multinomial(units, even) / units for _ in range(DRAWS)])  # (DRAWS, K, R)
    chosen = random.integers(0, repeats, (DRAWS, 1, repeats))
    means = np.take_along_axis(drawn, chosen, axis=2).mean(2)
    weights = 1 / (means.var(0) + 1e-6)
    value, *others = 1 - _at_double(np.array(sizes), np.vstack([errors.mean((1, 2)), means]), weights)
    low, high = np.quantile(others, (0.025, 0.975))
    return Forecast(2 * sizes[-1], float(value), (float(min(low, value)), float(max(high, value))))


def _at_double(sizes: NDArray[np.int64], errors: Shares, weights: Shares) -> Shares:
    """(B,) errors at twice the largest of (K,) sizes, by the laws fitted to each row of (B, K) errors.

    Least squares are linear in a and b once c is chosen; of 40 exponents each row gets its best.
    """
    powers = (sizes / sizes[-1]) ** -STEEPNESS[:, None]  # (C, K)
    total = weights.sum()
    middle, centre = powers @ weights / total, errors @ weights / total  # (C,), (B,)
    spread = np.square(powers - middle[:, None]) @ weights
    b = (errors @ (weights * (powers - middle[:, None])).T) / spread  # (B, C)
    b = np.where(centre[:, None] - b * middle < 0, errors @ (weights * powers).T / (np.square(powers) @ weights), b)
    b = np.maximum(b, 0)
    a = np.maximum(centre[:, None] - b * middle, 0)
    misfit = np.square(errors[:, None] - a[..., None] - b[..., None] * powers) @ weights
    rows, best = np.arange(len(errors)), misfit.argmin(1)
    return np.asarray(a[rows, best] + b[rows, best] * 2 ** -STEEPNESS[best])


def said_of_data(step: Gain, later: Forecast | None, things: str) -> str:
    """Whether more data pays, as a sentence without a full stop."""
    low, high = step.interval
    moved = "fell" if high < 0 else "rose" if step.value > 0 else "changed"
    sign = -100 if moved == "fell" else 100
    low, high = sorted((sign * low, sign * high))
    digits = 1 if min(abs(low), abs(high)) >= 0.05 else 2  # no end that is not 0 looks like 0
    rise = f"{sign * step.value:.{digits}f} points [{low:.{digits}f}, {high:.{digits}f}]"
    pays = "more data pays, but little" if step.value < LITTLE / 2 else "more data pays"
    said = f"from {step.before:,} to {step.after:,} {things} the accuracy {moved} by {rise}: "
    said += pays if step.shown else "no gain shown"
    if later is None:
        return said
    low, high = later.interval
    return (
        f"{said}; by the fitted power law about {percent(later.value)} [{100 * low:.1f}, {100 * high:.1f}] "
        f"at {later.n:,}"
    )


def said_of_model(size: int, train: Shares, validation: Shares, n: int, things: str) -> str:
    """Whether a bigger model would pay: by how much of the mistakes it makes on its own training samples, too.

    Args:
        size: training samples, on average.
        train: a column a sample.
        validation: of n samples.
        things: what samples are called.
    """
    taught, judged = float(train.mean()), float(validation.mean())
    low, high = interval_over(train, train.shape[1], A_SHARE)
    judged_low, judged_high = interval_over(validation, n, A_SHARE)
    gap = taught - judged
    gap_low = gap - math.hypot(taught - low, judged_high - judged)  # as Newcombe's, of two unrelated scores
    gap_high = gap + math.hypot(high - taught, judged - judged_low)
    facts = (
        f"of {size:,} training {things} it gets {percent(taught)} right, and "
        f"{percent(judged)} of validation (gap {100 * gap:z.1f} points [{100 * gap_low:z.1f}, {100 * gap_high:z.1f}])"
    )
    if 1 - high > gap_high:
        return f"{facts}: most mistakes are made in training already, so a bigger model, or more epochs, may pay"
    if 1 - low < max(gap_low, LITTLE):
        return f"{facts}: it lacks data rather than size"
    return f"{facts}: too close to say whether a bigger model would pay"
