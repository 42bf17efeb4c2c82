"""Ready-made models: the convnet, and for any model its dense twin of as many parameters."""

import math
from collections.abc import Callable

from ..core import BadShape, BadValue, Registry
from ..layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    LayerNormalization,
    LogMelSpectrogram,
    MaxPooling2D,
    Normalization,
    Rescaling,
    SeriesNormalization,
    Shape,
)
from .model import BaseModel, Sequential
from .ready_series import features_net, series_net
from .ready_sounds import wave_net
from .ready_tables import table_net
from .ready_volumes import LEFT as VOXELS_LEFT
from .ready_volumes import volume_net

SMALLEST = 6  # side of a picture that leaves anything to convolve
SMALL = 16  # pictures with a side below this get a net of their own, or nothing would be left of them
LARGE = 96  # pictures with no side below this are first seen at every second pixel, at a quarter of the cost
LEFT = 5  # pooling goes on while a side is longer than this
SCALING = (Normalization, Rescaling, SeriesNormalization)  # what a dense twin keeps, too


def convnet(shape: Shape, classes: int, *, front: Layer | None = None, seed: int = 0) -> Sequential:
    """Convolutions and pooling until little is left of the picture, then two dense layers; 16C3-P2-32C3-P2-32C3-64D.

    For 28x28 it is the classic net of the browser examples, 33,194 parameters.  Larger pictures get more blocks, of 64
    filters from the third on; those below 16 pixels 24C3-24C3-P2-48C3 with padding, dropout and one dense layer.

    Args:
        shape: (H, W, C) of the pictures.
        classes: how many to tell apart, at least 2.
        front: the layer that brings values near 1; None: they are 0 to 255, as pictures in files are.
        seed: of the model.
    """
    if len(shape) == 4:
        _check_classes(classes)
        return volume_net(shape, classes, front=front, seed=seed)
    if len(shape) != 3 or min(shape[:2]) < SMALLEST:
        raise BadShape(
            f"convnet: takes pictures (H, W, C) of at least {SMALLEST}x{SMALLEST}, got {shape}; "
            "the model 'dense' takes any."
        )
    _check_classes(classes)
    side, filters = min(shape[:2]), 0
    layers: list[Layer] = [front or Rescaling(1 / 255)]
    if side < SMALL:
        return Sequential([Input(shape), *layers, *_small(classes)], name="convnet", seed=seed)
    while side > LEFT:
        strides = 2 if side >= LARGE and not filters else 1
        filters = min(max(16, 2 * filters), 64)
        layers += [Conv2D(filters, 3, strides, activation="relu"), MaxPooling2D(2)]
        side = ((side - 3) // strides + 1) // 2
    if side > 2:
        layers.append(Conv2D(max(filters, 32), 3, activation="relu"))
    layers += [Flatten(), Dense(64, activation="relu"), Dense(classes, activation="softmax")]
    return Sequential([Input(shape), *layers], name="convnet", seed=seed)


def _small(classes: int) -> list[Layer]:
    """For pictures of few pixels: convolutions that keep their size, and no hidden layer, which would overfit."""
    convs = [Conv2D(filters, 3, padding="same", activation="relu") for filters in (24, 24, 48)]
    return [*convs[:2], MaxPooling2D(2), convs[2], Flatten(), Dropout(0.5), Dense(classes, activation="softmax")]


def dense(shape: Shape, classes: int, *, front: Layer | None = None, seed: int = 0) -> Sequential:
    """The dense twin of the convnet for these pictures; for any other data, one hidden layer of 64 units."""
    if len(shape) == 3 and min(shape[:2]) >= SMALLEST:
        return dense_twin(convnet(shape, classes, front=front, seed=seed))
    _check_classes(classes)
    if len(shape) == 4 and max(shape[:3]) > VOXELS_LEFT:
        return dense_twin(volume_net(shape, classes, front=front, seed=seed))
    if len(shape) == 2:
        return dense_twin(series_net(shape, classes, front=front, seed=seed))
    if len(shape) == 1:
        return table_net(shape, classes, front=front, seed=seed)
    hidden: list[Layer] = [Flatten(), Dense(64, activation="relu"), Dense(classes, activation="softmax")]
    return Sequential([Input(shape), front or Normalization(), *hidden], name="dense", seed=seed)


def dense_twin(model: BaseModel) -> Sequential:
    """The model without convolutions, of one hidden layer, whose parameter count is nearest to that of `model`.

    It shows what convolutions are worth: (784 -> 42 -> 10) with 33,400 parameters beside the convnet's 33,194.

    Args:
        model: takes one input and gives one row of class probabilities; its first rescaling or normalization is kept,
            and the spectrogram of a model that listens.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.outputs[0].shape) != 1:
        raise BadValue(f"dense_twin: takes a model with one input and one row of outputs, not {model.name!r}.")
    shape, (classes,) = model.inputs[0].shape, model.outputs[0].shape
    pictures = [layer for layer in model.layers if isinstance(layer, LogMelSpectrogram)][:1]
    front: list[Layer] = [*pictures, *[layer for layer in model.layers if isinstance(layer, SCALING)][:1]]
    front = front or [layer for layer in model.layers[:1] if isinstance(layer, LayerNormalization)]
    seen = math.prod(pictures[0].out_shape(shape) if pictures else shape)
    hidden = max(1, round((model.count_params() - classes) / (seen + 1 + classes)))
    layers: list[Layer] = [Flatten(), Dense(hidden, activation="relu"), Dense(classes, activation="softmax")]
    return Sequential([Input(shape), *front, *layers], name=f"{model.name or 'model'}_dense_twin", seed=model.seed)


def _check_classes(classes: int) -> None:
    if classes < 2:
        raise BadValue(f"classes={classes}: a classifier tells at least 2 apart.")


ready_made: Registry[Callable[..., BaseModel]] = Registry("model")
ready_made.add("convnet", convnet)
ready_made.add("dense", dense)
ready_made.add("features", features_net)
ready_made.add("convnet1d", wave_net)
