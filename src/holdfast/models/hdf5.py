"""HDF5 files that strangers wrote, opened safely.

The HDF5 library reads what a file says of itself; it is let near plain groups, plain numbers and short text only, and
follows no link.  The numbers are read here, so that neither a filter nor another file has a say.
"""

import io
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile
from .hdf5_text import Texts
from .reading import RATIO, SMALL, regular

Attributes: TypeAlias = Mapping[str, "str | list[str]"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_OBJECTS = 20_000  # groups and arrays; the largest models of Keras have 3,000
MOST_CHUNKS = 4_096  # pieces of one array
DEEPEST = 50  # groups within groups
GZIP, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's numbers of filters


@dataclass(frozen=True)
class Array:
    """An array of numbers in a file, checked against the file's size and not read yet.

    Attributes:
        name: its path in the file.
        shape, dtype: as the file says; integers or floats.
        pieces: where in the file they lie: (offset in the file, bytes there, place in the array, filters left out).
        chunk: shape of a piece; () where the array is in one piece.
        filters: what each piece went through, in this order.
        file: where it lies.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # Any: of any number
    pieces: tuple[tuple[int, int, tuple[int, ...], int], ...]
    chunk: tuple[int, ...]
    filters: tuple[int, ...]
    file: BinaryIO

    def read(self) -> NDArray[Any]:  # Any: as above
        """The numbers, in this machine's byte order.  Raises BadFile where they are damaged."""
        if not self.chunk:
            whole = np.frombuffer(self._piece(*self.pieces[0]), self.dtype)
            return whole.reshape(self.shape).astype(self.dtype.newbyteorder("="))
        values = np.zeros(self.shape, self.dtype.newbyteorder("="))
        for piece in self.pieces:
            block = np.frombuffer(self._piece(*piece), self.dtype).reshape(self.chunk)
            place = tuple(slice(at, at + side) for at, side in zip(piece[2], self.chunk, strict=True))
            target = values[place]
            target[...] = block[tuple(slice(0, side) for side in target.shape)]
        return values

    def _piece(self, offset: int, stored: int, _: tuple[int, ...], left_out: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(stored)
        size = math.prod(self.chunk or self.shape) * self.dtype.itemsize
        for number, one in reversed(list(enumerate(self.filters))):
            if left_out >> number & 1:
                continue
            if one == FLETCHER32:
                data = _checked(data, self.name)
            elif one == GZIP:
                data = zlib.decompressobj().decompress(data, size + 4)  # a checksum may follow
            else:
                rows = np.frombuffer(data, np.uint8).reshape(self.dtype.itemsize, -1)
                data = rows.T.tobytes()
        if len(data) != size:
            raise BadFile(f"its array {self.name!r} is cut off or damaged.")
        return data


class Group(Mapping[str, "Group | Array"]):
    """A group of a file: its parts by name, and its attributes."""

    def __init__(self, name: str, attributes: Attributes, parts: "Mapping[str, Group | Array]") -> None:
        self.name, self.attributes, self._parts = name, attributes, parts

    def __getitem__(self, name: str) -> "Group | Array":
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def at(self, path: str) -> "Group | Array":
        """What lies at a path such as "conv1/kernel:0".  Raises BadFile when there is nothing."""
        found: Group | Array = self
        for part in path.strip("/").split("/"):
            if not isinstance(found, Group) or part not in found:
                raise BadFile(f"it has nothing at {self.name.rstrip('/')}/{path}.")
            found = found[part]
        return found

    def group(self, path: str) -> "Group":
        """The group at a path.  Raises BadFile when there is none."""
        found = self.at(path)
        if not isinstance(found, Group):
            raise BadFile(f"its {found.name!r} is no group.")
        return found

    def array(self, path: str) -> Array:
        """The array at a path.  Raises BadFile when there is none."""
        found = self.at(path)
        if not isinstance(found, Array):
            raise BadFile(f"its {found.name!r} is no array.")
        return found

    def arrays(self) -> Iterator[Array]:
        """All arrays in this group and those below."""
        for part in self.values():
            if isinstance(part, Array):
                yield part
            else:
                yield from part.arrays()

    def words(self, name: str) -> list[str]:
        """A list of words among the attributes; a long one is kept in parts: name0, name1, ..."""
        found = [self.attributes[name]] if name in self.attributes else []
        while f"{name}{len(found)}" in self.attributes and name not in self.attributes:
            found.append(self.attributes[f"{name}{len(found)}"])
        if not found or not all(isinstance(part, list) for part in found):
            raise BadFile(f"its {self.name!r} has no list {name!r}.")
        return [word for part in found if isinstance(part, list) for word in part]


@contextmanager
def open_h5(source: bytes | Path, *, packed: int | None = None) -> Iterator[Group]:
    """The root of an HDF5 file; its arrays can be read within the block.

    Args:
        source: the contents, or where they lie.
        packed: bytes that the contents took in an archive; None when they were in none.

    Raises:
        BadFile: no HDF5, a link, a number of objects, sizes or kinds of data that no model has.
    """
    if isinstance(source, bytes):
        yield _opened(io.BytesIO(source), len(source), len(source) if packed is None else packed)
        return
    with regular(source) as file:
        size = os.fstat(file.fileno()).st_size
        yield _opened(file, size, size)


def _opened(file: BinaryIO, size: int, packed: int) -> Group:
    import h5py

    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ValueError("file signature not found")
    with h5py.File(file, "r") as opened:
        root = _Walk(file, size).group(opened.id, "/")
    stored = sum(piece[1] for array in root.arrays() for piece in array.pieces)
    unpacked = sum(math.prod(array.shape) * array.dtype.itemsize for array in root.arrays())
    if stored > size:
        raise BadFile(f"its arrays take {stored:,} bytes of the file, which has {size:,}.")
    if unpacked > max(SMALL, RATIO * min(stored, packed)):  # each may be small, and an archive may be packed again
        raise BadFile(f"its arrays unpack to {unpacked:,} bytes, more than {RATIO} times what they take.")
    return root


class _Walk:
    """Visits what there is, each once."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.texts = file, size, Texts(file, size)
        self.met: set[Any] = set()  # Any: what HDF5 tells objects apart by

    def group(self, gid: Any, name: str, depth: int = 0) -> Group:  # Any: h5py is not annotated
        from h5py import h5d, h5g, h5l, h5o

        self.enter(gid, name)
        if depth > DEEPEST:
            raise BadFile(f"its groups are nested more than {DEEPEST} deep.")
        if gid.get_num_objs() > MOST_OBJECTS:
            raise BadFile(f"its {name!r} has {gid.get_num_objs():,} parts; models have up to {MOST_OBJECTS:,}.")
        parts: dict[str, Group | Array] = {}
        for raw in list(gid):
            word = raw.decode("utf-8", "replace")
            path = f"{name.rstrip('/')}/{word}"
            if gid.links.get_info(raw).type != h5l.TYPE_HARD:
                raise BadFile(f"its {path!r} is a link to elsewhere, which is not followed.")
            found = h5o.open(gid, raw)
            if isinstance(found, h5g.GroupID):
                parts[word] = self.group(found, path, depth + 1)
            elif isinstance(found, h5d.DatasetID):
                parts[word] = self.array(found, path)
            else:
                raise BadFile(f"its {path!r} is neither a group nor an array.")
        return Group(name, self.texts.of(h5o.get_info(gid).addr, name), parts)

    def enter(self, found: Any, name: str) -> None:  # Any: as above
        """Raises BadFile for an object that was met before: a circle, or twice the same numbers."""
        from h5py import h5o

        info = h5o.get_info(found)
        if (info.fileno, info.addr) in self.met:
            raise BadFile(f"its {name!r} is there under another name, too.")
        self.met.add((info.fileno, info.addr))
        if len(self.met) > MOST_OBJECTS:
            raise BadFile(f"it has more than {MOST_OBJECTS:,} groups and arrays.")

    def array(self, did: Any, name: str) -> Array:  # Any: as above
        from h5py import h5d, h5t

        self.enter(did, name)
        plan = did.get_create_plist()
        layout, filters = plan.get_layout(), [plan.get_filter(n)[0] for n in range(plan.get_nfilters())]
        if layout == h5d.VIRTUAL or plan.get_external_count():
            raise BadFile(f"its array {name!r} lies in other files, which are not opened.")
        if did.get_type().get_class() not in (h5t.INTEGER, h5t.FLOAT):
            raise BadFile(f"its array {name!r} holds no plain numbers.")
        strange = next((one for one in filters if one not in (GZIP, SHUFFLE, FLETCHER32)), None)
        if strange is not None:
            raise BadFile(
                f"its array {name!r} went through filter {strange}; only gzip, shuffle and fletcher32 are read."
            )
        shape, dtype = tuple(int(side) for side in did.shape), np.dtype(did.dtype)
        size = math.prod(shape) * dtype.itemsize
        chunk: tuple[int, ...] = ()
        pieces: list[tuple[int, int, tuple[int, ...], int]] = []
        if layout == h5d.CHUNKED:
            chunk = tuple(int(side) for side in plan.get_chunk())
            pieces = self.chunks(did, name, math.prod(chunk) * dtype.itemsize, size)
        elif layout == h5d.COMPACT and size:
            return self.small(did, name, shape, dtype)
        elif size:
            offset = did.get_offset()
            pieces = [(-1 if offset is None else int(offset), int(did.get_storage_size()), (), 0)]
        else:
            pieces = [(0, 0, (), 0)]
        if not chunk and pieces[0][1] != size:
            raise BadFile(f"its array {name!r} of shape {shape} has {pieces[0][1]:,} bytes in the file, not {size:,}.")
        if any(at < 0 or stored < 0 or at + stored > self.size for at, stored, *_ in pieces):
            raise BadFile(f"its array {name!r} of shape {shape} does not lie in the file.")
        return Array(name, shape, dtype, tuple(pieces), chunk, tuple(filters), self.file)

    def chunks(  # Any: as above
        self, did: Any, name: str, chunk: int, size: int
    ) -> list[tuple[int, int, tuple[int, ...], int]]:
        """Where the pieces of an array lie; `chunk` is the bytes of one, `size` those of all."""
        count = did.get_num_chunks()
        if count > MOST_CHUNKS:
            raise BadFile(f"its array {name!r} is in {count:,} pieces; up to {MOST_CHUNKS:,} are read.")
        found: list[Any] = []  # Any: as above
        did.chunk_iter(found.append)  # asked one by one, HDF5 walks from the first each time
        stored = sum(int(one.size) for one in found)
        if size > max(SMALL, RATIO * stored) or chunk > max(SMALL, RATIO * stored) or count * chunk > 4 * size + SMALL:
            raise BadFile(
                f"its array {name!r} unpacks to {size:,} bytes from {stored:,}, more than {RATIO} times those."
            )
        return [(int(one.byte_offset), int(one.size), tuple(one.chunk_offset), int(one.filter_mask)) for one in found]

    def small(self, did: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:  # Any: as above
        """An array that stands in its own header, at most 64 KiB."""
        from h5py import h5s

        if math.prod(shape) * dtype.itemsize > 2**16:
            raise BadFile(f"its array {name!r} of shape {shape} is larger than its header.")
        values = np.empty(shape, dtype)
        did.read(h5s.ALL, h5s.ALL, values)
        return Array(name, shape, dtype, ((0, values.nbytes, (), 0),), (), (), io.BytesIO(values.tobytes()))


def _checked(data: bytes, name: str) -> bytes:
    """The data before its checksum of four bytes.  Raises BadFile where the two differ.

    Source: Fletcher 1982, over 16-bit words that begin with the higher byte, as HDF5's H5_checksum_fletcher32.
    """
    data, told = data[:-4], int.from_bytes(data[-4:], "little")
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.int64)
    turns = np.arange(len(words), 0, -1, dtype=np.int64) % 65535
    first, second = int(words.sum()) % 65535, int((words * turns % 65535).sum()) % 65535
    if (told & 0xFFFF) % 65535 != first or (told >> 16) % 65535 != second:
        raise BadFile(f"its array {name!r} does not have the checksum that it should.")
    return data
