"""The text that HDF5 objects are described by, read without the HDF5 library.

The library walks in a circle for ever where a damaged file tells it to, and reads one long word as often as a file
names it.  Here every step is bounded.  Source: HDF5 File Format Specification 3.0, sections III.E, IV.A, IV.A.2.m.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ..core import BadFile

MOST_BLOCKS = 1_000  # that one object is described in
MOST_STEPS = 400_000  # messages and words that are passed; 3,000 groups have 30,000
LARGEST_TEXT = 48 * 2**20  # bytes of all text in a file
NOWHERE = 2**64 - 1
CONTINUATION, ATTRIBUTE, ATTRIBUTE_INFO = 0x10, 0x0C, 0x15  # kinds of messages
FIXED, VARIABLE = 3, 9  # kinds of text
SHARED = 2  # a flag: the message lies elsewhere


@dataclass
class Texts:
    """The attributes of objects in a file that are words or lists of words.

    Attributes:
        file, size: where all lies, and how long it is in bytes.
        left: bytes of text that may still be read.
        steps: messages and words that may still be passed.
        undescribed: bytes of the file that have described nothing yet; none describes two objects.
    """

    file: BinaryIO
    size: int
    left: int = LARGEST_TEXT
    steps: int = MOST_STEPS
    undescribed: int = field(init=False)
    _heaps: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.undescribed = self.size

    def of(self, address: int, name: str) -> dict[str, str | list[str]]:
        """Those of the object whose header is at `address`; attributes that are no text are left out.

        Raises:
            BadFile: too many, too long, or not where they should be.
        """
        found: dict[str, str | list[str]] = {}
        for kind, flags, data in self._messages(address):
            if kind == ATTRIBUTE_INFO and struct.unpack_from("<Q", data, 2 + 2 * (data[1] & 1))[0] != NOWHERE:
                raise BadFile(f"its {name!r} has more attributes than any model's.")
            if kind == ATTRIBUTE and not flags & SHARED:
                word, value = self._attribute(data, name)
                if value is not None:
                    found[word] = value
        return found

    def at(self, offset: int, length: int) -> bytes:
        """So many bytes from there.  Raises BadFile when they are not in the file."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BadFile("it names a place that is not in the file.")
        self.file.seek(offset)
        return self.file.read(length)

    def _messages(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        """Kind, flags and contents of what describes an object."""
        start = self.at(address, 16)
        new, flags = start[:4] == b"OHDR", start[5]
        if new:
            width, place = 1 << (flags & 3), address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
            blocks = [(place + width, int.from_bytes(self.at(place, width), "little"))]
            head = "<BHB2x" if flags & 4 else "<BHB"
        elif start[0] == 1:
            blocks, head = [(address + 16, struct.unpack_from("<I", start, 8)[0])], "<HHB3x"
        else:
            raise BadFile("it names a place where there is no object.")
        seen: set[int] = set()
        while blocks:
            offset, length = blocks.pop()
            if offset in seen or len(seen) > MOST_BLOCKS or length > LARGEST_TEXT:
                raise BadFile("an object is described in a circle, or without end.")
            self._pass(described=length)
            data = self.at(offset, length)
            data = data[4:-4] if new and seen else data  # between "OCHK" and a checksum
            seen.add(offset)
            place = 0
            while place + struct.calcsize(head) <= len(data):
                self._pass(steps=1)
                kind, size, flags = struct.unpack_from(head, data, place)
                place += struct.calcsize(head)
                content = data[place : place + size]
                place += size
                if kind == CONTINUATION and len(content) >= 16:
                    blocks.append(struct.unpack_from("<QQ", content))
                else:
                    yield kind, flags, content

    def _attribute(self, data: bytes, name: str) -> tuple[str, str | list[str] | None]:
        version, _, named, typed, spaced = struct.unpack_from("<BBHHH", data)
        place, parts = 8 + (version == 3), []
        for length in (named, typed, spaced):
            parts.append(data[place : place + length])
            place += length + (-length % 8 if version == 1 else 0)
        word = parts[0].rstrip(b"\0").decode("utf-8", "replace")
        sides = _sides(parts[2])
        if sides is None or data[1] & 3:  # no value at all, or a type or a space that lies elsewhere
            return word, None
        if 0 in sides:  # a list of no words, to which NumPy gives the type of numbers
            return word, []
        kind, width = parts[1][0] & 15, struct.unpack_from("<I", parts[1], 4)[0]
        text = kind == FIXED or (kind == VARIABLE and parts[1][1] & 15 == 1)
        count, raw = math.prod(sides), data[place:]
        if not text:
            return word, None
        if count * width > len(raw):
            raise BadFile(f"its {name!r} has an attribute {word!r} that is cut off.")
        pieces = [raw[at * width : (at + 1) * width] for at in range(count)]
        self._spend(count * width)
        words = [self._word(piece) if kind == VARIABLE else piece.rstrip(b"\0") for piece in pieces]
        decoded = [one.decode("utf-8", "replace") for one in words]
        return word, decoded if sides else decoded[0]

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise BadFile(f"it has more than {LARGEST_TEXT >> 20} MiB of text.")

    def _pass(self, *, steps: int = 0, described: int = 0) -> None:
        self.steps -= steps
        self.undescribed -= described
        if self.steps < 0 or self.undescribed < 0:
            raise BadFile("its objects are described at far greater length than any model's.")

    def _word(self, piece: bytes) -> bytes:
        """A word that lies in a heap: its length, the heap's place, its number there."""
        length, address, number = struct.unpack("<IQI", piece)
        if not length:
            return b""
        if address not in self._heaps:
            self._heaps[address] = dict(self._heap(address))
        place, size = self._heaps[address].get(number, (0, 0))
        if length > size:
            raise BadFile("it names a word that is not in the file.")
        self._spend(length)  # before it is read, and as often as it is named
        return self.at(place, length)

    def _heap(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """The numbers of what lies in a heap, with place and size."""
        start = self.at(address, 16)
        end = address + int(struct.unpack_from("<Q", start, 8)[0])
        if start[:4] != b"GCOL" or end > self.size:
            raise BadFile("it names a heap that is not in the file.")
        self._pass(described=end - address)
        place = address + 16
        while place + 16 <= end:
            self._pass(steps=1)
            number, _, size = struct.unpack("<HH4xQ", self.at(place, 16))
            if number == 0:  # what is free
                return
            yield number, (place + 16, int(size))
            place += 16 + int(size) + -int(size) % 8


def _sides(space: bytes) -> tuple[int, ...] | None:
    """The shape that a dataspace message tells of, () for one value; None for none at all."""
    version, rank = space[0], space[1]
    if version == 2 and space[3] == 2:
        return None
    return struct.unpack_from(f"<{rank}Q", space, 8 if version == 1 else 4)
