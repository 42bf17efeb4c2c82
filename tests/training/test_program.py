"""Programs: their metrics by their keys in the logs, and what is refused."""

import math

import pytest
import torch

from holdfast.core import BadValue
from holdfast.metrics import Accuracy, ConfusionMatrix, F1Score, Metric, Precision, TopKCategoricalAccuracy
from holdfast.training import SGD, CosineDecay, Head, MeanSquaredError, Program


def keys(*heads: Head) -> list[list[tuple[str, bool]]]:
    program = Program(SGD(), heads)
    return [[(measure.key, measure.weighted) for measure in measures] for measures in program.measures]


def head(name: str, metrics: tuple[Metric, ...] = (), weighted: tuple[Metric, ...] = ()) -> Head:
    return Head(MeanSquaredError(), name, metrics=metrics, weighted_metrics=weighted)


def test_one_output_s_metrics_are_called_by_their_names() -> None:
    assert keys(head("kind", (Accuracy(), Precision()))) == [[("accuracy", False), ("precision", False)]]


def test_several_outputs_metrics_have_the_output_s_name_in_front() -> None:
    found = keys(head("kind", (Accuracy(),)), head("size", (), (Accuracy(),)))

    assert found == [[("kind_accuracy", False)], [("size_accuracy", True)]]


def test_a_weighted_metric_gives_way_to_a_plain_one_of_its_name() -> None:
    """The two used to share one accumulator, so that each sample counted twice."""
    assert keys(head("", (Accuracy(),), (Accuracy(),))) == [[("accuracy", False), ("weighted_accuracy", True)]]


def test_metrics_of_one_name_are_numbered() -> None:
    """They used to share one accumulator, as above."""
    both = TopKCategoricalAccuracy(2), TopKCategoricalAccuracy(3)

    assert keys(head("", both)) == [[("top_k_categorical_accuracy", False), ("top_k_categorical_accuracy_1", False)]]


def test_no_metric_can_take_the_loss_s_place() -> None:
    assert keys(head("", (Accuracy("loss"),))) == [[("loss_1", False)]]


def test_heads_of_one_name_are_refused() -> None:
    with pytest.raises(
        BadValue, match=r"^the heads of a program are called \['a', 'a'\]; each needs a name of its own"
    ):
        Program(SGD(), (head("a"), head("a")))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^precision 'float16': must be 'float32' or 'bfloat16'\.$"):
        Program(SGD(), (head(""),), precision="float16")  # type: ignore[arg-type]  # on purpose


def test_a_rate_may_be_a_number_or_a_schedule() -> None:
    cosine = CosineDecay(0.1)

    assert Program(SGD(0.1), (head(""),)).schedule is None
    assert Program(SGD(cosine), (head(""),)).schedule is cosine


def test_predictions_are_made_of_outputs_by_the_activation() -> None:
    outputs = torch.tensor([[0.0, math.log(3.0)]])

    torch.testing.assert_close(Head(MeanSquaredError()).predictions(outputs), outputs)
    softmax = Head(MeanSquaredError(), activation="softmax").predictions(outputs)
    torch.testing.assert_close(softmax, torch.tensor([[0.25, 0.75]]))
    sigmoid = Head(MeanSquaredError(), activation="sigmoid").predictions(outputs)
    torch.testing.assert_close(sigmoid, torch.tensor([[0.5, 0.75]]))


@pytest.mark.parametrize("metric", [ConfusionMatrix(), F1Score(None)], ids=lambda metric: str(metric.name))
def test_a_metric_of_several_numbers_is_refused(metric: Metric) -> None:
    """It used to be torch's error about stacking, after the first epoch."""
    expected = rf"^metrics: '{metric.name}' gives several numbers, .* evaluate\.score gives a Report, whose confusion"

    with pytest.raises(BadValue, match=expected):
        head("", (metric,))
    with pytest.raises(BadValue, match=expected):
        head("", (), (metric,))
