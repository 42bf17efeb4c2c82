"""Activations against their formulas in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cases import ACTIVATIONS
from holdfast.core import BadValue
from holdfast.layers import Activation, Dense, Input
from holdfast.layers.activations import activations
from holdfast.models import Model

Array = NDArray[np.float64]
erf = np.vectorize(math.erf)


def softmax(x: Array) -> Array:
    powers: Array = np.exp(x - x.max(-1, keepdims=True))
    shares: Array = powers / powers.sum(-1, keepdims=True)
    return shares


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
FORMULAS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x)),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softmax": softmax,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
}


def test_the_table_has_every_activation() -> None:
    assert set(FORMULAS) == set(activations)
    assert {activations.canonical(name) for name in ACTIVATIONS} == set(activations)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_follows_its_formula_over_the_channels(name: str) -> None:
    x = np.linspace(-8, 8, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    image = Input((3, 4, 5))
    model = Model(image, Activation(name)(image))

    found = model.module.double()(torch.tensor(x))

    np.testing.assert_allclose(found.numpy(), FORMULAS[name](x), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("swish", "silu"),
        ("SiLU", "silu"),
        ("leakyReLU", "leaky_relu"),
        ("HardSigmoid", "hard_sigmoid"),
        ("ReLU", "relu"),
        ("exp", "exponential"),
        ("identity", "linear"),
        (None, "linear"),
    ],
)
def test_aliases_and_the_spelling_of_tfjs_are_taken(alias: str | None, name: str) -> None:
    assert Dense(2, alias).activation == Activation(alias).activation == name


def test_hard_sigmoid_in_the_spelling_of_tfjs_is_refused_as_it_is_another_function_there() -> None:
    with pytest.raises(BadValue, match=r"^Dense\(activation='hardSigmoid'\): is another function in TF\.js, "):
        Dense(2, "hardSigmoid")


def test_a_function_is_no_name() -> None:
    with pytest.raises(BadValue, match=r"^Dense\(activation=.*\): takes the name of an activation, got function\.$"):
        Dense(2, lambda x: x)  # type: ignore[arg-type]  # the point


def test_an_activation_inside_a_layer_is_the_activation_after_it() -> None:
    x, kernel = np.linspace(-2, 2, 12, dtype=np.float32).reshape(4, 3), np.eye(3)
    inside, after = Input(3), Input(3)
    models = [
        Model(inside, Dense(3, "gelu", kernel_initializer=kernel)(inside)),
        Model(after, Activation("gelu")(Dense(3, kernel_initializer=kernel)(after))),
    ]

    np.testing.assert_array_equal(models[0].predict(x), models[1].predict(x))
