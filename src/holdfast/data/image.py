"""One picture from one file: the only decoder, so that training and predict see the same pixels for the same bytes."""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..core import BadFile, BadShape, BadValue, HoldfastError
from .digests import digest
from .jpeg import HEAD, jpeg_header, jpeg_parts

if TYPE_CHECKING:
    from PIL import Image

Fit: TypeAlias = Literal["stretch", "fit", "crop"]
Size: TypeAlias = tuple[int, int]  # (H, W) in pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
INTERPOLATIONS = ("bilinear", "nearest", "box", "bicubic", "lanczos")  # Pillow's
FITS: tuple[Fit, ...] = ("stretch", "fit", "crop")
PADDING = 127  # of 255: in the middle, so that bars at the edges say least
SWAPS_SIDES = (5, 6, 7, 8)  # the EXIF orientations that turn a picture by a quarter
ORIENTATION = 0x0112
SMALLEST_SHARE = 7 / 8  # of the sides that are asked for: so small a JPEG may be decoded; scaling blurs more than that
DRAFT_PX = 196  # and not below this, which is enough for 224: so up to that size all begin with the same pixels
LARGEST_FILE = 2**30
VERSION = 1  # of what is decoded from the same bytes; the caches of other versions are not used


def read_image(
    path: Path | str, shape: tuple[int, int, int], *, interpolation: str = "bilinear", fit: Fit = "stretch"
) -> Tensor:
    """The picture in a file, upright and at the size a model takes.

    EXIF orientation is applied, transparency is laid on white, 16-bit grey becomes 8-bit, the first frame is taken of
    an animation.  A picture of another size is scaled, antialiased.  Colour profiles are not applied.

    Args:
        path: a file in one of `FORMATS`, whatever its name ends in.
        shape: (H, W, C) of the result; C is 1 for grey, 3 for RGB.
        interpolation: one of `INTERPOLATIONS`; "nearest" is not antialiased.
        fit: how a picture of another shape gets this one; see `fitted`.

    Returns:
        (H, W, C) uint8; with "bilinear" the same as `load` gives for this file at this shape.

    Raises:
        BadFile: the file is missing, empty, truncated or no picture.
        BadShape: C is neither 1 nor 3.
        BadValue: no such interpolation, no such fit.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise BadShape(f"read_image(shape={shape}): the last number must be 1 (grey) or 3 (RGB).")
    for name, value, known in (("interpolation", interpolation, INTERPOLATIONS), ("fit", fit, FITS)):
        if value not in known:
            raise BadValue(f"read_image({name}={value!r}): must be one of {', '.join(known)}.")
    size = (height, width)
    try:
        with quiet():
            return torch.from_numpy(fitted(decode(Path(path), channels, size), size, interpolation, fit))
    except BadFile as error:
        raise BadFile(f"{path}: {error}") from error


@dataclass(frozen=True)
class Header:
    """What a file says about its picture before it is decoded: its sides in pixels, when upright, and if it is grey."""

    height: int
    width: int
    grey: bool


def content_of(path: Path) -> bytes:
    """All bytes of a file that may hold a picture.  Raises BadFile with the bare reason."""
    try:
        with _file(path) as file:
            return file.read()
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(_reason(path, error)) from error


def read_header(content: Path | bytes) -> Header:
    """The header alone; a file that passes may still be truncated.  Raises BadFile with the bare reason."""
    with suppress(OSError, ValueError), _file(content) as file:  # `_opened` says what is wrong
        if (frame := jpeg_header(file.read(HEAD))) is not None:
            return Header(frame.height, frame.width, frame.mode == "L")
    with _opened(content) as image:
        width, height = image.size
        # Pillow turns TIFF itself; for PNG without EXIF before the pixels it would decode them all to look behind them.
        asked = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        turned = asked and image.getexif().get(ORIENTATION) in SWAPS_SIDES
        return Header(width, height, _grey(image)) if turned else Header(height, width, _grey(image))


def decode(content: Path | bytes, channels: int, size: Size | None = None) -> "Image.Image":
    """The upright picture, as "L" for one channel and "RGB" for three.

    Args:
        content: of a file, or its path.
        channels: 1 or 3.
        size: (H, W) of what becomes of it.  A JPEG comes at 1/2, 1/4 or 1/8 where that is enough for this size, see
            `draft_side`.  None: the whole picture.

    Raises:
        BadFile: with the bare reason.
    """
    return _decoded(content if isinstance(content, bytes) else content_of(content), channels, size)[0]


def decode_known(content: bytes, channels: int, size: Size | None = None) -> "tuple[Image.Image, int]":
    """As `decode`, and a digest: equal for exact copies, whatever their metadata, and the same at every size.

    Of a JPEG it is that of its compressed pixels, because it need not be decoded whole; of others that of the pixels,
    in colour also where all are grey, so that one picture in colour that comes later does not change it.
    """
    picture, parts = _decoded(content, channels, size)
    return picture, digest(*(parts or [f"{picture.size}".encode(), picture.convert("RGB").tobytes()]))


def draft_side(size: Size) -> int:
    """The least side in pixels with which a JPEG may be decoded that becomes a picture of this size."""
    return max(DRAFT_PX, int(SMALLEST_SHARE * max(size)))


def _decoded(content: bytes, channels: int, size: Size | None) -> "tuple[Image.Image, list[bytes]]":
    """The picture, and what tells it from others if it is a JPEG."""
    from PIL import Image, ImageOps

    mode: Literal["L", "RGB"] = "L" if channels == 1 else "RGB"
    if (frame := jpeg_header(content)) is not None:
        picture = frame.decoded(content, draft_side(size) if size else max(frame.height, frame.width))
        if picture is not None:  # else whoever reads it the long way can say why
            parts = jpeg_parts(content)
            return picture if picture.mode == mode else picture.convert(mode), [b"JPEG 1", *parts]
    with _opened(content) as image:
        if size is not None:
            side = draft_side(size)
            image.draft(None, (side, side))
        image.load()
        parts = jpeg_parts(content) if image.format in ("JPEG", "MPO") else []
        if image.format == "PNG":
            _check_png(content)
        if (orientation := image.getexif().get(ORIENTATION, 1)) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "F":
            raise BadFile("float pixels, save them as 8 or 16 bits")
        upright: Image.Image = _eight_bits(image) if image.mode.startswith("I") else image
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        told = [f"JPEG {orientation}".encode(), *parts] if parts else []
        return upright.convert(mode), told


def fitted(
    picture: "Image.Image", size: Size, interpolation: str = "bilinear", fit: Fit = "stretch"
) -> NDArray[np.uint8]:
    """A decoded picture at `size` (H, W) -> (H, W, C) uint8, its own memory.

    Args:
        picture: "L" or "RGB".
        size: (H, W) in pixels.
        interpolation: one of `INTERPOLATIONS`.
        fit: what becomes of another shape.  "stretch": both sides are scaled by themselves.  "crop": of the picture the
            largest window of this shape, in its middle, is scaled.  "fit": the whole picture is scaled as it is, and
            stands in the middle between bars of `PADDING`.
    """
    height, width = size
    if fit == "crop":
        picture = picture.crop(_window(picture.size, (width, height)))
    if fit != "fit":
        return _scaled(picture, size, interpolation)
    scale = min(width / picture.width, height / picture.height)
    inner = max(1, round(picture.height * scale)), max(1, round(picture.width * scale))
    whole = np.full((height, width, len(picture.getbands())), PADDING, np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    whole[top : top + inner[0], left : left + inner[1]] = _scaled(picture, inner, interpolation)
    return whole


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about odd files are not shown; its warning of a decompression bomb is an error."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.|holdfast\.data\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _scaled(picture: "Image.Image", size: Size, interpolation: str) -> NDArray[np.uint8]:
    """Both sides scaled to `size` (H, W) -> (H, W, C)."""
    from PIL import Image

    height, width = size
    if picture.size == (width, height):
        return np.array(picture).reshape(height, width, -1)
    if picture.mode != "RGB" or interpolation != "bilinear":
        return np.array(picture.resize((width, height), Image.Resampling[interpolation.upper()])).reshape(*size, -1)
    # torch computes the same as Pillow, to a level of 255, in a third of the time.
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    planes = pixels.view(1, picture.height, picture.width, 3).permute(0, 3, 1, 2)
    scaled = F.interpolate(planes, size, mode="bilinear", antialias=True)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())


def _window(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest window of a shape in the middle of a picture of this size: left, top, right, bottom; all (W, H)."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    width, height = (max(1, min(whole, round(side * scale))) for whole, side in zip(size, shape, strict=True))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


@contextmanager
def _opened(content: Path | bytes) -> "Iterator[Image.Image]":
    """The file as a lazy Pillow image; whatever goes wrong in the block leaves as BadFile with a short reason."""
    from PIL import Image

    try:
        # Not by its path: Pillow 13 then maps uncompressed TIFF into memory and gets turned ones wrong.
        with _file(content) as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except HoldfastError:
        raise
    except Exception as error:  # the plugins of Pillow raise nearly anything on broken files
        raise BadFile(_reason(content, error)) from error


def _file(content: Path | bytes) -> IO[bytes]:
    """A file that may be opened, and holds something."""
    if isinstance(content, bytes):
        size = len(content)
    else:
        status = content.stat()
        size = status.st_size
        if not S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise BadFile("not a file")
    if not size:
        raise BadFile("empty, 0 bytes")
    if size > LARGEST_FILE:
        raise BadFile(f"more than {LARGEST_FILE // 2**30} GB")
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _reason(content: Path | bytes, error: Exception) -> str:
    """Why a file gives no picture, in a few words."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return _what_else(content)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {(Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels"
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "truncated" if "truncated" in str(error).lower() else f"damaged: {error or type(error).__name__}".strip()


def _what_else(content: Path | bytes) -> str:
    """What a file is that is no picture."""
    with suppress(OSError):
        with _file(content) as file:
            head = file.read(64)
        if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
            return "HEIC is not supported, save it as JPEG"
        if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            return "a web page, not a picture"
    return "not a picture of a known format"


def _check_png(content: bytes) -> None:
    """Raises BadFile for damage that Pillow passes over in silence."""
    place = 8
    while place + 12 <= len(content):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        end = place + 8 + length
        sound = zlib.crc32(content[place + 4 : end]) == int.from_bytes(content[end : end + 4], "big")
        if not sound and kind[:1].isupper():  # the others, such as comments, do not matter
            raise BadFile(f"damaged: wrong checksum of its {kind.decode('latin-1')}")
        place = end + 4


def _grey(image: "Image.Image") -> bool:
    """Whether the file holds shades only.  A palette counts as colour."""
    return image.mode in GREY_MODES


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """Grey of 16 bits (0..65535) to "L" (0..255), rounded."""
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadFile("32-bit values outside 0..65535")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
