"""`fit` against real Keras: each of its arguments in a small fit, and a whole fit of the MNIST-shaped net."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from holdfast.callbacks import History, LambdaCallback
from holdfast.core import BadValue
from holdfast.layers import L1, L2, Conv2D, Dense, Flatten, Input, MaxPooling2D
from holdfast.models import Model, Sequential
from holdfast.training import SGD
from layers.building import GOLDEN, Array, golden, listed, part

RTOL = 1e-4  # of float32; see "How exact they are" in tests/golden/README.md
FITS: dict[str, dict[str, Any]] = {  # Any: JSON values
    fit["name"]: fit for fit in json.loads((GOLDEN / "fit_options.json").read_text())
}
DIFFERENT = {  # what we do otherwise, each tested below
    "class_and_sample_weight": "Keras refuses both at once",
    "initial_epoch_at_end": "Keras trains nothing and says nothing",
    "steps_per_epoch_uneven": "Keras runs out of data and stops in the middle",
    "steps_per_epoch_too_many": "Keras runs out of data and stops in the middle",
    "two_outputs_class_weight": "Keras refuses it, too",
    "validation_freq_list": "a number only",
}


def build(name: str) -> Model:
    """One of the models that tests/golden/making/fit_options.py describes, with its first weights."""
    x = Input(6)
    penalties: dict[str, Any] = {"kernel_regularizer": L2(0.02), "activity_regularizer": L1(0.01)}  # Any: settings
    hidden = Dense(8, "tanh", **(penalties if name == "penalised" else {}))(x)
    kind, size = Dense(3, "softmax", name="kind")(hidden), Dense(1, name="size")(hidden)
    model = Model(x, [kind, size] if name.startswith("outputs") else kind)
    model.set_weights(listed(part("fit_options", name), "weight"))
    return model


def filled(value: Any) -> Any:  # Any: JSON values in, with arrays in the place of "@key" out
    if isinstance(value, str) and value.startswith("@"):
        return golden("fit_options")[f"data/{value[1:]}"]
    if isinstance(value, dict):
        return {int(key) if key.isdigit() else key: filled(one) for key, one in value.items()}
    if isinstance(value, list) and any(isinstance(one, str) for one in value):
        return tuple(filled(one) for one in value)
    return value


def fitted(name: str, **more: Any) -> tuple[Model, History]:  # Any: arguments of fit
    fit = FITS[name]
    model = build(fit["model"])
    model.compile(SGD(0.1), **fit["compile"])
    arguments = {"split_order": "tail", **{key: filled(value) for key, value in fit["fit"].items()}, **more}
    return model, model.fit(shuffle=False, verbose=0, **arguments)


def check(found: Mapping[str, Any], expected: Mapping[str, Array]) -> None:  # Any: lists of numbers
    assert set(found) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=RTOL, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", [name for name in FITS if name not in DIFFERENT])
def test_a_fit_has_keras_s_history_and_weights(name: str) -> None:
    model, history = fitted(name)

    check(history.history, part("fit_options", f"{name}/history"))
    assert history.epoch == FITS[name]["epochs"]
    for found, expected in zip(
        model.get_weights(), listed(part("fit_options", f"{name}/final"), "weight"), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=RTOL, atol=1e-6)


def test_class_and_sample_weights_are_multiplied() -> None:
    labels, weights = (golden("fit_options")[f"data/{key}"] for key in ("y", "weights"))
    together, _ = fitted("class_and_sample_weight")
    by_hand, _ = fitted("sample_weight", sample_weight=weights * np.array([1, 3, 0.5], np.float32)[labels])

    for one, other in zip(together.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_fit_without_an_epoch_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^fit\(epochs=2, initial_epoch=2\): there is no epoch to train\.$"):
        fitted("initial_epoch_at_end")


def test_class_weights_are_for_one_output() -> None:
    with pytest.raises(BadValue, match=r"^class_weight: takes a model with one output, and classes to learn; "):
        fitted("two_outputs_class_weight")


def test_a_list_of_epochs_to_validate_after_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^fit\(validation_freq=\[1, 3\]\): must be a positive whole number\.$"):
        fitted("validation_freq_list")


def test_steps_go_on_where_the_last_epoch_ended_and_round_the_data() -> None:
    """Four batches a pass: twelve steps are three passes, however they are cut into epochs."""
    steps, history = fitted("steps_per_epoch_uneven", epochs=4)
    passes, _ = fitted("last_partial_batch", epochs=3)

    assert history.epoch == [0, 1, 2, 3]
    for one, other in zip(steps.get_weights(), passes.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def net() -> Sequential:
    """The net of tests/golden/making/fit.py."""
    return Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(16, 3, activation="relu"),
            MaxPooling2D(2),
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(2),
            Conv2D(32, 3, activation="relu"),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )


def test_two_epochs_of_the_mnist_shaped_net_are_keras_s() -> None:
    numbers, model = part("fit", "history"), net()
    train, validation = (
        (golden("fit")[f"{one}_images"][..., None].astype(np.float32) / np.float32(255), golden("fit")[f"{one}_labels"])
        for one in ("train", "validation")
    )
    model.set_weights(listed(part("fit", "initial"), "weight"))
    losses: list[float] = []
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])

    history = model.fit(
        *train,
        batch_size=64,
        epochs=2,
        shuffle=False,
        validation_data=validation,
        verbose=0,
        callbacks=[LambdaCallback(on_train_batch_end=lambda step, logs: losses.append(logs["loss"]))],
    )

    assert model.count_params() == 33_194
    check(history.history, numbers)
    np.testing.assert_allclose(losses, golden("fit")["batch_loss"], rtol=RTOL)
    for found, expected in zip(model.get_weights(), listed(part("fit", "final"), "weight"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=RTOL, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(model.predict(validation[0]), golden("fit")["probabilities"], rtol=1e-3, atol=1e-5)
