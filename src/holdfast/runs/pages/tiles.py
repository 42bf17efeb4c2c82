"""How one sample is drawn, whatever its kind: as pictures, as lines, or as both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Sample = NDArray[Any]  # Any: uint8 or float32
WIDTH, HEIGHT = 120, 48  # of the box that lines are drawn in
POINTS = 160  # of a line
CHANNELS = 6  # of a series that are drawn
WINDOW, FRAMES, FLOOR_DB = 256, 120, 80.0  # of a spectrogram: samples, columns, and how far below the loudest is black


@dataclass(frozen=True)
class Tile:
    """A drawn sample.

    Attributes:
        pictures: (H, W) or (H, W, C), side by side.
        lines: points of polylines in a box of 120 x 48.
        area: the points of a filled shape in such a box.
    """

    pictures: tuple[Sample, ...] = ()
    lines: tuple[str, ...] = ()
    area: str = ""


def tile(sample: Sample, kind: str) -> Tile | None:
    """The drawing of a sample of this kind of data, see `Dataset.kind`; None for what cannot be drawn."""
    if kind == "sounds":
        wave = sample.reshape(len(sample), -1).mean(1)
        return Tile((spectrogram(wave),), area=envelope(wave))
    if kind == "series":
        return Tile(lines=curves(sample.reshape(len(sample), -1)))
    if kind == "volumes" or sample.ndim == 4:
        return Tile(middle_slices(sample))
    if sample.ndim == 3 and sample.shape[-1] in (1, 3):
        return Tile((sample,))
    return None


def envelope(wave: Sample) -> str:
    """The outline of a wave: above the loudest, below the lowest value of each stretch."""
    pieces = np.array_split(wave.astype(np.float64), min(POINTS, len(wave)))
    peak = max(1e-9, float(np.abs(wave).max()))
    upper, lower = ([pick(piece) / peak for piece in pieces] for pick in (np.max, np.min))
    across = np.linspace(0, WIDTH, len(pieces))
    outline = [*zip(across, upper, strict=True), *zip(across[::-1], lower[::-1], strict=True)]
    return " ".join(f"{x:.1f},{(1 - y) * HEIGHT / 2:.1f}" for x, y in outline)


def spectrogram(wave: Sample) -> NDArray[np.uint8]:
    """(129, frames) in levels of grey, high notes above; the loudest is white, what is 80 dB below it black."""
    signal = torch.from_numpy(np.ascontiguousarray(wave, np.float32))
    signal = torch.nn.functional.pad(signal, (0, max(0, WINDOW - len(signal))))
    hop = max(1, (len(signal) - WINDOW) // FRAMES)
    waves = torch.stft(signal, WINDOW, hop, window=torch.hann_window(WINDOW), center=False, return_complex=True).abs()
    loud = 20 * torch.log10(waves.clamp_min(1e-10))
    levels = ((loud - loud.max() + FLOOR_DB) / FLOOR_DB).clamp(0, 1)
    return (255 * levels.flip(0)).to(torch.uint8).numpy()


def curves(values: Sample) -> tuple[str, ...]:
    """A line for each of the first channels (T, C), all on one scale; stretches of NaN are left out."""
    step = max(1, len(values) // POINTS)
    shown = values[::step, :CHANNELS].astype(np.float64)
    if not np.isfinite(shown).any():
        return ()
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    across = np.linspace(0, WIDTH, len(shown))
    down = (HEIGHT - 4) * (1 - (shown - low) / ((high - low) or 1.0)) + 2
    return tuple(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, line, strict=True) if np.isfinite(y)) for line in down.T
    )


def middle_slices(volume: Sample) -> tuple[Sample, ...]:
    """The slices through the middle of (D, H, W, C) along each of its axes, in one brightness; one channel."""
    grey = volume[..., 0].astype(np.float64)
    low, high = float(grey.min()), float(grey.max())
    levels = np.asarray(255 * (grey - low) / ((high - low) or 1.0), np.uint8)
    return tuple(np.take(levels, size // 2, axis) for axis, size in enumerate(levels.shape))
