"""Layers that bring several inputs together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import BadShape
from .layer import REQUIRED, Layer, Setting, Shape, axis_of, integer, setting


@dataclass(frozen=True, eq=False)
class Merge(Layer):
    """Base of those that work value by value.  A side may be 1, and sides in front may lack, as in Keras."""

    inputs_accepted: ClassVar[tuple[int, int | None]] = (2, None)

    def out_shape(self, *shapes: Shape) -> Shape:
        try:
            return tuple(np.broadcast_shapes(*shapes))
        except ValueError:
            raise BadShape(
                f"{self.label}: takes inputs of one shape, in which sides may be 1, "
                f"got {' and '.join(map(str, shapes))}."
            ) from None

    def flops(self, *shapes: Shape) -> int:
        return (len(shapes) - 1) * math.prod(self.out_shape(*shapes))


class Fold(nn.Module):
    """An operation on the first and the second input, then on what came of it and the third, and so on.

    Args:
        operation: of two tensors.
        divisor: of what came of all.
    """

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor], divisor: int = 1) -> None:
        super().__init__()
        self.operation, self.divisor = operation, divisor

    def forward(self, *xs: Tensor) -> Tensor:
        rank = max(x.dim() for x in xs)
        y = reduce(self.operation, [widened(x, rank) for x in xs])
        return y if self.divisor == 1 else y / self.divisor


def widened(x: Tensor, rank: int) -> Tensor:
    """(N, C, w) -> (N, C, 1, w): sides of 1 behind the channels, which is before all else when channels are last."""
    return x.reshape(*x.shape[:2], *[1] * (rank - x.dim()), *x.shape[2:]) if x.dim() < rank else x


@dataclass(frozen=True, eq=False)
class Add(Merge):
    """The sum of its inputs."""

    def build(self, *shapes: Shape) -> nn.Module:
        return Sum() if len(set(shapes)) == 1 else Fold(torch.add)


class Sum(nn.Module):
    """x1 + x2 + ..., all of one shape."""

    def forward(self, *xs: Tensor) -> Tensor:
        total = xs[0] + xs[1]
        for x in xs[2:]:
            total = total + x
        return total


@dataclass(frozen=True, eq=False)
class Subtract(Merge):
    """The first input less the second."""

    inputs_accepted = (2, 2)

    def build(self, *shapes: Shape) -> nn.Module:
        return Fold(torch.sub)


@dataclass(frozen=True, eq=False)
class Multiply(Merge):
    """The product of its inputs."""

    def build(self, *shapes: Shape) -> nn.Module:
        return Fold(torch.mul)


@dataclass(frozen=True, eq=False)
class Average(Merge):
    """The mean of its inputs, value by value."""

    def build(self, *shapes: Shape) -> nn.Module:
        return Fold(torch.add, divisor=len(shapes))


@dataclass(frozen=True, eq=False)
class Maximum(Merge):
    """The largest of its inputs, value by value."""

    def build(self, *shapes: Shape) -> nn.Module:
        return Fold(torch.maximum)


@dataclass(frozen=True, eq=False)
class Minimum(Merge):
    """The smallest of its inputs, value by value."""

    def build(self, *shapes: Shape) -> nn.Module:
        return Fold(torch.minimum)


def _axes(value: object) -> int | tuple[int, int]:
    if not isinstance(value, (list, tuple)):
        return integer(value)
    if len(value) != 2:
        raise ValueError("must be one axis, or one for each of the two inputs")
    return integer(value[0]), integer(value[1])


@dataclass(frozen=True, eq=False)
class Dot(Layer):
    """The products of all vectors along `axes` of the first input with all those of the second.

    (a, K) and (b, K) with axes 2 give (a, b); (K,) and (K,) with axes 1 give (1,).

    Args:
        axes: one for both inputs, or one for each; counted as in Keras with the batch axis as 0.
        normalize: whether vectors are first brought to the length 1, which gives cosines.
    """

    axes: Setting[int | Sequence[int], int | tuple[int, int]] = setting(REQUIRED, convert=_axes)
    normalize: bool = setting(False, convert=bool)

    inputs_accepted = (2, 2)

    def places(self, *shapes: Shape) -> tuple[int, int]:
        """Which sides are summed over: places in the two shapes."""
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(axes, shapes, strict=True):
            axis_of(self, axis, shape)
        first, second = (axis - 1 if axis > 0 else axis + len(shape) for axis, shape in zip(axes, shapes, strict=True))
        return first, second

    def out_shape(self, *shapes: Shape) -> Shape:
        one, other = shapes
        first, second = self.places(one, other)
        if one[first] != other[second]:
            raise BadShape(f"{self.label}: vectors of {one[first]} and {other[second]} numbers, of {one} and {other}.")
        return (*one[:first], *one[first + 1 :], *other[:second], *other[second + 1 :]) or (1,)

    def build(self, *shapes: Shape) -> nn.Module:
        first, second = self.places(*shapes)
        return DotProduct(first + 1, second + 1, self.out_shape(*shapes), normalize=self.normalize)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(self.out_shape(*shapes)) * shapes[0][self.places(*shapes)[0]]


class DotProduct(nn.Module):
    """Sums products over one axis of each input; the axes, counted with the batch, are of channels-last ones."""

    def __init__(self, first: int, second: int, shape: Shape, *, normalize: bool) -> None:
        super().__init__()
        self.first, self.second, self.shape, self.normalize = first, second, shape, normalize

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = (one.movedim(1, -1) if one.dim() > 2 else one for one in (x, y))
        x, y = x.movedim(self.first, -1), y.movedim(self.second, -1)
        if self.normalize:
            x, y = F.normalize(x, dim=-1, eps=1e-7), F.normalize(y, dim=-1, eps=1e-7)
        size = x.shape[-1]
        z = x.reshape(x.shape[0], -1, size) @ y.reshape(y.shape[0], -1, size).mT
        z = z.reshape(x.shape[0], *self.shape)
        return z.movedim(-1, 1) if z.dim() > 2 else z


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

    def kept(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes))


class Join(nn.Module):
    """torch.cat along one axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *xs: Tensor) -> Tensor:
        return torch.cat(xs, self.dim)
