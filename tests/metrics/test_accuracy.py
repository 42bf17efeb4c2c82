"""Accuracies against values found by hand and by scikit-learn."""

import pytest
import torch
from sklearn.metrics import accuracy_score, top_k_accuracy_score
from torch import Tensor

from holdfast.core import BadShape, BadValue
from holdfast.metrics import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    Metric,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
)

THREE = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.0, 0.1, 0.9]])  # likeliest: 0 1 1 2


def value(metric: Metric, targets: Tensor, predictions: Tensor, weights: Tensor | None = None) -> float:
    metric.update(targets, predictions, weights)
    return metric.compute().item()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_accuracy_is_sparse_for_class_indices(shape: tuple[int, ...]) -> None:
    targets = torch.tensor([0, 2, 1, 2]).reshape(shape)

    assert value(Accuracy(), targets, THREE) == 0.75


def test_accuracy_is_categorical_for_one_hot_targets() -> None:
    assert value(Accuracy(), torch.eye(3)[[0, 2, 1, 0]], THREE) == 0.5


@pytest.mark.parametrize("target_shape", [(4,), (4, 1)])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_accuracy_is_binary_for_one_value_a_sample(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    targets = torch.tensor([1, 1, 0, 0]).reshape(target_shape)
    predictions = torch.tensor([0.98, 0.5, 0.1, 0.6]).reshape(shape)  # just 0.5 is not above the threshold

    assert value(Accuracy(), targets, predictions) == 0.5


def test_two_columns_with_class_indices_are_sparse_not_binary() -> None:
    assert value(Accuracy(), torch.tensor([1, 0]), torch.tensor([[0.4, 0.6], [0.4, 0.6]])) == 0.5


def test_weights_weigh_samples() -> None:
    targets, weights = torch.tensor([0, 2, 1, 0]), torch.tensor([0.7, 0.3, 0.0, 1.0])

    accuracy = value(SparseCategoricalAccuracy(), targets, THREE, weights)

    expected = accuracy_score(targets, THREE.argmax(1), sample_weight=weights)
    assert accuracy == pytest.approx(expected, rel=1e-6)  # float32 weights


def test_weights_of_zero_give_zero_as_in_keras() -> None:
    assert value(Accuracy(), torch.tensor([0, 2, 1, 0]), THREE, torch.zeros(4)) == 0


def test_binary_accuracy_of_several_labels_is_the_mean_over_them() -> None:
    targets = torch.tensor([[1, 0], [1, 1]])
    predictions = torch.tensor([[0.9, 0.9], [0.9, 0.9]])

    assert value(BinaryAccuracy(), targets, predictions) == 0.75
    assert value(BinaryAccuracy(), targets, predictions, torch.tensor([3.0, 1.0])) == 0.625
    assert value(BinaryAccuracy(threshold=0.95), targets, predictions) == 0.25


def test_top_k_agrees_with_scikit_learn() -> None:
    targets = torch.tensor([1, 2, 0, 0])

    for k in (1, 2):
        expected = top_k_accuracy_score(targets, THREE + torch.tensor([2e-3, 1e-3, 0]), k=k, labels=[0, 1, 2])
        assert value(TopKCategoricalAccuracy(k), targets, THREE) == expected


def test_top_k_counts_a_class_as_likely_as_the_kth() -> None:
    assert value(TopKCategoricalAccuracy(2), torch.tensor([2]), torch.tensor([[0.4, 0.3, 0.3]])) == 1


def test_top_k_refuses_a_k_that_makes_everything_right() -> None:
    with pytest.raises(BadShape, match=r"\(4, 3\); k=5 needs \(N, K\) with K of at least 6, .*choose a smaller k\.$"):
        TopKCategoricalAccuracy().update(torch.tensor([0, 1, 2, 0]), THREE)
    with pytest.raises(BadValue, match=r"^top_k_categorical_accuracy\(k=0\): must be positive.$"):
        TopKCategoricalAccuracy(0)


def test_categorical_accuracy_points_to_the_sparse_one() -> None:
    with pytest.raises(BadShape, match="use sparse_categorical_accuracy with integer targets"):
        CategoricalAccuracy().update(torch.tensor([0, 1, 2, 0]), THREE)


def test_with_a_class_at_each_place_the_mean_counts() -> None:
    # Of series, say; once refused.
    indices = torch.tensor([[0, 1], [1, 1], [0, 0]])
    predictions = torch.tensor([0.9, 0.1]).expand(3, 2, 2)  # class 0 everywhere

    for metric in (Accuracy, SparseCategoricalAccuracy):
        for targets in (indices, indices[..., None], torch.eye(2)[indices]):
            assert value(metric(), targets, predictions) == 0.5


def test_one_class_for_several_places_is_refused() -> None:
    with pytest.raises(BadShape, match=r"^accuracy: targets have shape \(3,\), predictions \(3, 3, 2\); "):
        value(Accuracy(), torch.zeros(3), torch.zeros(3, 3, 2))
