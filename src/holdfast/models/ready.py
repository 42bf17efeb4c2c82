"""Ready-made models: the convnet, and for any model its dense twin of as many parameters."""

import math
from collections.abc import Callable

from ..core import BadShape, BadValue, Registry
from ..layers import (
    Conv2D,
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
from .net import PLAIN, Net
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


def convnet(shape: Shape, classes: int, *, front: Layer | None = None, net: Net = PLAIN, seed: int = 0) -> Sequential:
    """Convolutions and pooling until little is left of the picture, then two dense layers; 16C3-P2-32C3-P2-32C3-64D.

    For 28x28 it is the classic net of the browser examples, 33,194 parameters.  Larger pictures get more blocks, of 64
    filters from the third on; those below 16 pixels 24C3-24C3-P2-48C3 with padding, dropout and one dense layer.

    Args:
        shape: (H, W, C) of the pictures.
        classes: how many to tell apart, at least 2.
        front: the layer that brings values near 1; None: they are 0 to 255, as pictures in files are.
        net: what of all this is to be otherwise.
        seed: of the model.
    """
    if len(shape) == 4:
        _check_classes(classes)
        return volume_net(shape, classes, front=front, net=net, seed=seed)
    if len(shape) != 3 or min(shape[:2]) < SMALLEST:
        raise BadShape(
            f"convnet: takes pictures (H, W, C) of at least {SMALLEST}x{SMALLEST}, got {shape}; "
            "the model 'dense' takes any."
        )
    _check_classes(classes)
    small = min(shape[:2]) < SMALL
    convolved = _small(net) if small else _blocks(min(shape[:2]), net)
    end = net.end(classes, dropout=0.5) if small else net.end(classes, units=64)
    return Sequential([Input(shape), front or Rescaling(1 / 255), *convolved, Flatten(), *end], "convnet", seed=seed)


def _blocks(side: int, net: Net) -> list[Layer]:
    """Convolutions, each with pooling while the side is long, and one more of what is left."""
    layers: list[Layer] = []
    number, filters, kernel = 0, 0, net.side(3)
    while number != net.layers:
        pooled = side > LEFT
        if not pooled and net.layers is None and side <= 2:
            break
        strides = 2 if side >= LARGE and not number else 1
        filters = min(max(16, 2 * filters), 64) if pooled else max(filters, 32)
        padding = "valid" if side >= kernel + pooled else "same"
        layers += net.convolution(Conv2D, net.width(filters, 16), kernel, strides, padding=padding)
        side = (side - kernel) // strides + 1 if padding == "valid" else -(-side // strides)
        number += 1
        if pooled:
            layers.append(MaxPooling2D(2))
            side //= 2
        elif net.layers is None:
            break
    return layers


def _small(net: Net) -> list[Layer]:
    """For pictures of few pixels: convolutions that keep their size, and no hidden layer, which would overfit."""
    layers: list[Layer] = []
    count = net.layers or 3
    for number in range(1, count + 1):
        layers += net.convolution(Conv2D, net.width(24 if number <= 2 else 48, 24), net.side(3), padding="same")
        if number == min(2, count):
            layers.append(MaxPooling2D(2))
    return layers


def dense(shape: Shape, classes: int, *, front: Layer | None = None, net: Net = PLAIN, seed: int = 0) -> Sequential:
    """The dense twin of the convnet for these pictures; for any other data, one hidden layer of 64 units."""
    if len(shape) == 3 and min(shape[:2]) >= SMALLEST:
        return dense_twin(convnet(shape, classes, front=front, seed=seed), net)
    _check_classes(classes)
    if len(shape) == 4 and max(shape[:3]) > VOXELS_LEFT:
        return dense_twin(volume_net(shape, classes, front=front, seed=seed), net)
    if len(shape) == 2:
        return dense_twin(series_net(shape, classes, front=front, seed=seed), net)
    if len(shape) == 1:
        return table_net(shape, classes, front=front, net=net, seed=seed)
    return Sequential([Input(shape), front or Normalization(), *_hidden(classes, 64, net)], name="dense", seed=seed)


def dense_twin(model: BaseModel, net: Net = PLAIN) -> Sequential:
    """The model without convolutions, of one hidden layer, whose parameter count is nearest to that of `model`.

    It shows what convolutions are worth: (784 -> 42 -> 10) with 33,400 parameters beside the convnet's 33,194.

    Args:
        model: takes one input and gives one row of class probabilities; its first rescaling or normalization is kept,
            and the spectrogram of a model that listens.
        net: what of the twin is to be otherwise.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.outputs[0].shape) != 1:
        raise BadValue(f"dense_twin: takes a model with one input and one row of outputs, not {model.name!r}.")
    shape, (classes,) = model.inputs[0].shape, model.outputs[0].shape
    pictures = [layer for layer in model.layers if isinstance(layer, LogMelSpectrogram)][:1]
    front: list[Layer] = [*pictures, *[layer for layer in model.layers if isinstance(layer, SCALING)][:1]]
    front = front or [layer for layer in model.layers[:1] if isinstance(layer, LayerNormalization)]
    seen = math.prod(pictures[0].out_shape(shape) if pictures else shape)
    units = max(1, round((model.count_params() - classes) / (seen + 1 + classes)))
    name = f"{model.name or 'model'}_dense_twin"
    return Sequential([Input(shape), *front, *_hidden(classes, units, net)], name=name, seed=model.seed)


def _hidden(classes: int, units: int, net: Net) -> list[Layer]:
    """One hidden layer of so many units, or what was told in its place, and the last."""
    hidden = [layer for _ in range(net.layers or 1) for layer in net.hidden(net.wide(units))]
    return [Flatten(), *hidden, *net.dropped(0.0), net.last(classes)]


def _check_classes(classes: int) -> None:
    if classes < 2:
        raise BadValue(f"classes={classes}: a classifier tells at least 2 apart.")


ready_made: Registry[Callable[..., BaseModel]] = Registry("model")
ready_made.add("convnet", convnet)
ready_made.add("dense", dense)
ready_made.add("features", features_net)
ready_made.add("convnet1d", wave_net)
