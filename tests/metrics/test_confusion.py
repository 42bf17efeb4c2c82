"""Precision, recall, F1, AUC and the confusion matrix against values found by hand and by scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score
from torch import Tensor
from torch.nn import functional

from holdfast.core import BadValue
from holdfast.core.seeds import generator
from holdfast.metrics import AUC, ConfusionMatrix, F1Score, Metric, Precision, Recall


def batch(samples: int = 60, classes: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    random = generator(1, "confusion")
    predictions = torch.rand(samples, classes, generator=random, dtype=torch.float64).pow(3)
    targets = torch.randint(classes, (samples,), generator=random)
    return targets, predictions / predictions.sum(1, keepdim=True), torch.rand(samples, generator=random)


def value(metric: Metric, targets: Tensor, predictions: Tensor, weights: Tensor | None = None) -> float:
    metric.update(targets, predictions, weights)
    return metric.compute().item()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_precision_and_recall_of_two_classes(shape: tuple[int, ...]) -> None:
    targets, predictions = torch.tensor([0, 1, 1, 1]), torch.tensor([0.9, 0.2, 0.8, 0.7]).reshape(shape)

    assert value(Precision(), targets, predictions) == pytest.approx(2 / 3)
    assert value(Recall(), targets, predictions) == pytest.approx(2 / 3)
    assert value(Recall(0.75), targets, predictions) == pytest.approx(1 / 3)
    assert value(Precision(), targets, predictions, torch.tensor([0.0, 0.0, 1.0, 0.0])) == 1


@pytest.mark.parametrize(
    ("metric", "oracle"), [(Precision(), precision_score), (Recall(), recall_score)], ids=["precision", "recall"]
)
def test_precision_and_recall_of_many_classes_count_pairs_above_one_half(
    metric: Metric, oracle: Callable[..., float]
) -> None:
    targets, predictions, weights = batch()
    actual, called = functional.one_hot(targets).flatten(), (predictions > 0.5).flatten()

    found = value(metric, targets, predictions, weights)

    assert found == pytest.approx(oracle(actual, called, sample_weight=weights.repeat_interleave(3)))
    assert 0.1 < found < 0.9


def test_precision_without_a_positive_call_is_zero() -> None:
    assert value(Precision(), torch.tensor([1, 0]), torch.tensor([0.1, 0.2])) == 0


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_f1_agrees_with_scikit_learn(average: "str | None") -> None:
    targets, predictions, weights = batch()
    metric = F1Score(average)  # type: ignore[arg-type]  # one of the four words

    metric.update(targets, predictions, weights)

    expected = f1_score(targets, predictions.argmax(1), average=average, sample_weight=weights)
    np.testing.assert_allclose(metric.compute(), expected, rtol=1e-6)


def test_f1_of_two_classes_has_its_threshold_at_one_half() -> None:
    """In Keras the largest of one value is that value, so that every sample is called positive."""
    targets, predictions = torch.tensor([0, 1, 1, 0]), torch.tensor([[0.1], [0.8], [0.3], [0.2]])

    assert value(F1Score(), targets, predictions) == pytest.approx(2 / 3)
    assert value(F1Score(threshold=0.15), targets, predictions) == pytest.approx(4 / 5)


def test_f1_calls_nothing_where_all_is_zero_and_all_where_they_tie() -> None:
    metric = F1Score(None)

    metric.update(torch.tensor([0, 1]), torch.tensor([[0.0, 0.0], [0.5, 0.5]]))

    assert metric.compute().tolist() == [0, 1]


def test_f1_refuses_other_averages() -> None:
    with pytest.raises(
        BadValue, match=r"^f1_score\(average='samples'\): must be 'macro', 'micro', 'weighted' or None.$"
    ):
        F1Score("samples")  # type: ignore[arg-type]  # what a user might write


def test_auc_by_hand() -> None:
    # Keras's documented example: thresholds 0, 0.5, 1 would give 0.75; with 200 of them the curve is exact.
    assert value(AUC(), torch.tensor([0, 0, 1, 1]), torch.tensor([0.0, 0.5, 0.3, 0.9])) == pytest.approx(0.75)
    assert value(AUC(), torch.tensor([0, 1]), torch.tensor([0.500, 0.501])) == 0.5  # both in one bucket: a tie
    assert value(AUC(), torch.tensor([1, 1]), torch.tensor([0.2, 0.9])) == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_auc_agrees_with_scikit_learn_on_probabilities_put_into_buckets(classes: int) -> None:
    targets, predictions, weights = batch(classes=classes)
    targets, predictions = (targets, predictions[:, 1]) if classes == 2 else (targets, predictions)
    actual = targets if classes == 2 else functional.one_hot(targets).flatten()
    buckets = (predictions * 199).ceil().clamp(min=1).flatten()

    found = value(AUC(), targets, predictions, weights)

    repeated = weights.repeat_interleave(classes) if classes > 2 else weights
    assert found == pytest.approx(roc_auc_score(actual, buckets, sample_weight=repeated))
    assert found == pytest.approx(roc_auc_score(actual, predictions.flatten(), sample_weight=repeated), abs=0.01)


def test_auc_puts_probabilities_beyond_the_ends_into_the_last_buckets() -> None:
    assert value(AUC(), torch.tensor([0, 1]), torch.tensor([-0.5, 1.5])) == 1


def test_confusion_rows_are_the_actual_classes() -> None:
    targets, predictions, weights = batch()
    metric = ConfusionMatrix()

    metric.update(targets, predictions, weights)

    expected = confusion_matrix(targets, predictions.argmax(1), sample_weight=weights)
    np.testing.assert_allclose(metric.compute(), expected, rtol=1e-6)


def test_confusion_of_one_value_a_sample_is_two_by_two() -> None:
    metric = ConfusionMatrix()

    metric.update(torch.tensor([[0], [1], [1]]), torch.tensor([[0.5], [0.6], [0.1]]))

    assert metric.compute().tolist() == [[1, 0], [1, 1]]
