"""Series, images and volumes, each side so many times as long."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from .layer import Setting, Shape, integer, one_of, setting
from .spatial import Spatial, axes_setting, sizes

MODES = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}  # torch's words
TAPS = {"nearest": 0, "bilinear": 4, "bicubic": 16}  # values that one comes from


@dataclass(frozen=True, eq=False)
class UpSampling(Spatial):
    """Base of the layers that repeat values."""

    # Of a series one number, as Keras insists on in its files.
    size: Setting[int | Sequence[int], Any] = axes_setting(
        2, convert=lambda value, rank: integer(value) if rank == 1 else sizes(value, rank)
    )

    @property
    def mode(self) -> str:
        """One of MODES."""
        return "nearest"

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        *axes, channels = shapes[0]
        return (*(axis * times for axis, times in zip(axes, sizes(self.size, self.rank), strict=True)), channels)

    def build(self, *shapes: Shape) -> nn.Module:
        corners = None if self.mode == "nearest" else False
        return nn.Upsample(self.out_shape(*shapes)[:-1], mode=MODES[self.mode], align_corners=corners)

    def flops(self, *shapes: Shape) -> int:
        return 2 * TAPS[self.mode] * math.prod(self.out_shape(*shapes))

    def kept(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class UpSampling1D(UpSampling):
    """Each step `size` times.  (T, C) -> (T * size, C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class UpSampling2D(UpSampling):
    """The image that many times as high and as wide.  (H, W, C) -> (H * size[0], W * size[1], C).

    Args:
        interpolation: "nearest", which repeats rows and columns, "bilinear" or "bicubic".
    """

    interpolation: Literal["nearest", "bilinear", "bicubic"] = setting("nearest", check=one_of(*MODES))

    rank = 2

    @property
    def mode(self) -> str:
        return self.interpolation


@dataclass(frozen=True, eq=False)
class UpSampling3D(UpSampling):
    """Each cell that many times along each axis.  (D, H, W, C) -> (D * size[0], H * size[1], W * size[2], C)."""

    rank = 3
