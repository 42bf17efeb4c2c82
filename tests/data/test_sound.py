"""One sound from one file: all formats, and whatever can be wrong with one."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadFile
from holdfast.data.sound import decode, read_header, resampled, trimmed

RATE = 16_000
TIMES = np.arange(RATE) / RATE
WAVE = (0.4 * np.sin(2 * np.pi * 440 * TIMES) + 0.01 * np.random.default_rng(0).normal(size=RATE)).astype(np.float32)
FORMATS = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
every_format = pytest.mark.parametrize("form", FORMATS)


def encoded(wave: NDArray[np.float32], form: str = "WAV", subtype: str | None = None, rate: int = RATE) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=form, subtype=subtype)
    return file.getvalue()


def reason(content: bytes) -> str:
    with pytest.raises(BadFile) as caught:
        decode(content)
    return str(caught.value)


@every_format
def test_every_format_gives_the_samples(form: str) -> None:
    sound = decode(encoded(WAVE, form, FORMATS[form]))

    assert sound.rate == RATE
    assert sound.wave.dtype == np.float32
    assert sound.clipped == 0
    lossless = form in ("WAV", "FLAC")
    np.testing.assert_allclose(sound.wave[:RATE], WAVE, atol=4e-5 if lossless else 0.08)
    assert (len(sound.wave) == RATE) or not lossless


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM"])
def test_every_kind_of_wav_is_read(subtype: str) -> None:
    np.testing.assert_allclose(decode(encoded(WAVE, "WAV", subtype)).wave[99:RATE], WAVE[99:], atol=0.05)


def test_opus_is_read() -> None:
    assert decode(encoded(WAVE, "OGG", "OPUS")).rate == RATE


def test_channels_are_mixed_by_their_mean() -> None:
    both = np.stack([WAVE, np.zeros_like(WAVE)], 1)

    np.testing.assert_allclose(decode(encoded(both, "FLAC")).wave, WAVE / 2, atol=4e-5)


@every_format
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_what_is_truncated_is_told(form: str, share: float) -> None:
    content = encoded(WAVE, form, FORMATS[form])

    assert "truncated" in reason(content[: int(share * len(content))])


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3"])
def test_a_damaged_middle_is_told(form: str) -> None:
    content = bytearray(encoded(WAVE, form, FORMATS[form]))
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(255 - byte for byte in content[middle : middle + 300])

    assert reason(bytes(content)) == "damaged or truncated"


def test_a_wav_out_of_a_pipe_which_does_not_know_its_length_is_read() -> None:
    content = bytearray(encoded(WAVE, "WAV", "PCM_16"))
    place = content.index(b"data")
    content[place + 4 : place + 8] = b"\xff\xff\xff\xff"

    assert len(decode(bytes(content)).wave) == RATE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty, 0 bytes"),
        (b"hello, world " * 99, "not a sound of a known format"),
        (bytes(5000), "not a sound of a known format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "not a sound of a known format"),
        (encoded(WAVE[:0]), "holds no samples"),
        (encoded(np.zeros(800, np.float32)), "silent"),
        (encoded(np.full(800, np.nan, np.float32), "WAV", "FLOAT"), "holds NaN or infinite samples"),
        (encoded(np.full(800, np.inf, np.float32), "WAV", "FLOAT"), "holds NaN or infinite samples"),
        (encoded(np.stack([WAVE, -WAVE], 1), "WAV", "FLOAT"), "silent once its 2 channels are mixed"),
        (encoded(WAVE, rate=100), "100 samples a second; 1,000 to 768,000 are read"),
    ],
    ids=["empty", "text", "zeros", "picture", "no samples", "silent", "nan", "inf", "against each other", "slow"],
)
def test_what_is_no_sound_is_told_in_a_few_words(content: bytes, told: str) -> None:
    assert reason(content) == told


def test_clipping_is_measured() -> None:
    loud = np.clip(4 * WAVE, -1, 1)

    assert decode(encoded(loud)).clipped > 0.3


def test_the_header_says_rate_length_and_channels() -> None:
    header = read_header(encoded(np.stack([WAVE, WAVE], 1), "FLAC"))

    assert (header.rate, header.frames, header.channels) == (RATE, RATE, 2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_a_resampled_tone_keeps_its_pitch_and_length(rate: int) -> None:
    tone = np.sin(2 * np.pi * 440 * TIMES).astype(np.float32)

    found = resampled(tone, RATE, rate)

    expected = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    assert len(found) == rate
    np.testing.assert_allclose(found[rate // 10 : -rate // 10], expected[rate // 10 : -rate // 10], atol=2e-3)


def test_what_is_too_high_for_the_new_rate_goes() -> None:
    tone = np.sin(2 * np.pi * 6_000 * TIMES).astype(np.float32)

    assert np.abs(resampled(tone, RATE, 8_000)[500:-500]).max() < 0.01


def test_soft_ends_are_trimmed_to_a_hundredth_second() -> None:
    wave = np.concatenate([np.full(1000, 1e-4), WAVE[:3200], np.full(500, 1e-4)]).astype(np.float32)

    found = trimmed(wave, RATE, 40.0)

    assert 3200 <= len(found) <= 3200 + 2 * 160
    np.testing.assert_array_equal(trimmed(WAVE[:100], RATE, 40.0), WAVE[:100])
