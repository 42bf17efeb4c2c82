"""Near copies: found when planted, and not where pictures only look alike."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from holdfast.data import Dataset, from_arrays, load
from holdfast.data.idx import read_array
from holdfast.data.near import near_pairs, thumbnail_side, thumbnails_of
from holdfast.data.sealed import open_seal

Pixels = NDArray[np.uint8]


def textures(n: int, side: int, seed: int = 0) -> Pixels:
    """(n, side, side, 3) pictures that all differ: noise of every scale in colours of their own, as in landscapes."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.rand(n, 3, 1, 1, generator=generator) * 100 + 78
    for cells in (2, 4, 8, 16, 32):
        noise = torch.randn(n, 3, cells, cells, generator=generator) * 60 / cells**0.8
        total = total + torch.nn.functional.interpolate(noise, size=(side, side), mode="bilinear")
    return total.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy()


def recompressed(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def resized(pixels: Pixels) -> Pixels:
    side = pixels.shape[0]
    half = Image.fromarray(pixels).resize((side // 2, side // 2), Image.Resampling.BILINEAR)
    return np.asarray(half.resize((side, side), Image.Resampling.BILINEAR))


def shifted(pixels: Pixels, down: int, right: int) -> Pixels:
    """What comes in repeats the edge."""
    side = pixels.shape[0]
    padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
    return padded[2 - down : 2 - down + side, 2 - right : 2 - right + side]


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "recompressed at 75": lambda pixels: recompressed(pixels, 75),
    "recompressed at 40": lambda pixels: recompressed(pixels, 40),
    "resized": resized,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "shifted by a pixel": lambda pixels: shifted(pixels, 1, -1),
    "shifted by two": lambda pixels: shifted(pixels, -2, 1),
    "mirrored, shifted and recompressed": lambda pixels: recompressed(shifted(pixels[:, ::-1], 0, 1), 75),
}


def planted(distinct: Pixels) -> tuple[Dataset, float, int]:
    """All pictures with 200 exact and 200 near copies; the share of near ones found, and how many joints are false."""
    changes = list(CHANGES.values())
    near = np.stack([changes[index % len(changes)](distinct[200 + index]) for index in range(200)])
    labels = np.random.default_rng(0).integers(0, 10, len(distinct))
    n = len(distinct)

    data = from_arrays(np.concatenate([distinct, distinct[:200], near]), np.concatenate([labels, labels[:400]]))

    group = _groups(data)
    assert all(group[index] == group[n + index] for index in range(200))  # exact: 200 of 200
    assert data.facts.duplicates == 200
    found = sum(group[200 + index] == group[n + 200 + index] for index in range(200)) / 200
    return data, found, n - len({group[index] for index in range(n)})


def _groups(data: Dataset) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in (data.train, data.validation, open_seal(data.test)):
        assert part.groups is not None
        found |= {int(name[7:-1]): int(group) for name, group in zip(part.names, part.groups, strict=True)}
    return found


def sides(data: Dataset) -> dict[int, int]:
    """The part of each block; fails if one stands in two."""
    found: dict[int, int] = {}
    for side, part in enumerate((data.train, data.validation, open_seal(data.test))):
        assert part.groups is not None
        for group in np.unique(part.groups):
            assert found.setdefault(int(group), side) == side
    return found


@pytest.mark.slow
def test_planted_copies_are_found_among_5000_textures_and_kept_on_one_side() -> None:
    data, found, false = planted(textures(5000, 64))

    assert found >= 0.95
    assert false <= 25  # 0.5 % of 5,000
    sides(data)


@pytest.mark.slow
def test_planted_copies_are_found_among_5000_pieces_of_real_photos(real_data: Path) -> None:
    pieces = []
    for path in sorted((real_data / "clothing").rglob("*.jpg")):
        photo = Image.open(path).convert("RGB").reduce(2)
        side = min(photo.size) // 3
        boxes = [(column * side, row * side) for row in range(3) for column in range(3)]
        pieces += [photo.crop((x, y, x + side, y + side)).resize((64, 64)) for x, y in boxes]
    chosen = np.random.default_rng(0).permutation(len(pieces))[:5000]

    data, found, false = planted(np.stack([np.asarray(pieces[index]) for index in chosen]))

    assert found >= 0.95
    assert false <= 25
    sides(data)


@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_near_copy_is_found(change: str) -> None:
    images = textures(60, 96)
    images[30:] = [CHANGES[change](pixels) for pixels in images[:30]]

    pairs = near_pairs(small, np.arange(60) % 2) if (small := thumbnails_of(images)) else None

    assert pairs is not None
    assert len(pairs) >= 29
    assert (pairs[:, 1] - pairs[:, 0] == 30).all()


@pytest.mark.timeout(60)
def test_frames_of_two_scenes_are_not_all_compared_with_each_other() -> None:
    # 250,000 pairs are alike, which used to take a minute, and hours for 10,000 frames
    noise = np.random.default_rng(0).normal(0, 3, (1000, 64, 64, 1))
    frames = (np.repeat(textures(2, 64)[..., :1], 500, axis=0) + noise).clip(0, 255).astype(np.uint8)
    small = thumbnails_of(frames)

    pairs = near_pairs(small, np.repeat([0, 1], 500)) if small else None

    assert pairs is not None
    assert pairs.tolist() == [[0, index] for index in range(1, 500)] + [[500, index] for index in range(501, 1000)]


@pytest.mark.parametrize("image_size", [None, 16])
def test_files_that_are_nearly_the_same_stay_together_at_any_size(tmp_path: Path, image_size: int | None) -> None:
    images = textures(60, 80)
    for index, pixels in enumerate(images):
        folder = tmp_path / ("cat" if index % 2 else "dog")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{index}.png")
        if index < 12:
            Image.fromarray(pixels).resize((50, 50)).save(folder / f"{index}-small.jpg", quality=80)

    for seed in range(3):
        data = load(tmp_path, image_size=image_size, seed=seed)

        part_of = {name: part for part in (data.train, data.validation, open_seal(data.test)) for name in part.names}
        small = [name for name in part_of if "small" in name]
        assert [part_of[name] for name in small] == [part_of[name.replace("-small.jpg", ".png")] for name in small]
        assert (data.facts.duplicates, data.facts.near_duplicates, len(small)) == (0, 12, 12)


@pytest.mark.slow
@pytest.mark.parametrize("side", [28, 32, 64])
def test_handwritten_digits_are_not_joined(real_data: Path, side: int) -> None:
    digits = read_array(real_data / "mnist" / "t10k-images-idx3-ubyte.gz")[:1000]
    labels = read_array(real_data / "mnist" / "t10k-labels-idx1-ubyte.gz")[:1000]
    images = np.stack([np.asarray(Image.fromarray(digit).resize((side, side))) for digit in digits.astype(np.uint8)])

    data = from_arrays(images, labels.astype(np.int64))

    assert data.facts.near_duplicates == 0
    assert data.train.groups is None
    told = "near copies were not looked for: pictures of different classes are too alike"
    assert (told in data.facts.notes) == (side >= 32)  # below, nothing is looked for at all


def test_pictures_without_anything_on_them_are_no_copies() -> None:
    images = np.full((20, 40, 40, 3), 200, np.uint8)
    images[np.arange(20), 0, np.arange(20)] = 0

    assert from_arrays(images, [0, 1] * 10).facts.near_duplicates == 0


def test_near_copies_of_given_test_samples_leave_train() -> None:
    images = textures(60, 64)
    test = np.stack([shifted(images[0], 1, 0), shifted(images[1], 0, 1), *textures(4, 64, seed=1)])

    data = from_arrays(images, [0, 1] * 30, test_images=test, test_labels=[0, 1] * 3)

    assert (data.facts.near_duplicates, data.facts.duplicates_removed) == (2, 2)
    assert not {"train[0]", "train[1]"} & {*data.train.names, *data.validation.names}


def test_chains_stay_together() -> None:
    images = textures(60, 64)
    images[20] = shifted(images[10], 2, 2)
    images[30] = shifted(shifted(images[20], 2, 2), 2, 2)  # too far from the first, near the second

    data = from_arrays(images, [0, 1] * 30)

    group = _groups(data)
    assert group[10] == group[20]
    sides(data)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((28, 28, 1), None), ((31, 200, 3), None), ((32, 40, 3), 32), ((63, 63, 1), 32), ((64, 64, 3), 64)],
    ids=str,
)
def test_small_pictures_are_not_compared(shape: tuple[int, int, int], expected: int | None) -> None:
    small = thumbnails_of(np.zeros((2, *shape), np.uint8))

    assert (small and small.grey.shape[1:]) == (expected and (expected, expected))
    assert thumbnail_side([min(shape[:2])]) == expected
    assert thumbnails_of(np.zeros((2, *shape), np.float32)) is None
