"""JPEG files by their segments: what their header says, what tells one from another, and damage that nobody tells.

Source: ITU T.81, annex B.
"""

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..core import BadFile

if TYPE_CHECKING:
    from PIL import Image

HEAD = 4096  # bytes of a file in which its header mostly is
BEGIN, EXIF, JFIF, TABLES, RESTARTS, SCAN, END = b"\xff\xd8", 0xE1, 0xE0, 0xC4, 0xDD, 0xDA, 0xD9
FRAMES = (0xC0, 0xC1, 0xC2)  # that Pillow decodes: baseline, extended and progressive
WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
METADATA = (0xFE, *range(0xE1, 0xEE), 0xEF)  # comments, EXIF, colour profiles; JFIF and Adobe (EE) say the colours
AFTER_SCAN = (0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0))

# Inside the compressed data 0xFF is followed by a stuffed zero or a restart, or ends it with a marker.
SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
HOLE = bytes(1024)
STANDARD_TABLE = bytes.fromhex("00010501010101010100000000000000") + bytes(range(12))  # of annex K.3


@dataclass(frozen=True)
class Frame:
    """A picture as a plain JPEG describes it: 8 bits, grey or three colours, not turned."""

    height: int
    width: int
    mode: Literal["L", "RGB"]

    def decoded(self, content: bytes, side: int) -> "Image.Image | None":
        """The picture, at 1/2, 1/4 or 1/8 where no side falls below `side`; None if that fails.

        This is Pillow's decoder, as `Image.open` and `draft` would call it, without their search for metadata.
        """
        from PIL import Image

        if self.height * self.width > (Image.MAX_IMAGE_PIXELS or 0):
            return None
        scale = next((one for one in (8, 4, 2) if min(self.height, self.width) // side >= one), 1)
        size = -(-self.width // scale), -(-self.height // scale)
        try:
            return Image.frombytes(self.mode, size, content, "jpeg", self.mode, "", scale, 0)
        except Exception:  # a decoder raises nearly anything on broken files
            return None


def jpeg_header(head: bytes) -> Frame | None:
    """What the first bytes of a plain JPEG say; None for all that must be looked at more closely."""
    place = 2
    while head[:2] == BEGIN and place + 10 <= len(head) and head[place] == 0xFF:
        kind = head[place + 1]
        if kind in (EXIF, 0xFF) or kind in WITHOUT_LENGTH:
            return None
        if kind in FRAMES:
            height, width, bands = struct.unpack_from(">HHB", head, place + 5)
            plain = head[place + 4] == 8 and bands in (1, 3) and height * width > 0
            return Frame(height, width, "L" if bands == 1 else "RGB") if plain else None
        place += 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return None


def jpeg_parts(content: bytes) -> list[bytes]:
    """All segments of the first picture in a JPEG but for its metadata, and the compressed data.

    Raises:
        BadFile: there is what no encoder writes; Pillow passes over it in silence, and gives grey or noise.
    """
    found, place, scans, standard, restarts = list[bytes](), 2, 0, False, False
    while content[place : place + 1] == b"\xff" and place + 1 < len(content):
        kind = content[place + 1]
        if kind == END:
            return found
        if kind == 0xFF or kind in WITHOUT_LENGTH:
            place += 1 if kind == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        segment = content[place:end]
        standard |= kind == TABLES and STANDARD_TABLE in segment
        restarts |= kind == RESTARTS and segment[4:6] != b"\0\0"
        if kind == JFIF:
            found.append(segment[:9])  # of JFIF that it is there, not its resolution
        elif kind not in METADATA:
            found.append(segment)
        place = end
        if kind != SCAN:
            continue
        stop, scans = SCAN_END.search(content, place), scans + 1
        place = stop.start() if stop else len(content)
        scan = content[end:place]
        if stop and content[place + 1] not in AFTER_SCAN:
            raise BadFile("damaged: its compressed data breaks off")
        if (not restarts and RESTART.search(scan)) or (standard and HOLE in scan):
            raise BadFile("damaged: its compressed data is none of a JPEG")
        found.append(scan)
    if scans and place != len(content):  # without a mark of its end it may be whole
        raise BadFile("damaged: its compressed data breaks off")
    return found if scans else [content]  # what Pillow finds its way through
