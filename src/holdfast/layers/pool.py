"""Pooling: the largest or the mean value of each window, or of the whole image."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from .conv import pads, window_shape
from .layer import (
    Layer,
    PairSetting,
    Setting,
    Shape,
    chain,
    one_of,
    optional,
    pair,
    positive,
    require_rank,
    setting,
)

Pad: TypeAlias = tuple[int, int, int, int]  # left, right, top, bottom, as torch counts


@dataclass(frozen=True, eq=False)
class Pooling2D(Layer):
    """Base of the pooling layers.  `strides` None means `pool_size`."""

    pool_size: PairSetting = setting((2, 2), convert=pair, check=positive)
    strides: Setting[int | Sequence[int] | None, tuple[int, int] | None] = setting(
        None, convert=optional(pair), check=lambda value: positive(value or 1)
    )
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))

    def out_shape(self, *shapes: Shape) -> Shape:
        side = window_shape(self, shapes[0], self.pool_size, self.steps, (1, 1), self.padding)
        return (*side, shapes[0][-1])

    @property
    def steps(self) -> tuple[int, int]:
        return self.strides or self.pool_size

    def build(self, *shapes: Shape) -> nn.Module:
        rows, columns = (0, 0), (0, 0)
        if self.padding == "same":
            rows, columns = pads(shapes[0], self.pool_size, self.steps, (1, 1))
        pad = (*columns, *rows)
        return self.pool(shapes[0], self.pool_size, self.steps, pad if any(pad) else None)

    @abstractmethod
    def pool(self, shape: Shape, size: tuple[int, int], strides: tuple[int, int], pad: Pad | None) -> nn.Module:
        """The module for an input (H, W, C) that is padded by (left, right, top, bottom) first."""

    def flops(self, *shapes: Shape) -> int:
        return math.prod(self.pool_size) * math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class MaxPooling2D(Pooling2D):
    """The largest value in each window.  (H, W, C) -> (H', W', C)."""

    def pool(self, shape: Shape, size: tuple[int, int], strides: tuple[int, int], pad: Pad | None) -> nn.Module:
        return chain(pad=nn.ConstantPad2d(pad, -math.inf) if pad else None, main=nn.MaxPool2d(size, strides))


@dataclass(frozen=True, eq=False)
class AveragePooling2D(Pooling2D):
    """The mean value in each window; padding does not count.  (H, W, C) -> (H', W', C)."""

    def pool(self, shape: Shape, size: tuple[int, int], strides: tuple[int, int], pad: Pad | None) -> nn.Module:
        main = nn.AvgPool2d(size, strides)
        if pad is None:
            return main
        zeros = nn.ZeroPad2d(pad)
        ones = torch.ones(1, 1, *shape[:2], dtype=torch.float32)
        inside = main(zeros(ones))  # the share of each window that is image
        return chain(pad=zeros, main=main, scale=Scale(1 / inside))


class Scale(nn.Module):
    """x times a constant that follows from the layer, hence is not part of the weights."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@dataclass(frozen=True, eq=False)
class GlobalPooling2D(Layer):
    """Base of the global pooling layers.  (H, W, C) -> (C,), or (1, 1, C) with `keepdims`."""

    keepdims: bool = setting(False, convert=bool)

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 3, form="(H, W, C)")
        return (1, 1, shapes[0][-1]) if self.keepdims else (shapes[0][-1],)

    def flops(self, *shapes: Shape) -> int:
        return math.prod(shapes[0])


@dataclass(frozen=True, eq=False)
class GlobalAveragePooling2D(GlobalPooling2D):
    """The mean over the image.  (H, W, C) -> (C,), or (1, 1, C) with `keepdims`."""

    def build(self, *shapes: Shape) -> nn.Module:
        return chain(main=nn.AdaptiveAvgPool2d(1), flatten=None if self.keepdims else nn.Flatten())


@dataclass(frozen=True, eq=False)
class GlobalMaxPooling2D(GlobalPooling2D):
    """The largest value of the image.  (H, W, C) -> (C,), or (1, 1, C) with `keepdims`."""

    def build(self, *shapes: Shape) -> nn.Module:
        return chain(main=nn.AdaptiveMaxPool2d(1), flatten=None if self.keepdims else nn.Flatten())
