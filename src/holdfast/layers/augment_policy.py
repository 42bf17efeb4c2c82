"""Pictures that undergo operations drawn from a list: RandAugment as Keras has it, and TrivialAugment.

The operations work on values from 0 to 255, as those of Pillow, whose results they have.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from .augment import (
    Augmenting,
    Draws,
    Interpolation,
    RangeSetting,
    SeedSetting,
    Span,
    SpanSetting,
    each,
    from_zero,
    range_setting,
    seed_setting,
    span,
    where,
)
from .augment_shape import rotation, shear, translation, warp
from .layer import Setting, integer, one_of, positive, setting

Maps: TypeAlias = list[Tensor]  # each (n, 3, 3), as of `Affine.matrix`
Operations: TypeAlias = list[tuple[Callable[..., Tensor], tuple[Tensor, ...]]]  # and their settings, each (n,)

GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue
BINS = 31  # strengths of TrivialAugment
LONGEST = 32  # pixels of a translation in TrivialAugment, which its authors chose for pictures of 32 and of 224


def grey(x: Tensor) -> Tensor:
    """Brightness, (n, 1, H, W)."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    return (red * GREY[0] + green * GREY[1] + blue * GREY[2]).unsqueeze(1)


def _blend(other: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    """From another picture, at factor 0, over x, at 1, and beyond."""
    return torch.lerp(other.expand_as(x), x, each(factor, x)).clamp_(0, 255)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """x times the factor."""
    return (x * each(factor, x)).clamp_(0, 255)


def colour(x: Tensor, factor: Tensor) -> Tensor:
    """From grey, at factor 0, over x to stronger colours."""
    return x if x.shape[1] == 1 else _blend(grey(x), x, factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """From its mean brightness, at factor 0, over x to stronger contrasts."""
    return _blend(grey(x).mean((1, 2, 3), keepdim=True), x, factor)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """From smooth, at factor 0, over x to sharper; the outermost pixels stay."""
    smooth = x.clone()
    if min(x.shape[2:]) > 2:
        smooth[:, :, 1:-1, 1:-1] = F.conv2d(x, _smoothing(x), groups=x.shape[1])
    return _blend(smooth, x, factor)


def _smoothing(x: Tensor) -> Tensor:
    kernel = x.new_full((x.shape[1], 1, 3, 3), 1 / 13)
    kernel[:, :, 1, 1] = 5 / 13
    return kernel


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """The first bits of each value."""
    steps = each(2.0 ** (8 - bits), x)
    return (x.floor() / steps).floor() * steps


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """255 - x from the threshold on."""
    return torch.where(x < each(threshold, x), x, 255 - x)


def autocontrast(x: Tensor) -> Tensor:
    """Each channel stretched to reach from 0 to 255."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) * (255 / (high - low).clamp(min=1e-12)), x)


def equalize(x: Tensor) -> Tensor:
    """Each channel changed so that its values are spread evenly; as Pillow does it."""
    n, c, height, width = x.shape
    bytes_ = x.reshape(n * c, height * width).round().clamp_(0, 255).long()
    counts = torch.zeros(n * c, 256, dtype=torch.int64, device=x.device)
    counts.scatter_add_(1, bytes_, torch.ones_like(bytes_))
    last = counts.gather(1, 255 - counts.flip(1).gt(0).int().argmax(1, keepdim=True))
    step = (counts.sum(1, keepdim=True) - last) // 255
    table = (counts.cumsum(1) - counts + step // 2) // step.clamp(min=1)
    table = torch.where(step == 0, torch.arange(256, device=x.device), table.clamp_(0, 255))
    return table.gather(1, bytes_).view(x.shape).to(x.dtype)


@dataclass(frozen=True, eq=False)
class Policy(Augmenting):
    """Base of those that draw operations for each picture from a list, each being as likely."""

    channels = (1, 3)
    idle: ClassVar[int] = 0  # operations of the list that do nothing

    @property
    @abstractmethod
    def value_range(self) -> Any: ...  # Any: the type of a field
    @property
    @abstractmethod
    def interpolation(self) -> Interpolation: ...

    @abstractmethod
    def operations(self, draws: Draws, height: int, width: int) -> tuple[Maps, Operations]:
        """The list, with all settings drawn for each sample."""

    def once(self, x: Tensor, draws: Draws) -> Tensor:
        """Pictures from 0 to 255, each after one operation."""
        maps, others = self.operations(draws, *x.shape[2:])
        chosen = draws.choice(len(maps) + len(others) + self.idle)
        matrix = torch.stack(maps, 1)[torch.arange(len(x), device=x.device), chosen.clamp(max=len(maps) - 1)]
        x = where(chosen < len(maps), x, partial(warp, interpolation=self.interpolation), matrix)
        for number, (operation, settings) in enumerate(others, len(maps)):
            x = where(chosen == number, x, operation, *settings)
        return x


def _in_bytes(x: Tensor, limits: Span, change: Callable[[Tensor], Tensor]) -> Tensor:
    """What `change` makes of pictures within these limits, which it sees from 0 to 255."""
    low, high = limits
    if (low, high) == (0, 255):
        return change(x)
    return change((x - low) * (255 / (high - low))) * ((high - low) / 255) + low


@dataclass(frozen=True, eq=False)
class RandAugment(Policy):
    """In training, so many operations on each picture, of one strength.  (H, W, C) -> (H, W, C), C being 1 or 3.

    The operations and their strengths are Keras's: shear, translation, rotation, brightness, color degeneration,
    contrast, sharpness, posterization, solarization, auto-contrast, equalization.  Here each picture draws its own,
    where Keras draws one for the whole batch.

    Args:
        value_range: the smallest and the largest value that pictures can have.
        num_ops: operations on each picture.
        factor: the strength, between two numbers from 0 to 1; one stands for 0 and itself.
        interpolation: "bilinear" or "nearest".
        seed: mixed into the seed of the model, from which the draws of each step follow.

    Source: Cubuk et al. 2019, RandAugment: Practical automated data augmentation with a reduced search space.
    """

    value_range: RangeSetting = range_setting()
    num_ops: Setting[int, int] = setting(2, convert=integer, check=positive)
    factor: SpanSetting = setting(0.5, convert=span(0, 1, one=from_zero))
    interpolation: Interpolation = setting("bilinear", check=one_of("bilinear", "nearest"))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        def several(x: Tensor) -> Tensor:
            for _ in range(self.num_ops):
                x = self.once(x, draws)
            return x

        return _in_bytes(x, self.value_range, several)

    def operations(self, draws: Draws, height: int, width: int) -> tuple[Maps, Operations]:
        low, high = self.factor
        strength = [draws.uniform(low, high) for _ in range(8)]
        sign = 1 - 2 * draws.chance().float()
        maps = [
            _keras_shear(strength[0] * sign, strength[1] * sign, height, width),
            translation(strength[2] * width, strength[3] * height),
            rotation(strength[4]),
        ]
        added, threshold = draws.uniform(low, 255 * high), draws.uniform(low, 255 * high)
        return maps, [
            (_brighter, (strength[5],)),
            (colour, (1 - strength[6],)),
            (_channel_contrast, (draws.uniform(1 - low, 1 + high),)),
            (_keras_sharpness, (2 * strength[7],)),
            (posterize, (1 + draws.choice(max(1, int(8 * high) - 1)).float(),)),
            (_solarize_added, (added, threshold)),
            (autocontrast, ()),
            (equalize, ()),
        ]


def _keras_shear(along_x: Tensor, along_y: Tensor, height: int, width: int) -> Tensor:
    """Around the first pixel, not the middle."""
    made = shear(along_x, along_y)
    made[:, 0, 2], made[:, 1, 2] = along_x * (height - 1) / 2, along_y * (width - 1) / 2
    return made


def _brighter(x: Tensor, share: Tensor) -> Tensor:
    return (x + each(255 * share, x)).clamp_(0, 255)


def _channel_contrast(x: Tensor, factor: Tensor) -> Tensor:
    return _blend(x.mean((2, 3), keepdim=True), x, factor)


def _keras_sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """As `sharpness`, but beyond the edge is 0."""
    return _blend(F.conv2d(x, _smoothing(x), padding=1, groups=x.shape[1]), x, factor)


def _solarize_added(x: Tensor, added: Tensor, threshold: Tensor) -> Tensor:
    return solarize((x + each(added, x)).clamp_(0, 255), threshold)


@dataclass(frozen=True, eq=False)
class TrivialAugment(Policy):
    """In training, one operation of any strength on each picture.  (H, W, C) -> (H, W, C), C being 1 or 3.

    The operations of the "wide" list: none, shear and translation along x and y, rotation, brightness, color, contrast,
    sharpness, posterization, solarization, auto-contrast, equalization.  What comes in mirrors the edge, and
    translations go no further than half of a side.

    Args:
        value_range: the smallest and the largest value that pictures can have.
        interpolation: "bilinear" or "nearest".
        seed: mixed into the seed of the model, from which the draws of each step follow.

    Source: Mueller and Hutter 2021, TrivialAugment: Tuning-free yet state-of-the-art data augmentation.
    """

    idle = 1

    value_range: RangeSetting = range_setting()
    interpolation: Interpolation = setting("bilinear", check=one_of("bilinear", "nearest"))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        return _in_bytes(x, self.value_range, partial(self.once, draws=draws))

    def operations(self, draws: Draws, height: int, width: int) -> tuple[Maps, Operations]:
        strength = draws.choice(BINS).float() / (BINS - 1)
        signed = strength * (1 - 2 * draws.chance().float())
        none = torch.zeros_like(signed)
        factor = 1 + 0.99 * signed
        maps = [
            shear(0.99 * signed, none),
            shear(none, 0.99 * signed),
            translation(signed * min(LONGEST, width / 2), none),
            translation(none, signed * min(LONGEST, height / 2)),
            rotation(signed * 135 / 360),
        ]
        return maps, [
            (brightness, (factor,)),
            (colour, (factor,)),
            (contrast, (factor,)),
            (sharpness, (factor,)),
            (posterize, (8 - (6 * strength).round(),)),
            (solarize, (255 * (1 - strength),)),
            (autocontrast, ()),
            (equalize, ()),
        ]
