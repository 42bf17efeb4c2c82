"""What layers along axes of time and space share: settings that have a number for each axis, windows, and padding."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field
from typing import Any, TypeAlias

from torch import nn

from ..core import BadShape
from .layer import ChannelsLast, Setting, Shape, integer, positive, require_rank

SizesSetting: TypeAlias = Setting[int | Sequence[int], tuple[int, ...]]
Sides: TypeAlias = tuple[tuple[int, int], ...]  # before and after each axis: (top, bottom), (left, right)

AXES = {1: "W", 2: "HW", 3: "DHW"}  # as layouts of weights name them
FORMS = {1: "(T, C)", 2: "(H, W, C)", 3: "(D, H, W, C)"}
ZEROS: dict[int, Callable[..., nn.Module]] = {1: nn.ZeroPad1d, 2: nn.ZeroPad2d, 3: nn.ZeroPad3d}


@dataclass(frozen=True, eq=False)
class Spatial(ChannelsLast):
    """Base of layers for series (T, C), images (H, W, C) and volumes (D, H, W, C)."""

    @property
    @abstractmethod
    def rank(self) -> int:
        """How many axes the layer works along: 1, 2 or 3."""

    def converted(self, item: "Field[Any]", value: Any) -> Any:  # Any: whatever the user wrote
        per_axis = item.metadata.get("per_axis")
        return per_axis(value, self.rank) if per_axis else super().converted(item, value)

    def require_rank(self, shape: Shape) -> None:
        """Raises BadShape unless `shape` has these axes, and channels."""
        require_rank(self, shape, self.rank + 1, form=FORMS[self.rank])


def sizes(value: object, rank: int) -> tuple[int, ...]:
    """A number for each axis: `3` -> `(3, 3)`; `[3, 5]` -> `(3, 5)`."""
    if isinstance(value, (list, tuple)):
        if len(value) != rank:
            raise ValueError("must be one number" + ("", " or two", " or three")[rank - 1])
        return tuple(map(integer, value))
    return (integer(value),) * rank


def axes_setting(
    default: Any,  # of the field's type, before or after conversion
    *,
    convert: Callable[[Any, int], object] = sizes,  # Any: whatever the user wrote
    check: Callable[[Any], str | None] = positive,  # Any: what `convert` returned
) -> Any:  # dataclasses.field pretends to be the default, too
    """As `setting`, for a field of a `Spatial` layer whose conversion takes the layer's rank, too."""
    return field(default=default, metadata={"per_axis": convert, "check": check})


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis for padding="same"; the odd one goes to the end, as in Keras.

    Example:
        >>> same_padding(28, kernel=3, stride=2)
        (0, 1)
    """
    total = max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def windows(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """How many places a window takes along one axis; 0 or less when it does not fit."""
    if padding != "valid":
        return math.ceil(size / stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1


@dataclass(frozen=True)
class Window:
    """What moves along the axes: how large it is, by which steps, with which gaps, and what is added at the ends.

    Attributes:
        padding: "valid" for nothing, "same" for both ends, "causal" for the beginning: no place sees later ones.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str

    def places(self, layer: Spatial, shape: Shape) -> tuple[int, ...]:
        """How many it takes along each axis.

        Raises:
            BadShape: the input has another rank, or the window does not fit into it.
        """
        layer.require_rank(shape)
        found = tuple(
            windows(side, size, stride, dilation, self.padding)
            for side, size, stride, dilation in zip(shape, self.size, self.strides, self.dilation, strict=False)
        )
        if min(found) < 1:
            reach = tuple((size - 1) * dilation + 1 for size, dilation in zip(self.size, self.dilation, strict=True))
            raise BadShape(
                f"{layer.label}: a window of {reach} does not fit into {shape}; "
                'take padding="same", a smaller window or fewer layers before it.'
            )
        return found

    def pads(self, shape: Shape) -> Sides:
        """What is added before and after each axis of an input (..., C)."""
        if self.padding == "valid":
            return ((0, 0),) * len(self.size)
        if self.padding == "causal":
            return tuple(((size - 1) * dilation, 0) for size, dilation in zip(self.size, self.dilation, strict=True))
        return tuple(
            same_padding(side, size, stride, dilation)
            for side, size, stride, dilation in zip(shape, self.size, self.strides, self.dilation, strict=False)
        )


def padded(shape: Shape, sides: Sides) -> Shape:
    """The shape of an input (..., C) with so much before and after each axis."""
    return (*(axis + before + after for axis, (before, after) in zip(shape, sides, strict=False)), shape[-1])


def for_torch(sides: Sides) -> tuple[int, ...]:
    """As torch's padding counts them, from the last axis on: left, right, top, bottom."""
    return tuple(number for side in reversed(sides) for number in side)


def zeros(sides: Sides) -> nn.Module:
    """Adds so many zeros before and after each axis."""
    return ZEROS[len(sides)](for_torch(sides))
