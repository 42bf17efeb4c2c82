"""Files that strangers wrote, opened safely: archives, JSON, and files beside a file.  HDF5 is hdf5.py.

Nothing is unpacked to disk or run, and what a file says of its sizes is held against the file before memory is taken.
"""

import io
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ..core import BadFile, HoldfastError

Json: TypeAlias = Any  # what json.loads gives

LARGEST_JSON = 48 * 2**20  # bytes; more is no configuration
MOST_VALUES = 2_500_000  # in a JSON text: 40 bytes each once they are read
MOST_CONTAINERS = 200_000  # lists and objects in a JSON text: up to 250 bytes each
DEEPEST = 200  # levels of a JSON text; a model inside a model takes five
MOST_MEMBERS = 1_000  # of an archive; a .keras file has four
LARGEST_DIRECTORY = 2**20  # bytes of an archive's own list of members
RATIO = 100  # of a size to what it takes in the file; weights shrink by a tenth, configurations to a tenth
SMALL = 2**20  # bytes that may have shrunk by any ratio
ENCRYPTED = 0x41  # flags of a member: in one of two ways
CHUNK = 2**20  # bytes read at a time
LONGEST_REASON = 400  # characters
DAMAGED = (  # what zipfile, json, h5py and the reading of a strange configuration raise
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    RuntimeError,
)


@contextmanager
def told(path: Path | str, kind: str) -> Iterator[None]:
    """Whatever goes wrong in the block becomes one line of one of our errors, which begins with the path.

    Args:
        kind: what the file should have been, e.g. ".keras model file".
    """
    try:
        yield
    except FileNotFoundError as error:
        if error.filename is not None and Path(error.filename) != Path(path):
            raise BadFile(f"{path}: names the file {Path(error.filename).name!r}, which is not there.") from error
        raise BadFile(f"{path}: no such file.") from error
    except HoldfastError as error:
        raise type(error)(f"{path}: {one_line(str(error))}") from error
    except DAMAGED as error:
        said = getattr(error, "strerror", None) or (error.args[0] if error.args else type(error).__name__)
        reason = one_line(str(said).partition("\n")[0])
        raise BadFile(f"{path}: is no {kind}, or a damaged one: {reason}") from error


def one_line(text: str) -> str:
    """A message that may quote a stranger: on one line, not too long, without signs that steer a terminal."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text[: 2 * LONGEST_REASON])
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 4]} ..."


def parse_json(text: bytes, what: str) -> dict[str, Json]:
    """The object of a JSON text, which is measured before it is read.

    Args:
        what: how messages call it: "its config.json".

    Raises:
        BadFile: too long, too many values, too deep, or no object.
    """
    check_json_size(len(text), what)
    containers = text.count(b"[") + text.count(b"{")
    if text.count(b",") > MOST_VALUES or containers > MOST_CONTAINERS:
        bare = _without_strings(text)
        containers = bare.count(b"[") + bare.count(b"{")
        if bare.count(b",") > MOST_VALUES or containers > MOST_CONTAINERS:
            raise BadFile(f"{what} holds more values than any model needs.")
    if containers > DEEPEST:
        depth = deepest = 0
        for bracket in re.findall(rb"[\[\]{}]", _without_strings(text)):
            depth += 1 if bracket in b"[{" else -1
            deepest = max(deepest, depth)
        if deepest > DEEPEST:
            raise BadFile(f"{what} is nested {deepest:,} levels deep; at most {DEEPEST} are read.")
    value = json.loads(text.decode("utf-8-sig"))  # of bytes json takes UTF-16, too, which was not what we measured
    if not isinstance(value, dict):
        raise BadFile(f"{what} is no JSON object.")
    return value


def check_json_size(size: int, what: str) -> None:
    """Raises BadFile for a JSON text that is too long to be a configuration; `size` in bytes."""
    if size > LARGEST_JSON:
        raise BadFile(f"{what} is larger than {LARGEST_JSON >> 20} MiB.")


def _without_strings(text: bytes) -> bytes:
    return re.sub(rb'"[^"\\]*(?:\\.[^"\\]*)*"', b"", text, flags=re.DOTALL)


def read_json(path: Path) -> dict[str, Json]:
    """The object in a JSON file.

    Raises:
        BadFile: no file, or a text that `parse_json` refuses.
    """
    what = f"its {path.name}"
    with regular(path) as file:
        check_json_size(os.fstat(file.fileno()).st_size, what)
        return parse_json(file.read(LARGEST_JSON), what)


@contextmanager
def regular(path: Path) -> Iterator[io.BufferedReader]:
    """An ordinary file, open for reading; a pipe or a device, which could make us wait for ever, is refused."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123  (no path, a descriptor)
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "Is a directory")
        if not stat.S_ISREG(mode):
            raise BadFile("is no ordinary file.")
        yield file


def beside(folder: Path, name: Json) -> Path:
    """The file of that name, a relative path, inside a folder.

    Raises:
        BadFile: a name that leads elsewhere, by itself or through a link.
    """
    if not _harmless(name):
        raise BadFile(f"names a file {name!r}; only names inside its own folder are read.")
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadFile(f"names a file {name!r}, a link that leads out of its own folder.")
    return path


def _harmless(name: Json) -> bool:
    """Whether a name is a relative path that stays inside, on any system."""
    if not isinstance(name, str) or not name or re.search(r"[\\:\x00-\x1f]", name):
        return False
    return not name.startswith(("/", "~")) and ".." not in name.split("/")


class Archive:
    """A zip whose members were checked; use it in a `with`.  Members are read into memory, never to disk.

    Attributes:
        members: by name.

    Raises:
        BadFile: a member that leads out of the archive, is there twice, a link, encrypted or much larger than the file.
    """

    def __init__(self, path: Path) -> None:
        self._regular = regular(path)
        file = self._regular.__enter__()
        try:
            self._size = os.fstat(file.fileno()).st_size
            self._zip = zipfile.ZipFile(_Frugal(file))
            self.members = self._checked(self._zip.infolist())
        except BaseException:
            self._regular.__exit__(None, None, None)
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *error: object) -> None:
        self._regular.__exit__(None, None, None)

    def _checked(self, found: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(found) > MOST_MEMBERS:
            raise BadFile(f"it has {len(found):,} members; a model has four.")
        members: dict[str, zipfile.ZipInfo] = {}
        for one in found:
            name = one.orig_filename  # as written: ZipInfo.filename ends at a zero
            problem = "is there twice" if name in members else _problem(one, self._size)
            if problem:
                raise BadFile(f"its member {name!r} {problem}.")
            members[name] = one
        return members

    def read(self, name: str) -> bytes:
        """The contents of a member.  Raises KeyError when there is none of that name."""
        if name not in self.members:
            raise KeyError(f"There is no item named {name!r} in the archive")
        content = io.BytesIO()
        with self._zip.open(self.members[name]) as member:
            while chunk := member.read(CHUNK):
                content.write(chunk)
        if content.tell() != self.members[name].file_size:
            raise BadFile(f"its member {name!r} is cut off.")
        return content.getvalue()

    def json(self, name: str) -> dict[str, Json]:
        """The JSON object in a member."""
        if name in self.members:
            check_json_size(self.members[name].file_size, f"its {name}")
        return parse_json(self.read(name), f"its {name}")


def _problem(member: zipfile.ZipInfo, size: int) -> str | None:
    """Why a member of an archive of `size` bytes is not read, or None."""
    stored, unpacked = member.compress_size, member.file_size
    if not _harmless(member.orig_filename):
        return "leads out of the archive"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that is not read"
    if stored > size or (member.compress_type == zipfile.ZIP_STORED and unpacked != stored):
        return "is larger than the file"
    if unpacked > max(SMALL, RATIO * stored):
        return f"unpacks to {unpacked:,} bytes, more than {RATIO} times what it takes"
    return None


class _Frugal(io.RawIOBase):
    """A file that gives no more at a time than an archive's list of members may be long.

    zipfile reads that list in one go, however long the file says it is.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        most = max(LARGEST_DIRECTORY, CHUNK)
        data = self._file.read(most + 1 if size is None or size < 0 else min(size, most + 1))
        if len(data) > most:
            raise BadFile("its list of members is longer than any model's.")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
