"""Pictures moved, turned, mirrored, zoomed, cut and covered at random, with Keras 3's names and settings."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .augment import (
    Augment,
    Augmenting,
    Draws,
    Interpolation,
    OptionalSpanSetting,
    RangeSetting,
    SeedSetting,
    SpanSetting,
    each,
    from_zero,
    range_setting,
    seed_setting,
    span,
)
from .layer import REQUIRED, Setting, Shape, integer, one_of, optional, positive, require_rank, setting
from .resize import Resizing

FillMode: TypeAlias = Literal["reflect", "wrap", "constant", "nearest"]
FILL_MODES = {"reflect": "reflection", "nearest": "border", "constant": "zeros", "wrap": "border"}  # torch's words
Fill: TypeAlias = tuple[FillMode, Interpolation, float]  # what is beyond the edge, between pixels; and the value
NEUTRAL: Fill = ("reflect", "bilinear", 0.0)  # of what fills nothing


@dataclass(frozen=True, eq=False)
class Affine(Augmenting):
    """Base of the layers that take each pixel of the new picture from a place that is a linear map of its own."""

    @property
    def filling(self) -> Fill | None:
        """What is beyond the edge and between pixels; None: neither matters, every pixel comes from a pixel."""
        return None

    @abstractmethod
    def matrix(self, draws: Draws, height: int, width: int) -> Tensor:
        """For each sample the map from new places to old ones, both (x, y, 1) in pixels from the middle, (n, 3, 3)."""

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        return warp(x, self.matrix(draws, *x.shape[2:]), *(self.filling or NEUTRAL))


def warp(
    x: Tensor,
    matrix: Tensor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    fill_value: float = 0.0,
) -> Tensor:
    """Pictures (n, C, H, W) whose pixels come from where the matrices (n, 3, 3) of `Affine.matrix` say."""
    height, width = x.shape[2:]
    grid = _grid(matrix.to(x.dtype), height, width)
    if fill_mode == "wrap":
        # One more pixel around, of the other side; then places are counted around.
        x = F.pad(x, (1, 1, 1, 1), mode="circular")
        grid = torch.remainder(grid + 1, 2) - 1
        grid[..., 0] *= width / (width + 2)
        grid[..., 1] *= height / (height + 2)
    if fill_value and fill_mode == "constant":
        x = x - fill_value
    found = F.grid_sample(x, grid, interpolation, FILL_MODES[fill_mode], align_corners=False)
    return found + fill_value if fill_value and fill_mode == "constant" else found


def _grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel comes from, (n, H, W, 2), as `grid_sample` counts; `affine_grid` is slower."""
    across = torch.arange(width, device=matrix.device, dtype=matrix.dtype) - (width - 1) / 2
    down = torch.arange(height, device=matrix.device, dtype=matrix.dtype) - (height - 1) / 2
    grid = matrix.new_empty(len(matrix), height, width, 2)
    for row, size in enumerate((width, height)):
        by_x, by_y, moved = (2 / size * matrix[:, row]).unbind(1)
        along, along_y = by_x[:, None] * across, by_y[:, None] * down + moved[:, None]
        torch.add(along[:, None, :], along_y[:, :, None], out=grid[..., row])
    return grid


def matrices(n: int, like: Tensor, entries: dict[tuple[int, int], Tensor]) -> Tensor:
    """Identities (n, 3, 3) with these entries, each (n,), in their places."""
    made = torch.eye(3, dtype=torch.float32, device=like.device).repeat(n, 1, 1)
    for (row, column), values in entries.items():
        made[:, row, column] = values
    return made


def translation(right: Tensor, down: Tensor) -> Tensor:
    """What moves pictures by so many pixels, (n,)."""
    return matrices(len(right), right, {(0, 2): -right, (1, 2): -down})


def rotation(turns: Tensor) -> Tensor:
    """What rotates pictures by so many turns, (n,), as Keras counts them."""
    angle = 2 * math.pi * turns
    cos, sin = angle.cos(), angle.sin()
    return matrices(len(turns), turns, {(0, 0): cos, (0, 1): -sin, (1, 0): sin, (1, 1): cos})


def shear(along_x: Tensor, along_y: Tensor) -> Tensor:
    """What shifts each row by `along_x` pixels for each row from the middle, and each column by `along_y`."""
    return matrices(len(along_x), along_x, {(0, 1): along_x, (1, 0): along_y})


@dataclass(frozen=True, eq=False)
class RandomFlip(Affine):
    """In training, mirrors every other picture.  (H, W, C) -> (H, W, C).

    Args:
        mode: "horizontal" swaps left and right, "vertical" top and bottom; "horizontal_and_vertical" does either,
            independently (Keras does both or none).
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = setting(
        "horizontal_and_vertical", check=one_of("horizontal", "vertical", "horizontal_and_vertical")
    )
    seed: SeedSetting = seed_setting()

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes of a channels-first batch along which is mirrored."""
        return {"horizontal": (3,), "vertical": (2,)}.get(self.mode, (3, 2))

    def matrix(self, draws: Draws, height: int, width: int) -> Tensor:
        signs = {(3 - axis, 3 - axis): 1 - 2 * draws.chance().float() for axis in self.axes}
        return matrices(len(draws), draws.keys, signs)

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        for axis in self.axes:
            x = torch.where(each(draws.chance(), x).bool(), x.flip(axis), x)
        return x


@dataclass(frozen=True, eq=False)
class Filling(Affine):
    """Base of those that reach beyond the edge and between pixels, and say what is there."""

    @property
    @abstractmethod
    def fill_mode(self) -> FillMode: ...
    @property
    @abstractmethod
    def interpolation(self) -> Interpolation: ...
    @property
    @abstractmethod
    def fill_value(self) -> float: ...

    @property
    def filling(self) -> Fill | None:
        return self.fill_mode, self.interpolation, self.fill_value


def _fill_mode() -> FillMode:
    made: FillMode = setting("reflect", check=one_of(*FILL_MODES))
    return made


def _interpolation() -> Interpolation:
    made: Interpolation = setting("bilinear", check=one_of("bilinear", "nearest"))
    return made


@dataclass(frozen=True, eq=False)
class RandomTranslation(Filling):
    """In training, moves pictures.  (H, W, C) -> (H, W, C).

    Args:
        height_factor: how far down, as a share of the height: between two numbers from -1 to 1; one stands for both
            signs.
        width_factor: how far to the right, as a share of the width, likewise.
        fill_mode: what comes in: "reflect" mirrors at the edge, d c b a | a b c d | d c b a; "nearest" repeats it;
            "wrap" is the other side; "constant" is `fill_value`.
        interpolation: "bilinear" or "nearest".
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    height_factor: SpanSetting = setting(REQUIRED, convert=span(-1, 1))
    width_factor: SpanSetting = setting(REQUIRED, convert=span(-1, 1))
    fill_mode: FillMode = _fill_mode()
    interpolation: Interpolation = _interpolation()
    seed: SeedSetting = seed_setting()
    fill_value: float = setting(0.0, convert=float)

    def matrix(self, draws: Draws, height: int, width: int) -> Tensor:
        down = draws.uniform(*self.height_factor) * height
        return translation(draws.uniform(*self.width_factor) * width, down)


@dataclass(frozen=True, eq=False)
class RandomRotation(Filling):
    """In training, turns pictures around their middle.  (H, W, C) -> (H, W, C).

    Args:
        factor: how far, in turns: between two numbers from -1 to 1; one stands for both signs.
        fill_mode, interpolation, fill_value: as of `RandomTranslation`.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    factor: SpanSetting = setting(REQUIRED, convert=span(-1, 1))
    fill_mode: FillMode = _fill_mode()
    interpolation: Interpolation = _interpolation()
    seed: SeedSetting = seed_setting()
    fill_value: float = setting(0.0, convert=float)

    def matrix(self, draws: Draws, height: int, width: int) -> Tensor:
        return rotation(draws.uniform(*self.factor))


@dataclass(frozen=True, eq=False)
class RandomZoom(Filling):
    """In training, makes what pictures show larger or smaller.  (H, W, C) -> (H, W, C).

    Args:
        height_factor: by how much smaller: between two numbers above -1 and up to 1; one stands for both signs.
            Negative ones make it larger.
        width_factor: the same across; None keeps proportions.
        fill_mode, interpolation, fill_value: as of `RandomTranslation`.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    height_factor: SpanSetting = setting(REQUIRED, convert=span(-1, 1), check=lambda value: _not_to_nothing(value))
    width_factor: OptionalSpanSetting = setting(
        None, convert=optional(span(-1, 1)), check=lambda value: _not_to_nothing(value)
    )
    fill_mode: FillMode = _fill_mode()
    interpolation: Interpolation = _interpolation()
    seed: SeedSetting = seed_setting()
    fill_value: float = setting(0.0, convert=float)

    def matrix(self, draws: Draws, height: int, width: int) -> Tensor:
        tall = 1 + draws.uniform(*self.height_factor)
        wide = tall if self.width_factor is None else 1 + draws.uniform(*self.width_factor)
        return matrices(len(draws), tall, {(0, 0): wide, (1, 1): tall})


def _not_to_nothing(value: tuple[float, float] | None) -> str | None:
    return "must be more than -1, which would leave nothing" if value and value[0] <= -1 else None


@dataclass(frozen=True, eq=False)
class RandomCrop(Augmenting):
    """In training, a window at random; otherwise the largest of its proportions, scaled to that size.

    (H, W, C) -> (height, width, C).

    Where the picture is not larger in both directions, training, too, takes the latter.

    Args:
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    height: Setting[int, int] = setting(REQUIRED, convert=integer, check=positive)
    width: Setting[int, int] = setting(REQUIRED, convert=integer, check=positive)
    seed: SeedSetting = seed_setting()

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], 3, form="(H, W, C)")
        return self.height, self.width, shapes[0][-1]

    def build(self, *shapes: Shape) -> nn.Module:
        scaled = Resizing(self.height, self.width, crop_to_aspect_ratio=True).build(*shapes)
        larger = shapes[0][0] > self.height and shapes[0][1] > self.width
        return Crop(self, scaled, own=self.seed) if larger else scaled

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        n, c, height, width = x.shape
        tops, lefts = draws.choice(height - self.height + 1), draws.choice(width - self.width + 1)
        pixels = x.movedim(1, -1).contiguous()
        count = (n * height - self.height + 1) * width - self.width + 1
        windows = pixels.as_strided((count, self.height, self.width * c), (c, width * c, 1))
        starts = (torch.arange(n, device=x.device) * height + tops) * width + lefts
        return windows.index_select(0, starts).view(n, self.height, self.width, c).movedim(-1, 1)


class Crop(Augment):
    """In training a window of each picture, otherwise what `scaled` makes of it."""

    def __init__(self, layer: RandomCrop, scaled: nn.Module, *, own: int | None) -> None:
        super().__init__(layer, own=own)
        self.scaled = scaled

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = super().forward(x) if self.training else self.scaled(x)
        return found


@dataclass(frozen=True, eq=False)
class RandomErasing(Augmenting):
    """In training, covers a rectangle of pictures.  (H, W, C) -> (H, W, C).

    Args:
        factor: the chance that a picture is covered, itself drawn between two numbers; one stands for 0 and itself.
        scale: limits of the shares whose roots are the sides of the rectangle, each drawn by itself.
        fill_value: a number, or one for each channel; None: normal noise times the largest value, cut off to the range.
        value_range: the smallest and the largest value that pictures can have.
        seed: mixed into the seed of the model, from which the draws of each step follow.

    Source: Zhong et al. 2017, Random Erasing Data Augmentation; the distributions are those of Keras.
    """

    factor: SpanSetting = setting(1.0, convert=span(0, 1, one=from_zero))
    scale: SpanSetting = setting((0.02, 0.33), convert=span(0, 1, one=from_zero))
    fill_value: float | tuple[float, ...] | None = setting(None, convert=lambda value: _fill(value))
    value_range: RangeSetting = range_setting()
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        sides = [draws.uniform(*self.scale).sqrt() for _ in range(2)]
        covered = box(draws, x, *sides) & each(draws.uniform() < draws.uniform(*self.factor), x).bool()
        low, high = self.value_range
        if self.fill_value is None:
            return torch.where(covered, (draws.noise(x.shape[1:]) * high).clamp_(low, high).to(x.dtype), x)
        values = self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,)
        # Filled on the device: a recorded step cannot copy from elsewhere.
        filling = torch.stack([x.new_full((), min(max(value, low), high)) for value in values])
        return torch.where(covered, filling.view(-1, 1, 1), x)


def _fill(value: object) -> float | tuple[float, ...] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return tuple(float(one) for one in value)
    return float(value)  # type: ignore[arg-type]  # what is no number raises


def box(draws: Draws, x: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """True in a rectangle somewhere in each picture (n, C, H, W) with these shares of its sides, (n, 1, H, W)."""
    inside = []
    for axis, share in ((2, height), (3, width)):
        size = x.shape[axis]
        start = draws.uniform() * (size - share * size)
        places = torch.arange(size, device=x.device)
        within = (places >= start[:, None]) & (places < (start + share * size)[:, None])
        inside.append(within.view(len(x), 1, *([size, 1] if axis == 2 else [1, size])))
    return inside[0] & inside[1]
