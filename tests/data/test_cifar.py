"""The binary version of CIFAR, in folders and archives."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadFile, BadValue
from holdfast.data.cifar import is_cifar, read_cifar
from holdfast.data.options import Reading
from holdfast.data.source import TEST

NAMES = [f"thing{index}" for index in range(10)]


def rows(count: int, *labels: int, seed: int = 0) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3072), np.uint8)
    return np.concatenate([np.full((count, len(labels)), labels, np.uint8), pixels], 1)


def files_of_ten() -> dict[str, bytes]:
    files = {f"data_batch_{n}.bin": rows(4, n, seed=n).tobytes() for n in range(1, 6)}
    return files | {"test_batch.bin": rows(3, 9, seed=9).tobytes(), "batches.meta.txt": "\n".join(NAMES).encode()}


def files_of_hundred() -> dict[str, bytes]:
    return {
        "train.bin": rows(6, 1, 4).tobytes(),
        "test.bin": rows(3, 0, 2, seed=1).tobytes(),
        "coarse_label_names.txt": b"fish\nfruit\n",
        "fine_label_names.txt": b"a\nb\nc\nd\ne\n",
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("form", ["folder", "archive", "folder with archive"])
def test_rows_become_pictures_with_the_test_part_apart(tmp_path: Path, form: str) -> None:
    files, archive = files_of_ten(), "cifar-10-binary.tar.gz"
    path = write(tmp_path / "x", files) if form == "folder" else pack(tmp_path / archive, files)
    path = tmp_path if form == "folder with archive" else path

    source = read_cifar(path, Reading())

    assert is_cifar(path)
    assert source.classes == tuple(NAMES)
    assert source.labels.tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [9] * 3
    assert (source.parts == TEST).tolist() == [False] * 20 + [True] * 3
    assert isinstance(source.images, np.ndarray)
    assert source.images.shape == (23, 32, 32, 3)


def test_red_green_and_blue_lie_in_planes(tmp_path: Path) -> None:
    source = read_cifar(write(tmp_path / "x", files_of_ten()), Reading())

    row = rows(4, 1, seed=1)[0, 1:]
    assert isinstance(source.images, np.ndarray)
    assert source.images[0, 0, 1].tolist() == [row[1], row[1024 + 1], row[2048 + 1]]
    assert source.images[0, 1, 0].tolist() == [row[32], row[1024 + 32], row[2048 + 32]]


@pytest.mark.parametrize(
    ("label_by", "classes", "first"),
    [(None, 5, 4), ("fine", 5, 4), ("coarse", 2, 1)],
    ids=["default", "fine", "coarse"],
)
def test_a_hundred_has_two_labels(tmp_path: Path, label_by: str | None, classes: int, first: int) -> None:
    source = read_cifar(write(tmp_path / "x", files_of_hundred()), Reading(label_by=label_by))

    assert (len(source.classes), source.labels[0]) == (classes, first)


@pytest.mark.parametrize(
    ("files", "label_by", "message"),
    [
        (files_of_ten(), "fine", "CIFAR-10 has one label"),
        (files_of_hundred(), "medium", "must be 'fine' or 'coarse'"),
    ],
    ids=["ten", "hundred"],
)
def test_other_labels_are_refused(tmp_path: Path, files: dict[str, bytes], label_by: str, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        read_cifar(write(tmp_path / "x", files), Reading(label_by=label_by))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = files_of_ten()
    del files["data_batch_3.bin"]

    with pytest.raises(BadFile, match=r"lacks data_batch_3\.bin"):
        read_cifar(write(tmp_path / "x", files), Reading())


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    files = files_of_ten()
    files["test_batch.bin"] = files["test_batch.bin"][:-1]

    with pytest.raises(BadFile, match=r"test_batch\.bin has 9,218 bytes"):
        read_cifar(write(tmp_path / "x", files), Reading())


def test_a_broken_archive_is_damaged(tmp_path: Path) -> None:
    path = pack(tmp_path / "cifar-10-binary.tar.gz", files_of_ten())
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(BadFile, match="is damaged"):
        read_cifar(path, Reading())


def test_other_folders_are_no_cifar(tmp_path: Path) -> None:
    assert not is_cifar(tmp_path)
