"""What a choice adds to the best score: exact cases, and by simulation what is left after it is taken off."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from holdfast.core import BadShape
from holdfast.evaluate import bbc, optimism, wilson
from holdfast.evaluate.selection import _largest

Right = NDArray[np.bool_]


def guesses(random: np.random.Generator, *, alike: float, candidates: int = 100, n: int = 500) -> Right:
    """Candidates that guess among 10 classes; each takes this share of its answers from one whom all copy."""
    labels, copied = random.integers(0, 10, (2, n))
    own = random.integers(0, 10, (candidates, n))
    return np.asarray(np.where(random.random((candidates, n)) < alike, copied, own) == labels)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_noise_is_seen_to_be_noise(alike: float) -> None:
    """The true accuracy, chance, is in the interval in 190 +- 6 of 200 repeats; over nine seeds in 189 to 196."""
    random = np.random.default_rng(2)

    found = [bbc(guesses(random, alike=alike)) for _ in range(200)]

    assert 184 <= sum(one.interval[0] <= 0.1 <= one.interval[1] for one in found) <= 196
    assert float(np.mean([one.value for one in found])) == pytest.approx(0.1, abs=0.002)
    assert min(one.naive - one.value for one in found) > 0  # the best of the trials is never what is told first
    assert sum(wilson(round(500 * one.naive), 500)[0] <= 0.1 for one in found) < 150  # what it replaces


@pytest.mark.slow
def test_one_that_is_truly_better_keeps_its_score() -> None:
    random = np.random.default_rng(2)
    rates = np.full((20, 1), 0.8)
    rates[7] = 0.9

    found = [bbc(random.random((20, 500)) < rates) for _ in range(100)]

    assert {one.chosen for one in found} == {7}
    assert float(np.mean([one.value for one in found])) == pytest.approx(0.9, abs=0.004)
    assert 90 <= sum(one.interval[0] <= 0.9 <= one.interval[1] for one in found) <= 99


def test_one_candidate_has_no_optimism() -> None:
    right = np.arange(1000) < 900

    found = bbc(right[None])

    assert (found.chosen, found.naive, found.n, found.candidates) == (0, 0.9, 1000, 1)
    assert found.value == pytest.approx(0.9, abs=0.001)
    assert found.interval == pytest.approx(wilson(900, 1000), abs=0.004)


def test_candidates_that_answer_alike_have_no_optimism() -> None:
    right = np.random.default_rng(3).random(1000) < 0.9

    found = bbc(np.stack([right] * 50))

    assert found.value == pytest.approx(found.naive, abs=0.001)
    assert found.interval == pytest.approx(wilson(int(right.sum()), 1000), abs=0.004)


@pytest.mark.parametrize("share", [0, 1])
def test_all_wrong_or_all_right_is_as_sure_as_its_n(share: int) -> None:
    found = bbc(np.full((3, 50), bool(share)))

    assert found.value == share
    assert found.interval == pytest.approx(wilson(50 * share, 50))


def test_groups_are_drawn_whole() -> None:
    """A hundred groups of ten equal samples are worth a hundred samples, not a thousand."""
    single = np.random.default_rng(4).random((5, 100)) < 0.9

    grouped = bbc(single.repeat(10, 1), groups=np.arange(100).repeat(10))

    assert grouped.n == 1000
    assert grouped.value == pytest.approx(bbc(single).value, abs=0.003)
    assert grouped.interval == pytest.approx(bbc(single).interval, abs=0.01)


def test_the_same_seed_gives_the_same_result_and_tells_what_was_removed() -> None:
    right = guesses(np.random.default_rng(5), alike=0)

    found = bbc(right)

    assert bbc(right) == found
    assert bbc(right, seed=1) != found
    assert str(found).startswith(f"accuracy {100 * found.value:.1f} % [")
    assert "without the luck of being the best of" in str(found)


def test_too_little_to_choose_by_is_refused() -> None:
    with pytest.raises(BadShape, match=r"^bbc: right has shape \(0, 9\), with 9 groups of its 9 samples; it must be "):
        bbc(np.zeros((0, 9), np.bool_))
    with pytest.raises(BadShape, match=r"^bbc: right has shape \(3, 9\), with 1 groups of its 9 samples; "):
        bbc(np.zeros((3, 9), np.bool_), groups=np.zeros(9, np.int64))
    with pytest.raises(BadShape, match=r"^bbc: right has shape \(9,\)"):
        bbc(np.zeros(9, np.bool_))


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 0.56419), (3, 0.84628), (10, 1.53875), (100, 2.50759)])
def test_the_expected_largest_is_that_of_the_tables(count: int, expected: float) -> None:
    assert _largest(count) == pytest.approx(expected, abs=1e-5)  # Harter 1961, Biometrika 48:151-165


def test_one_look_or_equal_ones_or_rising_ones_cost_nothing() -> None:
    assert optimism([0.8], 100) == 0
    assert optimism([0.8] * 10, 100) == pytest.approx(0, abs=1e-12)
    assert optimism([0.5, 0.6, 0.7, 0.75, 0.78, 0.8], 100) == pytest.approx(0, abs=1e-12)


def test_no_more_is_taken_than_the_binomial_error_allows() -> None:
    looks = [0.9, 0.5, 0.1] * 10

    assert 0 < optimism(looks, 100) <= 2.05 * 0.05  # the largest of 30 lies 2.04 deviations above the mean


def seen(random: np.random.Generator, rates: NDArray[np.float64], n: int, memory: float) -> NDArray[np.float64]:
    """Accuracies on n samples; what is hard stays hard from look to look as far as `memory`, in [0, 1], says."""
    state, looks = random.standard_normal(n), []
    for rate in rates:
        looks.append(float((state < norm.ppf(rate)).mean()))
        state = memory * state + np.sqrt(1 - memory**2) * random.standard_normal(n)
    return np.array(looks)


def constant(count: int) -> NDArray[np.float64]:
    return np.full(count, 0.9)


def rising(count: int) -> NDArray[np.float64]:
    return np.asarray(0.9 - 0.5 * np.exp(-np.arange(count) / 3), np.float64)


@pytest.mark.parametrize(
    ("curve", "count", "memory", "least", "most"),
    [
        (constant, 20, 0.0, -0.1, 0.5),  # points that are left of the 2.5 that the best adds
        (constant, 100, 0.0, -0.3, 0.3),  # of 3.2
        (rising, 30, 0.0, -0.3, 0.4),  # of 2.4
        (rising, 10, 0.99, -0.2, 0.4),  # of 0.1: epochs that learn are not taken for luck
        (rising, 30, 0.99, -0.2, 0.6),  # of 1.2
        (rising, 100, 0.999, -0.3, 0.4),  # of 1.2
    ],
)
def test_the_best_of_the_looks_is_right_on_average_without_its_optimism(
    curve: Callable[[int], NDArray[np.float64]], count: int, memory: float, least: float, most: float
) -> None:
    random = np.random.default_rng(6)
    rates, left = curve(count), []

    for _ in range(100):
        looks = seen(random, rates, 500, memory)
        left.append(looks.max() - optimism(looks.tolist(), 500) - rates[looks.argmax()])

    assert least <= 100 * float(np.mean(left)) <= most
