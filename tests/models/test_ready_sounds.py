"""Ready-made models for sounds: what they are made of, that loudness is nothing to them, and that they travel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadShape, BadValue
from holdfast.data import load
from holdfast.layers import LogMelSpectrogram
from holdfast.models import Sequential, dense_twin, load_keras, ready_for, ready_made
from holdfast.models.ready_sounds import front_of, sound_net, wave_net

RATE = 8_000
SOUNDS = np.random.default_rng(0).normal(0, 0.1, (4, 4000)).astype(np.float32)
nets = pytest.mark.parametrize("net", [sound_net, wave_net], ids=["convnet", "convnet1d"])


def close(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)  # float32


@nets
@pytest.mark.parametrize(
    ("samples", "rate"),
    [(300, 8_000), (5361, 8_000), (16_000, 16_000), (48_000, 16_000), (132_300, 44_100)],
    ids=["shortest", "words", "a second", "three seconds", "music"],
)
def test_nets_are_small_for_short_and_long_sounds(net: Callable[..., Sequential], samples: int, rate: int) -> None:
    model = net((samples,), 10, rate=rate)

    assert 2_000 < model.count_params() < 250_000
    assert model.outputs[0].shape == (10,)


@nets
def test_how_loud_a_sound_was_recorded_is_nothing_to_them(net: Callable[..., Sequential]) -> None:
    model = net((4000,), 3, rate=RATE)

    close(model.predict(0.001 * SOUNDS), model.predict(SOUNDS))


@nets
def test_silence_gives_probabilities(net: Callable[..., Sequential]) -> None:
    assert np.isfinite(net((4000,), 3, rate=RATE).predict(np.zeros((1, 4000), np.float32))).all()


@nets
def test_the_dense_twin_has_as_many_parameters_and_hears_the_same(net: Callable[..., Sequential]) -> None:
    model = net((4000,), 3, rate=RATE)

    twin = dense_twin(model)

    assert twin.count_params() == pytest.approx(model.count_params(), rel=0.1)
    assert [type(layer).__name__ for layer in twin.layers][-1] == "Dense"
    assert not any("Conv" in type(layer).__name__ for layer in twin.layers)
    assert type(twin.layers[0]) is type(model.layers[0])


def test_frames_see_32_ms_every_16_ms_and_long_sounds_have_128() -> None:
    words, music = front_of((5361,), 8_000), front_of((132_300,), 44_100)

    assert (words.fft_length, words.sequence_stride, words.num_mel_bins) == (256, 128, 32)
    assert words.out_shape((5361,)) == (42, 32, 1)
    assert music.out_shape((132_300,)) == (128, 64, 1)
    assert music.fft_length >= music.sequence_stride


@nets
def test_samples_that_are_no_sounds_are_refused(net: Callable[..., Sequential]) -> None:
    with pytest.raises(BadShape, match=r"takes sounds \(samples,\) of at least 256 samples, got \(28, 28, 1\)."):
        net((28, 28, 1), 10)


def test_names_give_the_nets_of_a_dataset() -> None:
    data = load("demo:sounds")

    named = {name: ready_for(name, data) for name in ("convnet", "convnet1d", "dense", "features")}

    assert isinstance(named["convnet"].layers[0], LogMelSpectrogram)
    assert named["convnet"].layers[0].sampling_rate == RATE
    assert isinstance(named["dense"].layers[0], LogMelSpectrogram)
    assert ready_made["convnet1d"] is wave_net


@nets
def test_they_travel_in_a_keras_file_with_how_files_are_read(net: Callable[..., Sequential], tmp_path: Path) -> None:
    model = net((4000,), 5, rate=RATE)
    model.reads = load("demo:sounds").reads

    model.save(tmp_path / "model.keras")
    again = load_keras(tmp_path / "model.keras")

    np.testing.assert_array_equal(again.predict(SOUNDS), model.predict(SOUNDS))
    assert again.reads == model.reads


@pytest.mark.slow
@nets
def test_onnx_carries_them(net: Callable[..., Sequential], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from holdfast.export.onnx import export_onnx, session_of

    model = net((4000,), 5, rate=RATE)
    export_onnx(model, tmp_path / "model.onnx")

    session, _ = session_of(tmp_path / "model.onnx")
    close(session.run(None, {session.get_inputs()[0].name: SOUNDS})[0], model.predict(SOUNDS))


def test_tfjs_refuses_the_spectrogram_by_name(tmp_path: Path) -> None:
    from holdfast.export.tfjs import export_tfjs

    with pytest.raises(BadValue, match=r"LogMelSpectrogram\('log_mel_spectrogram'\): TF.js has no such layer; compute"):
        export_tfjs(sound_net((4000,), 5, rate=RATE), tmp_path / "web")
