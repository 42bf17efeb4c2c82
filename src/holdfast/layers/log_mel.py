"""Sounds as pictures, as librosa draws them: the log-mel spectrogram, the front end of nets that listen."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..core import BadValue
from .layer import Shape, integer, not_negative, one_of, optional, positive, setting
from .spectrogram import Framed, Heard

FADES = {"hann": 0.5, "hamming": 0.54}
LINEAR_HZ, LINEAR_STEP = 1000.0, 200 / 3  # Slaney's scale is even in Hz up to the first, one mel in so many
LOG_STEP = math.log(6.4) / 27  # and even in the logarithm from there on


@dataclass(frozen=True, eq=False)
class LogMelSpectrogram(Framed):
    """How loud each pitch is at each moment, in decibels.  (samples,) -> (frames, num_mel_bins, 1), a picture.

    Args:
        fft_length: samples that each Fourier transform takes.
        sequence_stride: samples from one frame to the next; there are 1 + samples // sequence_stride of them, of an odd
            `fft_length` 1 + (samples - 1) // sequence_stride.
        sequence_length: samples that a frame looks at, the middle of those that are transformed; None: `fft_length`.
        window: how a frame fades in and out: "hann" or "hamming".
        sampling_rate: samples in a second.
        num_mel_bins: pitches, spread evenly over Slaney's mel scale between
        min_freq: this frequency in Hz, and
        max_freq: this; None: half the sampling rate.
        min_power: what is softer counts as this.
        top_db: nothing is more than so far below the loudest of its sound; None: there is no such floor.
        relative: whether decibels count from the loudest of each sound, so that how loud it was recorded is nothing to
            the net; else they are over a power of 1.

    Source: librosa 0.11, `power_to_db(feature.melspectrogram(y), ref=np.max if relative else 1)`.
    """

    fft_length: int = setting(512, convert=integer, check=positive)
    sequence_stride: int = setting(128, convert=integer, check=positive)
    sequence_length: int | None = setting(None, convert=optional(integer), check=positive)
    window: Literal["hann", "hamming"] = setting("hann", check=one_of(*FADES))
    sampling_rate: int = setting(16000, convert=integer, check=positive)
    num_mel_bins: int = setting(64, convert=integer, check=positive)
    min_freq: float = setting(0.0, convert=float, check=not_negative)
    max_freq: float | None = setting(None, convert=optional(float), check=positive)
    min_power: float = setting(1e-10, convert=float, check=positive)
    top_db: float | None = setting(80.0, convert=optional(float), check=not_negative)
    relative: bool = setting(False, convert=bool)

    def validate(self) -> None:
        super().validate()
        if not self.min_freq < self.highest <= self.sampling_rate / 2:
            raise BadValue(
                f"{self.label}: min_freq={self.min_freq:g} and max_freq={self.highest:g} must rise, up to half of "
                f"sampling_rate={self.sampling_rate}."
            )

    @property
    def highest(self) -> float:
        """The frequency in Hz up to which is listened."""
        return self.max_freq or self.sampling_rate / 2

    def out_shape(self, *shapes: Shape) -> Shape:
        return self.frames(shapes[0]), self.num_mel_bins, 1

    def build(self, *shapes: Shape) -> nn.Module:
        return LogMel(self)

    def kept(self, *shapes: Shape) -> int:
        return 0  # nothing before it learns


def slaney_matrix(mels: int, bins: int, rate: int, low: float, high: float) -> Tensor:
    """How much of each frequency each pitch hears, (bins, mels) float32: triangles of area 1 on Slaney's mel scale.

    Source: librosa.filters.mel(htk=False, norm="slaney"), in float64 as there.
    """
    edges = _hertz(torch.linspace(_mel(low), _mel(high), mels + 2, dtype=torch.float64))
    frequencies = torch.linspace(0.0, rate / 2, bins, dtype=torch.float64)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    heard = torch.minimum(rising, falling).clamp(min=0) * (2 / (right - left))
    return heard.float()


def _mel(hertz: float) -> float:
    if hertz < LINEAR_HZ:
        return hertz / LINEAR_STEP
    return LINEAR_HZ / LINEAR_STEP + math.log(hertz / LINEAR_HZ) / LOG_STEP


def _hertz(mels: Tensor) -> Tensor:
    bend = LINEAR_HZ / LINEAR_STEP
    return torch.where(mels < bend, mels * LINEAR_STEP, LINEAR_HZ * ((mels - bend) * LOG_STEP).exp())


def _fade(its: LogMelSpectrogram) -> Tensor:
    """The window, rounded once: what is next to a loud tone is soft, and hangs on its last digits."""
    phase = torch.arange(its.length, dtype=torch.float64) * (2 * math.pi / its.length)
    return (FADES[its.window] - (1 - FADES[its.window]) * phase.cos()).float()


class LogMel(Heard):
    """(N, samples) -> (N, 1, frames, mels)."""

    def __init__(self, settings: LogMelSpectrogram) -> None:
        its = settings
        mels = slaney_matrix(its.num_mel_bins, its.bins, its.sampling_rate, its.min_freq, its.highest)
        super().__init__(_fade(its), mels)
        self.settings = its

    def of(self, x: Tensor) -> Tensor:
        its = self.settings
        found = torch.stft(
            x,
            its.fft_length,
            its.sequence_stride,
            its.length,
            self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        powers = found.real.square() + found.imag.square()
        decibels = 10 * (powers.mT @ self.mels).clamp(min=its.min_power).log10()
        loudest = decibels.amax((1, 2), keepdim=True)
        if its.top_db is not None:
            decibels = decibels.maximum(loudest - its.top_db)
        if its.relative:
            decibels = decibels - loudest
        return decibels.unsqueeze(1)
