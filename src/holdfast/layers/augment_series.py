"""Sounds, series and spectrograms shifted, made noisy, louder and masked at random."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .augment import Augmenting, Draws, SeedSetting, SpanSetting, each, seed_setting, span
from .layer import Setting, integer, not_negative, setting, share

WAVES = {1: "(samples,)", 2: "(T, C)"}
FORMS = {**WAVES, 3: "(H, W, C)", 4: "(D, H, W, C)"}
SPECTROGRAMS = {1: "(samples,)", 2: "(bands, frames)", 3: "(bands, frames, C)"}
LOUDEST_DB, FAINTEST_DB = 120.0, -120.0


def _spread(x: Tensor) -> Tensor:
    """The standard deviation of each sample, or of each of its channels if it has any, in a shape that goes with x."""
    return x.std(tuple(range(min(2, x.dim() - 1), x.dim())), keepdim=True, correction=0)


@dataclass(frozen=True, eq=False)
class RandomTimeShift(Augmenting):
    """In training, moves sounds (samples,) or series (T, C) in time; what comes in repeats the first or last value.

    Args:
        factor: how far later, as a share of the length: between two numbers from -1 to 1; one stands for both signs.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    forms = WAVES

    factor: SpanSetting = setting(0.1, convert=span(-1, 1))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        length = x.shape[-1]
        later = (draws.uniform(*self.factor) * length).round().long()
        places = (torch.arange(length, device=x.device) - later[:, None]).clamp_(0, length - 1)
        return x.gather(-1, places if x.dim() == 2 else places[:, None].expand_as(x))


@dataclass(frozen=True, eq=False)
class RandomNoise(Augmenting):
    """In training, adds normal noise to sounds (samples,) and anything else, so many decibels below the signal.

    The signal is the standard deviation of the sample, or of each of its channels: of series (T, C), for one.

    Args:
        snr_db: between two numbers in decibels: 20 is noise of a tenth of the signal, 0 as loud as it; one number is
            always taken.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    forms = FORMS

    snr_db: SpanSetting = setting((10.0, 40.0), convert=span(FAINTEST_DB, LOUDEST_DB, one=lambda value: (value, value)))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        amount = each(10 ** (-draws.uniform(*self.snr_db) / 20), x) * _spread(x)
        return x + amount * draws.noise(x.shape[1:]).to(x.dtype)


@dataclass(frozen=True, eq=False)
class RandomGain(Augmenting):
    """In training, multiplies sounds (samples,), series (T, C) and anything else by a number.

    Args:
        gain_db: between two numbers in decibels; one stands for both signs: 6 is from half to twice.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    forms = FORMS

    gain_db: SpanSetting = setting(6.0, convert=span(FAINTEST_DB, LOUDEST_DB))
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        return x * each(10 ** (draws.uniform(*self.gain_db) / 20), x)


@dataclass(frozen=True, eq=False)
class SpecAugment(Augmenting):
    """In training, masks bands of frequencies and stretches of time.  Spectrograms, or sounds (samples,).

    What is masked becomes the sample's mean.  Of a sound the frequencies between two limits are taken out of the whole
    of it, which is what a band of its spectrogram stands for.

    Args:
        frequency_masks: how many bands.
        frequency_width: the widest, as a share of all frequencies; each is between 0 and this wide.
        time_masks: how many stretches of time.
        time_width: the longest, as a share of the whole.
        frequency_axis: of spectrograms, counted as in Keras: 1 for (bands, frames), as of `MelSpectrogram`, or (bands,
            frames, C); 2 for (frames, bands) or (frames, bands, C).
        seed: mixed into the seed of the model, from which the draws of each step follow.

    Source: Park et al. 2019, SpecAugment: A simple data augmentation method for automatic speech recognition; without
    the warping of time, which they found to help least.
    """

    forms = SPECTROGRAMS

    frequency_masks: Setting[int, int] = setting(1, convert=integer, check=not_negative)
    frequency_width: Setting[float, float] = setting(0.25, convert=float, check=share)
    time_masks: Setting[int, int] = setting(1, convert=integer, check=not_negative)
    time_width: Setting[float, float] = setting(0.15, convert=float, check=share)
    frequency_axis: Setting[int, int] = setting(
        1, convert=integer, check=lambda value: None if value in (1, 2) else "must be 1 or 2"
    )
    seed: SeedSetting = seed_setting()

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        mean = x.flatten(1).mean(1).view(-1, *[1] * (x.dim() - 1))
        if x.dim() == 2:
            spectrum = torch.fft.rfft(x - mean)
            heard = masks(draws, spectrum.shape[1], self.frequency_masks, self.frequency_width)
            sound = torch.fft.irfft(spectrum * ~heard, x.shape[1]) + mean
            return torch.where(masks(draws, x.shape[1], self.time_masks, self.time_width), mean, sound)
        # Channels first: of (bands, frames) bands are the last axis, of (bands, frames, C) they are the second.
        places = {1: x.dim() - 1, 2: 1} if x.dim() == 3 else {1: 2, 2: 3}
        for axis, count, width in (
            (places[self.frequency_axis], self.frequency_masks, self.frequency_width),
            (places[3 - self.frequency_axis], self.time_masks, self.time_width),
        ):
            covered = masks(draws, x.shape[axis], count, width)
            x = torch.where(covered.view(len(x), *[-1 if place == axis else 1 for place in range(1, x.dim())]), mean, x)
        return x


def masks(draws: Draws, size: int, count: int, width: float) -> Tensor:
    """True in so many stretches of an axis, each up to a share of it wide, (n, size)."""
    places = torch.arange(size, device=draws.keys.device)
    covered = torch.zeros(len(draws), size, dtype=torch.bool, device=draws.keys.device)
    for _ in range(count):
        wide = (draws.uniform(0, width) * size).round()
        start = (draws.uniform() * (size - wide + 1)).floor()
        covered |= (places >= start[:, None]) & (places < (start + wide)[:, None])
    return covered
