"""What was found about files is kept: arrays of a row a file, memory-mapped, in the user's cache, for the next time.

A file is known again by its path, size and time of change; the rows of what has changed are found anew.
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..core import BadValue, whole_file
from .digests import digest
from .listing import UNKNOWN, Files, Listed
from .remote import cache_folder

MAGIC = b"holdfast kept 1\n"
HEAD = 4096  # bytes of what it is, and to what each array is aligned
ENDING = ".kept"
LARGEST_GB = 50.0  # of all that is kept; HOLDFAST_CACHE_GB says otherwise
RESERVE = 2**30  # bytes of the disk that are left free
ABANDONED_S = 7 * 86400.0  # after which what is half written will not be ended any more

Columns = Mapping[str, tuple[DTypeLike, tuple[int, ...]]]  # of each array its type and the shape of a row
Arrays = dict[str, NDArray[Any]]  # Any: of any number type

_ALONE = Lock()  # threads of one process would write into one temporary file


@dataclass(frozen=True)
class Keep:
    """Where the arrays of some data are kept.

    Attributes:
        path: of the file.
    """

    path: Path

    @classmethod
    def of(cls, files: Sequence[Listed], title: str, *what: object) -> "Keep | None":
        """For what is found of the files of the data at the path `title`; None for files that are nowhere for long."""
        if not isinstance(files, Files):
            return None
        root = Path(title).resolve()
        name = re.sub(r"[^\w.-]+", "-", root.name) or "files"
        key = hashlib.blake2b(repr((str(root), what)).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return cls(cache_folder() / "pictures" / f"{name[:40]}-{key}{ENDING}")

    def read(self, columns: Columns) -> Arrays:
        """What is kept, mapped into memory; arrays without rows if it is nothing, or nothing that can be used."""
        try:
            with self.path.open("rb") as file:  # and no other, should one take its place meanwhile
                head = file.read(HEAD)
                about = json.loads(head.removeprefix(MAGIC).rstrip(b"\0")) if head.startswith(MAGIC) else {}
                rows = about.get("rows", 0) if about.get("columns") == _said(columns) else 0
                whole = os.fstat(file.fileno()).st_size >= _size(columns, rows, about.get("room", 0))
                if rows and whole:
                    os.utime(self.path)  # what was used last is removed last
                    # Not for reading only, of which torch warns: what is changed is changed in memory alone.
                    return _mapped(file, columns, rows, about["room"], "c")
        except (OSError, ValueError):
            pass
        return {name: np.empty((0, *shape), dtype) for name, (dtype, shape) in columns.items()}

    def fits(self, columns: Columns, rows: int) -> bool:
        """Whether the disk has room for so many rows."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.path.parent).free
            return _size(columns, rows, rows) + RESERVE <= free and os.access(self.path.parent, os.W_OK)
        except OSError:
            return False

    @contextmanager
    def write(self, columns: Columns, room: int) -> "Iterator[Writing]":
        """Arrays to be filled; what is in the first `rows` of them is kept when the block ends well, or nothing is.

        Raises:
            BadFile: the cache cannot be written to.
        """
        with _ALONE, whole_file(self.path) as temporary:
            with temporary.open("wb") as file:
                file.truncate(_size(columns, room, room))
            writing = Writing(temporary, columns, room)
            yield writing
            writing.end()
        prune(self.path)


class Writing:
    """A file on its way into the cache.

    Attributes:
        path: where it is until then.
        columns, room: what it is made of.
        arrays: of `room` rows each.
        rows: how many of them shall be kept.
    """

    def __init__(self, path: Path, columns: Columns, room: int) -> None:
        self.path, self.columns, self.room, self.rows = path, columns, room, room
        self.arrays = open_for_writing(path, columns, room)

    def end(self) -> None:
        """Writes what it is, and lets go of it."""
        self.arrays.clear()
        about = {"rows": self.rows, "room": self.room, "columns": _said(self.columns)}
        with self.path.open("rb+") as file:
            file.write(MAGIC + json.dumps(about).encode().ljust(HEAD - len(MAGIC), b"\0"))
            file.truncate(_size(self.columns, self.rows, self.room))


def open_for_writing(path: Path, columns: Columns, room: int) -> Arrays:
    """The arrays of a file that another process is writing."""
    return {name: np.asarray(array) for name, array in _mapped(path, columns, room, room, "r+").items()}


def stamps_of(files: Sequence[Listed]) -> NDArray[np.uint64]:
    """(N,) by which each file is known again: its path, size and time of change; 0 for what cannot be."""
    if not isinstance(files, Files):
        return np.zeros(len(files), np.uint64)
    return np.fromiter(
        (
            0 if size == UNKNOWN else digest(f"{path}|{size}|{time_ns}".encode("utf-8", "surrogateescape"))
            for path, (size, time_ns) in zip(files.paths, files.stamps, strict=True)
        ),
        np.uint64,
        len(files),
    )


def rows_of(stamps: NDArray[np.uint64], kept: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(N,) in which row of what is kept each file is; -1 for none."""
    if not len(kept):
        return np.full(len(stamps), -1)
    order = np.argsort(kept, kind="stable")
    place = order[np.searchsorted(kept, stamps, sorter=order).clip(max=len(kept) - 1)]
    return np.where((kept[place] == stamps) & (stamps != 0), place, -1)


def prune(keep: Path | None = None, largest: float | None = None) -> None:
    """Removes what was not used for longest until the rest is at most `largest` bytes; never `keep`.

    Args:
        keep: what has just been written.
        largest: by default HOLDFAST_CACHE_GB, or 50 GB.

    Raises:
        BadValue: that is no number.
    """
    if largest is None:
        chosen = os.environ.get("HOLDFAST_CACHE_GB") or LARGEST_GB
        try:
            largest = float(chosen) * 1e9
        except ValueError:
            raise BadValue(f"HOLDFAST_CACHE_GB={chosen}: must be a number of gigabytes, such as 50.") from None
    with suppress(OSError):
        found = [(path.stat(), path) for path in (cache_folder() / "pictures").glob(f"*{ENDING}")]
        found.sort(key=lambda one: one[0].st_mtime, reverse=True)
        total = 0
        for path in (cache_folder() / "pictures").glob(f".*{ENDING}.*.tmp"):  # of a process that was killed
            if path.stat().st_mtime < time.time() - ABANDONED_S:
                path.unlink(missing_ok=True)
        for status, path in found:
            total += status.st_size
            if total > largest and path != keep:
                path.unlink(missing_ok=True)


def _said(columns: Columns) -> list[list[Any]]:  # Any: JSON values
    return [[name, np.dtype(dtype).str, list(shape)] for name, (dtype, shape) in columns.items()]


def _offsets(columns: Columns, room: int) -> dict[str, int]:
    """Where each array begins; the last one can be cut."""
    found, place = {}, HEAD
    for name, (dtype, shape) in columns.items():
        found[name] = place
        place += -(-room * _row_bytes(dtype, shape) // HEAD) * HEAD
    return found


def _size(columns: Columns, rows: int, room: int) -> int:
    last = list(columns)[-1]
    return _offsets(columns, room)[last] + rows * _row_bytes(*columns[last])


def _row_bytes(dtype: DTypeLike, shape: tuple[int, ...]) -> int:
    return int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))


def _mapped(
    file: Path | BinaryIO, columns: Columns, rows: int, room: int, mode: Any
) -> Arrays:  # Any: a Literal of NumPy's
    offsets = _offsets(columns, room)
    return {
        name: np.memmap(file, dtype, mode, offsets[name], (rows, *shape))
        if rows and _row_bytes(dtype, shape)
        else np.empty((rows, *shape), dtype)
        for name, (dtype, shape) in columns.items()
    }
