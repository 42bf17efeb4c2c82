"""Archives of pictures: a .zip, arranged as folders are, read without unpacking it."""

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile
from .folder import PARTS, UNLABELLED, Found, no_classes, part_folders
from .image import LARGEST_FILE
from .listing import Listing, shown
from .options import Progress
from .source import POOL

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x1
HEADER = struct.Struct("<4s22xHH")  # of a member: its signature, and the lengths of its name and of what is extra
SIGNATURE = b"PK\x03\x04"


def is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


@dataclass(frozen=True, eq=False)
class Archive:
    """Members of a .zip, each read by its place; by several threads and processes.

    Attributes:
        path: of the archive.
        members: (N, 6) int64: where the header of each begins, its packed and its real size, its CRC-32, how it is
            packed, and its flags.
    """

    path: Path
    members: NDArray[np.int64]

    def content(self, place: int) -> bytes:
        """What is in a member; never more than it says that it holds.

        Raises:
            BadFile: it is damaged, encrypted or packed in a strange way; the bare reason.
        """
        start, packed, size, checksum, method, flags = self.members[place].tolist()
        if flags & ENCRYPTED:
            raise BadFile("encrypted in the archive, unpack it yourself")
        if method not in (STORED, DEFLATED):
            raise BadFile("packed in another way than by deflate, unpack it yourself")
        if max(size, packed) > LARGEST_FILE:
            raise BadFile(f"more than {LARGEST_FILE // 2**30} GB when unpacked")
        if not size:
            raise BadFile("empty, 0 bytes")
        try:
            content = self._unpacked(start, packed, size, method)
        except (OSError, zlib.error, struct.error) as error:
            raise BadFile("damaged in the archive") from error
        if len(content) != size or zlib.crc32(content) != checksum:
            raise BadFile("damaged in the archive")
        return content

    def _unpacked(self, start: int, packed: int, size: int, method: int) -> bytes:
        with self.path.open("rb", buffering=0) as file:
            file.seek(start)
            signature, name, extra = HEADER.unpack(file.read(HEADER.size))
            if signature != SIGNATURE:
                raise zlib.error("no member begins here")
            file.seek(name + extra, os.SEEK_CUR)
            content: bytes = file.read(packed)
        return content if method == STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)


def list_archive(path: Path, progress: Progress | None = None) -> Listing:
    """The files in a .zip, arranged as in a folder; a single folder around them all does not count.

    Raises:
        BadFile: it is no .zip, or one whose members overlap, as those of a zip bomb do.
        BadData: it is empty or not arranged as a folder must be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted((one for one in archive.infolist() if _counts(one)), key=lambda one: one.filename)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise BadFile(f"{path}: is no whole .zip: {reason}") from error
    rows = np.array([_row(one) for one in members], np.int64).reshape(-1, 6)
    _check_overlaps(rows, path)
    around = _around([one.filename for one in members])
    names = [one.filename.removeprefix(around) for one in members]
    found, beside, order = Found(progress), list[str](), list[int]()
    for top, part in _tops(path, names):
        here = [place for place, name in enumerate(names) if name.startswith(top)]
        inside = [place for place in here if "/" in names[place].removeprefix(top)]
        beside += [shown(names[place]) for place in here if "/" not in names[place].removeprefix(top)]
        if not inside:
            raise no_classes(f"{path}: {top}" if top else str(path), PurePosixPath(top), len(here))
        for place in inside:
            folder = names[place].removeprefix(top).partition("/")[0]
            side = POOL if folder in UNLABELLED else part
            # The CRC says more about a member than the time of change by which other files are known.
            found.add(names[place], found.label(shown(folder)), side, int(rows[place, 2]), int(rows[place, 3]))
        order += inside
    return found.listing(path, beside, Archive(path, rows[order]))


def _counts(member: zipfile.ZipInfo) -> bool:
    """Whether this is a file that anybody put there."""
    parts = member.filename.split("/")
    return not member.is_dir() and not any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _row(member: zipfile.ZipInfo) -> tuple[int, ...]:
    return (
        member.header_offset,
        member.compress_size,
        member.file_size,
        member.CRC,
        member.compress_type,
        member.flag_bits,
    )


def _check_overlaps(rows: NDArray[np.int64], path: Path) -> None:
    """Raises BadFile when members share their bytes: a small file could hold any number of large ones.

    Source: Fifield 2019, A better zip bomb.
    """
    begins = rows[:, 0].argsort()
    ends = rows[begins, 0] + HEADER.size + rows[begins, 1]
    if (ends[:-1] > rows[begins[1:], 0]).any():
        raise BadFile(f"{path}: its members overlap, as those of a zip bomb do; it is not read.")


def _around(names: list[str]) -> str:
    """The one folder that holds all others, "photos/"; empty if there is none."""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or tops & PARTS.keys() or not any(name.count("/") > 1 for name in names):
        return ""
    return f"{tops.pop()}/"


def _tops(path: Path, names: list[str]) -> list[tuple[str, int]]:
    """As `folder.part_folders`."""
    folders = {name.partition("/")[0] for name in names if "/" in name}
    if not folders:
        raise no_classes(str(path), PurePosixPath(), len(names))
    nested = any(name.startswith("train/") and name.count("/") > 1 for name in names)
    return part_folders(str(path), folders, nested=nested)
