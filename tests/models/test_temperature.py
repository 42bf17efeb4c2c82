"""A temperature in the weights: the probabilities become softmax(logits / T), in every form of the model."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.core import BadValue
from holdfast.layers import Activation, Add, Dense, Flatten, GlobalAveragePooling2D, Input, Softmax
from holdfast.models import BaseModel, Model, Sequential, convnet, fold_temperature, load_keras

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


@pytest.mark.parametrize(
    "end",
    [
        [Dense(3, "softmax")],
        [Dense(3, "softmax", use_bias=False)],
        [Dense(3), Softmax()],
        [Dense(3), Activation("softmax")],
    ],
    ids=["one layer", "without bias", "softmax apart", "activation apart"],
)
@pytest.mark.parametrize("temperature", [0.3, 4.0])
def test_probabilities_become_those_at_the_temperature(
    end: list[Dense | Softmax | Activation], temperature: float, tmp_path: Path
) -> None:
    model = Sequential([Input(4), Dense(8, "relu"), *end], seed=1)
    before = model.predict(X)

    assert fold_temperature(model, temperature)

    powers = before.astype(np.float64) ** (1 / temperature)
    after = model.predict(X)
    np.testing.assert_allclose(after, powers / powers.sum(1, keepdims=True), rtol=1e-4, atol=1e-7)
    assert (after.argmax(1) == before.argmax(1)).all()
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_keras(tmp_path / "m.keras").predict(X), after)


def test_the_convnet_takes_it() -> None:
    model = convnet((12, 12, 1), 3)
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 1), np.uint8)
    before = model.predict(images)

    assert fold_temperature(model, 0.5)

    assert (model.predict(images).max(1) > before.max(1)).all()


def shared() -> Model:
    x = Input(3)
    once = Dense(3, "softmax")
    return Model(x, once(once(x)))


def two_outputs() -> Model:
    x = Input(4)
    return Model(x, [Dense(2, "softmax")(x), Dense(2, "softmax")(x)])


@pytest.mark.parametrize(
    "model",
    [
        Sequential([Input(4), Dense(3, "sigmoid")]),
        Sequential([Input(4), Dense(3, "relu"), Softmax()]),
        Sequential([Input((2, 2, 3)), GlobalAveragePooling2D(), Softmax()]),
        Sequential([Input((2, 3)), Dense(3), Softmax(axis=1), Flatten()]),
        Model(a := Input(3), Softmax()(Add()([a, Dense(3)(a)]))),
        shared(),
        two_outputs(),
    ],
    ids=["sigmoid", "relu before", "no dense", "other axis", "sum before", "shared", "two outputs"],
)
def test_a_model_without_logits_of_its_own_stays_as_it_is(model: BaseModel) -> None:
    before = model.get_weights()

    assert not fold_temperature(model, 2.0)

    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_positive(temperature: float) -> None:
    with pytest.raises(BadValue, match="must be positive"):
        fold_temperature(convnet((12, 12, 1), 3), temperature)
