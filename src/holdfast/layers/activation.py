"""Layers that apply an activation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import BadShape
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
    Setting,
    Shape,
    Weight,
    axis_of,
    integer,
    not_negative,
    optional,
    setting,
)
from .regularizers import get_regularizer


@dataclass(frozen=True, eq=False)
class Activation(Layer):
    """An activation by name, on every value ("softmax": over the last axis)."""

    activation: ActivationSetting = setting(REQUIRED, convert=activation_name)

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return activation_module(self.activation) or nn.Identity()


@dataclass(frozen=True, eq=False)
class ReLU(Layer):
    """max_value where x >= max_value; x where x >= threshold; else negative_slope * (x - threshold)."""

    max_value: float | None = setting(None, convert=optional(float), check=not_negative)
    negative_slope: float = setting(0.0, convert=float, check=not_negative)
    threshold: float = setting(0.0, convert=float, check=not_negative)

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        if (self.max_value, self.threshold) == (None, 0.0):
            return nn.LeakyReLU(self.negative_slope) if self.negative_slope else nn.ReLU()
        if (self.max_value, self.negative_slope, self.threshold) == (6.0, 0.0, 0.0):
            return nn.ReLU6()
        return PiecewiseReLU(self.max_value, self.negative_slope, self.threshold)


class PiecewiseReLU(nn.Module):
    """Keras's general ReLU."""

    def __init__(self, max_value: float | None, negative_slope: float, threshold: float) -> None:
        super().__init__()
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def forward(self, x: Tensor) -> Tensor:
        below = self.negative_slope * (x - self.threshold)
        y = torch.where(x >= self.threshold, x, below)
        return y if self.max_value is None else y.clamp(max=self.max_value)


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """exp(x) / sum exp(x) over one axis, counted as in Keras with the batch axis as 0."""

    axis: int = setting(-1, convert=integer)

    def out_shape(self, *shapes: Shape) -> Shape:
        axis_of(self, self.axis, shapes[0])
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return nn.Softmax(dim=axis_of(self, self.axis, shapes[0]))


@dataclass(frozen=True, eq=False)
class LeakyReLU(Layer):
    """x where x >= 0, else negative_slope * x."""

    negative_slope: float = setting(0.3, convert=float, check=not_negative)

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return nn.LeakyReLU(self.negative_slope)


@dataclass(frozen=True, eq=False)
class ELU(Layer):
    """x where x >= 0, else alpha * (exp(x) - 1)."""

    alpha: float = setting(1.0, convert=float)

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return nn.ELU(self.alpha)


def _axes(value: object) -> tuple[int, ...]:
    return tuple(map(integer, value)) if isinstance(value, (list, tuple)) else (integer(value),)


@dataclass(frozen=True, eq=False)
class PReLU(Layer):
    """x where x >= 0, else alpha * x, with an alpha that is learned for each value.

    Args:
        shared_axes: axes along which one alpha serves all, counted as in Keras with the batch axis as 0: (1, 2) gives
            each channel of an image one alpha.
    """

    alpha_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    alpha_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    alpha_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    shared_axes: Setting[int | Sequence[int] | None, tuple[int, ...] | None] = setting(None, convert=optional(_axes))

    def out_shape(self, *shapes: Shape) -> Shape:
        for axis in self.shared_axes or ():
            if not 0 < axis <= len(shapes[0]):
                raise BadShape(
                    f"{self.label}: shared axis {axis} is not one of the axes 1 to {len(shapes[0])} of {shapes[0]}."
                )
        return shapes[0]

    def weights(self) -> tuple[Weight, ...]:
        alpha = self.alpha_initializer, self.alpha_regularizer, self.alpha_constraint
        return (Weight("alpha", "alpha", "", *alpha),)

    def build(self, *shapes: Shape) -> nn.Module:
        shared = self.shared_axes or ()
        return ParametricReLU(tuple(1 if axis in shared else side for axis, side in enumerate(shapes[0], start=1)))

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


class ParametricReLU(nn.Module):
    """x where x >= 0, else alpha * x; alpha has the shape of an input or 1 for its sides, channels last."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(shape, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        if self.alpha.numel() == self.alpha.shape[-1]:  # one a channel, or one in all: torch's own
            return F.prelu(x, self.alpha.flatten())
        return torch.where(x >= 0, x, self.alpha.movedim(-1, 0) * x)
