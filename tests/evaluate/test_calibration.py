"""Calibration, against values by hand and scikit-learn's, and temperatures that are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadShape
from holdfast.evaluate import Calibration, calibration, fit_temperature

SHARES = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
TRUTH = [0, 1, 1, 0]


def drawn(n: int, temperature: float, k: int = 5) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Classes drawn from softmax(logits), and what a model says whose logits are `temperature` times as large."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (n, k))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    said = np.exp(temperature * logits)
    return (true.cumsum(1) > random.random((n, 1))).argmax(1), said / said.sum(1, keepdims=True)


def test_the_brier_score_is_the_mean_squared_distance_over_all_classes() -> None:
    from sklearn.metrics import brier_score_loss

    found = calibration(TRUTH, SHARES)

    assert found.brier == pytest.approx(2 * (0.01 + 0.04 + 0.36 + 0.09) / 4)
    targets, shares = drawn(200, 1.0)
    wanted = brier_score_loss(targets, shares, labels=range(5), scale_by_half=False)
    assert calibration(targets, shares).brier == pytest.approx(wanted)


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_accuracy_over_15_bins() -> None:
    found = calibration(TRUTH, SHARES)

    assert [(one.n, one.accuracy) for one in found.bins] == [(1, 0.0), (1, 1.0), (1, 1.0), (1, 1.0)]
    assert found.ece == pytest.approx((0.6 + 0.3 + 0.2 + 0.1) / 4)
    assert str(found) == "Brier 0.2500 · calibration error 30.0 % n=4"


def test_a_bin_has_its_upper_end_and_an_interval() -> None:
    certain, split = calibration([0, 1], [[1.0, 0.0], [0.6, 0.4]]).bins[::-1]

    assert (certain.low, certain.high, certain.confidence) == (14 / 15, 1.0, 1.0)
    assert (split.low, split.high) == (8 / 15, 9 / 15)
    assert split.interval == pytest.approx((0, 0.7935), abs=1e-4)  # Wilson, 0 of 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_temperature_is_found_again_and_calibrates(temperature: float) -> None:
    targets, shares = drawn(20_000, temperature)

    found = fit_temperature(targets, shares)

    assert found == pytest.approx(temperature, rel=0.03)
    powers = shares ** (1 / found)
    calibrated = calibration(targets, powers / powers.sum(1, keepdims=True))
    assert calibrated.ece < 0.015  # chance alone gives about 0.01
    if temperature != 1:
        assert calibration(targets, shares).ece > 0.1


def test_few_samples_without_a_mistake_do_not_make_a_model_sure_of_everything() -> None:
    shares = np.full((20, 3), 0.1)
    shares[np.arange(20), np.arange(20) % 3] = 0.8

    found = fit_temperature(np.arange(20) % 3, shares)

    powers = shares ** (1 / found)
    assert 0.9 < (powers / powers.sum(1, keepdims=True)).max() < 0.97  # as if one in 21 were wrong


def test_probabilities_of_zero_have_a_temperature() -> None:
    assert fit_temperature([0, 1, 0], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]) == pytest.approx(20, rel=0.01)


def test_calibration_goes_into_json_and_back() -> None:
    found = calibration(TRUTH, SHARES)

    assert Calibration.from_dict(found.to_dict()) == found


def test_what_is_no_prediction_is_refused() -> None:
    with pytest.raises(BadData, match="must be >= 0 and sum to 1"):
        calibration([0], [[2.0, -1.0]])
    with pytest.raises(BadShape, match=r"they must be \(N,\) and \(N, K\)"):
        fit_temperature([0, 1], [[0.5, 0.5]])
