"""CIFAR-10 and CIFAR-100 in their binary version: rows of one or two labels and 3,072 pixels; no pickles are opened."""

import tarfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue
from .arrays import array_source
from .options import Reading
from .source import Source

SIDE, CHANNELS = 32, 3
ARCHIVE = "cifar-*-binary.tar.gz"
TEN = tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", ("batches.meta.txt",)
HUNDRED = ("train.bin",), "test.bin", ("coarse_label_names.txt", "fine_label_names.txt")
LARGEST = 2**28  # bytes of a file in the archive
LEVELS = ("coarse", "fine")  # the two labels of CIFAR-100, in the order of its rows


def is_cifar(path: Path) -> bool:
    """Whether this is the archive of the binary version, a folder with it, or a folder of what was in it."""
    if path.is_file():
        return path.match(ARCHIVE)
    return (path / TEN[1]).is_file() or (path / HUNDRED[1]).is_file() or any(path.glob(ARCHIVE))


def read_cifar(path: Path, reading: Reading) -> Source:
    """The pictures, with the test part that the set brings.

    Args:
        path: as `is_cifar` knows it.
        reading: `label_by="coarse"` takes the twenty classes of CIFAR-100 rather than the hundred.

    Raises:
        BadFile: a file that is missing, truncated or something else.
        BadValue: another `label_by`.
    """
    reading.only("CIFAR", "label_by")
    files = _contents(path)
    ten = TEN[1] in files
    train, test, meta = TEN if ten else HUNDRED
    if missing := [name for name in (*train, test, *meta) if name not in files]:
        raise BadFile(f"{path}: lacks {', '.join(missing)}; fetch it again.")
    column = _column(reading.label_by, ten=ten)
    classes = tuple(files[meta[column]].decode("utf-8", "replace").split())
    rows = np.concatenate([_rows(files[name], name, path, labels=len(meta)) for name in train])
    judged = _rows(files[test], test, path, labels=len(meta))
    labels = [part[:, column].astype(np.int64) for part in (rows, judged)]
    if max(int(part.max()) for part in labels) >= len(classes):
        raise BadData(f"{path}: has labels beyond its {len(classes)} classes; fetch it again.")
    images, held = (_pixels(part, len(meta)) for part in (rows, judged))
    return array_source(images, labels[0], classes=classes, test_images=held, test_labels=labels[1])


def _column(label_by: str | None, *, ten: bool) -> int:
    """Which of the labels in a row counts."""
    if ten and label_by is None:
        return 0
    if ten or label_by not in (None, *LEVELS):
        known = "CIFAR-10 has one label, leave it out" if ten else "must be 'fine' or 'coarse'"
        raise BadValue(f"load(label_by={label_by!r}): {known}.")
    return LEVELS.index(label_by or "fine")


def _rows(content: bytes, name: str, path: Path, *, labels: int) -> NDArray[np.uint8]:
    """(N, labels + 3072): a sample a row."""
    width = labels + SIDE * SIDE * CHANNELS
    if not content or len(content) % width:
        raise BadFile(f"{path}: {name} has {len(content):,} bytes, which are no rows of {width:,}; fetch it again.")
    return np.frombuffer(content, np.uint8).reshape(-1, width)


def _pixels(rows: NDArray[np.uint8], labels: int) -> NDArray[np.uint8]:
    """(N, 32, 32, 3); a row has all its red first, then green, then blue."""
    planes = rows[:, labels:].reshape(-1, CHANNELS, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _contents(path: Path) -> dict[str, bytes]:
    """The files of the set by their names, from a folder of them or from the archive, which is read once."""
    archive = path if path.is_file() else next(iter(sorted(path.glob(ARCHIVE))), None)
    if archive is None:
        return {entry.name: entry.read_bytes() for entry in path.iterdir() if entry.suffix in (".bin", ".txt")}
    contents = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.size <= LARGEST and (file := tar.extractfile(member)):
                    contents[Path(member.name).name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise BadFile(f"{archive}: is damaged: {error}; delete it and fetch it again.") from error
    return contents
