"""Sizes of pictures and lengths of sounds, as their files say."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.data import load
from holdfast.runs.sizes import Lengths, Sizes, odd_sizes


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """40 pictures of 60x80, and one each that is tiny, slim, and grey."""
    random = np.random.default_rng(0)
    sizes = {f"{index:02}": (80, 60) for index in range(40)} | {"tiny": (12, 9), "slim": (20, 240)}
    for number, (name, size) in enumerate(sizes.items()):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{name}.png")
    Image.fromarray(random.integers(0, 256, (80, 60), np.uint8)).save(tmp_path / "a" / "grey.png")
    return tmp_path


def test_sizes_are_those_of_the_files(files: Path) -> None:
    data = load(files, test=0)

    sizes, odd = odd_sizes(data)

    assert isinstance(sizes, Sizes)
    assert sizes.counts[0] == ((80, 60), 41)
    assert (sizes.n, sizes.mixed, sizes.middle) == (43, True, (80, 60))
    assert {one.name: one.why for one in odd} == {
        "a/tiny.png": "tiny, 9x12",
        "b/slim.png": "of an odd shape, 240x20",
    }


def test_files_in_an_archive_are_asked_too(files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    packed = tmp_path_factory.mktemp("packed") / "pictures.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(files.rglob("*.png")):
            archive.write(path, path.relative_to(files))

    sizes, odd = odd_sizes(load(packed, test=0))

    assert isinstance(sizes, Sizes)
    assert sizes.n == 43
    assert {one.name for one in odd} == {"a/tiny.png", "b/slim.png"}


def test_arrays_have_no_files_to_ask() -> None:
    assert odd_sizes(load("digits")) == (None, [])


def test_lengths_are_those_of_the_files(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    random = np.random.default_rng(0)
    for index in range(24):
        seconds = {3: 0.02, 5: 9.0}.get(index, 0.5)
        rate = 8000 if index else 16000
        folder = tmp_path / ("no", "yes")[index % 2]
        folder.mkdir(exist_ok=True)
        soundfile.write(folder / f"{index:02}.wav", random.uniform(-0.5, 0.5, round(seconds * rate)), rate)

    lengths, odd = odd_sizes(load(tmp_path, test=0))

    assert isinstance(lengths, Lengths)
    assert str(lengths) == "0.02 to 9.00 s, the middle is 0.50 s; 8,000 Hz (23), 16,000 Hz (1)"
    assert {one.name: one.why for one in odd} == {
        "yes/03.wav": "very short, 0.02 s",
        "yes/05.wav": "very long, 9 s",
    }


def test_windows_of_one_file_are_asked_once(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    for index in range(12):
        folder = tmp_path / ("no", "yes")[index % 2]
        folder.mkdir(exist_ok=True)
        wave = np.random.default_rng(index).uniform(-0.5, 0.5, 16000)
        soundfile.write(folder / f"{index:02}.wav", wave, 8000)

    data = load(tmp_path, test=0, window=0.5, hop=0.5)
    lengths, _ = odd_sizes(data)

    assert len(data.train) + len(data.validation) > 12
    assert isinstance(lengths, Lengths)
    assert lengths.n == 12
