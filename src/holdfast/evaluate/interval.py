"""95 % intervals: of a share, of a difference of shares, of a mean, of the mean over folds."""

import math

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
Z = 1.959963984540054  # the normal distribution has 95 % within so many standard deviations


def wilson(successes: float, n: float, *, z: float = Z) -> Interval:
    """The interval of a share, `successes` of `n`: Wilson's score interval; (0, 1) when n is 0.

    Neither need be whole: a share of which something was taken off, or with a standard error of its own, has
    successes and an n that are worth as much.

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953.

    Example:
        >>> [round(end, 3) for end in wilson(73, 90)]
        [0.718, 0.879]
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, z * z
    middle = p + z2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return low if successes > 0 else 0.0, high if successes < n else 1.0  # exact where rounding is not


def worth(share: float, error: float, n: int) -> float:
    """How many unrelated samples would give this share this standard error; n where it has none."""
    return share * (1 - share) / error**2 if error and 0 < share < 1 else n


def newcombe(first: tuple[float, int], second: tuple[float, int]) -> Interval:
    """The interval of a difference of two shares of unrelated samples, each given as (successes, n).

    Source: Newcombe 1998, Statistics in Medicine 17:873-890, method 10: the hybrid of two Wilson intervals.

    Example:
        >>> [round(end, 4) for end in newcombe((56, 70), (48, 80))]
        [0.0524, 0.3339]
    """
    (p, (p_low, p_high)), (q, (q_low, q_high)) = ((k / n, wilson(k, n)) for k, n in (first, second))
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def normal(values: NDArray[np.float64], low: float, high: float) -> Interval:
    """The interval of the mean of (N,) values that lie in [low, high]: Student's t, cut at these ends.

    One value says nothing of the spread, so its interval is all of [low, high].
    """
    from scipy.stats import t

    if len(values) < 2:
        return low, high
    errors = float(t.ppf(0.975, len(values) - 1))  # 1.96 for many values, 12.7 for two
    mean, error = float(values.mean()), errors * float(values.std(ddof=1)) / math.sqrt(len(values))
    return max(low, mean - error), min(high, mean + error)


def paired(both: int, first: int, second: int, neither: int, *, z: float = Z) -> Interval:
    """The interval of a difference of two shares of the same samples, p(first right) minus p(second right).

    Args:
        both, first, second, neither: samples right in both, in the first only, in the second only, in neither.
        z: standard deviations that the interval reaches to each side; `deviations` gives those of another level.

    Source: Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10: two Wilson intervals, joined by the
    correlation phi with its continuity correction.
    """
    n = both + first + second + neither
    (p, (p_low, p_high)), (q, (q_low, q_high)) = ((k / n, wilson(k, n, z=z)) for k in (both + first, both + second))
    spread = math.sqrt(float(both + first) * (second + neither) * (both + second) * (first + neither))
    excess = both * neither - first * second
    phi = (max(excess - n / 2, 0) if excess > 0 else excess) / spread if spread else 0.0
    low = _joined(p - p_low, q_high - q, phi)
    high = _joined(p_high - p, q - q_low, phi)
    return p - q - low, p - q + high


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one * one - 2 * phi * one * other + other * other, 0))


def deviations(level: float) -> float:
    """How many standard deviations to each side hold this share of the normal distribution: 1.96 of 0.95."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))


def mean_over_folds(scores: NDArray[np.float64], train_n: int, test_n: int, n: int) -> tuple[float, Interval]:
    """The mean accuracy over folds and its interval, never narrower than that of one model on all n samples.

    Args:
        scores, train_n, test_n: as in `corrected_resampled`.
        n: different samples that the folds judge.
    """
    mean = float(scores.mean())
    low, high = corrected_resampled(scores, train_n, test_n)
    least = wilson(mean * n, n)  # folds that happen to agree make no sample larger
    return mean, (min(low, least[0]), max(high, least[1]))


def corrected_resampled(
    scores: NDArray[np.float64],
    train_n: int,
    test_n: int,
    *,
    level: float = 0.95,
    bounds: Interval = (0.0, 1.0),
) -> Interval:
    """The interval of the mean accuracy over the folds of a cross-validation, all its repeats together.

    Folds share most of their training samples, so their scores are not independent: the variance of their mean is
    (1/R + test_n / train_n) s², not s²/R.  Student's t with R - 1 degrees of freedom, cut at the bounds.

    Args:
        scores: (R,) accuracies, of all folds of all repeats; or differences of accuracies, fold by fold.
        train_n, test_n: samples that a fold trains on, and that it is judged by.
        level: of confidence.
        bounds: between which the mean can lie: 0 and 1 of an accuracy, -1 and 1 of a difference.

    Source: Nadeau & Bengio 2003, Machine Learning 52:239-281.
    """
    from scipy.stats import t

    count, (low, high) = len(scores), bounds
    if count < 2:
        return low, high
    error = math.sqrt((1 / count + test_n / train_n) * float(scores.var(ddof=1)))
    mean, half = float(scores.mean()), float(t.ppf((1 + level) / 2, count - 1)) * error
    return max(low, mean - half), min(high, mean + half)
