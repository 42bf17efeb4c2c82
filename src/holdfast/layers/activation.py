"""Layers that apply an activation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .activations import activation_module, activation_name
from .layer import REQUIRED, ActivationSetting, Layer, Shape, axis_of, integer, optional, setting


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

    max_value: float | None = setting(None, convert=optional(float), check=lambda v: _not_negative(v))
    negative_slope: float = setting(0.0, convert=float, check=lambda v: _not_negative(v))
    threshold: float = setting(0.0, convert=float, check=lambda v: _not_negative(v))

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        if (self.max_value, self.threshold) == (None, 0.0):
            return nn.LeakyReLU(self.negative_slope) if self.negative_slope else nn.ReLU()
        if (self.max_value, self.negative_slope, self.threshold) == (6.0, 0.0, 0.0):
            return nn.ReLU6()
        return PiecewiseReLU(self.max_value, self.negative_slope, self.threshold)


def _not_negative(value: float | None) -> str | None:
    return None if value is None or value >= 0 else "must not be negative"


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
