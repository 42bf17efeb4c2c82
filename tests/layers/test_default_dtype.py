"""Layers are float32 whatever torch's default dtype is."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cases import CASES, Case
from holdfast.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    LayerNormalization,
    Rescaling,
)
from holdfast.models import Sequential
from layers.building import model_of


@pytest.fixture
def doubles() -> Iterator[None]:
    """float64 for all who do not say otherwise."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def test_a_model_trains_under_another_default_dtype(doubles: None) -> None:
    """`fit` used to fail: weights were float64, images float32."""
    layers = [Rescaling(1 / 255), Conv2D(4, 3, activation="relu"), BatchNormalization(), LayerNormalization()]
    layers += [AveragePooling2D(2, padding="same"), Flatten(), Dropout(0.25), Dense(2, activation="softmax")]
    model = Sequential([Input((5, 5, 1)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "auc"])
    images = np.random.default_rng(0).integers(0, 256, (8, 5, 5, 1), np.uint8)

    history = model.fit(images, np.arange(8) % 2, epochs=2, batch_size=4, verbose=0)

    assert len(history.history["loss"]) == 2
    assert {array.dtype for array in model.get_weights()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_layer_takes_the_default_dtype(case: Case, doubles: None) -> None:
    module = model_of(case).module

    kinds = {tensor.dtype for tensor in (*module.parameters(), *module.buffers()) if tensor.is_floating_point()}

    assert kinds <= {torch.float32}
