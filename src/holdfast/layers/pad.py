"""Zeros around series, images and volumes, and cutting off their ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from ..core import BadShape
from .layer import Setting, Shape, pair
from .spatial import Sides, Spatial, axes_setting, for_torch, padded, zeros

# (before, after) of a series; of images and volumes a pair for each axis
SidesSetting: TypeAlias = Setting[int | Sequence[int | Sequence[int]], tuple[Any, ...]]


def _sides(value: Any, rank: int) -> tuple[Any, ...]:  # Any: whatever the user wrote; pairs, or numbers of rank 1
    """For images `1` -> `((1, 1), (1, 1))`; `(1, 2)` -> `((1, 1), (2, 2))`; `((1, 2), (3, 4))` as it is."""
    if rank == 1:
        return pair(value)
    if isinstance(value, (list, tuple)):
        if len(value) != rank:
            wanted = "two, or ((top, bottom), (left, right))" if rank == 2 else "three, or three pairs"
            raise ValueError(f"must be one number, {wanted}")
        return tuple(map(pair, value))
    return (pair(value),) * rank


def _no_negative_side(value: tuple[Any, ...]) -> str | None:
    numbers = [number for side in value for number in (side if isinstance(side, tuple) else (side,))]
    return None if min(numbers) >= 0 else "must not be negative"


@dataclass(frozen=True, eq=False)
class ZeroPadding(Spatial):
    """Base of the layers that add zeros."""

    padding: SidesSetting = axes_setting(1, convert=_sides, check=_no_negative_side)

    @property
    def sides(self) -> Sides:
        return (self.padding,) if self.rank == 1 else self.padding

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        return padded(shapes[0], self.sides)

    def build(self, *shapes: Shape) -> nn.Module:
        return zeros(self.sides)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def kept(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after a series.  (T, C) -> (before + T + after, C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class ZeroPadding2D(ZeroPadding):
    """Rows and columns of zeros around an image.  (H, W, C) -> (top + H + bottom, left + W + right, C)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class ZeroPadding3D(ZeroPadding):
    """Zeros around a volume.  (D, H, W, C) -> (D', H', W', C)."""

    rank = 3


@dataclass(frozen=True, eq=False)
class Cropping(Spatial):
    """Base of the layers that cut off ends."""

    cropping: SidesSetting = axes_setting(1, convert=_sides, check=_no_negative_side)

    @property
    def sides(self) -> Sides:
        return (self.cropping,) if self.rank == 1 else self.cropping

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        left = padded(shapes[0], tuple((-before, -after) for before, after in self.sides))
        if min(left) < 1:
            raise BadShape(f"{self.label}: cropping={self.cropping} leaves nothing of {shapes[0]}.")
        return left

    def build(self, *shapes: Shape) -> nn.Module:
        return Crop(self.sides)

    def flops(self, *shapes: Shape) -> int:
        return 0

    def kept(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class Cropping1D(Cropping):
    """Cuts off the ends of a series.  (T, C) -> (T - before - after, C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class Cropping2D(Cropping):
    """Cuts off the borders of an image.  (H, W, C) -> (H - top - bottom, W - left - right, C)."""

    cropping: SidesSetting = axes_setting(0, convert=_sides, check=_no_negative_side)

    rank = 2


@dataclass(frozen=True, eq=False)
class Cropping3D(Cropping):
    """Cuts off the borders of a volume.  (D, H, W, C) -> (D', H', W', C)."""

    rank = 3


class Crop(nn.Module):
    """Without so many values before and after each axis of a channels-first tensor."""

    def __init__(self, sides: Sides) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        # Slices would be views, but their gradients a tensor of zeros for each axis.
        return F.pad(x, [-number for number in for_torch(self.sides)])
