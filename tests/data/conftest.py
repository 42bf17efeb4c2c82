"""Where the real data is, and small pictures made on the fly."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
MakePhotos = Callable[..., Path]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; the test is skipped where it is missing."""
    folder = Path(os.environ.get("HOLDFAST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; HOLDFAST_DATA names another folder")
    return folder


@pytest.fixture
def make_photos() -> MakePhotos:
    """`make_photos(root, cat=3, dog=4)` writes so many different RGB pictures of `size` (H, W) for each class."""

    def make(root: Path, *, size: tuple[int, int] = (8, 8), seed: int = 0, **counts: int) -> Path:
        random = np.random.default_rng(seed)
        for name, count in counts.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                pixels = random.integers(0, 256, (*size, 3), np.uint8)
                Image.fromarray(pixels).save(root / name / f"{index}.png")
        return root

    return make
