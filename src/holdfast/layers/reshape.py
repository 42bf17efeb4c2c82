"""Layers that only arrange values anew.  They see channels-last tensors, so the order is Keras's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..core import BadShape
from .layer import (
    REQUIRED,
    ChannelsLast,
    Layer,
    Setting,
    Shape,
    ShapeSetting,
    ToFirst,
    ToLast,
    axis_of,
    chain,
    integer,
    positive,
    require_rank,
    setting,
)


@dataclass(frozen=True, eq=False)
class Flatten(ChannelsLast):
    """All values in one row, channels last.  (H, W, C) -> (H * W * C,)."""

    def out_shape(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def build(self, *shapes: Shape) -> nn.Module:
        return chain(to_last=ToLast() if len(shapes[0]) > 1 else None, main=nn.Flatten())

    def flops(self, *shapes: Shape) -> int:
        return 0


def _target(value: object) -> Shape:
    sides = tuple(integer(side) for side in value) if isinstance(value, (list, tuple)) else (integer(value),)
    if not sides or sides.count(-1) > 1 or any(side < 1 and side != -1 for side in sides):
        raise ValueError("sides must be positive; one of them may be -1")
    return sides


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """The same values in another shape; one side may be -1, which stands for what is left."""

    target_shape: ShapeSetting = setting(REQUIRED, convert=_target)

    def out_shape(self, *shapes: Shape) -> Shape:
        size, known = math.prod(shapes[0]), math.prod(side for side in self.target_shape if side != -1)
        if size % known or (-1 not in self.target_shape and size != known):
            raise BadShape(f"{self.label}: {size} values of {shapes[0]} do not fit into {self.target_shape}.")
        return tuple(size // known if side == -1 else side for side in self.target_shape)

    def build(self, *shapes: Shape) -> nn.Module:
        target = self.out_shape(*shapes)
        return chain(
            to_last=ToLast() if len(shapes[0]) > 1 else None,
            main=View(target),
            to_first=ToFirst() if len(target) > 1 else None,
        )

    def flops(self, *shapes: Shape) -> int:
        return 0


class View(nn.Module):
    """(N, ...) -> (N, *shape)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


def _order(value: object) -> tuple[int, ...]:
    dims = tuple(map(integer, value)) if isinstance(value, (list, tuple)) else (integer(value),)
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise ValueError("must have every axis from 1 on, once")
    return dims


@dataclass(frozen=True, eq=False)
class Permute(Layer):
    """The axes in another order: (2, 1) takes (T, C) to (C, T).

    Args:
        dims: which axis comes first, which second, ...; counted from 1, as the batch axis is 0.
    """

    dims: Setting[int | Sequence[int], tuple[int, ...]] = setting(REQUIRED, convert=_order)

    def out_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != len(self.dims):
            raise BadShape(f"{self.label}: dims={self.dims} orders {len(self.dims)} axes, got {shapes[0]}.")
        return tuple(shapes[0][dim - 1] for dim in self.dims)

    def build(self, *shapes: Shape) -> nn.Module:
        *others, channels = (axis_of(self, dim, shapes[0]) for dim in self.dims)
        return Transpose((0, channels, *others))

    def flops(self, *shapes: Shape) -> int:
        return 0


class Transpose(nn.Module):
    """The axes in another order; a view."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


@dataclass(frozen=True, eq=False)
class RepeatVector(Layer):
    """The same vector `n` times.  (C,) -> (n, C)."""

    n: int = setting(REQUIRED, convert=integer, check=positive)

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 1, form="(C,)")
        return (self.n, *shapes[0])

    def build(self, *shapes: Shape) -> nn.Module:
        return Repeat(self.n)

    def flops(self, *shapes: Shape) -> int:
        return 0


class Repeat(nn.Module):
    """(N, C) -> (N, C, n)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2).expand(-1, -1, self.n)
