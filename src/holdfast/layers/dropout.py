"""Dropout.  What is dropped follows from a seed that training sets before each step."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core import Share, derive
from .layer import REQUIRED, Layer, Shape, integer, optional, setting, share
from .spatial import Spatial

STEP = 0x9E3779B97F4A7C15  # from one state of SplitMix64 to the next


class RandomModule(nn.Module):
    """Base of modules that draw in training: `reseed` decides all that follows, on any device.

    Args:
        own: mixed into every seed; None leaves them as they are.

    Attributes:
        share: which samples of a larger batch come in, where several processes train: so they get the draws that they
            have in that.
    """

    share: Share | None = None

    def __init__(self, own: int | None = None) -> None:
        super().__init__()
        self.seed, self.own = 0, own
        self._generators: dict[torch.device, torch.Generator] = {}

    def reseed(self, seed: int) -> None:
        self.seed = seed if self.own is None else derive(self.own, seed)
        for generator in self._generators.values():
            generator.manual_seed(self.seed)

    def take(self, n: int) -> int:
        """The seed of the next `n` draws for the samples on the CPU, those of a later call being others."""
        if self.share is None:
            return self.pass_over(n)
        each = n // self.share.own  # as many have the samples before and behind these
        return (self.pass_over(each * self.share.whole) + each * self.share.first * STEP) % 2**64

    def pass_over(self, n: int = 1) -> int:
        """The seed of the next `n` draws, whomever they are for, those of a later call being others."""
        seed, self.seed = self.seed, (self.seed + n * STEP) % 2**64
        return seed

    def places(self, n: int) -> tuple[int, slice]:
        """For how many samples a GPU draws, and which of these draws are for the `n` that come in."""
        return (n, slice(None)) if self.share is None else (self.share.whole, self.share.places)

    def generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self._generators[device]


class DropoutModule(RandomModule):
    """In training, zeroes values with probability `rate` and scales the rest by 1 / (1 - rate).

    Args:
        rate: 0 <= rate < 1.
        shared_axes: axes of the channels-first tensor along which one draw serves all.
        own: see RandomModule.
    """

    def __init__(self, rate: float, shared_axes: tuple[int, ...] = (), *, own: int | None = None) -> None:
        super().__init__(own)
        self.rate, self.shared_axes = rate, shared_axes

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        sizes = [1 if axis in self.shared_axes else size for axis, size in enumerate(x.shape)]
        if x.device.type != "cpu":
            whole, own = self.places(sizes[0])
            kept = torch.empty((whole, *sizes[1:]), dtype=x.dtype, device=x.device)
            kept.bernoulli_(1 - self.rate, generator=self.generator(x.device)).div_(1 - self.rate)
            return x * kept[own]
        channels_last = [sizes[0], *sizes[2:], *sizes[1:2]]
        passes = draws(self.take(math.prod(sizes)), math.prod(sizes)) >= self.least
        passes = passes.view(channels_last).movedim(-1, min(1, x.dim() - 1))
        return (x * (passes.float() * self.scale)).to(x.dtype)

    @property
    def least(self) -> int:
        """What a draw must be at least for its value to stay."""
        return min(round(self.rate * 2**32), 2**32 - 1)

    @property
    def scale(self) -> float:
        return 1 / (1 - self.rate)


def draws(seed: int, n: int) -> Tensor:
    """Numbers in [0, 2**32), int64 (n,), each of which follows from the seed, in [0, 2**64), and its place alone.

    Source: SplitMix64 (Steele, Lea, Flood 2014), the upper half of each output.
    """
    start = seed - 2**64 if seed >= 2**63 else seed
    return mixed(torch.arange(1, n + 1, device="cpu") * (STEP - 2**64) + start) >> 32 & 2**32 - 1


def mixed(z: Tensor) -> Tensor:
    """The output of SplitMix64 for these states, int64 of any shape, which wraps around as it is meant to."""
    z = (z ^ (z >> 30 & 2**34 - 1)) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ (z >> 27 & 2**37 - 1)) * (0x94D049BB133111EB - 2**64)
    return z ^ (z >> 31 & 2**33 - 1)


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """In training, zeroes a share `rate` of the values and scales up the rest; otherwise hands its input on.

    Args:
        rate: 0 <= rate < 1.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    rate: float = setting(REQUIRED, convert=float, check=share)
    seed: int | None = setting(None, convert=optional(integer))

    def out_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return DropoutModule(self.rate, own=self.seed)

    def kept(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])  # with what it multiplied by


@dataclass(frozen=True, eq=False)
class SpatialDropout(Spatial, Dropout):
    """Base of the layers that drop whole channels."""

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_rank(shapes[0])
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return DropoutModule(self.rate, shared_axes=tuple(range(2, 2 + self.rank)), own=self.seed)

    def kept(self, *shapes: Shape) -> int:
        return math.prod(shapes[0]) + shapes[0][-1]


@dataclass(frozen=True, eq=False)
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of a series.  (T, C) -> (T, C)."""

    rank = 1


@dataclass(frozen=True, eq=False)
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels.  (H, W, C) -> (H, W, C)."""

    rank = 2


@dataclass(frozen=True, eq=False)
class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels of a volume.  (D, H, W, C) -> (D, H, W, C)."""

    rank = 3
