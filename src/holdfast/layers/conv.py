"""Convolutions, zero padding, and the arithmetic of Keras's padding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from torch import nn

from ..core import BadShape, BadValue
from .activations import activation_module, activation_name
from .constraints import get_constraint
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ActivationSetting,
    ConstraintSetting,
    InitializerSetting,
    Layer,
    PairSetting,
    RegularizerSetting,
    Setting,
    Shape,
    Weight,
    blank,
    chain,
    integer,
    one_of,
    optional,
    pair,
    positive,
    require_rank,
    setting,
)
from .regularizers import ActivityPenalty, get_regularizer

Sides: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis for padding="same"; the odd one goes to the end, as in Keras.

    Example:
        >>> same_padding(28, kernel=3, stride=2)
        (0, 1)
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def windows(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """How many places a window takes along one axis; 0 or less when it does not fit."""
    if padding == "same":
        return math.ceil(size / stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def window_shape(
    layer: Layer,
    shape: Shape,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
) -> tuple[int, int]:
    """(H', W') of a layer that moves a window over (H, W, C).

    Raises:
        BadShape: the input has another rank, or the window does not fit into it.
    """
    require_rank(layer, shape, 3, form="(H, W, C)")
    height, width = (
        windows(size, k, s, d, padding) for size, k, s, d in zip(shape, kernel, strides, dilation, strict=False)
    )
    if height < 1 or width < 1:
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        raise BadShape(
            f"{layer.label}: a window of {reach} does not fit into {shape}; "
            'take padding="same", a smaller window or fewer layers before it.'
        )
    return height, width


def pads(shape: Shape, kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]) -> Sides:
    """Zeros around (H, W, C) for padding="same"."""
    rows, columns = (
        same_padding(size, k, s, d) for size, k, s, d in zip(shape, kernel, strides, dilation, strict=False)
    )
    return rows, columns


@dataclass(frozen=True, eq=False)
class Conv2D(Layer):
    """Slides `filters` kernels over an image.  (H, W, C) -> (H', W', filters)."""

    filters: int = setting(REQUIRED, convert=integer, check=positive)
    kernel_size: PairSetting = setting(REQUIRED, convert=pair, check=positive)
    strides: PairSetting = setting((1, 1), convert=pair, check=positive)
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))
    dilation_rate: PairSetting = setting((1, 1), convert=pair, check=positive)
    groups: int = setting(1, convert=integer, check=positive)
    activation: ActivationSetting = setting("linear", convert=activation_name)
    use_bias: bool = setting(True, convert=bool)
    kernel_initializer: InitializerSetting = setting("glorot_uniform", convert=get_initializer)
    bias_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    kernel_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    bias_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    activity_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    kernel_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    bias_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    def validate(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise BadValue(
                f"{self.label}: strides={self.strides} and dilation_rate={self.dilation_rate} cannot both exceed 1."
            )
        if self.filters % self.groups:
            raise BadValue(f"{self.label}: filters={self.filters} must be a multiple of groups={self.groups}.")

    def out_shape(self, *shapes: Shape) -> Shape:
        side = window_shape(self, shapes[0], self.kernel_size, self.strides, self.dilation_rate, self.padding)
        if shapes[0][-1] % self.groups:
            raise BadShape(
                f"{self.label}: the input's {shapes[0][-1]} channels are no multiple of groups={self.groups}."
            )
        return (*side, self.filters)

    def weights(self) -> tuple[Weight, ...]:
        of_kernel = self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        kernel, bias = Weight("kernel", "weight", "HWIO->OIHW", *of_kernel), Weight("bias", "bias", "", *of_bias)
        return (kernel, bias) if self.use_bias else (kernel,)

    def build(self, *shapes: Shape) -> nn.Module:
        rows, columns = (0, 0), (0, 0)
        if self.padding == "same":
            rows, columns = pads(shapes[0], self.kernel_size, self.strides, self.dilation_rate)
        # torch pads both ends alike; Keras's odd zero at the end needs a step of its own.
        even = rows[0] == rows[1] and columns[0] == columns[1]
        conv = blank(
            nn.Conv2d,
            shapes[0][-1],
            self.filters,
            self.kernel_size,
            stride=self.strides,
            padding=(rows[0], columns[0]) if even else 0,
            dilation=self.dilation_rate,
            groups=self.groups,
            bias=self.use_bias,
        )
        return chain(
            pad=None if even else nn.ZeroPad2d((*columns, *rows)),
            main=conv,
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        multiplications = math.prod(self.kernel_size) * shapes[0][-1] // self.groups
        return math.prod(self.out_shape(*shapes)) * (2 * multiplications + self.use_bias)


def _sides(value: Any) -> Sides:  # Any: whatever the user wrote
    """`1` -> `((1, 1), (1, 1))`; `(1, 2)` -> `((1, 1), (2, 2))`; `((1, 2), (3, 4))` as it is."""
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise ValueError("must be one number, two, or ((top, bottom), (left, right))")
        return pair(value[0]), pair(value[1])
    return pair(value), pair(value)


def _no_negative_side(value: Sides) -> str | None:
    return None if min(*value[0], *value[1]) >= 0 else "must not be negative"


@dataclass(frozen=True, eq=False)
class ZeroPadding2D(Layer):
    """Rows and columns of zeros around an image.  (H, W, C) -> (top + H + bottom, left + W + right, C)."""

    padding: Setting[int | Sequence[int | Sequence[int]], Sides] = setting(
        ((1, 1), (1, 1)), convert=_sides, check=_no_negative_side
    )

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 3, form="(H, W, C)")
        height, width, channels = shapes[0]
        return height + sum(self.padding[0]), width + sum(self.padding[1]), channels

    def build(self, *shapes: Shape) -> nn.Module:
        rows, columns = self.padding
        return nn.ZeroPad2d((*columns, *rows))

    def flops(self, *shapes: Shape) -> int:
        return 0
