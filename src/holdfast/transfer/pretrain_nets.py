"""The networks of unsupervised pre-training: encoders, which are kept as bases, and what stands on them meanwhile."""

import math

from ..core import BadShape
from ..layers import (
    Conv2D,
    Cropping2D,
    Dense,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    Reshape,
    Shape,
    UpSampling2D,
)
from ..models import Sequential

SMALLEST = 8  # side of a picture that leaves anything to pool
LARGE = 96  # pictures with no side below this are first seen at every second pixel
LEFT = 4  # pooling goes on while a side is longer than this
FEATURES = 128  # of a picture, at most
FILTERS = 16, 64  # of the first convolution, and at most
PROJECTION = 128, 64  # units of the head that contrastive learning throws away


def is_picture(shape: Shape) -> bool:
    """Whether samples of this shape are learned as pictures, by convolutions."""
    return len(shape) == 3 and min(shape[:2]) >= SMALLEST


def check_shape(shape: Shape) -> None:
    """Raises BadShape for samples that no encoder takes."""
    if len(shape) == 3 and shape[2] in (1, 3) and not is_picture(shape):
        raise BadShape(f"pretrain: pictures of {shape[0]}x{shape[1]} are too small; take at least {SMALLEST} pixels.")


def encoder(shape: Shape, front: Layer, *, seed: int = 0) -> Sequential:
    """From raw samples to a row of features, fewer than a sample has numbers.

    Of pictures 16C3-P2-32C3-P2-64C3-P2-128D with padding, pooling until a side is 4 or less; of anything else two dense
    layers.

    Args:
        shape: of a sample.
        front: the layer that brings values near 1.
        seed: of the weights.
    """
    layers: list[Layer] = [front]
    for filters, strides in _blocks(shape):
        layers += [Conv2D(filters, 3, strides, padding="same", activation="relu"), MaxPooling2D(2, padding="same")]
    layers.append(Flatten())
    layers += [] if is_picture(shape) else [Dense(4 * _features(shape), activation="relu")]
    layers.append(Dense(_features(shape), activation="relu", name="features"))
    return Sequential([Input(shape), *layers], name="encoder", seed=seed)


def decoder(shape: Shape, *, seed: int = 0) -> Sequential:
    """From features back to samples in the units of the encoder's front: the encoder mirrored."""
    made: list[Layer] = []
    entry = Input((_features(shape),))
    if not is_picture(shape):
        made += [Dense(4 * _features(shape), activation="relu"), Dense(math.prod(shape)), Reshape(shape)]
        return Sequential([entry, *made], name="decoder", seed=seed)
    blocks, sides = _blocks(shape), _sides(shape)
    smallest = (*sides[-1], blocks[-1][0])
    made += [Dense(math.prod(smallest), activation="relu"), Reshape(smallest)]
    for place in reversed(range(len(blocks))):
        filters, strides = blocks[place]
        made += [Conv2D(filters, 3, padding="same", activation="relu"), UpSampling2D(2 * strides)]
        over = [(0, 2 * strides * less - more) for less, more in zip(sides[place + 1], sides[place], strict=True)]
        made += [Cropping2D(over)] if any(more for _, more in over) else []
    made.append(Conv2D(shape[2], 3, padding="same"))
    return Sequential([entry, *made], name="decoder", seed=seed)


def projection(features: Shape, *, seed: int = 0) -> Sequential:
    """The head in whose outputs views are compared, for these learn to forget what features had better keep.

    Source: Chen et al. 2020, section 4.2.
    """
    wide, narrow = PROJECTION
    return Sequential([Input(features), Dense(wide, activation="relu"), Dense(narrow)], name="projection", seed=seed)


def _features(shape: Shape) -> int:
    """How many an encoder gives."""
    size = math.prod(shape)
    return min(FEATURES, size // 4) if is_picture(shape) else max(2, min(64, size // 2))


def _blocks(shape: Shape) -> list[tuple[int, int]]:
    """(filters, strides) of each convolution that a pooling follows; none where there is no picture."""
    side, blocks = min(shape[:2]) if is_picture(shape) else 0, list[tuple[int, int]]()
    while side > LEFT:
        strides = 2 if side >= LARGE and not blocks else 1
        blocks.append((min(FILTERS[0] * 2 ** len(blocks), FILTERS[1]), strides))
        side = -(-side // (2 * strides))
    return blocks


def _sides(shape: Shape) -> list[tuple[int, int]]:
    """(H, W) before the first convolution, and after each pooling."""
    sides = [(shape[0], shape[1])]
    for _, strides in _blocks(shape):
        high, wide = (-(-side // (2 * strides)) for side in sides[-1])
        sides.append((high, wide))
    return sides
