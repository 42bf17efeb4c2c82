"""Learning rates by depth: the head as it is told, each deeper layer more slowly and later."""

import numpy as np
import pytest

from holdfast import Input, Model, Sequential
from holdfast.core import BadShape, BadValue
from holdfast.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Rescaling, Source, Symbol
from holdfast.training import SGD, AdamW
from holdfast.transfer import classifier, discriminative, freeze

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype(np.uint8)
LABELS = np.arange(16) % 2


def net() -> Sequential:
    layers: list[Source | Symbol] = [
        Input((8, 8, 1)),
        Rescaling(1 / 255),
        Conv2D(2, 3, name="a"),
        BatchNormalization(),
        Conv2D(3, 3, name="b"),
    ]
    return Sequential([*layers, GlobalAveragePooling2D(), Dense(2, activation="softmax", name="c")], seed=0)


def test_each_deeper_layer_learns_more_slowly_and_later_and_a_normalization_with_the_one_below_it() -> None:
    found = discriminative(net(), "sgd", factor=0.5, unfreeze=0.4)

    assert found.rates == (0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 1, 1)
    assert found.starts == (0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0, 0)
    assert found.learning_rate == SGD().learning_rate


def test_layers_that_are_frozen_do_not_count() -> None:
    found = discriminative(freeze(net(), "a"), "sgd", factor=0.5, unfreeze=0.4)

    assert found.rates == (0.25, 0.25, 0.5, 0.5, 1, 1)  # the batch normalization is the first that is trained


def test_layers_of_models_within_count() -> None:
    a = Input((8, 8, 1))
    inner = Sequential([Input((8, 8, 1)), Conv2D(2, 3), Conv2D(2, 3), GlobalAveragePooling2D()])

    assert discriminative(Model(a, Dense(2)(inner(a))), factor=0.5).rates == (0.25, 0.25, 0.5, 0.5, 1, 1)


def test_a_single_layer_begins_at_once() -> None:
    assert discriminative(classifier(net(), 2), unfreeze=0.5).starts == (0, 0)


def test_a_model_is_trained_by_it() -> None:
    model = net()
    model.compile(discriminative(model, AdamW(0.01), factor=0.5, unfreeze=0.6), "sparse_categorical_crossentropy")
    deep, top = (model.get_layer(name).get_weights()[0] for name in "ac")

    model.fit(PIXELS, LABELS, epochs=1, batch_size=8, verbose=0)  # two steps: begun, and half done

    assert np.array_equal(model.get_layer("a").get_weights()[0], deep)
    assert not np.array_equal(model.get_layer("c").get_weights()[0], top)


def test_another_model_cannot_be_trained_by_it() -> None:
    model = net()
    model.compile(discriminative(freeze(model, "a"), "sgd"), "sparse_categorical_crossentropy")

    with pytest.raises(
        BadShape, match=r"rates of 6 weights, the model trains 8; make it anew: transfer.discriminative"
    ):
        model.fit(PIXELS, LABELS, verbose=0)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(BadValue, match=r"discriminative\(factor=0\): must be above 0 and at most 1"):
        discriminative(net(), factor=0)
    with pytest.raises(BadValue, match=r"discriminative\(unfreeze=1\): must be at least 0 and less than 1"):
        discriminative(net(), unfreeze=1)
    with pytest.raises(BadValue, match="the model has no layer that is trained"):
        discriminative(freeze(net()))
