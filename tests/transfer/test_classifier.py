"""Classifiers on bases: flat, frozen to the last bit, on data of other sizes and colours."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from holdfast import Input, Model, Sequential
from holdfast.core import BadShape, BadValue, UnknownName
from holdfast.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    ReLU,
    Rescaling,
    Source,
    Symbol,
)
from holdfast.models import BaseModel
from holdfast.models.graph import calls_of
from holdfast.transfer import FromBase, anew, classifier, freeze, load_base

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
LABELS = np.arange(24) % 3


def trained_net() -> BaseModel:
    """A classifier whose batch statistics have moved."""
    layers: list[Source | Symbol] = [
        Input((8, 8, 3)),
        Rescaling(1 / 255),
        Conv2D(4, 3, name="conv"),
        BatchNormalization(name="bn"),
        ReLU(name="relu"),
        Dropout(0.5),
        Conv2D(6, 3, name="conv_2"),
        BatchNormalization(name="bn_2"),
        ReLU(name="relu_2"),
        GlobalAveragePooling2D(),
        Dense(5, activation="softmax"),
    ]
    model = Sequential(layers, "net", seed=1)
    model.fit(PIXELS, np.arange(24) % 5, epochs=2, verbose=0)
    return model


NET = trained_net()
HEAD = {"batch_normalization", "dense"}


def weights_of(model: BaseModel, *names: str) -> list[np.ndarray]:
    return [array for name in names for array in model.get_layer(name).get_weights()]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def behind(symbol: Symbol) -> Iterator[Symbol]:
    """A symbol and those that it depends on."""
    yield symbol
    for before in symbol.call.inputs:
        yield from behind(before)


def trained(model: BaseModel) -> set[str]:
    """The names of the layers that training changes."""
    return {
        name
        for layer, name in model.lowered.names.items()
        if isinstance(layer, Layer) and layer.weights() and layer.trainable
    }


def test_it_is_one_flat_model_with_a_new_head() -> None:
    model = classifier(NET, 3, seed=5)

    assert not any(isinstance(layer, BaseModel) for layer in model.layers)
    assert model.outputs[0].shape == (3,)
    assert trained(model) == HEAD


def test_the_head_follows_from_the_seed_and_the_base_does_not() -> None:
    one, same, other = (classifier(NET, 3, seed=seed) for seed in (1, 1, 2))
    for model in (one, same, other):
        model.fit(PIXELS, LABELS, epochs=1, verbose=0)

    assert np.array_equal(one.predict(PIXELS), same.predict(PIXELS))
    assert not np.array_equal(one.predict(PIXELS), other.predict(PIXELS))
    kept = zip(weights_of(one, "conv", "bn_2"), weights_of(other, "conv", "bn_2"), strict=True)
    assert all(np.array_equal(a, b) for a, b in kept)


def test_training_leaves_frozen_weights_and_batch_statistics_alone_to_the_bit() -> None:
    base = load_base(NET)
    model = classifier(base, 3)
    before = base.predict(PIXELS)
    kept = weights_of(model, "conv", "bn", "conv_2", "bn_2")

    model.fit(PIXELS, LABELS, epochs=3, verbose=0)

    assert all(
        np.array_equal(a, b) for a, b in zip(kept, weights_of(model, "conv", "bn", "conv_2", "bn_2"), strict=True)
    )
    pooled = model.get_layer("batch_normalization").layer
    calls = calls_of(model.inputs, model.outputs)
    pool = next(call.inputs[0] for call in calls if call.layer is pooled)
    features = Model(model.inputs, pool.call.inputs[0])
    assert np.array_equal(features.predict(PIXELS), before)


def test_the_trap_of_a_frozen_batch_normalization_is_one_elsewhere() -> None:
    model = classifier(NET, 3, fine_tune=2)
    kept = weights_of(model, "bn", "bn_2")
    moved = weights_of(model, "conv", "conv_2")

    model.fit(PIXELS, LABELS, epochs=3, verbose=0)

    assert all(np.array_equal(a, b) for a, b in zip(kept, weights_of(model, "bn", "bn_2"), strict=True))
    assert not any(
        np.array_equal(a, b) for a, b in zip(moved[::2], weights_of(model, "conv", "conv_2")[::2], strict=True)
    )


@pytest.mark.parametrize(("count", "names"), [(0, set()), (1, {"conv_2"}), (2, {"conv", "conv_2"})])
def test_the_last_layers_that_can_be_trained_are(count: int, names: set[str]) -> None:
    assert trained(classifier(NET, 3, fine_tune=count)) == HEAD | names


def test_more_layers_than_there_are_cannot_be_fine_tuned() -> None:
    with pytest.raises(BadValue, match="fine_tune=3: the base has 2 layers that can be trained; take at most those"):
        classifier(NET, 3, fine_tune=3)


def test_until_says_what_the_features_are() -> None:
    model = classifier(NET, 3, until="relu")

    assert model.get_layer("dense").kernel.shape == (4, 3)


@pytest.mark.parametrize("shape", [(8, 8, 3), (11, 9, 3), (8, 8, 1)], ids=str)
def test_data_of_other_sizes_and_colours_is_taken(shape: tuple[int, int, int]) -> None:
    model = classifier(NET, 3, input_shape=shape)

    assert model.predict(RANDOM.integers(0, 256, (2, *shape)).astype(np.uint8)).shape == (2, 3)


def test_grey_is_repeated() -> None:
    grey, model, of_grey = PIXELS[..., :1], classifier(NET, 3), classifier(NET, 3, input_shape=(8, 8, 1))
    weights = [RANDOM.normal(size=weight.shape) for weight in model.get_layer("dense").get_weights()]
    for one in (model, of_grey):
        one.get_layer("dense").set_weights(weights)

    assert np.array_equal(of_grey.predict(grey), model.predict(np.repeat(grey, 3, -1)))


def test_other_kinds_of_data_are_refused_in_a_line() -> None:
    with pytest.raises(BadShape, match=r"takes pictures \(8, 8, 3\), the data has series or sounds \(100, 1\); take a"):
        classifier(NET, 3, input_shape=(100, 1))
    with pytest.raises(BadShape, match="the data has pictures"):
        classifier(NET, 3, input_shape=(8, 8, 4))


def test_weights_that_depend_on_the_size_are_told() -> None:
    base = Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Flatten(), Dense(4, name="code")])

    with pytest.raises(BadShape, match=r"the base's code has a kernel of .* take the size that the base was made for"):
        classifier(base, 3, input_shape=(9, 9, 1))


def test_a_base_of_series_has_a_head_too() -> None:
    base = Sequential([Input((20, 2)), Conv1D(4, 3)])

    assert classifier(base, 3, input_shape=(30, 2)).outputs[0].shape == (3,)


@pytest.mark.parametrize("classes", [1, "10", 2.5], ids=str)
def test_one_class_is_none(classes: Any) -> None:  # Any: what is no number, too
    with pytest.raises(BadValue, match=rf"classifier\(classes={classes!r}\): must be a whole number of 2 or more"):
        classifier(NET, classes)


def test_freeze_keeps_a_beginning_as_it_is() -> None:
    model = freeze(NET, "relu")
    kept, before = weights_of(model, "conv", "bn"), NET.predict(PIXELS)

    assert np.array_equal(model.predict(PIXELS), before)
    model.fit(PIXELS, np.arange(24) % 5, epochs=2, verbose=0)

    assert trained(model) == {"conv_2", "bn_2", "dense"}
    assert all(np.array_equal(a, b) for a, b in zip(kept, weights_of(model, "conv", "bn"), strict=True))
    assert "dropout" in model.lowered.names.values()


def test_freeze_suggests_layers() -> None:
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        freeze(NET, "rellu")


def test_a_fresh_copy_begins_with_the_base_s_weights_though_they_were_trained() -> None:
    model = classifier(NET, 3, fine_tune=1, seed=1)
    began = weights_of(model, "conv_2", "dense")
    model.fit(PIXELS, LABELS, epochs=1, verbose=0)

    copy = anew(model, seed=2)

    assert not equal(weights_of(model, "conv_2", "dense"), began)
    assert equal(weights_of(copy, "conv_2", "dense"), began)
    assert copy.seed == 2


def test_a_fresh_copy_of_any_model_keeps_what_is_frozen() -> None:
    a = Input((8, 8, 3))
    inner = freeze(NET, "relu")
    model = Model(a, Dense(2, name="top")(inner(a)))

    copy = anew(model, seed=9)

    inside = copy.get_layer(inner.name or "").layer
    assert isinstance(inside, BaseModel)
    assert np.array_equal(weights_of(inside, "conv")[0], weights_of(NET, "conv")[0])
    assert not np.array_equal(weights_of(inside, "conv_2")[0], weights_of(NET, "conv_2")[0])


def test_a_choice_of_a_base_is_read_once_and_built_often() -> None:
    choice = FromBase(NET, "relu")

    assert choice.loaded is choice.loaded
    assert choice.input_size == (8, 8)
    assert choice.label == "net until relu"
    assert choice.build((8, 8, 3), 3, seed=0).made_from is choice


def test_a_choice_checks_its_number() -> None:
    with pytest.raises(BadValue, match=r"FromBase\(fine_tune=-1\): must be a whole number of at least 0"):
        FromBase(NET, fine_tune=-1)


def test_frozen_weights_have_no_gradients() -> None:
    model = classifier(NET, 3)

    told = model.module(torch.from_numpy(PIXELS).float())
    told.sum().backward()

    assert {name for name, weight in model.module.named_parameters() if weight.grad is not None} == {
        "dense.weight",
        "dense.bias",
    }
