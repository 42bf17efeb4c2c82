"""Series and volumes from arrays to a file: fit, evaluate, predict, save and load."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from holdfast.core import BadShape
from holdfast.layers import (
    BatchNormalization,
    Conv1D,
    Conv1DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Dense,
    GlobalAveragePooling1D,
    GlobalMaxPooling3D,
    Input,
    MaxPooling1D,
    MaxPooling3D,
    SeparableConv1D,
    SpatialDropout1D,
    SpatialDropout3D,
    UpSampling1D,
)
from holdfast.models import Sequential, load_keras
from layers.building import Array


def waves(n: int) -> tuple[Array, Array]:
    """Series of three frequencies, with noise, (n, 40, 1), and which of them."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    phases = np.linspace(0, 6, 40) * (1 + labels[:, None]) + random.uniform(0, 6, (n, 1))
    return (np.sin(phases) + 0.2 * random.normal(size=phases.shape)).astype(np.float32)[..., None], labels


def lumps(n: int) -> tuple[Array, Array]:
    """Volumes of noise, every second one with a brighter lump, (n, 6, 8, 7, 1), and which of them."""
    labels = np.arange(n) % 2
    volumes = np.random.default_rng(0).normal(size=(n, 6, 8, 7, 1)).astype(np.float32)
    volumes[labels == 1, 1:4, 2:5, 3:6] += 2
    return volumes, labels


def of_series() -> Sequential:
    return Sequential(
        [
            Input((40, 1)),
            Conv1D(8, 5, padding="causal", activation="relu"),
            MaxPooling1D(2),
            SeparableConv1D(12, 3, padding="same", activation="relu"),
            BatchNormalization(momentum=0.9),
            SpatialDropout1D(0.1),
            GlobalAveragePooling1D(),
            Dense(3, "softmax"),
        ]
    )


def of_volumes() -> Sequential:
    return Sequential(
        [
            Input((6, 8, 7, 1)),
            Conv3D(6, 3, padding="same", activation="relu"),
            MaxPooling3D(2),
            BatchNormalization(momentum=0.9),
            SpatialDropout3D(0.1),
            Conv3D(8, 3, strides=2, padding="same", activation="relu"),
            GlobalMaxPooling3D(),
            Dense(2, "softmax"),
        ]
    )


Made: TypeAlias = Callable[[], Sequential]
Given: TypeAlias = Callable[[int], tuple[Array, Array]]
KINDS = pytest.mark.parametrize(("model", "data"), [(of_series, waves), (of_volumes, lumps)], ids=["series", "volumes"])


@KINDS
def test_they_are_learned_without_being_told_how(model: Made, data: Given, tmp_path: Path) -> None:
    x, y = data(90)
    net = model()

    history = net.fit(x, y, epochs=30, validation_split=0.2, verbose=0)

    assert history.history["val_accuracy"][-1] > 0.9
    net.save(tmp_path / "net.keras")
    again = load_keras(tmp_path / "net.keras")
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    again.compile("adam", metrics=["accuracy"])
    assert again.evaluate(x, y, verbose=0)[1] > 0.9


@KINDS
def test_the_same_seed_learns_the_same(model: Made, data: Given) -> None:
    x, y = data(24)
    one, other = model(), model()

    for net in (one, other):
        net.fit(x, y, epochs=2, verbose=0)

    for found, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@KINDS
def test_bfloat16_is_near(model: Made, data: Given) -> None:
    x, y = data(24)
    losses = []
    for precision in ("float32", "bfloat16"):
        net = model()
        net.compile("adam", precision=precision)
        losses.append(net.fit(x, y, epochs=2, verbose=0).history["loss"][-1])

    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_what_was_made_smaller_is_made_large_again() -> None:
    x, _ = waves(90)
    series = Sequential([Input((40, 1)), Conv1D(8, 4, 2, "same", activation="relu"), Conv1DTranspose(1, 4, 2, "same")])
    y, _ = lumps(60)
    volumes = Sequential(
        [
            Input((6, 8, 7, 1)),
            Conv3D(4, 3, (2, 2, 1), "same", activation="relu"),
            Conv3DTranspose(1, 3, (2, 2, 1), "same"),
        ]
    )

    for model, data in ((series, x), (volumes, y)):
        loss = model.fit(data, data, epochs=8, verbose=0).history["loss"]

        assert loss[-1] < 0.8 * loss[0]


def test_a_channel_that_is_alone_may_be_left_out() -> None:
    x, y = waves(24)
    model = of_series()

    model.fit(x[..., 0], y, epochs=1, verbose=0)

    np.testing.assert_array_equal(model.predict(x[..., 0]), model.predict(x))


@pytest.mark.parametrize(
    ("shape", "given", "hint"),
    [
        ((9, 2), (3, 2, 9), "x.transpose(0, 2, 1)"),
        ((4, 5, 6, 2), (3, 2, 4, 5, 6), "x.transpose(0, 2, 3, 4, 1)"),
    ],
)
def test_channels_that_come_first_are_told_where_to_go(
    shape: tuple[int, ...], given: tuple[int, ...], hint: str
) -> None:
    model = Sequential([Input(shape), Dense(1)])

    with pytest.raises(BadShape) as caught:
        model.predict(np.zeros(given))

    assert str(caught.value).endswith(f"; channels come last here: {hint}.")


def test_a_series_by_hand_goes_through_a_whole_net() -> None:
    model = Sequential(
        [
            Input((4, 1)),
            UpSampling1D(2),
            Cropping1D((1, 0)),
            Conv1D(1, 2, 2, kernel_initializer="ones"),
            MaxPooling1D(3),
        ]
    )

    assert model.predict([[[1.0], [2.0], [3.0], [4.0]]]).ravel().tolist() == [7.0]  # of 1+2, 2+3, 3+4
