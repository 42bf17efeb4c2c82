"""Uncompressed tars of samples in the WebDataset layout: the members of one sample follow each other and share a key.

`000017.jpg`, `000017.cls` and `000017.json` are one sample: what comes before the first dot of a name is its key.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile

# Of the names of pictures.
ENDINGS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "jp2", "ppm", "pgm")
BLOCK, RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE


class Member(NamedTuple):
    """Where the contents of a file lie in a tar."""

    offset: int
    length: int


@dataclass(frozen=True)
class TarSample:
    """A sample of a tar: its key, and its members by the endings of their names in lower case, without the dot."""

    key: str
    members: Mapping[str, Member]


def tar_samples(path: Path) -> Iterator[TarSample]:
    """The samples of a tar, in its order; members that are no files, or whose names begin with a dot, are left out.

    Raises:
        BadFile: it is compressed, damaged, or ends too early.
    """
    key, members = "", dict[str, Member]()
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                tar.members = []  # type: ignore[attr-defined]  # or the tar remembers them all
                folder, _, name = info.name.rpartition("/")
                stem, _, ending = name.partition(".")
                if not info.isreg() or info.sparse is not None or not stem:
                    continue
                if info.offset_data + info.size > size:
                    raise BadFile(f"{path}: ends within {info.name}: the file is not whole; copy or download it again.")
                if key != (new := f"{folder}/{stem}" if folder else stem):
                    if members:
                        yield TarSample(key, members)
                    key, members = new, {}
                members[ending.lower()] = Member(info.offset_data, info.size)
            _check_end(path, tar.offset)
    except tarfile.TarError as error:
        raise BadFile(f"{path}: {_why(path, error)}.") from error
    if members:
        yield TarSample(key, members)


def _check_end(path: Path, offset: int) -> None:
    """Raises BadFile unless a tar ends where its last header was looked for; `tarfile` stops at damage in silence."""
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(BLOCK)
    if block != bytes(BLOCK):
        what = "is damaged" if len(block) == BLOCK else "ends too early: the file is not whole"
        raise BadFile(f"{path}: {what} at byte {offset:,}; copy or download it again.")


def _why(path: Path, error: tarfile.TarError) -> str:
    with path.open("rb") as file:
        begin = file.read(6)
    if begin[:2] == b"\x1f\x8b" or begin[:4] == b"\x28\xb5\x2f\xfd" or begin[:3] == b"BZh" or begin == b"\xfd7zXZ\x00":
        return "is compressed, so its samples cannot be found one by one; unpack it to a plain .tar"
    return "is an empty file" if not begin else f"is no tar, or a damaged one ({error})"


@dataclass
class TarWriter:
    """Writes one tar, and says where everything lies.  Two that get the same are the same, byte by byte.

    Attributes:
        file: to write into.
        size: bytes so far.
    """

    file: IO[bytes]
    size: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, name: str, content: bytes) -> Member:
        """Appends a file; its name has up to 100 letters of ASCII."""
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._write(info.tobuf(tarfile.USTAR_FORMAT, "ascii"))
        member = Member(self.size, len(content))
        self._write(content)
        self._write(bytes(-len(content) % BLOCK))
        return member

    def end(self) -> str:
        """Writes the end; gives the SHA-256 of the whole, in hex digits."""
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self.size % RECORD))
        self.file.flush()
        os.fsync(self.file.fileno())
        return self._hash.hexdigest()

    def _write(self, content: bytes) -> None:
        self.file.write(content)
        self._hash.update(content)
        self.size += len(content)


def npy_header(content: bytes) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    """Number type and shape of the array in a .npy file.

    Raises:
        ValueError: it is none of numbers in C order.
    """
    from io import BytesIO

    file = BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of .npy is not known")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.kind not in "buif" or (fortran and len(shape) > 1):
        raise ValueError("holds objects" if dtype.hasobject else "is no array of numbers in C order")
    if len(content) - file.tell() != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError("is longer or shorter than it says")
    return dtype, tuple(shape)


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """A .npy file of this array."""
    from io import BytesIO

    file = BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()
