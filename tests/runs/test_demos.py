"""The generated examples are hard enough to show what a net is good for, and quick enough to try."""

import pytest

from holdfast.data import load
from holdfast.runs.baseline import logistic_regression
from holdfast.runs.plan import fitted


def accuracy(name: str, model: str) -> float:
    """On validation, by the default recipe."""
    data = load(name, validation=0.25)
    judged = fitted(data, model, {"device": "cpu"}).predict(data.validation.images)
    return float((judged.argmax(1) == data.validation.labels.numpy()).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo:sounds", "demo:volumes"])
def test_the_convnet_is_far_better_than_the_dense_net(name: str) -> None:
    assert accuracy(name, "convnet") > 0.85
    assert accuracy(name, "dense") < 0.55


def test_the_dense_net_of_a_table_is_far_better_than_a_logistic_regression() -> None:
    data = load("demo:table", validation=0.25)

    assert accuracy("demo:table", "dense") > 0.75
    assert logistic_regression(data)["value"] < 0.5
