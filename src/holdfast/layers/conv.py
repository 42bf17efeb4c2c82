"""Convolutions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
    RegularizerSetting,
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
from .regularizers import ActivityPenalty, get_regularizer
from .spatial import AXES, SizesSetting, Spatial, Window, axes_setting, padded, zeros

CONVS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@dataclass(frozen=True, eq=False)
class Conv(Spatial):
    """Base of the convolutions."""

    filters: int = setting(REQUIRED, convert=integer, check=positive)
    kernel_size: SizesSetting = axes_setting(REQUIRED)
    strides: SizesSetting = axes_setting(1)
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))
    dilation_rate: SizesSetting = axes_setting(1)
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
        one_only(self, self.strides, self.dilation_rate)
        if self.filters % self.groups:
            raise BadValue(f"{self.label}: filters={self.filters} must be a multiple of groups={self.groups}.")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def out_shape(self, *shapes: Shape) -> Shape:
        places = self.window.places(self, shapes[0])
        if shapes[0][-1] % self.groups:
            raise BadShape(
                f"{self.label}: the input's {shapes[0][-1]} channels are no multiple of groups={self.groups}."
            )
        return (*places, self.filters)

    def weights(self) -> tuple[Weight, ...]:
        axes = AXES[self.rank]
        of_kernel = self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        kernel = Weight("kernel", "weight", f"{axes}IO->OI{axes}", *of_kernel)
        return (kernel, Weight("bias", "bias", "", *of_bias)) if self.use_bias else (kernel,)

    def build(self, *shapes: Shape) -> nn.Module:
        pad, conv = convolution(self.window, shapes[0], self.filters, groups=self.groups, bias=self.use_bias)
        return chain(
            pad=pad,
            main=conv,
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        multiplications = math.prod(self.kernel_size) * shapes[0][-1] // self.groups
        return math.prod(self.out_shape(*shapes)) * (2 * multiplications + self.use_bias)

    def kept(self, *shapes: Shape) -> int:
        return copied(self.window, shapes[0]) + math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class Conv1D(Conv):
    """Slides `filters` kernels along a series.  (T, C) -> (T', filters).

    Args:
        padding: "valid", "same", or "causal": zeros at the beginning only, so that no place sees later ones.
    """

    padding: Literal["valid", "same", "causal"] = setting("valid", check=one_of("valid", "same", "causal"))  # type: ignore[assignment]  # one more word

    rank = 1


@dataclass(frozen=True, eq=False)
class Conv2D(Conv):
    """Slides `filters` kernels over an image.  (H, W, C) -> (H', W', filters)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class Conv3D(Conv):
    """Slides `filters` kernels through a volume.  (D, H, W, C) -> (D', H', W', filters)."""

    rank = 3


def one_only(layer: Spatial, strides: tuple[int, ...], dilation_rate: tuple[int, ...]) -> None:
    """Raises BadValue where there are both strides and dilation, as Keras does."""
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise BadValue(f"{layer.label}: strides={strides} and dilation_rate={dilation_rate} cannot both exceed 1.")


def convolution(
    window: Window, shape: Shape, filters: int, *, groups: int, bias: bool
) -> tuple[nn.Module | None, nn.Module]:
    """What pads an input (..., C) first, where torch's convolution cannot do so itself, and that convolution."""
    sides, even = window.pads(shape), not copied(window, shape)
    conv = blank(
        CONVS[len(sides)],
        shape[-1],
        filters,
        window.size,
        stride=window.strides,
        padding=tuple(before for before, _ in sides) if even else 0,
        dilation=window.dilation,
        groups=groups,
        bias=bias,
    )
    return None if even else zeros(sides), conv


def copied(window: Window, shape: Shape) -> int:
    """Numbers in the padded copy of an input (..., C) that torch's convolution needs; 0 where it pads by itself."""
    sides = window.pads(shape)
    # torch pads both ends alike; Keras's odd zero at the end needs a step of its own.
    return math.prod(padded(shape, sides)) if any(before != after for before, after in sides) else 0
