"""Scores: values against scikit-learn, printing, JSON, refusals."""

import json
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support

from holdfast.core import BadData, BadShape, BadValue
from holdfast.evaluate import Score, score, wilson


def predictions(n: int = 90, classes: int = 4) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    random = np.random.default_rng(7)
    shares = random.dirichlet(np.full(classes, 0.5), n) + 1e-4
    shares /= shares.sum(1, keepdims=True)
    return np.array([random.choice(classes, p=row) for row in shares]), shares


def test_the_report_agrees_with_scikit_learn() -> None:
    targets, shares = predictions()
    said = shares.argmax(1)

    report = score(targets, shares, part="validation", classes=["a", "b", "c", "d"])

    precision, recall, f1, n = precision_recall_fscore_support(targets, said)
    assert report.accuracy.value == accuracy_score(targets, said)
    assert report.log_loss.value == pytest.approx(log_loss(targets, shares))
    np.testing.assert_array_equal(report.confusion, confusion_matrix(targets, said))
    assert [row.name for row in report.per_class] == ["a", "b", "c", "d"]
    assert [row.n for row in report.per_class] == list(n)
    np.testing.assert_allclose([row.precision for row in report.per_class], precision)
    np.testing.assert_allclose([row.recall for row in report.per_class], recall)
    np.testing.assert_allclose([row.f1 for row in report.per_class], f1)


def test_intervals_are_wilson_s_for_shares_and_student_s_for_the_log_loss() -> None:
    targets, shares = predictions()
    losses = -np.log(shares[np.arange(90), targets])
    half = 1.98698 * losses.std(ddof=1) / math.sqrt(90)  # Student's t for 89 degrees of freedom

    report = score(targets, shares, part="validation")

    assert report.accuracy.interval == wilson(round(90 * report.accuracy.value), 90)
    assert report.log_loss.interval == pytest.approx((losses.mean() - half, losses.mean() + half), rel=1e-5)
    assert report.per_class[2].interval == wilson(int(report.confusion[2, 2]), report.per_class[2].n)


def test_the_baseline_is_the_share_of_the_most_frequent_class() -> None:
    report = score([2, 2, 1], np.eye(3), part="train", classes=["a", "b", "c"])

    assert report.baseline == pytest.approx(2 / 3)
    assert report.baseline_class == "c"


def test_a_score_prints_with_interval_n_and_looks() -> None:
    accuracy = Score("accuracy", 73 / 90, wilson(73, 90), 90, "validation", looks=17)

    assert str(accuracy) == "validation accuracy 81.1 % [71.8, 87.9] n=90, looked at 17 times"
    assert accuracy.text == "81.1 % [71.8, 87.9]"


def test_the_past_of_a_score_is_told_in_the_words_of_its_part() -> None:
    interval = (0.5, 1.0)

    assert str(Score("accuracy", 1, interval, 1234, "train")) == "train accuracy 100.0 % [50.0, 100.0] n=1,234"
    assert str(Score("accuracy", 1, interval, 9, "validation", 1)).endswith("n=9, looked at once")
    assert str(Score("accuracy", 1, interval, 9, "test", 2)).endswith("n=9, opened 2 times")


def test_a_score_without_its_optimism_tells_what_was_seen() -> None:
    accuracy = Score("accuracy", 0.802, wilson(0.802 * 90, 90), 90, "validation", looks=12, optimism=0.009)

    assert accuracy.naive == pytest.approx(0.811)
    assert str(accuracy) == (
        "validation accuracy 80.2 % [70.8, 87.1] n=90, looked at 12 times, "
        "0.9 points of optimism removed (best seen 81.1 %)"
    )


def test_a_log_loss_prints_in_nats() -> None:
    loss = Score("log_loss", 0.61, (0.4801, 0.7399), 90, "validation")

    assert str(loss) == "validation log-loss 0.610 [0.48, 0.74] n=90"


def test_a_report_prints_as_one_line() -> None:
    report = score([0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], part="validation", looks=3)

    assert str(report) == (
        "validation accuracy 75.0 % [30.1, 95.4] n=4, looked at 3 times · log-loss 0.400 [0.00, 0.97] · "
        "majority class 50.0 %"
    )


def test_a_report_is_json_with_null_where_nothing_can_be_divided() -> None:
    report = score([0, 0], [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]], part="validation", classes=["a", "b", "never"])

    stored = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    assert stored["accuracy"] == {
        "metric": "accuracy",
        "value": 0.5,
        "interval": list(report.accuracy.interval),
        "n": 2,
        "part": "validation",
        "looks": 0,
        "optimism": 0.0,
    }
    assert stored["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert stored["per_class"][1] == {
        "name": "b", "n": 0, "precision": 0.0, "recall": None, "f1": 0.0, "interval": [0, 1],
    }  # fmt: skip
    assert stored["per_class"][2]["precision"] is None
    assert stored["per_class"][2]["f1"] is None
    assert stored["baseline_class"] == "a"


def test_a_certain_mistake_costs_sixteen_nats_not_infinity() -> None:
    report = score([1], [[1.0, 0.0]], part="validation")

    assert report.log_loss.value == pytest.approx(-math.log(1e-7))
    assert report.log_loss.interval == (0, -math.log(1e-7))


def test_tensors_and_float32_are_taken() -> None:
    report = score(torch.tensor([0, 1]), torch.tensor([[0.9, 0.1], [0.3, 0.7]]), part="train")

    assert report.accuracy.value == 1
    assert report.log_loss.value == pytest.approx(-(math.log(0.9) + math.log(0.7)) / 2, rel=1e-6)


def test_what_is_no_prediction_is_refused() -> None:
    with pytest.raises(BadShape, match=r"^score: targets have shape \(2,\), probabilities \(1, 2\); they must be "):
        score([0, 1], [[0.5, 0.5]], part="train")
    with pytest.raises(BadShape, match=r"^score: probabilities have shape \(0, 2\); a score needs at least one"):
        score(np.zeros(0, np.int64), np.zeros((0, 2)), part="train")
    with pytest.raises(BadShape, match=r"^score: 3 class names for probabilities of 2 classes.$"):
        score([0], [[0.5, 0.5]], part="train", classes=["a", "b", "c"])
    with pytest.raises(BadValue, match=r"^score: targets are float64; they must be class indices, integers from 0.$"):
        score([0.0], [[0.5, 0.5]], part="train")
    with pytest.raises(BadData, match=r"^score: targets are in 0\.\.2, there are 2 classes.$"):
        score([0, 2], [[0.5, 0.5], [0.5, 0.5]], part="train")


@pytest.mark.parametrize("row", [[1.2, -0.2], [3.0, -1.0], [0.5, 0.4], [math.nan, 0.5]])
def test_logits_and_nan_are_no_probabilities(row: list[float]) -> None:
    with pytest.raises(BadData, match="must be >= 0 and sum to 1; of logits, take the softmax first"):
        score([0], [row], part="train")
