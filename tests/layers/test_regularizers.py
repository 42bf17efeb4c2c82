"""Regularizers: what they cost, and when."""

import numpy as np
import pytest
import torch

from holdfast.core import BadValue
from holdfast.layers import (
    L1,
    L1L2,
    L2,
    Activation,
    ActivityPenalty,
    Add,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Regularizer,
    get_regularizer,
)
from holdfast.models import BaseModel, Model, Sequential

W = torch.tensor([[1.0, -2.0], [3.0, 0.0]])  # |w| sums to 6, w² to 14


@pytest.mark.parametrize(
    ("regularizer", "cost"),
    [(L1(0.5), 3.0), (L2(0.5), 7.0), (L1L2(0.5, 0.25), 6.5), (L1(), 0.06), (L2(), 0.14), (L1L2(), 0.0)],
    ids=str,
)
def test_the_cost_is_that_by_hand(regularizer: Regularizer, cost: float) -> None:
    assert regularizer(W).item() == pytest.approx(cost)


@pytest.mark.parametrize(
    ("value", "regularizer"),
    [
        ("l1", L1()),
        ("L2", L2()),
        ("l1_l2", L1L2()),
        ("L1L2", L1L2()),
        ({"class_name": "L2", "config": {"l2": 0.5}}, L2(0.5)),
        (L1(0.5), L1(0.5)),
    ],
    ids=str,
)
def test_it_is_given_by_name_json_or_itself(value: object, regularizer: Regularizer) -> None:
    assert get_regularizer(value) == regularizer


@pytest.mark.parametrize("factor", [-0.1, float("nan"), "much"], ids=str)
def test_a_factor_is_a_number_that_is_not_negative(factor: float) -> None:
    with pytest.raises(BadValue) as caught:
        L2(factor)

    assert str(caught.value) == f"L2(l2={factor!r}): must be a number, and not negative."


X = np.array([[1.0, 2.0], [3.0, -4.0]], np.float32)


def loss(model: BaseModel) -> float:
    """The loss where the mean squared error is 0, hence the penalties."""
    model.compile("sgd", "mse")
    return float(model.evaluate(X, model.predict(X)))


def test_kernel_and_bias_cost_what_their_regularizers_say() -> None:
    layer = Dense(
        2, kernel_initializer=W, bias_initializer="ones", kernel_regularizer=L2(0.5), bias_regularizer=L1(0.25)
    )

    assert loss(Sequential([Input(2), layer])) == pytest.approx(7.0 + 0.5)


def test_activities_cost_on_average_over_the_batch() -> None:
    layer = Dense(2, kernel_initializer=np.eye(2), activity_regularizer=L1(0.5))

    assert loss(Sequential([Input(2), layer])) == pytest.approx(0.5 * 10 / 2)


def test_activities_are_those_after_the_activation() -> None:
    layer = Dense(2, "relu", kernel_initializer=np.eye(2), activity_regularizer=L1(0.5))

    assert loss(Sequential([Input(2), layer])) == pytest.approx(0.5 * 6 / 2)


def test_frozen_weights_cost_nothing_as_in_keras() -> None:
    layer = Dense(2, kernel_regularizer=L2(0.5), trainable=False)

    assert loss(Sequential([Input(2), layer])) == 0


def test_a_shared_layer_costs_its_weights_once_and_its_activities_at_each_call() -> None:
    layer = Dense(2, kernel_initializer=W, kernel_regularizer=L2(0.5), activity_regularizer=L1(1.0))
    x = Input(2)
    model = Model(x, Add()([layer(x), layer(layer(x))]))

    first = np.abs(X @ W.numpy()).sum() / 2
    second = np.abs(X @ W.numpy() @ W.numpy()).sum() / 2
    # Keras counts both; only the last call used to count.
    assert loss(model) == pytest.approx(7.0 + first + first + second)


def test_a_submodel_called_twice_costs_its_activities_twice() -> None:
    inner = Sequential([Input(2), Dense(2, kernel_initializer=np.eye(2), activity_regularizer=L1(0.5))])
    x = Input(2)
    model = Model(x, inner(inner(x)))

    assert loss(model) == pytest.approx(2 * 0.5 * 10 / 2)
    assert loss(inner) == pytest.approx(0.5 * 10 / 2)


def test_predictions_in_between_do_not_count() -> None:
    layer = Dense(2, kernel_initializer=np.eye(2), activity_regularizer=L1(0.5))
    model = Sequential([Input(2), layer])
    before = loss(model)

    model.predict(np.full((6, 2), 100.0))
    model.module(torch.full((6, 2), 100.0))

    assert float(model.evaluate(X, X)) == before


def test_a_penalty_of_activities_has_a_gradient() -> None:
    penalty = ActivityPenalty(L2(0.5))
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    y = penalty(x)
    (gradient,) = torch.autograd.grad(penalty.take(), x)

    assert y is x
    torch.testing.assert_close(gradient, x.detach() / 2)


def test_penalties_pull_weights_towards_zero() -> None:
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 3, kernel_regularizer=L2(1.0)), Activation("relu"), Flatten()])
    model.compile("sgd", "mse")
    before = np.abs(model.get_weights()[0]).sum()

    model.fit(np.zeros((8, 4, 4, 1)), np.zeros((8, 8)), epochs=3, verbose=0)

    assert np.abs(model.get_weights()[0]).sum() < 0.95 * before
