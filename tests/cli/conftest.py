"""An empty folder to work in, and small data in it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.cli import main

Says = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty, with a name that is not easy."""
    folder = tmp_path / "my wörk 写真"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Says:
    """`says("train", "digits")` -> (exit code, standard output, standard error)."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def small(here: Path) -> Path:
    """`small.npz`: 90 pictures of 6x6 in three classes."""
    return write_npz(here / "small.npz")


def write_npz(path: Path, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    labels = np.arange(90) % 3
    images = random.integers(0, 120, (90, 6, 6), np.uint8)
    images[np.arange(90), :, 2 * labels] += 80
    np.savez(path, x=images, y=labels)
    return path


@pytest.fixture
def photos(here: Path) -> Path:
    """`my photos/`: 20 pictures each of a cat and of a dög, of several sizes."""
    random = np.random.default_rng(0)
    for name, light in (("cat", 0), ("dög", 120)):
        folder = here / "my photos" / name
        folder.mkdir(parents=True)
        for number in range(20):
            side = int(random.integers(9, 14))
            pixels = random.integers(light, light + 130, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return here / "my photos"
