"""IDX files, plain and gzipped, alone and in fours."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadFile, BadShape
from holdfast.data import load
from holdfast.data.idx import read_array
from holdfast.data.sealed import open_seal


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_pair(folder: Path, prefix: str, count: int, suffix: str = "", start: int = 0) -> NDArray[np.uint8]:
    images = np.zeros((count, 2, 3), np.uint8)
    images[:, 0, 0] = np.arange(start, start + count)
    write_idx(folder / f"{prefix}images-idx3-ubyte{suffix}", images)
    write_idx(folder / f"{prefix}labels-idx1-ubyte{suffix}", np.arange(count, dtype=np.uint8) % 2)
    return images


@pytest.mark.parametrize("suffix", ["", ".gz"], ids=["plain", "gz"])
def test_the_files_named_t10k_are_the_test_part(tmp_path: Path, suffix: str) -> None:
    write_pair(tmp_path, "train-", 40, suffix)
    images = write_pair(tmp_path, "t10k-", 10, suffix, start=100)

    data = load(tmp_path)

    assert (len(data.train), len(data.validation), len(data.test)) == (34, 6, 10)
    assert open_seal(data.test).images[..., 0].numpy().tolist() == images.tolist()
    assert open_seal(data.test).labels.tolist() == [0, 1] * 5
    assert data.shape == (2, 3, 1)
    assert data.classes == ("0", "1")
    assert data.train.names[0].startswith("train[")


def test_a_single_pair_is_split_in_three(tmp_path: Path) -> None:
    write_pair(tmp_path, "", 40)

    data = load(tmp_path)

    assert (len(data.train), len(data.validation), len(data.test)) == (28, 6, 6)


def test_other_types_are_big_endian(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(struct.pack(">HBBI2f", 0, 0x0D, 1, 2, 1.5, -2.0))

    assert read_array(tmp_path / "a").tolist() == [1.5, -2.0]


def test_truncated_and_strange_files_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "train-", 40)
    images = tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    zipped = gzip.compress(whole)
    images.unlink()
    cases = {
        "train-images-idx3-ubyte": (whole[:-1], "has 255 bytes, its header promises 256; fetch it again"),
        "train-images.idx3-ubyte": (b"<html>", "is not an IDX file; it begins with 3c 68 74 6d"),
        "train-images-idx3-ubyte.gz": (zipped[: len(zipped) // 2], "is truncated or not gzip"),
    }

    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadFile, match=f"/{name}: {message}"):
            load(tmp_path)
        (tmp_path / name).unlink()


def test_a_file_without_its_partner_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "train-", 40)
    (tmp_path / "train-labels-idx1-ubyte").unlink()

    with pytest.raises(BadData, match="train-images-idx3-ubyte stands alone; the file with its labels is missing"):
        load(tmp_path)


def test_several_training_pairs_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "letters-train-", 40)
    write_pair(tmp_path, "digits-train-", 40)

    with pytest.raises(BadData, match="has digits-train-images, letters-train-images; one pair of images and labels"):
        load(tmp_path)


def test_different_numbers_of_images_and_labels_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "train-", 40)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(39, np.uint8))

    with pytest.raises(BadShape, match="images: 40 images and 39 labels"):
        load(tmp_path)


@pytest.mark.slow
def test_mnist_is_read_in_its_order_with_its_own_test_part(real_data: Path) -> None:
    data = load(real_data / "mnist")

    test = open_seal(data.test)
    first = {name: int(label) for name, label in zip(data.train.names, data.train.labels, strict=True)} | {
        name: int(label) for name, label in zip(data.validation.names, data.validation.labels, strict=True)
    }
    assert (len(data.train), len(data.validation), len(data.test)) == (51_000, 9_000, 10_000)
    assert [first[f"train[{index}]"] for index in range(5)] == [5, 0, 4, 1, 9]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.shape == (28, 28, 1)
    assert data.classes == tuple("0123456789")
    assert data.facts.duplicates == 0
