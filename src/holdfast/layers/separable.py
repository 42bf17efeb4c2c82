"""Convolutions that keep channels apart, alone or with a mixing of the channels behind them."""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from .activations import activation_module, activation_name
from .constraints import get_constraint
from .conv import convolution, copied
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ActivationSetting,
    ConstraintSetting,
    InitializerSetting,
    RegularizerSetting,
    Shape,
    Weight,
    chain,
    integer,
    one_of,
    optional,
    positive,
    setting,
)
from .regularizers import ActivityPenalty, get_regularizer
from .spatial import AXES, SizesSetting, Spatial, Window, axes_setting


@dataclass(frozen=True, eq=False)
class DepthwiseConv(Spatial):
    """Base of the depthwise convolutions: `depth_multiplier` kernels for each channel, which they see alone."""

    kernel_size: SizesSetting = axes_setting(REQUIRED)
    strides: SizesSetting = axes_setting(1)
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))
    depth_multiplier: int = setting(1, convert=integer, check=positive)
    dilation_rate: SizesSetting = axes_setting(1)
    activation: ActivationSetting = setting("linear", convert=activation_name)
    use_bias: bool = setting(True, convert=bool)
    depthwise_initializer: InitializerSetting = setting("glorot_uniform", convert=get_initializer)
    bias_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    depthwise_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    bias_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    activity_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    depthwise_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    bias_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def out_shape(self, *shapes: Shape) -> Shape:
        return (*self.window.places(self, shapes[0]), shapes[0][-1] * self.depth_multiplier)

    def weights(self) -> tuple[Weight, ...]:
        axes = AXES[self.rank]
        of_kernel = self.depthwise_initializer, self.depthwise_regularizer, self.depthwise_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        kernel = Weight("kernel", "weight", f"{axes}IO->IO{axes}", *of_kernel, per_channel=self.depth_multiplier)
        return (kernel, Weight("bias", "bias", "", *of_bias)) if self.use_bias else (kernel,)

    def build(self, *shapes: Shape) -> nn.Module:
        channels = shapes[0][-1]
        filters = channels * self.depth_multiplier
        pad, conv = convolution(self.window, shapes[0], filters, groups=channels, bias=self.use_bias)
        return chain(
            pad=pad,
            main=conv,
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes)) * (2 * math.prod(self.kernel_size) + self.use_bias)

    def kept(self, *shapes: Shape) -> int:
        return copied(self.window, shapes[0]) + math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class DepthwiseConv1D(DepthwiseConv):
    """Slides kernels along each channel of a series.  (T, C) -> (T', C * depth_multiplier)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(DepthwiseConv):
    """Slides kernels over each channel of an image.  (H, W, C) -> (H', W', C * depth_multiplier)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class SeparableConv(Spatial):
    """Base of the separable convolutions: a depthwise one, whose channels one of 1 place then mixes."""

    filters: int = setting(REQUIRED, convert=integer, check=positive)
    kernel_size: SizesSetting = axes_setting(REQUIRED)
    strides: SizesSetting = axes_setting(1)
    padding: Literal["valid", "same"] = setting("valid", check=one_of("valid", "same"))
    dilation_rate: SizesSetting = axes_setting(1)
    depth_multiplier: int = setting(1, convert=integer, check=positive)
    activation: ActivationSetting = setting("linear", convert=activation_name)
    use_bias: bool = setting(True, convert=bool)
    depthwise_initializer: InitializerSetting = setting("glorot_uniform", convert=get_initializer)
    pointwise_initializer: InitializerSetting = setting("glorot_uniform", convert=get_initializer)
    bias_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    depthwise_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    pointwise_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    bias_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    activity_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    depthwise_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    pointwise_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    bias_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def between(self, shape: Shape) -> Shape:
        """The shape behind the depthwise convolution."""
        return (*self.window.places(self, shape), shape[-1] * self.depth_multiplier)

    def out_shape(self, *shapes: Shape) -> Shape:
        return (*self.between(shapes[0])[:-1], self.filters)

    def weights(self) -> tuple[Weight, ...]:
        axes = AXES[self.rank]
        of_depthwise = self.depthwise_initializer, self.depthwise_regularizer, self.depthwise_constraint
        of_pointwise = self.pointwise_initializer, self.pointwise_regularizer, self.pointwise_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        layout, multiplier = f"{axes}IO->IO{axes}", self.depth_multiplier
        kernels = (
            Weight("depthwise_kernel", "depthwise_kernel", layout, *of_depthwise, per_channel=multiplier),
            Weight("pointwise_kernel", "pointwise_kernel", f"{axes}IO->OI{axes}", *of_pointwise),
        )
        return (*kernels, Weight("bias", "bias", "", *of_bias)) if self.use_bias else kernels

    def build(self, *shapes: Shape) -> nn.Module:
        between, once = self.between(shapes[0]), (1,) * self.rank
        pad, depthwise = convolution(self.window, shapes[0], between[-1], groups=shapes[0][-1], bias=False)
        point = Window(once, once, once, "valid")
        _, pointwise = convolution(point, between, self.filters, groups=1, bias=self.use_bias)
        return chain(
            pad=pad,
            main=Separable(depthwise, pointwise),
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        between = self.between(shapes[0])
        mixing = math.prod(self.out_shape(*shapes)) * (2 * between[-1] + self.use_bias)
        return math.prod(between) * 2 * math.prod(self.kernel_size) + mixing

    def kept(self, *shapes: Shape) -> int:
        between = math.prod(self.between(shapes[0]))
        return copied(self.window, shapes[0]) + between + math.prod(self.out_shape(*shapes))


@dataclass(frozen=True, eq=False)
class SeparableConv1D(SeparableConv):
    """Slides kernels along each channel of a series, then mixes the channels.  (T, C) -> (T', filters)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class SeparableConv2D(SeparableConv):
    """Slides kernels over each channel of an image, then mixes the channels.  (H, W, C) -> (H', W', filters)."""

    rank = 2


class Separable(nn.Sequential):
    """A depthwise and a pointwise convolution, with their weights under one roof."""

    def __init__(self, depthwise: nn.Module, pointwise: nn.Module) -> None:
        super().__init__()
        self.depthwise, self.pointwise = depthwise, pointwise

    @property
    def depthwise_kernel(self) -> Tensor | nn.Module:
        return self.depthwise.weight

    @property
    def pointwise_kernel(self) -> Tensor | nn.Module:
        return self.pointwise.weight

    @property
    def bias(self) -> Tensor | nn.Module:
        return self.pointwise.bias
