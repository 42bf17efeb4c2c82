"""The mel spectrogram against NumPy in float64, and where it differs from Keras."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.layers import Input, MelSpectrogram
from holdfast.models import Sequential

RATE = 8000
SOUND = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
SETTINGS = MelSpectrogram(256, 100, sampling_rate=RATE, num_mel_bins=12)


def powers(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """(12, frames) by the book: frames around every 100th sample, Hann window, FFT, triangles on the mel scale."""
    padded = np.pad(sound.astype(np.float64), 128, mode="reflect")
    frames = np.stack([padded[start : start + 256] for start in range(0, len(padded) - 255, 100)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    spectrum = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = 1127 * np.log(1 + np.linspace(0, RATE / 2, 129) / 700)
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + RATE / 2 / 700), 14)
    heard = [np.interp(mel, edges[n : n + 3], [0, 1, 0]) for n in range(12)]
    found: NDArray[np.float64] = (spectrum @ np.stack(heard, axis=1)).T
    return found


def spectrogram(layer: MelSpectrogram, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = Sequential([Input(sound.shape[-1]), layer]).predict(sound)
    return found


def test_it_is_the_textbook_s_in_decibels() -> None:
    found = spectrogram(SETTINGS, SOUND)

    assert found.shape == (2, 12, 11)
    np.testing.assert_allclose(found[0], 10 * np.log10(powers(SOUND[0])), atol=2e-4)  # float32


def test_a_tone_is_heard_at_its_pitch() -> None:
    tones = np.stack([np.sin(2 * np.pi * hertz * np.arange(1000) / RATE) for hertz in (400, 3000)]).astype(np.float32)

    low, high = spectrogram(SETTINGS, tones).mean(2).argmax(1)

    assert (low, high) == (2, 10)


def test_what_is_said_of_a_sound_does_not_hang_on_the_others() -> None:
    loud_and_soft = SOUND * np.array([[1.0], [1e-6]], np.float32)

    both = spectrogram(SETTINGS, loud_and_soft)

    np.testing.assert_array_equal(both[1:], spectrogram(SETTINGS, loud_and_soft[1:]))


@pytest.mark.parametrize("samples", [129, 199, 200, 1000])
def test_there_is_a_frame_around_every_so_many_samples(samples: int) -> None:
    assert SETTINGS.out_shape((samples,)) == (12, 1 + samples // 100)
    assert spectrogram(SETTINGS, SOUND[:, :samples]).shape == (2, 12, 1 + samples // 100)


def test_an_odd_transform_reaches_one_sample_less_far() -> None:
    layer = MelSpectrogram(31, 14, sampling_rate=RATE, num_mel_bins=3)

    assert [layer.out_shape((samples,)) for samples in (84, 85)] == [(3, 6), (3, 7)]  # 7 frames were once promised
    assert spectrogram(layer, SOUND[:, :84]).shape == (2, 3, 6)
