"""Intervals against published values and formulas worked out by hand."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from holdfast.evaluate import corrected_resampled, newcombe, normal, paired, wilson

CELLS = [(n, p) for n in (20, 50, 200, 1000) for p in (0.5, 0.9, 0.99)]
UNREACHABLE = {(20, 0.99), (50, 0.99)}  # whatever the interval: too few outcomes have any probability


def probabilities(n: int, p: float) -> NDArray[np.float64]:
    """Of 0..n right answers."""
    return np.asarray(binom.pmf(np.arange(n + 1), n, p), np.float64)


@pytest.mark.parametrize(("n", "p"), CELLS)
def test_wilson_holds_the_true_share_in_93_to_97_percent_of_all_samples(n: int, p: float) -> None:
    ends = [wilson(right, n) for right in range(n + 1)]
    held = [low <= p <= high for low, high in ends]

    covered = round(100 * float(probabilities(n, p) @ np.array(held, np.float64)), 1)

    known = {(20, 0.99): 98.3, (50, 0.99): 91.1}
    assert 93 <= covered <= 97 or covered == known.get((n, p))


@pytest.mark.parametrize(("n", "p"), CELLS)
def test_two_of_the_twelve_cells_are_out_of_reach_of_any_interval(n: int, p: float) -> None:
    """An interval that follows the count holds p for the counts from some a to some b: all of these are tried."""
    below = np.concatenate([[0.0], probabilities(n, p).cumsum()])

    covered = below[None, :] - below[:, None]  # of a..b-1

    assert ((covered >= 0.93) & (covered <= 0.97)).any() == ((n, p) not in UNREACHABLE)


@pytest.mark.parametrize(("successes", "n"), [(73, 90), (0, 20), (20, 20), (1, 3), (59_000, 60_000)])
def test_wilson_is_that_of_scipy(successes: int, n: int) -> None:
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")

    assert wilson(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


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


@pytest.mark.parametrize(
    ("table", "interval"),
    [
        ((14, 5, 0, 22), (0.0115, 0.2265)),  # Altman, Machin, Bryant & Gardner 2000, Statistics with confidence, p. 52
        ((36, 12, 2, 0), (0.0569, 0.3404)),  # Newcombe 1998, table III
        ((1, 1, 7, 12), (-0.5069, -0.0256)),  # Bentur 2009 in Fagerland, Lydersen & Laake 2017, ch. 8
        ((59, 6, 16, 80), (-0.1186, -0.0046)),  # Cavo 2012, ibid.
    ],
)
def test_paired_gives_published_values(table: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    assert paired(*table) == pytest.approx(interval, abs=5e-5)


def test_paired_swapped_is_the_same_with_its_sign_turned() -> None:
    low, high = paired(59, 6, 16, 80)

    assert paired(59, 16, 6, 80) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("p", "q", "both"), [(0.9, 0.9, 0.85), (0.9, 0.85, 0.82), (0.6, 0.5, 0.3)])
def test_paired_holds_the_true_difference(p: float, q: float, both: float) -> None:
    random = np.random.default_rng(1)
    tables = random.multinomial(200, [both, p - both, q - both, 1 - p - q + both], 1000)

    held = sum(low <= p - q <= high for low, high in (paired(*map(int, table)) for table in tables))

    assert 930 <= held <= 970


def test_the_interval_over_folds_is_nadeau_and_bengio_s() -> None:
    folds = np.array([0.80, 0.90, 0.85, 0.95, 0.75])  # mean 0.85, variance 0.025 / 4 = 0.00625

    found = corrected_resampled(folds, train_n=80, test_n=20)

    # (1/5 + 20/80) * 0.00625 = 0.0028125; 2.776445 is Student's t for 4 degrees of freedom in any printed table.
    assert found == pytest.approx((0.85 - 2.776445 * 0.0530330, 0.85 + 2.776445 * 0.0530330), rel=1e-6)


def test_the_interval_over_folds_keeps_within_zero_and_one() -> None:
    assert corrected_resampled(np.array([0.8, 1.0]), 50, 50) == (0, 1)
    assert corrected_resampled(np.array([0.9]), 50, 50) == (0, 1)
