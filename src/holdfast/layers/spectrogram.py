"""Sounds as pictures: the mel spectrogram."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..core import BadShape, BadValue
from .layer import Layer, Shape, integer, not_negative, one_of, optional, positive, require_rank, setting

WINDOWS: dict[str, Callable[[int], Tensor]] = {
    "hann": lambda length: torch.hann_window(length, dtype=torch.float32),
    "hamming": lambda length: torch.hamming_window(length, dtype=torch.float32),
}


class Framed(Layer):
    """Base of layers that cut sounds (samples,) into frames and hear pitches in each, as these settings say."""

    fft_length: int
    sequence_stride: int
    sequence_length: int | None
    num_mel_bins: int

    def validate(self) -> None:
        if self.length > self.fft_length:
            raise BadValue(f"{self.label}: sequence_length={self.length} must not exceed fft_length={self.fft_length}.")

    @property
    def length(self) -> int:
        """Samples that a frame looks at."""
        return self.sequence_length or self.fft_length

    @property
    def bins(self) -> int:
        """Frequencies that a Fourier transform tells apart."""
        return self.fft_length // 2 + 1

    def frames(self, shape: Shape) -> int:
        """How many moments of a sound are looked at.  Raises BadShape for one that is too short."""
        require_rank(self, shape, 1, form="(samples,)")
        if shape[0] < self.bins:
            raise BadShape(
                f"{self.label}: {shape[0]} samples are too few for fft_length={self.fft_length}; "
                f"it takes at least {self.bins}."
            )
        return 1 + (shape[0] - self.fft_length % 2) // self.sequence_stride

    def flops(self, *shapes: Shape) -> int:
        transform = 5 * self.fft_length * math.ceil(math.log2(self.fft_length))
        return self.frames(shapes[0]) * (transform + 3 * self.bins + 2 * self.bins * self.num_mel_bins)


class Heard(nn.Module):
    """Base of their modules: a window, what each pitch hears, and float32 whatever the precision around them."""

    window: Tensor
    mels: Tensor

    def __init__(self, window: Tensor, mels: Tensor) -> None:
        super().__init__()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mels", mels, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return self.of(x)
        with torch.autocast(x.device.type, enabled=False):  # decibels want more digits than bfloat16 has
            return self.of(x.float())

    @abstractmethod
    def of(self, x: Tensor) -> Tensor:
        """The spectrogram, in x's precision."""


@dataclass(frozen=True, eq=False)
class MelSpectrogram(Framed):
    """How loud each pitch is at each moment.  (samples,) -> (num_mel_bins, frames).

    Args:
        fft_length: samples that each Fourier transform takes.
        sequence_stride: samples from one frame to the next; there are 1 + samples // sequence_stride of them, of an odd
            `fft_length` 1 + (samples - 1) // sequence_stride.
        sequence_length: samples that a frame looks at, the middle of those that are transformed; None: `fft_length`.
        window: how a frame fades in and out: "hann", "hamming" or None.
        sampling_rate: samples in a second.
        num_mel_bins: pitches, spread evenly over the mel scale between
        min_freq: this frequency in Hz, and
        max_freq: this; None: half the sampling rate.
        power_to_db: whether to give decibels over `ref_power`, of which at least `min_power` is taken, and nothing that
            is more than `top_db` below the loudest of its sound.
        mag_exp: of the magnitudes; 2 gives powers.
    """

    fft_length: int = setting(2048, convert=integer, check=positive)
    sequence_stride: int = setting(512, convert=integer, check=positive)
    sequence_length: int | None = setting(None, convert=optional(integer), check=positive)
    window: Literal["hann", "hamming"] | None = setting("hann", check=lambda value: value and one_of(*WINDOWS)(value))
    sampling_rate: int = setting(16000, convert=integer, check=positive)
    num_mel_bins: int = setting(128, convert=integer, check=positive)
    min_freq: float = setting(20.0, convert=float, check=not_negative)
    max_freq: float | None = setting(None, convert=optional(float), check=positive)
    power_to_db: bool = setting(True, convert=bool)
    top_db: float = setting(80.0, convert=float, check=not_negative)
    mag_exp: float = setting(2.0, convert=float, check=positive)
    min_power: float = setting(1e-10, convert=float, check=positive)
    ref_power: float = setting(1.0, convert=float)

    def out_shape(self, *shapes: Shape) -> Shape:
        return self.num_mel_bins, self.frames(shapes[0])

    def build(self, *shapes: Shape) -> nn.Module:
        window = WINDOWS[self.window](self.length) if self.window else torch.ones(self.length, dtype=torch.float32)
        mels = mel_matrix(
            self.num_mel_bins,
            self.bins,
            self.sampling_rate,
            self.min_freq,
            self.max_freq or self.sampling_rate // 2,
        )
        return Spectrogram(self, window, mels)


def mel_matrix(mels: int, bins: int, rate: int, low: float, high: float) -> Tensor:
    """How much of each frequency each pitch hears, (bins, mels): triangles of height 1 on the mel scale.

    Source: keras.layers.MelSpectrogram, which follows the Hidden Markov Model Toolkit; in float32 as there.
    """
    frequencies = _mel(torch.linspace(0.0, rate / 2, bins, dtype=torch.float32)[1:])[:, None]
    ends = _mel(torch.tensor([low, high], dtype=torch.float32))
    edges = torch.linspace(float(ends[0]), float(ends[1]), mels + 2, dtype=torch.float32)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    heard = torch.minimum(rising, falling).clamp(min=0)
    return torch.cat([torch.zeros(1, mels, dtype=torch.float32), heard])  # nobody hears what does not swing


def _mel(frequency: Tensor) -> Tensor:
    return 1127.0 * (1.0 + frequency / 700.0).log()


class Spectrogram(Heard):
    """(N, samples) -> (N, frames, mels), which is channels-first: frames are the last axis outside."""

    def __init__(self, settings: MelSpectrogram, window: Tensor, mels: Tensor) -> None:
        super().__init__(window, mels)
        self.settings = settings

    def of(self, x: Tensor) -> Tensor:
        its = self.settings
        found = torch.stft(
            x, its.fft_length, its.sequence_stride, its.length, self.window, center=True, return_complex=True
        )
        powers = found.real.square() + found.imag.square()
        magnitudes = powers if its.mag_exp == 2 else powers ** (its.mag_exp / 2)
        heard = magnitudes.mT @ self.mels
        if not its.power_to_db:
            return heard
        reference = 10 * math.log10(max(abs(its.ref_power), its.min_power))
        decibels = 10 * heard.clamp(min=its.min_power).log10() - reference
        # Of each sound alone: Keras takes the loudest of the batch, so that what it says of one hangs on the others.
        return decibels.maximum(decibels.amax((1, 2), keepdim=True) - its.top_db)
