"""Noise that is there in training only.  It follows from a seed that training sets before each step, as in dropout."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .dropout import RandomModule, draws
from .layer import REQUIRED, Layer, Shape, integer, optional, setting, share

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017


def _deviation(value: float) -> str | None:
    return None if 0 <= value <= 1 else "must be between 0 and 1"


def uniforms(module: RandomModule, x: Tensor) -> Tensor:
    """Numbers in (0, 1), of x's shape; on the CPU each follows from the seed and its place, channels last, alone."""
    if x.device.type != "cpu":
        whole, own = module.places(len(x))
        drawn = torch.rand((whole, *x.shape[1:]), device=x.device, generator=module.generator(x.device))
        return drawn[own].clamp(min=2.0**-33)
    channels_last = x.movedim(1, -1) if x.dim() > 2 else x
    found = (draws(module.take(x.numel()), x.numel()).double() + 0.5) * 2.0**-32
    found = found.view(channels_last.shape)
    return found.movedim(-1, 1) if x.dim() > 2 else found


def normals(module: RandomModule, x: Tensor) -> Tensor:
    """Numbers of the standard normal distribution, of x's shape and type; on the CPU as `uniforms` says."""
    if x.device.type != "cpu":
        whole, own = module.places(len(x))
        drawn = torch.randn((whole, *x.shape[1:]), device=x.device, generator=module.generator(x.device))
        return drawn[own].to(x.dtype)
    return (torch.erfinv(2 * uniforms(module, x) - 1) * math.sqrt(2)).to(x.dtype)


@dataclass(frozen=True, eq=False)
class GaussianNoise(Layer):
    """In training, x + noise of a normal distribution; otherwise hands its input on.

    Args:
        stddev: 0 <= stddev <= 1.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    stddev: float = setting(REQUIRED, convert=float, check=_deviation)
    seed: int | None = setting(None, convert=optional(integer))

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Noise(add=self.stddev, multiply=0.0, own=self.seed)


@dataclass(frozen=True, eq=False)
class GaussianDropout(Layer):
    """In training, x times normal noise around 1 that spreads as dropout does; otherwise hands its input on.

    Args:
        rate: 0 <= rate < 1; the noise has the standard deviation sqrt(rate / (1 - rate)).
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    rate: float = setting(REQUIRED, convert=float, check=share)
    seed: int | None = setting(None, convert=optional(integer))

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Noise(add=0.0, multiply=math.sqrt(self.rate / (1 - self.rate)), own=self.seed)

    def kept(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])  # with what it multiplied by


class Noise(RandomModule):
    """In training, x * (1 + multiply * z) + add * z with z of the standard normal distribution."""

    def __init__(self, *, add: float, multiply: float, own: int | None) -> None:
        super().__init__(own)
        self.add, self.multiply = add, multiply

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not (self.add or self.multiply):
            return x
        z = normals(self, x)
        return x + self.add * z if self.add else x * (1 + self.multiply * z)


@dataclass(frozen=True, eq=False)
class AlphaDropout(Layer):
    """Dropout behind selu: what is dropped becomes selu's least value, and mean and variance stay as they are.

    Args:
        rate: 0 <= rate < 1.
        seed: mixed into the seed of the model, from which the draws of each step follow.

    Source: Klambauer et al. 2017, Self-Normalizing Neural Networks.
    """

    rate: float = setting(REQUIRED, convert=float, check=share)
    seed: int | None = setting(None, convert=optional(integer))

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return AlphaDropoutModule(self.rate, own=self.seed)


class AlphaDropoutModule(RandomModule):
    """In training, a * (x where it stays, else the least value of selu) + b."""

    def __init__(self, rate: float, *, own: int | None) -> None:
        super().__init__(own)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        least = -SELU_SCALE * SELU_ALPHA
        a = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * least**2))
        stays = uniforms(self, x) >= self.rate
        return a * torch.where(stays, x, least) - a * least * self.rate
