"""Pictures brighter, stronger, paler or of another colour at random, with Keras 3's names and settings."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .augment import (
    Augmenting,
    Draws,
    OptionalSpanSetting,
    RangeSetting,
    SeedSetting,
    Span,
    SpanSetting,
    each,
    from_zero,
    range_setting,
    seed_setting,
    span,
)
from .layer import REQUIRED, optional, setting

CONTRAST = span(0, 1, one=lambda value: (value, value))
SHARE = span(0, 1, one=from_zero)


def _saturation(value: object) -> Span:
    """Keras's own files say (-f, f) for one number f, which by its words is 0 to f."""
    low, high = span(-1, 1, one=from_zero)(value)
    return max(low, 0.0), high


def _clamp(x: Tensor, limits: Span) -> Tensor:
    return x.clamp_(*limits)


@dataclass(frozen=True, eq=False)
class RandomBrightness(Augmenting):
    """In training, adds a number to each picture.  (H, W, C) -> (H, W, C).

    Args:
        factor: how much, as a share of the range: between two numbers from -1 to 1; one stands for both signs.
        value_range: the smallest and the largest value that pictures can have; what goes beyond is cut off.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    factor: SpanSetting = setting(REQUIRED, convert=span(-1, 1))
    value_range: RangeSetting = range_setting()
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        low, high = self.value_range
        return _clamp(x + each(draws.uniform(*self.factor) * (high - low), x), self.value_range)


@dataclass(frozen=True, eq=False)
class RandomContrast(Augmenting):
    """In training, stretches each picture around the mean of each of its channels.  (H, W, C) -> (H, W, C).

    Args:
        factor: (lower, upper), each from 0 to 1: differences grow by a factor between 1 - lower and 1 + upper; one
            number stands for both.
        value_range: the smallest and the largest value that pictures can have; what goes beyond is cut off.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    factor: SpanSetting = setting(REQUIRED, convert=CONTRAST)
    value_range: RangeSetting = range_setting()
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        lower, upper = self.factor
        mean = x.mean((2, 3), keepdim=True)
        return _clamp((x - mean).mul_(each(draws.uniform(1 - lower, 1 + upper), x)).add_(mean), self.value_range)


@dataclass(frozen=True, eq=False)
class RandomSaturation(Augmenting):
    """In training, makes the colours of each picture paler or stronger.  (H, W, 3) -> (H, W, 3).

    Args:
        factor: between two numbers from 0, which is grey, over 0.5, which changes nothing, to 1; one stands for 0 and
            itself.  The saturation is multiplied by factor / (1 - factor).
        value_range: the smallest and the largest value that pictures can have.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    channels = (3,)

    factor: SpanSetting = setting(REQUIRED, convert=_saturation)
    value_range: RangeSetting = range_setting()
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        factor = draws.uniform(*self.factor)
        return saturated(x, factor / (1 - factor + 1e-7), self.value_range[0])


def saturated(x: Tensor, factor: Tensor, black: float) -> Tensor:
    """Pictures whose saturation is multiplied by a factor (n,), up to the strongest; hue and value stay.

    In HSV each channel is value - value * saturation * (0 ... 1), so the distances to the largest channel grow with
    the saturation, and no channel goes below black.
    """
    value, least = (one.unsqueeze(1) for one in limits_of(x))
    most = (value - black) / (value - least).clamp_(min=1e-12)
    return value - (value - x).mul_(torch.minimum(each(factor, x), most))


def limits_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest and the smallest of three channels, each (n, H, W); `amax` along so short an axis is slower."""
    red, green, blue = x.unbind(1)
    return torch.maximum(torch.maximum(red, green), blue), torch.minimum(torch.minimum(red, green), blue)


@dataclass(frozen=True, eq=False)
class RandomHue(Augmenting):
    """In training, turns the colours of each picture around the circle of colours.  (H, W, 3) -> (H, W, 3).

    Args:
        factor: between two numbers from 0 to 1, which is half a turn either way; one stands for 0 and itself.
        value_range: the smallest and the largest value that pictures can have.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    channels = (3,)

    factor: SpanSetting = setting(REQUIRED, convert=SHARE)
    value_range: RangeSetting = range_setting()
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        sign = 1 - 2 * draws.chance().float()
        return turned(x, sign * draws.uniform(*self.factor) * 0.5)


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Pictures whose hues are so many turns (n,) further; saturation and value stay."""
    red, green, blue = x.unbind(1)
    value, least = limits_of(x)
    spread = value - least
    width = spread.clamp(min=1e-12)
    # In sixths of the circle, as the colours follow one another on it.
    hue = torch.where(
        value == red,
        (green - blue) / width,
        torch.where(value == green, (blue - red) / width + 2, (red - green) / width + 4),
    )
    hue = hue + (6 * turns)[:, None, None].to(x.dtype)
    channels = []
    for place in (5, 3, 1):
        k = torch.remainder(hue + place, 6)
        channels.append(value - spread * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 1)


@dataclass(frozen=True, eq=False)
class RandomColorJitter(Augmenting):
    """In training, changes brightness, contrast, saturation and hue, in this order.  (H, W, 3) -> (H, W, 3).

    Args:
        value_range: the smallest and the largest value that pictures can have.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as of `RandomBrightness` and so on; None:
            that stays as it is.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    channels = (3,)

    value_range: RangeSetting = range_setting()
    brightness_factor: OptionalSpanSetting = setting(None, convert=optional(span(-1, 1)))
    contrast_factor: OptionalSpanSetting = setting(None, convert=optional(CONTRAST))
    saturation_factor: OptionalSpanSetting = setting(None, convert=optional(_saturation))
    hue_factor: OptionalSpanSetting = setting(None, convert=optional(SHARE))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        if self.brightness_factor is not None:
            x = RandomBrightness(self.brightness_factor, self.value_range).change(x, draws)
        if self.contrast_factor is not None:
            x = RandomContrast(self.contrast_factor, self.value_range).change(x, draws)
        if self.saturation_factor is not None:
            x = RandomSaturation(self.saturation_factor, self.value_range).change(x, draws)
        if self.hue_factor is not None:
            x = RandomHue(self.hue_factor, self.value_range).change(x, draws)
        return x
