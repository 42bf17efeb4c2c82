"""Pooling: the largest or the mean value of each window, or of the whole series, image or volume."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .layer import Setting, Shape, chain, one_of, positive, setting
from .spatial import Sides, SizesSetting, Spatial, Window, axes_setting, for_torch, padded, sizes, zeros

Modules = dict[int, Callable[..., nn.Module]]
MAXIMA: Modules = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
MEANS: Modules = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
CONSTANTS: Modules = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}
WHOLE_MAXIMA: Modules = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}
WHOLE_MEANS: Modules = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


@dataclass(frozen=True, eq=False)
class Pooling(Spatial):
    """Base of the pooling layers.  `strides` None means `pool_size`."""

    pool_size: SizesSetting = axes_setting(2)
    strides: Setting[int | Sequence[int] | None, tuple[int, ...] | None] = axes_setting(
        None,
        convert=lambda value, rank: None if value is None else sizes(value, rank),
        check=lambda value: positive(value or 1),
    )
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))

    @property
    def window(self) -> Window:
        return Window(self.pool_size, self.strides or self.pool_size, (1,) * self.rank, self.padding)

    def out_shape(self, *shapes: Shape) -> Shape:
        return (*self.window.places(self, shapes[0]), shapes[0][-1])

    def build(self, *shapes: Shape) -> nn.Module:
        sides = self.window.pads(shapes[0])
        return self.pool(shapes[0], self.window, sides if any(map(any, sides)) else None)

    def kept(self, *shapes: Shape) -> int:
        sides = self.window.pads(shapes[0])
        return math.prod(self.out_shape(*shapes)) + (math.prod(padded(shapes[0], sides)) if any(map(any, sides)) else 0)

    @abstractmethod
    def pool(self, shape: Shape, window: Window, sides: Sides | None) -> nn.Module:
        """The module for an input (..., C) that is padded by `sides` first."""

    def flops(self, *shapes: Shape) -> int:
        return math.prod(self.pool_size) * math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class MaxPooling(Pooling):
    """Base of the layers that take the largest value in each window."""

    def pool(self, shape: Shape, window: Window, sides: Sides | None) -> nn.Module:
        return chain(
            pad=CONSTANTS[self.rank](for_torch(sides), -math.inf) if sides else None,
            main=MAXIMA[self.rank](window.size, window.strides),
        )

    def kept(self, *shapes: Shape) -> int:
        # With the places of the largest values, 8 bytes each.
        return super().kept(*shapes) + 2 * math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class MaxPooling1D(MaxPooling):
    """The largest value in each window.  (T, C) -> (T', C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class MaxPooling2D(MaxPooling):
    """The largest value in each window.  (H, W, C) -> (H', W', C)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class MaxPooling3D(MaxPooling):
    """The largest value in each window.  (D, H, W, C) -> (D', H', W', C)."""

    rank = 3


@dataclass(frozen=True, eq=False)
class AveragePooling(Pooling):
    """Base of the layers that take the mean value in each window; padding does not count."""

    def pool(self, shape: Shape, window: Window, sides: Sides | None) -> nn.Module:
        main = MEANS[self.rank](window.size, window.strides)
        if sides is None:
            return main
        pad = zeros(sides)
        ones = torch.ones(1, 1, *shape[:-1], dtype=torch.float32)
        inside = main(pad(ones))  # the share of each window that is not padding
        return chain(pad=pad, main=main, scale=Scale(1 / inside))


@dataclass(frozen=True, eq=False)
class AveragePooling1D(AveragePooling):
    """The mean value in each window; padding does not count.  (T, C) -> (T', C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class AveragePooling2D(AveragePooling):
    """The mean value in each window; padding does not count.  (H, W, C) -> (H', W', C)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class AveragePooling3D(AveragePooling):
    """The mean value in each window; padding does not count.  (D, H, W, C) -> (D', H', W', C)."""

    rank = 3


class Scale(nn.Module):
    """x times a constant that follows from the layer, hence is not part of the weights."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@dataclass(frozen=True, eq=False)
class GlobalPooling(Spatial):
    """Base of the global pooling layers."""

    keepdims: bool = setting(False, convert=bool)

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        return (*(1,) * (self.rank if self.keepdims else 0), shapes[0][-1])

    def build(self, *shapes: Shape) -> nn.Module:
        return chain(main=self.modules[self.rank](1), flatten=None if self.keepdims else nn.Flatten())

    @property
    @abstractmethod
    def modules(self) -> Modules:
        """Of each rank the torch module that pools down to a side of 1."""

    def flops(self, *shapes: Shape) -> int:
        return math.prod(shapes[0])


@dataclass(frozen=True, eq=False)
class GlobalAveragePooling(GlobalPooling):
    """Base of the layers that take the mean."""

    modules = WHOLE_MEANS


@dataclass(frozen=True, eq=False)
class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean over the series.  (T, C) -> (C,), or (1, C) with `keepdims`."""

    rank = 1


@dataclass(frozen=True, eq=False)
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean over the image.  (H, W, C) -> (C,), or (1, 1, C) with `keepdims`."""

    rank = 2


@dataclass(frozen=True, eq=False)
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean over the volume.  (D, H, W, C) -> (C,), or (1, 1, 1, C) with `keepdims`."""

    rank = 3


@dataclass(frozen=True, eq=False)
class GlobalMaxPooling(GlobalPooling):
    """Base of the layers that take the largest value."""

    modules = WHOLE_MAXIMA


@dataclass(frozen=True, eq=False)
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest value of the series.  (T, C) -> (C,), or (1, C) with `keepdims`."""

    rank = 1


@dataclass(frozen=True, eq=False)
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest value of the image.  (H, W, C) -> (C,), or (1, 1, C) with `keepdims`."""

    rank = 2


@dataclass(frozen=True, eq=False)
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest value of the volume.  (D, H, W, C) -> (C,), or (1, 1, 1, C) with `keepdims`."""

    rank = 3
