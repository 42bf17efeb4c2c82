"""Series of which steps may be missing: what a mask in the last channel means, and normalization of each series alone.

A masked series is (T, C + 1): the last channel is above 0 where a step was measured.  A channel and not NaN, so that
every layer, format and file can hold it, and a net of plain layers, `Multiply` above all, can mind it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core import BadShape
from .layer import Layer, Shape, positive, require_rank, setting


def measured(layer: Layer, shape: Shape, *, masked: bool) -> int:
    """The channels of a series (T, C) that hold values.

    Raises:
        BadShape: a mask, and nothing besides.
    """
    if masked and shape[-1] < 2:
        raise BadShape(f"{layer.label}: with masked=True the last channel is the mask, {shape} has no other.")
    return shape[-1] - masked


def parted(x: Tensor, *, masked: bool) -> tuple[Tensor, Tensor]:
    """Values (N, C, T), 0 where none were measured, and which were, 0 or 1: (N, 1, T), or (1, 1, T) for all alike."""
    if not masked:
        return x, x.new_ones((1, 1, x.shape[-1]))
    present = x[:, -1:] > 0
    # Not a product: it would leave NaN where infinity stands.
    return torch.where(present, x[:, :-1], 0.0), present.to(x.dtype)


def centred(values: Tensor, present: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each channel (N, C, 1) and what is left without it, 0 where nothing was measured.

    Twice, as the first mean is off by its rounding, beside which a channel that is constant would seem to swing.
    """
    mean = values.sum(-1, keepdim=True) / count
    left = (values - mean) * present
    rest = left.sum(-1, keepdim=True) / count
    return mean + rest, (left - rest) * present


@dataclass(frozen=True, eq=False)
class SeriesNormalization(Layer):
    """(x - mean) / sqrt(variance + epsilon), of each channel of each series alone.  (T, C) -> (T, C).

    For series that come in levels and scales of their own.  Nothing is fitted; `Normalization` has one mean for all.

    Args:
        masked: the last channel says which steps were measured: only they count, the others become 0, and the mask
            is passed on as 0 and 1.
        epsilon: keeps a series without variance at 0.
    """

    masked: bool = setting(False, convert=bool)
    epsilon: float = setting(1e-6, convert=float, check=positive)

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 2, form="series (T, C)")
        measured(self, shapes[0], masked=self.masked)
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Standardised(self.masked, self.epsilon)

    def flops(self, *shapes: Shape) -> int:
        return 7 * math.prod(shapes[0])


class Standardised(nn.Module):
    """(N, C, T) with mean 0 and variance 1 over the steps."""

    def __init__(self, masked: bool, epsilon: float) -> None:
        super().__init__()
        self.masked, self.epsilon = masked, epsilon

    def forward(self, x: Tensor) -> Tensor:
        values, present = parted(x, masked=self.masked)
        count = present.sum(-1, keepdim=True).clamp(min=1)
        _, left = centred(values, present, count)
        found = left * (left.square().sum(-1, keepdim=True) / count + self.epsilon).rsqrt()
        return torch.cat([found, present], 1) if self.masked else found
