"""Layers that bring several inputs together."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core import BadShape
from .layer import Layer, Shape, axis_of, integer, setting


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """The sum of its inputs, which have the same shape."""

    inputs_accepted = (2, None)

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) > 1:
            raise BadShape(f"{self.label}: takes inputs of one shape, got {' and '.join(map(str, shapes))}.")
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Sum()


class Sum(nn.Module):
    """x1 + x2 + ..."""

    def forward(self, *xs: Tensor) -> Tensor:
        total = xs[0] + xs[1]
        for x in xs[2:]:
            total = total + x
        return total


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """Its inputs one after another along `axis` (the batch is 0, channels are -1)."""

    axis: int = setting(-1, convert=integer)

    inputs_accepted = (2, None)

    def out_shape(self, *shapes: Shape) -> Shape:
        axis_of(self, self.axis, shapes[0])
        place = self.axis - 1 if self.axis > 0 else self.axis + len(shapes[0])
        rest = {shape[:place] + shape[place + 1 :] for shape in shapes}
        if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
            raise BadShape(
                f"{self.label}: inputs may differ along axis {self.axis} only, got {' and '.join(map(str, shapes))}."
            )
        return (*shapes[0][:place], sum(shape[place] for shape in shapes), *shapes[0][place + 1 :])

    def build(self, *shapes: Shape) -> nn.Module:
        return Join(axis_of(self, self.axis, shapes[0]))

    def flops(self, *shapes: Shape) -> int:
        return 0


class Join(nn.Module):
    """torch.cat along one axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *xs: Tensor) -> Tensor:
        return torch.cat(xs, self.dim)
