"""The fully connected layer."""

import math
from dataclasses import dataclass

from torch import nn

from .activations import activation_module, activation_name
from .constraints import get_constraint
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ActivationSetting,
    ConstraintSetting,
    InitializerSetting,
    Layer,
    RegularizerSetting,
    Shape,
    Weight,
    blank,
    chain,
    integer,
    last,
    optional,
    positive,
    setting,
)
from .regularizers import ActivityPenalty, get_regularizer


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """activation(x @ kernel + bias) on the last axis.  (..., I) -> (..., units)."""

    units: int = setting(REQUIRED, convert=integer, check=positive)
    activation: ActivationSetting = setting("linear", convert=activation_name)
    use_bias: bool = setting(True, convert=bool)
    kernel_initializer: InitializerSetting = setting("glorot_uniform", convert=get_initializer)
    bias_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    kernel_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    bias_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    activity_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    kernel_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    bias_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    def out_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0][:-1], self.units)

    def weights(self) -> tuple[Weight, ...]:
        of_kernel = self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        of_bias = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        kernel, bias = Weight("kernel", "weight", "IO->OI", *of_kernel), Weight("bias", "bias", "", *of_bias)
        return (kernel, bias) if self.use_bias else (kernel,)

    def build(self, *shapes: Shape) -> nn.Module:
        linear = blank(nn.Linear, shapes[0][-1], self.units, bias=self.use_bias)
        return chain(
            **last(linear, shapes[0]),
            activation=activation_module(self.activation),
            penalty=ActivityPenalty.wanted(self.activity_regularizer),
        )

    def flops(self, *shapes: Shape) -> int:
        return math.prod(shapes[0][:-1]) * self.units * (2 * shapes[0][-1] + self.use_bias)
