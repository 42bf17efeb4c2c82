"""95 % intervals: of a share, of a difference of shares, of a mean."""

import math

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]


def wilson(successes: int, n: int) -> Interval:
    """The interval of a share, `successes` of `n`: Wilson's score interval, by scipy; (0, 1) when n is 0.

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953.

    Example:
        >>> [round(end, 3) for end in wilson(73, 90)]
        [0.718, 0.879]
    """
    from scipy.stats import binomtest

    if n == 0:
        return 0.0, 1.0
    found = binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def newcombe(first: tuple[int, int], second: tuple[int, int]) -> Interval:
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
