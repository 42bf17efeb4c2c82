"""Pictures of another size: scaled or cut."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ..core import BadValue
from .layer import REQUIRED, ChannelsLast, Shape, chain, integer, one_of, positive, require_rank, setting
from .upsample import MODES, TAPS

Size = tuple[int, int]


def fitting(size: Size, target: Size, *, inside: bool) -> Size:
    """The largest size of the target's proportions that lies inside another, or the smallest that holds it.

    Example:
        >>> fitting((30, 40), (10, 10), inside=True), fitting((30, 40), (10, 10), inside=False)
        ((30, 30), (40, 40))
    """
    by_width, by_height = int(size[1] * target[0] / target[1]), int(size[0] * target[1] / target[0])
    if inside:
        return max(min(size[0], by_width), 1), max(min(size[1], by_height), 1)
    return max(size[0], by_width), max(size[1], by_height)


@dataclass(frozen=True, eq=False)
class Resizing(ChannelsLast):
    """The picture scaled to another size.  (H, W, C) -> (height, width, C).

    Args:
        interpolation: "bilinear", "nearest" or "bicubic".
        crop_to_aspect_ratio: whether it keeps its proportions and what does not fit is cut off at both ends.
        pad_to_aspect_ratio: whether it keeps its proportions and what lacks is filled at both ends with `fill_value`.
        antialias: whether to blur before making it smaller, which keeps lines from breaking up.
    """

    height: int = setting(REQUIRED, convert=integer, check=positive)
    width: int = setting(REQUIRED, convert=integer, check=positive)
    interpolation: Literal["bilinear", "nearest", "bicubic"] = setting("bilinear", check=one_of(*MODES))
    crop_to_aspect_ratio: bool = setting(False, convert=bool)
    pad_to_aspect_ratio: bool = setting(False, convert=bool)
    fill_mode: Literal["constant"] = setting("constant", check=one_of("constant"))
    fill_value: float = setting(0.0, convert=float)
    antialias: bool = setting(False, convert=bool)

    def validate(self) -> None:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise BadValue(f"{self.label}: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other.")

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 3, form="(H, W, C)")
        return self.height, self.width, shapes[0][-1]

    def build(self, *shapes: Shape) -> nn.Module:
        size, target = (shapes[0][0], shapes[0][1]), (self.height, self.width)
        scale = Scale(target, MODES[self.interpolation], antialias=self.antialias and self.interpolation != "nearest")
        if self.crop_to_aspect_ratio:
            return chain(cut=cut(size, fitting(size, target, inside=True)), main=scale)
        if not self.pad_to_aspect_ratio:
            return scale
        whole = fitting(size, target, inside=False)
        # As Keras does it: both ends alike; where an odd number of pixels lacks, the proportions are off by one.
        rows, columns = (whole[0] - size[0]) // 2, (whole[1] - size[1]) // 2
        return chain(pad=nn.ConstantPad2d((columns, columns, rows, rows), self.fill_value), main=scale)

    def flops(self, *shapes: Shape) -> int:
        return 2 * TAPS[self.interpolation] * self.height * self.width * shapes[0][-1]


@dataclass(frozen=True, eq=False)
class CenterCrop(ChannelsLast):
    """The middle of a picture; of one that is smaller, all that fits, scaled up.  (H, W, C) -> (height, width, C)."""

    height: int = setting(REQUIRED, convert=integer, check=positive)
    width: int = setting(REQUIRED, convert=integer, check=positive)

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 3, form="(H, W, C)")
        return self.height, self.width, shapes[0][-1]

    def build(self, *shapes: Shape) -> nn.Module:
        size, target = (shapes[0][0], shapes[0][1]), (self.height, self.width)
        if size[0] >= target[0] and size[1] >= target[1]:
            return cut(size, target)
        return Resizing(*target, crop_to_aspect_ratio=True).build(*shapes)

    def flops(self, *shapes: Shape) -> int:
        return 0


def cut(size: Size, target: Size) -> nn.Module:
    """The middle of this size; an odd pixel stays out at the end."""
    return Cut((size[0] - target[0]) // 2, (size[1] - target[1]) // 2, target)


class Cut(nn.Module):
    """Pixels from (top, left) on; a view."""

    def __init__(self, top: int, left: int, size: Size) -> None:
        super().__init__()
        self.top, self.left, self.size = top, left, size

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, self.top : self.top + self.size[0], self.left : self.left + self.size[1]]


class Scale(nn.Module):
    """torch's interpolation, half-pixel centres."""

    def __init__(self, size: Size, mode: str, *, antialias: bool) -> None:
        super().__init__()
        self.size, self.mode, self.antialias = size, mode, antialias

    def forward(self, x: Tensor) -> Tensor:
        corners = None if self.mode == "nearest-exact" else False
        return F.interpolate(x, self.size, mode=self.mode, align_corners=corners, antialias=self.antialias)
