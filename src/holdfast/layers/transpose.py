"""Transposed convolutions: from few places to many, with Keras's rules for how many."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ..core import BadShape, BadValue
from .activations import activation_module, activation_name
from .constraints import get_constraint
from .conv import one_only
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ActivationSetting,
    ConstraintSetting,
    InitializerSetting,
    RegularizerSetting,
    Setting,
    Shape,
    Weight,
    blank,
    chain,
    integer,
    one_of,
    optional,
    positive,
    setting,
)
from .pad import Crop
from .regularizers import ActivityPenalty, get_regularizer
from .spatial import AXES, Sides, SizesSetting, Spatial, axes_setting, sizes

TRANSPOSES: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}


def cut_off(kernel: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """What Keras leaves out at both ends of the (size - 1) * stride + kernel places that kernels reach; < 0 adds zeros.

    Args:
        kernel: its reach, with dilation.
        extra: `output_padding`.

    Source: keras.src.backend.common.backend_utils, the arguments for JAX.
    """
    if padding == "valid":
        return 0, -(max(kernel, stride) - kernel if extra is None else extra)
    total = stride + kernel - 2 if extra is None else kernel + kernel % 2 - 2 + extra
    before = min(math.ceil(total / 2), kernel - 1)
    return kernel - 1 - before, kernel - 1 - (total - before)


@dataclass(frozen=True, eq=False)
class ConvTranspose(Spatial):
    """Base of the transposed convolutions."""

    filters: int = setting(REQUIRED, convert=integer, check=positive)
    kernel_size: SizesSetting = axes_setting(REQUIRED)
    strides: SizesSetting = axes_setting(1)
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))
    output_padding: Setting[int | Sequence[int] | None, tuple[int, ...] | None] = axes_setting(
        None,
        convert=lambda value, rank: None if value is None else sizes(value, rank),
        check=lambda value: None if min(value or (0,)) >= 0 else "must not be negative",
    )
    dilation_rate: SizesSetting = axes_setting(1)
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
        one_only(self, self.strides, self.dilation_rate)
        if any(extra >= stride for extra, stride in zip(self.output_padding or (), self.strides, strict=False)):
            raise BadValue(
                f"{self.label}: output_padding={self.output_padding} must be less than strides={self.strides}."
            )

    @property
    def reach(self) -> tuple[int, ...]:
        """How far a kernel reaches along each axis."""
        return tuple((size - 1) * rate + 1 for size, rate in zip(self.kernel_size, self.dilation_rate, strict=True))

    @property
    def cut(self) -> Sides:
        """What is left out before and after each axis."""
        extra = self.output_padding or (None,) * self.rank
        given = zip(self.reach, self.strides, extra, strict=True)
        return tuple(cut_off(kernel, stride, self.padding, one) for kernel, stride, one in given)

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        sides = tuple(
            (side - 1) * stride + kernel - sum(cut)
            for side, stride, kernel, cut in zip(shapes[0], self.strides, self.reach, self.cut, strict=False)
        )
        if min(sides) < 1:
            raise BadShape(f"{self.label}: of {shapes[0]} it makes sides {sides}; take a larger output_padding.")
        return (*sides, self.filters)

    def weights(self) -> tuple[Weight, ...]:
        axes = AXES[self.rank]
        of_kernel = self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        kernel = Weight("kernel", "weight", f"{axes}OI->IO{axes}", *of_kernel)
        return (kernel, Weight("bias", "bias", "", *of_bias)) if self.use_bias else (kernel,)

    def build(self, *shapes: Shape) -> nn.Module:
        # torch leaves out as much at both ends, or less at the end, but never more there.
        rest = tuple((0, max(after - before, 0)) for before, after in self.cut)
        conv = blank(
            TRANSPOSES[self.rank],
            shapes[0][-1],
            self.filters,
            self.kernel_size,
            stride=self.strides,
            padding=tuple(before for before, _ in self.cut),
            output_padding=tuple(max(before - after, 0) for before, after in self.cut),
            dilation=self.dilation_rate,
            bias=self.use_bias,
        )
        return chain(
            main=conv,
            crop=Crop(rest) if any(after for _, after in rest) else None,
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        multiplications = math.prod(shapes[0]) * math.prod(self.kernel_size) * self.filters
        return 2 * multiplications + self.use_bias * math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class Conv1DTranspose(ConvTranspose):
    """Each step of a series becomes a kernel; they add up.  (T, C) -> (T', filters)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class Conv2DTranspose(ConvTranspose):
    """Each pixel becomes a kernel; they add up.  (H, W, C) -> (H', W', filters)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class Conv3DTranspose(ConvTranspose):
    """Each cell of a volume becomes a kernel; they add up.  (D, H, W, C) -> (D', H', W', filters)."""

    rank = 3
