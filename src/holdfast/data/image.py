"""One picture from one file: the only decoder, so that training and predict see the same pixels for the same bytes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadFile, BadShape, BadValue, HoldfastError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
INTERPOLATIONS = ("bilinear", "nearest", "box", "bicubic", "lanczos")  # Pillow's
SWAPS_SIDES = (5, 6, 7, 8)  # the EXIF orientations that turn a picture by a quarter
ORIENTATION = 0x0112


def read_image(path: Path | str, shape: tuple[int, int, int], *, interpolation: str = "bilinear") -> Tensor:
    """The picture in a file, upright and at the size a model takes.

    EXIF orientation is applied, transparency is laid on white, 16-bit grey becomes 8-bit, the first frame is taken of
    an animation.  A picture of another size is stretched, antialiased.  Colour profiles are not applied.

    Args:
        path: a file in one of `FORMATS`, whatever its name ends in.
        shape: (H, W, C) of the result; C is 1 for grey, 3 for RGB.
        interpolation: one of `INTERPOLATIONS`; "nearest" is not antialiased.

    Returns:
        (H, W, C) uint8; with "bilinear" the same as `load` gives for this file at this shape.

    Raises:
        BadFile: the file is missing, empty, truncated or no picture.
        BadShape: C is neither 1 nor 3.
        BadValue: no such interpolation.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise BadShape(f"read_image(shape={shape}): the last number must be 1 (grey) or 3 (RGB).")
    if interpolation not in INTERPOLATIONS:
        raise BadValue(f"read_image(interpolation={interpolation!r}): must be one of {', '.join(INTERPOLATIONS)}.")
    try:
        with quiet():
            return torch.from_numpy(fitted(decode(Path(path), channels), (height, width), interpolation))
    except BadFile as error:
        raise BadFile(f"{path}: {error}") from error


@dataclass(frozen=True)
class Header:
    """What a file says about its picture before it is decoded: its sides in pixels, when upright, and if it is grey."""

    height: int
    width: int
    grey: bool


def read_header(path: Path | bytes) -> Header:
    """The header alone; a file that passes may still be truncated.  Raises BadFile with the bare reason."""
    with _opened(path) as image:
        width, height = image.size
        # Pillow turns TIFF itself; for PNG without EXIF before the pixels it would decode them all to look behind them.
        asked = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        turned = asked and image.getexif().get(ORIENTATION) in SWAPS_SIDES
        return Header(width, height, _grey(image)) if turned else Header(height, width, _grey(image))


def decode(path: Path | bytes, channels: int) -> "Image.Image":
    """The upright picture at full size, as "L" for one channel and "RGB" for three.  Raises BadFile with the reason.

    Bytes are the contents of a file that lies in another, such as a tar.
    """
    from PIL import Image, ImageOps

    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "F":
            raise BadFile("float pixels, save them as 8 or 16 bits")
        if upright.mode.startswith("I"):
            upright = _eight_bits(upright)
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        return upright.convert("L" if channels == 1 else "RGB")


def fitted(picture: "Image.Image", size: tuple[int, int], interpolation: str = "bilinear") -> NDArray[np.uint8]:
    """A decoded picture stretched to `size` (H, W) if it has another -> (H, W, C) uint8, its own memory."""
    from PIL import Image

    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling[interpolation.upper()])
    return np.array(picture).reshape(height, width, -1)


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about odd files are not shown; its warning of a decompression bomb is an error."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.|holdfast\.data\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: Path | bytes) -> "Iterator[Image.Image]":
    """The file as a lazy Pillow image; whatever goes wrong in the block leaves as BadFile with a short reason."""
    from PIL import Image

    try:
        # Not by its path: Pillow 13 then maps uncompressed TIFF into memory and gets turned ones wrong.
        with _contents(path) as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except HoldfastError:
        raise
    except Exception as error:  # the plugins of Pillow raise nearly anything on broken files
        raise BadFile(_reason(path, error)) from error


def _contents(path: Path | bytes) -> IO[bytes]:
    """A file that may be opened, and holds something."""
    if isinstance(path, bytes):
        size = len(path)
    else:
        status = path.stat()
        size = status.st_size
        if not S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise BadFile("not a file")
    if not size:
        raise BadFile("empty, 0 bytes")
    return BytesIO(path) if isinstance(path, bytes) else path.open("rb")


def _reason(path: Path | bytes, error: Exception) -> str:
    """Why a file gives no picture, in a few words."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        heic = isinstance(path, Path) and path.suffix.lower() in (".heic", ".heif")
        return "HEIC is not supported, save it as JPEG" if heic else "not a picture of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {(Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels"
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "truncated" if "truncated" in str(error).lower() else f"damaged: {error or type(error).__name__}".strip()


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
