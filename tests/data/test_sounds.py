"""Folders and lists of sounds: read, checked, cut, and read again as they were for training."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import load
from holdfast.data.reads import reads_from_dict, reads_to_dict
from holdfast.data.sound import ENDINGS, resampled
from holdfast.data.sounds import Sounds, holds_sounds

Wave = NDArray[np.float32]
RATE = 8_000


def tone(number: int, seconds: float = 0.25, rate: int = RATE) -> Wave:
    """A tone with some noise, another one for each number."""
    noise = np.random.default_rng(number).normal(size=int(seconds * rate))
    times = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 + 40 * number) * times) + 0.02 * noise).astype(np.float32)


def written(path: Path, wave: Wave, rate: int = RATE) -> Path:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate)
    return path


def tones(root: Path, suffix: str = ".wav", count: int = 8, make: Callable[[int], Wave] = tone) -> Path:
    for number in range(2 * count):
        written(root / "ab"[number % 2] / f"{number:02}{suffix}", make(number))
    return root


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("rates", [(8000,), (8000, 16000, 22050), (44100, 44100, 8000)], ids=["one", "up", "down"])
def test_files_are_read_again_exactly_as_for_training(tmp_path: Path, suffix: str, rates: tuple[int, ...]) -> None:
    for number in range(12):
        rate = rates[number % len(rates)]
        wave = tone(number, 0.2 + 0.02 * (number % 3), rate)
        wave = np.stack([wave, 0.5 * wave], 1) if number % 4 == 3 else wave
        written(tmp_path / "ab"[number % 2] / f"{number:02}{suffix}", wave, rate)

    data = load(tmp_path, validation=0.25, test=0.0)

    assert data.kind == "sounds"
    assert isinstance(data.reads, Sounds)
    assert data.shape == data.reads.shape
    part = data.pool
    again = data.reads.read([tmp_path / name for name in part.names])
    np.testing.assert_array_equal(again, part.images[:].numpy())
    assert reads_from_dict(reads_to_dict(data.reads)) == data.reads


def test_parts_zips_lists_and_nested_folders_are_read_as_pictures_are(tmp_path: Path) -> None:
    for number in range(24):
        part = ("train", "train", "validation", "test")[number % 4]
        written(tmp_path / "parts" / part / "ab"[number // 4 % 2] / "deep" / f"{number:02}.wav", tone(number))
    with zipfile.ZipFile(tmp_path / "tones.zip", "w") as archive:
        for path in sorted(tones(tmp_path / "plain").rglob("*.wav")):
            archive.write(path, path.relative_to(tmp_path))
    lines = [f"plain/{'ab'[number % 2]}/{number:02}.wav,{'xy'[number % 2]},g{number // 4}" for number in range(16)]
    (tmp_path / "list.csv").write_text("path,label,group\n" + "\n".join(lines))

    parts, archived, listed = (load(tmp_path / name) for name in ("parts", "tones.zip", "list.csv"))

    assert [len(parts.train), len(parts.validation), len(parts.test)] == [12, 6, 6]
    assert [one.kind for one in (parts, archived, listed)] == ["sounds"] * 3
    assert len(archived.pool) + len(archived.test) == 16
    assert (listed.classes, listed.facts.groups) == (("x", "y"), 4)


def test_the_rate_is_the_commonest_unless_one_is_asked_for_and_others_are_told(tmp_path: Path) -> None:
    for number in range(12):
        rate = 16_000 if number == 3 else 4_000 if number == 5 else RATE
        written(tmp_path / "ab"[number % 2] / f"{number:02}.wav", tone(number, rate=rate), rate)

    data, faster = load(tmp_path), load(tmp_path, sample_rate=16_000)

    assert isinstance(data.reads, Sounds)
    assert isinstance(faster.reads, Sounds)
    assert (data.reads.rate, faster.reads.rate) == (RATE, 16_000)
    assert data.facts.notes[0] == (
        "sounds were resampled to 8,000 Hz: 1 of 4,000 Hz, 1 of 16,000 Hz; 1 of them upwards, which adds no higher "
        "notes"
    )
    assert "11 of them upwards" in faster.facts.notes[0]


def test_short_clips_lie_in_the_middle_of_zeros_and_of_longer_ones_the_loudest_stretch_is_taken() -> None:
    reads = Sounds(RATE, 100, trim_db=None)
    long = np.concatenate([0.1 * np.ones(80), 0.9 * np.ones(100), 0.1 * np.ones(50)]).astype(np.float32)

    short, loudest = reads.cut(np.ones(60, np.float32)), reads.cut(long)

    assert short.shape == loudest.shape == (1, 100)
    assert np.flatnonzero(short[0]).tolist() == list(range(20, 80))
    assert loudest.min() == np.float32(0.9)


def test_long_recordings_are_cut_into_windows_that_stay_together(tmp_path: Path) -> None:
    tones(tmp_path, make=lambda number: tone(number, 1.1))

    data = load(tmp_path, window=0.5, hop=0.25)

    assert isinstance(data.reads, Sounds)
    assert (data.reads.samples, data.reads.hop) == (4000, 2000)
    pool = data.pool
    assert pool.groups is not None
    assert (data.facts.groups, len(pool) + len(data.test)) == (16, 16 * 4)  # begin at 0, .25, .5 and .6 s
    assert {name.partition("@")[2] for name in pool.names} == {"0.00s", "0.25s", "0.50s", "0.60s"}
    owners = [name.partition("@")[0] for name in data.train.names]
    assert not set(owners) & {name.partition("@")[0] for name in data.validation.names}
    assert data.reads.read([tmp_path / owners[0]]).shape == (4, 4000)
    assert "were cut into 64 windows of 0.5 s, one every 0.25 s" in data.facts.notes[-1]


def test_a_window_is_chosen_that_holds_nearly_all_clips_and_three_seconds_of_long_recordings(tmp_path: Path) -> None:
    clips = load(tones(tmp_path / "clips", make=lambda number: tone(number, 0.2 + number / 100)))
    long = load(tones(tmp_path / "long", count=4, make=lambda number: tone(number, 7.0)), validation=0.25, test=0.25)

    assert isinstance(clips.reads, Sounds)
    assert isinstance(long.reads, Sounds)
    assert clips.reads.samples / RATE == pytest.approx(0.35, abs=0.01)
    assert clips.reads.hop is None
    assert (long.reads.samples / RATE, long.reads.hop) == (3.0, 12_000)


def test_bad_files_are_named_with_their_reasons_before_training(tmp_path: Path) -> None:
    tones(tmp_path)
    (tmp_path / "a" / "empty.wav").write_bytes(b"")
    (tmp_path / "a" / "notes.txt").write_text("no sound")
    written(tmp_path / "b" / "silent.wav", np.zeros(800, np.float32))
    whole = (tmp_path / "a" / "00.wav").read_bytes()
    (tmp_path / "b" / "short.wav").write_bytes(whole[:500])

    with pytest.raises(BadData, match=r"4 of 20 files cannot be read: a/empty.wav \(empty, 0 bytes\), a/notes.txt"):
        load(tmp_path)

    found = {one.path: one.reason for one in load(tmp_path, skip_bad=True).facts.skipped}
    assert found == {
        "a/empty.wav": "empty, 0 bytes",
        "a/notes.txt": "not a sound of a known format",
        "b/short.wav": "truncated",
        "b/silent.wav": "silent",
    }


def test_clipped_sounds_are_named(tmp_path: Path) -> None:
    tones(tmp_path)
    written(tmp_path / "a" / "loud.wav", np.clip(9 * tone(50), -1, 1))

    (note,) = (note for note in load(tmp_path).facts.notes if "clipped" in note)

    assert note.startswith("1 sounds are clipped, with samples at the limits: a/loud.wav ")


def test_copies_in_other_formats_are_copies(tmp_path: Path) -> None:
    tones(tmp_path)
    import soundfile

    stored, _ = soundfile.read(tmp_path / "a" / "00.wav", dtype="float32")
    written(tmp_path / "a" / "copy.flac", stored)

    assert load(tmp_path).facts.duplicates == 1


def test_a_file_that_is_no_sound_is_told_in_one_line_when_it_is_read(tmp_path: Path) -> None:
    reads = Sounds(RATE, 100)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))

    with pytest.raises(BadFile, match=r"picture.png: not a sound of a known format$"):
        reads.read([tmp_path / "picture.png"])
    with pytest.raises(BadFile, match=r"gone.wav: missing"):
        reads.read([tmp_path / "gone.wav"])


def test_a_window_far_longer_than_all_recordings_is_told(tmp_path: Path) -> None:
    data = load(tones(tmp_path), window=20)

    assert any("a window of 20 s is mostly silence: the longest recording lasts" in note for note in data.facts.notes)


def test_a_rate_that_no_sound_has_is_refused_by_the_name_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"load\(sample_rate=100\): must be samples a second, 1,000 to 768,000"):
        load(tones(tmp_path), sample_rate=100)


def test_a_window_that_no_model_could_take_is_refused_by_its_seconds(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"load\(window=100000\): of 8,000 samples a second .* last at most 8,388 s"):
        load(tones(tmp_path), window=100_000)


def test_options_of_pictures_do_not_concern_sounds(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"image_size=.*: does not concern sounds"):
        load(tones(tmp_path), image_size=32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 10, "samples": 5}, r"Sounds\(rate=10\): must be a whole number from 1,000 to 768,000."),
        ({"rate": RATE, "samples": 0}, r"Sounds\(samples=0\): must be a whole number"),
        ({"rate": RATE, "samples": 5, "hop": 0}, r"Sounds\(hop=0\): must be a whole number"),
        ({"rate": RATE, "samples": 5, "trim_db": -1}, r"Sounds\(trim_db=-1\): must be decibels above 0, or None."),
        ({"rate": RATE, "samples": 5, "loud": 1}, "sounds are described by rate, samples, trim_db, hop; got"),
        ({"rate": RATE}, "sounds are described by rate, samples, trim_db, hop; got rate"),
    ],
    ids=["rate", "samples", "hop", "trim", "unknown", "missing"],
)
def test_descriptions_that_no_holdfast_wrote_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        Sounds.from_dict(settings)


def test_most_of_the_first_files_say_what_a_folder_holds(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "mixed" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mixed" / "a" / f"{number}{'.jpg' if number % 2 else ENDINGS[number]}").touch()
    (tmp_path / "mixed" / "a" / "z.png").touch()

    assert holds_sounds(tones(tmp_path / "tones"))
    assert not holds_sounds(tmp_path / "mixed")


@pytest.mark.parametrize("change", ["softer", "mp3", "ogg", "resampled"])
def test_one_recording_that_was_changed_is_nearly_a_copy(tmp_path: Path, change: str) -> None:
    tones(tmp_path, make=noises)
    wave, rate = noises(0), RATE
    if change == "softer":
        wave = 0.3 * wave
    if change == "resampled":
        wave, rate = resampled(wave, RATE, 16_000), 16_000
    if change == "cut":
        wave = wave[300:]
    suffix = f".{change}" if change in ("mp3", "ogg") else ".wav"
    written(tmp_path / "a" / f"zz{suffix}", wave, rate)

    data = load(tmp_path)

    assert (data.facts.duplicates, data.facts.near_duplicates) == (0, 1)
    (pair,) = {name for part in (data.train, data.validation) for name in part.names if name.startswith("a/zz")} or {""}
    sides = [{"a/00.wav", pair} <= set(part.names) for part in (data.train, data.validation)]
    assert any(sides) or not pair


def noises(number: int) -> Wave:
    """Noise that comes in bursts, of its own colour for each number."""
    random = np.random.default_rng(number)
    bursts = np.repeat(random.uniform(0.1, 1, 20), 200)
    return (0.1 * bursts * np.convolve(random.normal(size=4000), random.uniform(0, 1, 16), "same")).astype(np.float32)


def test_near_copies_are_not_looked_for_among_too_many_recordings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("holdfast.data.near_sounds.MOST", 10)

    facts = load(tones(tmp_path)).facts

    assert facts.near_duplicates == 0
    assert "near copies were not looked for: there are too many recordings" in facts.notes
