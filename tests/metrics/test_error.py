"""Cross-entropy and distances against values found by hand and by scikit-learn."""

import math
from collections.abc import Callable

import pytest
import torch
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from holdfast.core import BadShape
from holdfast.metrics import LogLoss, MeanAbsoluteError, MeanSquaredError, Metric

THREE = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.4, 0.3]], dtype=torch.float64)


def test_log_loss_agrees_with_scikit_learn() -> None:
    targets, weights = torch.tensor([0, 2, 1]), torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    metric = LogLoss()

    metric.update(targets, THREE, weights)

    expected = log_loss(targets, THREE, sample_weight=weights, labels=[0, 1, 2])
    assert metric.compute().item() == pytest.approx(expected, rel=1e-12)


def test_binary_log_loss_agrees_with_scikit_learn() -> None:
    targets, predictions = torch.tensor([0, 1, 1]), torch.tensor([[0.2], [0.7], [0.4]], dtype=torch.float64)
    metric = LogLoss()

    metric.update(targets, predictions)

    assert metric.compute().item() == pytest.approx(log_loss(targets, predictions), rel=1e-12)


def test_log_loss_takes_shares_as_targets() -> None:
    metric = LogLoss()

    metric.update(torch.tensor([[0.9, 0.1]]), torch.tensor([[0.5, 0.5]]))

    assert metric.compute().item() == pytest.approx(math.log(2), rel=1e-6)


def test_log_loss_divides_rows_by_their_sums_as_keras_does() -> None:
    metric = LogLoss()

    metric.update(torch.tensor([1]), torch.tensor([[1.0, 3.0]]))

    assert metric.compute().item() == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_a_certain_mistake_costs_sixteen_nats_not_infinity() -> None:
    metric = LogLoss()

    metric.update(torch.tensor([1]), torch.tensor([[1.0, 0.0]]))

    assert metric.compute().item() == pytest.approx(-math.log(1e-7), rel=1e-6)


@pytest.mark.parametrize(
    ("metric", "oracle"), [(MeanSquaredError(), mean_squared_error), (MeanAbsoluteError(), mean_absolute_error)]
)
def test_distances_agree_with_scikit_learn(metric: Metric, oracle: Callable[..., float]) -> None:
    targets, weights = torch.tensor([[0.0, 1.0], [2.0, 5.0]]), torch.tensor([1.0, 3.0])
    predictions = torch.tensor([[0.5, 1.0], [4.0, 4.0]])

    metric.update(targets, predictions, weights)

    assert metric.compute().item() == pytest.approx(oracle(targets, predictions, sample_weight=weights), rel=1e-6)


def test_distances_do_not_broadcast_a_vector_against_a_matrix() -> None:
    """Keras fits (N,) to (N, K) by repeating it: a number, but of nothing."""
    with pytest.raises(BadShape, match=r"targets have shape \(2,\), predictions \(2, 2\); they must be equal."):
        MeanSquaredError().update(torch.zeros(2), torch.zeros(2, 2))
