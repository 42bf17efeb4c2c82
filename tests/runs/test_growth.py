"""What more data brings: intervals over samples and repeats, the last step, the power law, the words."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.evaluate import wilson
from holdfast.runs.growth import (
    A_DIFFERENCE,
    A_SHARE,
    Forecast,
    Gain,
    forecast,
    gain,
    interval_over,
    said_of_data,
    said_of_model,
    shares_of,
)


def right(counts: list[int], n: int) -> NDArray[np.bool_]:
    """(R, n): in each repeat the first so many samples are right."""
    return np.arange(n) < np.array(counts)[:, None]


def test_samples_alone_are_a_column_each() -> None:
    shares = shares_of(right([1, 2], 3), None)

    assert shares.tolist() == [[1, 0, 0], [1, 1, 0]]


def test_samples_of_a_group_are_one_column_and_the_means_stay() -> None:
    shares = shares_of(right([3, 1], 4), np.array([5, 5, 9, 9]))

    assert shares.shape == (2, 2)
    assert shares.mean(1).tolist() == [0.75, 0.25]
    assert shares[0].tolist() == [1.0, 0.5]


def test_groups_widen_the_interval() -> None:
    answers, groups = right([50], 100), np.arange(100) // 10  # whole groups are right, or wrong

    alone, grouped = (interval_over(shares_of(answers, which), 100, A_SHARE) for which in (None, groups))

    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])


def test_one_repeat_has_the_interval_of_agresti_and_coull_with_student_s_t() -> None:
    low, high = interval_over(shares_of(right([90], 100), None), 100, A_SHARE)

    assert (low, high) == pytest.approx((92 / 104 - 0.0624, 92 / 104 + 0.0624), abs=2e-4)
    assert (low, high) == pytest.approx(wilson(90, 100), abs=0.01)


def test_repeats_that_differ_widen_the_interval() -> None:
    calm, restless = (
        interval_over(shares_of(right(counts, 200), None), 200, A_SHARE) for counts in ([160] * 3, [140, 160, 180])
    )

    assert restless[1] - restless[0] > 2 * (calm[1] - calm[0])


def test_the_interval_of_a_perfect_score_has_a_width() -> None:
    low, high = interval_over(shares_of(right([50] * 3, 50), None), 50, A_SHARE)

    assert 0.85 < low < 0.97
    assert high == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("p", "spread"), [(0.5, 0.0), (0.9, 0.0), (0.9, 0.1), (0.97, 0.1)])
def test_the_interval_holds_the_truth(p: float, spread: float) -> None:
    """Samples are hard or easy for all repeats, and repeats lucky or not for all samples."""
    from scipy.stats import norm

    random, n, repeats, held = np.random.default_rng(0), 200, 3, 0
    for _ in range(400):
        noise = random.standard_normal((repeats, n)) * 0.3**0.5 + random.standard_normal((1, n)) * 0.7**0.5
        luck = spread * random.standard_normal((repeats, 1))
        answers = (noise + luck) / (1 + spread**2) ** 0.5 < norm.ppf(p)
        low, high = interval_over(shares_of(answers, None), n, A_SHARE)
        held += low <= p <= high

    assert held >= 0.91 * 400


def test_a_gain_is_shown_when_its_whole_interval_is_above_zero() -> None:
    before, after = (shares_of(right([count] * 3, 200), None) for count in (140, 180))

    step = gain(100, 200, before, after, 200)
    none = gain(100, 200, before, before, 200)

    assert step.value == pytest.approx(0.2)
    assert step.shown
    assert none.value == 0
    assert none.interval[0] < 0 < none.interval[1]
    assert not none.shown


def test_the_samples_that_are_added_weigh_no_more_than_samples_where_there_are_groups() -> None:
    before, after = (right([count] * 2, 240) for count in (200, 204))
    groups = np.arange(240) % 6

    step = gain(100, 200, shares_of(before, groups), shares_of(after, groups), 240)

    assert step.value == pytest.approx(4 / 240)
    assert -0.01 < step.interval[0] < step.value < step.interval[1] < 0.05


def test_one_group_says_nothing_of_others() -> None:
    shares = shares_of(right([200], 240), np.zeros(240, np.int64))

    assert interval_over(shares, 240, A_SHARE) == (0.0, 1.0)


def test_two_samples_are_added_to_a_difference() -> None:
    """Bonett & Price 2012 on 10 against 2 discordant samples of 100; their z is Student's t here."""
    steps = np.array([[1.0] * 10 + [-1.0] * 2 + [0.0] * 88])

    low, high = interval_over(steps, 100, A_DIFFERENCE)

    p, q, n = 11 / 102, 3 / 102, 102
    half = 1.984 * ((p + q - (p - q) ** 2) / (n - 1)) ** 0.5
    assert (low, high) == pytest.approx((p - q - half, p - q + half), abs=1e-4)


def test_the_power_law_goes_on() -> None:
    n = 2000
    sizes = [100, 200, 400, 800]
    counts = [round(n * (1 - 0.02 - 0.3 * (size / 100) ** -0.5)) for size in sizes]

    found = forecast(sizes, [shares_of(right([count] * 2, n), None) for count in counts])

    assert found is not None
    assert found.n == 1600
    assert found.value == pytest.approx(1 - 0.02 - 0.3 / 4, abs=0.003)
    assert found.interval[0] < found.value < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.06


def test_two_sizes_are_no_law() -> None:
    assert forecast([1, 2], [np.ones((1, 5)), np.ones((1, 5))]) is None


def test_a_curve_that_falls_is_forecast_to_stay() -> None:
    shares = [shares_of(right([count], 100), None) for count in (80, 70, 60)]

    found = forecast([10, 20, 40], shares)

    assert found is not None
    assert 0.55 < found.value < 0.8


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            Gain(600, 1200, 0.031, (0.012, 0.05)),
            "from 600 to 1,200 pictures the accuracy rose by 3.1 points [1.2, 5.0]: more data pays; "
            "by the fitted power law about 84.0 % [82.0, 86.0] at 2,400",
        ),
        (
            Gain(600, 1200, 0.004, (-0.008, 0.016)),
            "from 600 to 1,200 pictures the accuracy rose by 0.4 points [-0.8, 1.6]: no gain shown; "
            "by the fitted power law about 84.0 % [82.0, 86.0] at 2,400",
        ),
        (
            Gain(600, 1200, -0.02, (-0.03, -0.01)),
            "from 600 to 1,200 pictures the accuracy fell by 2.0 points [1.0, 3.0]: no gain shown; "
            "by the fitted power law about 84.0 % [82.0, 86.0] at 2,400",
        ),
        (
            Gain(600, 1200, -0.001, (-0.02, 0.02)),
            "from 600 to 1,200 pictures the accuracy changed by -0.1 points [-2.0, 2.0]: no gain shown; "
            "by the fitted power law about 84.0 % [82.0, 86.0] at 2,400",
        ),
    ],
    ids=["rose", "perhaps", "fell", "perhaps fell"],
)
def test_it_is_said_whether_more_data_pays(step: Gain, said: str) -> None:
    assert said_of_data(step, Forecast(2400, 0.84, (0.82, 0.86)), "pictures") == said


def test_a_small_gain_is_called_so_and_no_end_looks_like_zero() -> None:
    said = said_of_data(Gain(4000, 8000, 0.0011, (0.0002, 0.002)), None, "pictures")

    assert said.endswith("rose by 0.11 points [0.02, 0.20]: more data pays, but little")


def test_without_a_law_nothing_is_forecast() -> None:
    step = Gain(10, 20, 0.2, (0.1, 0.3))

    assert said_of_data(step, None, "samples").endswith("rose by 20.0 points [10.0, 30.0]: more data pays")


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        (600, 280, "a bigger model, or more epochs, may pay"),
        (1000, 280, "it lacks data rather than size"),
        (900, 320, "too close to say whether a bigger model would pay"),
    ],
)
def test_it_is_said_whether_a_bigger_model_would_pay(train: int, validation: int, said: str) -> None:
    of_train, of_validation = (
        shares_of(right([count] * 3, n), None) for count, n in ((train, 1000), (validation, 400))
    )

    assert said_of_model(800, of_train, of_validation, 400, "pictures").endswith(said)
