"""The ready-made model for volumes: convolutions in three dimensions."""

from ..core import BadShape
from ..layers import Conv3D, Flatten, Input, Layer, MaxPooling3D, Normalization, Shape
from .model import Sequential
from .net import PLAIN, Net

LARGE = 48  # sides from which on a volume is first seen at every second voxel, at an eighth of the cost
LEFT = 4  # pooling goes on along each side that is longer
MOST = 64  # filters


def volume_net(
    shape: Shape, classes: int, *, front: Layer | None = None, net: Net = PLAIN, seed: int = 0
) -> Sequential:
    """Convolutions and pooling until at most 4 voxels a side are left, the largest of each filter, two dense layers.

    A body may lie anywhere: taking the largest value finds it with a quarter of the weights, from fewer volumes.  Sides
    that are shorter than others are pooled less often, so that a stack of a few slices works, too.

    Args:
        shape: (D, H, W, C) of the volumes.
        classes: how many to tell apart.
        front: the layer that brings values near 1; None: they are as they should be.
        net: what of this is to be otherwise.
        seed: of the model.
    """
    if len(shape) != 4 or max(shape[:3]) <= LEFT:
        raise BadShape(f"convnet: takes volumes (D, H, W, C) with a side of more than {LEFT}, got {shape}.")
    sides: Shape = shape[:3]
    first = filters = MOST // 4
    layers: list[Layer] = [front or Normalization()]
    number = 1
    while max(sides) > LEFT if net.layers is None else number < net.layers:
        strides = tuple(2 if side >= LARGE else 1 for side in sides)
        pools = tuple(2 if side // stride > LEFT else 1 for side, stride in zip(sides, strides, strict=True))
        layers += net.convolution(Conv3D, net.width(filters, first), net.side(3), strides, padding="same")
        layers += [MaxPooling3D(pools)] if net.layers is None or max(pools) > 1 else []
        sides = tuple(-(-side // stride) // pool for side, stride, pool in zip(sides, strides, pools, strict=True))
        filters, number = min(2 * filters, MOST), number + 1
    layers += net.convolution(Conv3D, net.width(filters, first), net.side(3), padding="same")
    # As GlobalMaxPooling3D, which TF.js lacks.
    layers += [MaxPooling3D(sides), Flatten(), *net.end(classes, units=64)]
    return Sequential([Input(shape), *layers], name="convnet", seed=seed)
