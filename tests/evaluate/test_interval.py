"""Intervals against published values and formulas worked out by hand."""

import math

import numpy as np
import pytest

from holdfast.evaluate import newcombe, normal, wilson


@pytest.mark.parametrize(("successes", "n"), [(73, 90), (0, 20), (20, 20), (1, 3), (59_000, 60_000)])
def test_wilson_is_the_formula_of_the_textbook(successes: int, n: int) -> None:
    z, p = 1.959963984540054, successes / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))

    low, high = wilson(successes, n)

    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-12)
    assert 0 <= low <= p <= high <= 1


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_newcombe_gives_the_values_of_his_table_ii(
    first: tuple[int, int], second: tuple[int, int], interval: tuple[float, float]
) -> None:
    assert newcombe(first, second) == pytest.approx(interval, abs=5e-5)


def test_newcombe_of_the_two_parts_swapped_is_the_same_with_its_sign_turned() -> None:
    low, high = newcombe((409, 420), (73, 90))

    assert newcombe((73, 90), (409, 420)) == pytest.approx((-high, -low))


def test_the_interval_of_a_mean_is_student_s() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])  # standard deviation sqrt(5/3), standard error 0.6455

    # 3.18245 is the quantile of 97.5 % for 3 degrees of freedom in any printed table.
    assert normal(values, -10, 10) == pytest.approx((2.5 - 3.18245 * 0.645497, 2.5 + 3.18245 * 0.645497), rel=1e-5)


def test_the_interval_of_a_mean_keeps_within_its_bounds() -> None:
    assert normal(np.array([0.1, 9.9]), 0, 10) == (0, 10)
    assert normal(np.array([5.0]), 0, 10) == (0, 10)
