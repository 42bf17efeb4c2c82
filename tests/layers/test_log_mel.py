"""The log-mel spectrogram against librosa's own numbers, and where the two have different words."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from holdfast.core import BadShape, BadValue
from holdfast.layers import Input, LogMelSpectrogram
from holdfast.layers.log_mel import slaney_matrix
from holdfast.models import Sequential
from layers.building import golden, part

SETTINGS: dict[str, dict[str, Any]] = {  # those of golden/make_log_mel.py
    "narrow": {"fft_length": 256, "sequence_stride": 80, "sampling_rate": 8000, "num_mel_bins": 40},
    "wide": {"fft_length": 512, "sequence_stride": 160, "sequence_length": 400, "min_freq": 20.0, "max_freq": 7600.0},
    "hamming": {
        "fft_length": 1024,
        "sequence_stride": 512,
        "sequence_length": 800,
        "window": "hamming",
        "sampling_rate": 22050,
        "num_mel_bins": 80,
        "min_freq": 50.0,
    },
}
every_setting = pytest.mark.parametrize("name", SETTINGS)


def spectrogram(layer: LogMelSpectrogram, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = Sequential([Input(sounds.shape[1]), layer]).predict(sounds)
    return found


def wave() -> NDArray[np.float32]:
    found: NDArray[np.float32] = golden("log_mel")["sound"]
    return found[None]


@every_setting
def test_the_filters_are_librosa_s(name: str) -> None:
    layer, expected = LogMelSpectrogram(**SETTINGS[name]), part("log_mel", name)["filters"]

    found = slaney_matrix(layer.num_mel_bins, layer.bins, layer.sampling_rate, layer.min_freq, layer.highest)

    np.testing.assert_allclose(found.numpy().T, expected, rtol=1e-5, atol=1e-9)


@every_setting
@pytest.mark.parametrize(
    ("key", "settings"),
    [("decibels", {}), ("no_floor", {"top_db": None}), ("relative", {"relative": True, "top_db": 60.0})],
    ids=["decibels", "no floor", "relative"],
)
def test_decibels_are_librosa_s(name: str, key: str, settings: dict[str, Any]) -> None:
    layer = LogMelSpectrogram(**SETTINGS[name], **settings)

    found = spectrogram(layer, wave())[0, :, :, 0].T

    expected = part("log_mel", name)[key]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-4)  # float32: 2e-4 dB are 5e-5 of a soft power


@every_setting
def test_powers_are_librosa_s_to_1e_5_of_the_loudest(name: str) -> None:
    layer = LogMelSpectrogram(**SETTINGS[name], top_db=None, min_power=1e-30)

    powers = 10 ** (spectrogram(layer, wave())[0, :, :, 0].T.astype(np.float64) / 10)

    expected = part("log_mel", name)["powers"]
    np.testing.assert_allclose(powers, expected, rtol=1e-5, atol=1e-5 * expected.max())
    loud = expected > 1e-5 * expected.max()
    np.testing.assert_allclose(powers[loud], expected[loud], rtol=2e-5)


def test_in_float64_it_is_librosa_s_to_1e_5_everywhere() -> None:
    module = LogMelSpectrogram(**SETTINGS["narrow"]).build((4000,)).double()

    found = module(torch.from_numpy(wave()).double())[0, 0].T.numpy()

    np.testing.assert_allclose(found, part("log_mel", "narrow")["decibels"], rtol=1e-5, atol=5e-5)


def test_relative_to_its_loudest_a_sound_is_the_same_however_loud() -> None:
    layer = LogMelSpectrogram(**SETTINGS["narrow"], relative=True, min_power=1e-20)

    loud, soft = spectrogram(layer, np.concatenate([wave(), 0.01 * wave()]))

    np.testing.assert_allclose(loud, soft, atol=1e-3)
    assert loud.max() == 0
    assert loud.min() == -80


def test_silence_is_as_loud_everywhere() -> None:
    found = spectrogram(LogMelSpectrogram(**SETTINGS["narrow"], relative=True), np.zeros((1, 800), np.float32))

    assert not found.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fft_length": 64, "sequence_length": 65}, "sequence_length=65 must not exceed fft_length=64."),
        ({"min_freq": 5000.0, "max_freq": 4000.0}, "min_freq=5000 and max_freq=4000 must rise, up to half of"),
        ({"max_freq": 9000.0}, "min_freq=0 and max_freq=9000 must rise, up to half of sampling_rate=16000."),
    ],
    ids=["long window", "falling", "too high"],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        LogMelSpectrogram(**settings)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(BadShape, match="256 samples are too few for fft_length=512; it takes at least 257"):
        LogMelSpectrogram()(Input(256))
