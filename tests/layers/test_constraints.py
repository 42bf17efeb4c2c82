"""Constraints: what they make of weights, and that training applies them after each step."""

import copy
import pickle

import numpy as np
import pytest
import torch

from holdfast.core import BadValue
from holdfast.layers import (
    Constraint,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    Layer,
    MaxNorm,
    NonNeg,
    PReLU,
    UnitNorm,
    get_constraint,
)
from holdfast.models import Model, Sequential
from holdfast.training import SGD

WEIGHT = torch.tensor([[3.0, 0.3], [4.0, -0.4]])


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (MaxNorm(1.0), [[0.6, 0.3], [0.8, -0.4]]),
        (MaxNorm(0.25, axis=1), [[0.24876, 0.024876], [0.24876, -0.024876]]),
        (MaxNorm(10.0, axis=[0, 1]), [[3.0, 0.3], [4.0, -0.4]]),
        (NonNeg(), [[3.0, 0.3], [4.0, 0.0]]),
        (UnitNorm(), [[0.6, 0.6], [0.8, -0.8]]),
    ],
    ids=str,
)
def test_what_a_constraint_makes_of_a_kernel(constraint: Constraint, expected: list[list[float]]) -> None:
    torch.testing.assert_close(constraint(WEIGHT), torch.tensor(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["max_norm", "maxNorm", "MaxNorm"])
def test_spelling_is_forgiven(name: str) -> None:
    assert get_constraint(name) == MaxNorm(2.0, 0)


def test_zeros_stay_zeros() -> None:
    for constraint in (MaxNorm(), UnitNorm()):
        assert constraint(torch.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]


BAD = [
    (lambda: MaxNorm(0), "MaxNorm(max_value=0): must be a positive number."),
    (lambda: MaxNorm(1, axis=()), "MaxNorm(axis=()): must be a whole number, or several."),
    (
        lambda: UnitNorm(axis=0.5),  # type: ignore[arg-type]  # the point
        "UnitNorm(axis=0.5): must be a whole number, or several.",
    ),
    (lambda: Dense(2, kernel_constraint="max_nrm"), "unknown constraint 'max_nrm'; did you mean 'max_norm'?"),
]


@pytest.mark.parametrize(("make", "text"), BAD)
def test_a_bad_constraint_is_refused(make: "type[Constraint]", text: str) -> None:
    with pytest.raises((BadValue, LookupError)) as caught:
        make()

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(3, kernel_constraint=MaxNorm(0.1), bias_constraint="non_neg"), (4,)),
        (Conv2D(3, 2, kernel_constraint=MaxNorm(0.1, axis=(0, 1, 2)), bias_constraint="non_neg"), (3, 3, 2)),
        (Embedding(5, 3, embeddings_constraint=MaxNorm(0.1, axis=1)), (4,)),
        (PReLU(alpha_constraint="non_neg"), (4,)),
    ],
    ids=str,
)
def test_weights_are_allowed_after_every_step(layer: Layer, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0, 4, (8, *shape)).astype(np.float32)
    model = Sequential([Input(shape), layer, Flatten(), Dense(1)])
    model.compile(SGD(0.01), loss="mse")

    model.fit(x, x.reshape(8, -1)[:, :1], batch_size=4, epochs=3, verbose=0)

    for weight, tensor in model.get_layer(index=0).tensors():
        assert weight.constraint is not None
        kept = weight.to_keras(tensor.detach())
        torch.testing.assert_close(weight.constraint(kept), kept, rtol=1e-4, atol=1e-6)


def test_what_is_frozen_is_left_alone() -> None:
    model = Sequential([Input(2), Dense(2, kernel_constraint=UnitNorm(), trainable=False), Dense(1)])
    before = model.get_weights()[0]
    model.compile(SGD(0.1), loss="mse")

    model.fit(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32), verbose=0)

    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_model_in_a_model_keeps_its_constraints() -> None:
    inner = Sequential([Input(2), Dense(2, kernel_constraint=UnitNorm())])
    x = Input(2)
    model = Model(x, Dense(1)(inner(x)))
    model.compile(SGD(0.1), loss="mse")

    model.fit(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32), verbose=0)

    np.testing.assert_allclose(np.linalg.norm(inner.get_weights()[0], axis=0), [1, 1], rtol=1e-5)


def test_a_copy_of_a_trained_model_is_constrained_itself() -> None:
    # Its training once changed the weights of the original, and left its own alone.
    x, y = np.ones((4, 2), np.float32), -np.ones((4, 1), np.float32)
    model = Sequential([Input(2), Dense(1, kernel_constraint=NonNeg())], seed=0)
    model.compile(SGD(0.1), loss="mse")
    model.fit(x, y, verbose=0)
    copied, sent = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    model.set_weights([weight - 1 for weight in model.get_weights()])
    before = model.get_weights()[0]

    for other in (copied, sent):
        other.fit(x, y, epochs=20, verbose=0)

        assert other.get_weights()[0].tolist() == [[0], [0]]
    np.testing.assert_array_equal(model.get_weights()[0], before)
