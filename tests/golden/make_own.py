"""Makes layers_own.npz: layers that Keras has not, by the book, in the float64 of NumPy and SciPy, without holdfast.

Inputs and targets follow from the name of the case; gradients are central differences.
"""

import sys
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the table of cases

from cases import OWN, Case

Array: TypeAlias = NDArray[np.float64]
Settings: TypeAlias = dict[str, Any]  # Any: JSON values
HERE = Path(__file__).parent
BATCH, STEP, SEED = 4, 1e-6, 20261


def parted(x: Array, settings: Settings) -> tuple[Array, NDArray[np.bool_]]:
    """Values (T, C) of a series, and which steps were measured."""
    if not settings.get("masked"):
        return x.reshape(len(x), -1), np.ones(len(x), bool)
    return x[:, :-1], x[:, -1] > 0


def series_normalization(x: Array, settings: Settings) -> Array:
    """Of one series."""
    values, there = parted(x, settings)
    seen = values[there]
    found = np.zeros_like(values)
    found[there] = (seen - seen.mean(0)) / np.sqrt(seen.var(0) + settings.get("epsilon", 1e-6))
    return np.column_stack([found, there]) if settings.get("masked") else found


def statistics(x: Array, settings: Settings) -> Array:
    """Of one series, sound or picture."""
    if x.ndim > 2:
        return np.concatenate([_levels(channel, settings) for channel in x.reshape(-1, x.shape[-1]).T])
    values, there = parted(x, settings)
    found = np.concatenate([_features(one, there, settings) for one in values.T])
    scaled: Array = (found - settings.get("mean", 0.0)) / np.sqrt(settings.get("variance", 1.0))
    return scaled


def _levels(x: Array, settings: Settings) -> Array:
    """Of one channel, what needs no order."""
    moments = [x.mean(), np.median(x), x.std(), x.min(), x.max()]
    shares = settings.get("quantiles", (0.05, 0.25, 0.75, 0.95))
    return np.array([*moments, *np.atleast_1d(np.quantile(x, shares))])


def _features(x: Array, there: NDArray[np.bool_], settings: Settings) -> Array:
    """Of one channel."""
    from scipy.signal import periodogram

    steps, seen = np.flatnonzero(there), x[there]
    number = settings.get("pieces", 4)
    which = np.arange(len(seen)) * number // len(seen)
    pieces = [np.ones(len(seen), bool), *(which == piece for piece in range(number))]
    slopes = [np.polyfit(steps[piece], seen[piece], 1)[0] * np.ptp(steps) for piece in pieces]
    swings, powers = periodogram(np.where(there, x - seen.mean(), 0.0), detrend=False)
    bands = settings.get("bands", 5)
    ends = [0.5**band for band in range(1, bands + 1)] + [0.0]
    sums = np.array([powers[(swings > low) & (swings <= high)].sum() for high, low in pairwise(ends)])
    return np.array([*_levels(seen, settings), *slopes, *(sums / sums.sum())])


def pca(x: Array, settings: Settings) -> Array:
    """Of one sample."""
    found: Array = x @ np.array(settings["kernel"]) + np.array(settings["bias"])
    return found


def select_features(x: Array, settings: Settings) -> Array:
    """Of one sample."""
    return x[settings["chosen"]]


def log_mel_spectrogram(x: Array, settings: Settings) -> Array:
    """Of one sound: frames, Fourier transform, triangles of equal area, decibels."""
    fft, rate = int(settings["fft_length"]), int(settings.get("sampling_rate", 16_000))
    length = int(settings.get("sequence_length", fft))
    fade = {"hann": 0.5, "hamming": 0.54}[settings.get("window", "hann")]
    window = np.zeros(fft)
    before = (fft - length) // 2
    window[before : before + length] = fade - (1 - fade) * np.cos(2 * np.pi * np.arange(length) / length)
    padded = np.pad(x, fft // 2)
    starts = range(0, len(padded) - fft + 1, settings["sequence_stride"])
    powers = np.abs(np.fft.rfft([padded[start : start + fft] * window for start in starts])) ** 2
    ends = [_mel(settings.get("min_freq", 0.0)), _mel(settings.get("max_freq", rate / 2))]
    edges = np.array([_hertz(mel) for mel in np.linspace(ends[0], ends[1], settings["num_mel_bins"] + 2)])
    hertz = np.linspace(0, rate / 2, fft // 2 + 1)
    triangles = [
        np.interp(hertz, edges[n : n + 3], [0, 2 / (edges[n + 2] - edges[n]), 0]) for n in range(len(edges) - 2)
    ]
    decibels = 10 * np.log10(np.maximum(powers @ np.array(triangles).T, settings.get("min_power", 1e-10)))
    loudest = decibels.max()
    if settings.get("top_db", 80.0) is not None:
        decibels = np.maximum(decibels, loudest - settings.get("top_db", 80.0))
    found: Array = decibels - loudest if settings.get("relative") else decibels
    return found[..., np.newaxis]


def _mel(hertz: float) -> float:
    """Slaney's scale."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _hertz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def handed_on(x: Array, settings: Settings) -> Array:
    """Of layers that work in training only."""
    return x


LAYERS: dict[str, Callable[[Array, Settings], Array]] = {
    "RandomGain": handed_on,
    "RandomNoise": handed_on,
    "RandomSwap": handed_on,
    "RandomTimeShift": handed_on,
    "SpecAugment": handed_on,
    "TrivialAugment": handed_on,
    "LayerNormalization": series_normalization,
    "PCA": pca,
    "SelectFeatures": select_features,
    "LogMelSpectrogram": log_mel_spectrogram,
    "SeriesNormalization": series_normalization,
    "Statistics": statistics,
}


def of_case(case: Case) -> dict[str, NDArray[np.float32]]:
    """Inputs, targets, outputs and the gradients of sum(output * targets), as making/layers.py has them."""
    rng = np.random.default_rng([SEED, zlib.crc32(case.name.encode())])
    (shape,), layer = case.shapes, LAYERS[case.layer]
    x = rng.standard_normal((BATCH, *shape)).astype(np.float32).astype(np.float64)
    output = np.stack([layer(one, case.settings) for one in x])
    targets = rng.standard_normal(output.shape)
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = x[place[0]].copy(), x[place[0]].copy()
        for one, sign in zip(moved, (1, -1), strict=True):
            one[place[1:]] += sign * STEP
        up, down = ((layer(one, case.settings) * targets[place[0]]).sum() for one in moved)
        gradient[place] = (up - down) / (2 * STEP)
    found = {"input_0": x, "targets": targets, "output": output, "input_gradient_0": gradient}
    return {key: value.astype(np.float32) for key, value in found.items()}


if __name__ == "__main__":
    arrays = {f"{case.name}/{key}": value for case in OWN for key, value in of_case(case).items()}
    np.savez_compressed(HERE / "layers_own.npz", allow_pickle=False, **arrays)
