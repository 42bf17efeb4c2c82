"""One volume from one file, NumPy or NIfTI: the only reader, so that training and predict see the same voxels."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..core import BadFile, HoldfastError, need

Voxels = NDArray[np.float32]
Size = tuple[int, int, int]
ENDINGS = (".npy", ".npz", ".nii", ".nii.gz")
KNOWN = ("volume", "image", "data", "x", "arr_0")  # which array of several is the volume
MOST_CHANNELS = 16


@dataclass(frozen=True)
class Header:
    """What a file says of its volume: (D, H, W), channels, and how far voxels are apart in each direction."""

    size: Size
    channels: int
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def extent(self) -> NDArray[np.float64]:
        """(3,) how long it is in each direction, in the unit of the spacing."""
        found: NDArray[np.float64] = np.array(self.size) * np.array(self.spacing)
        return found


def ending(name: str) -> str | None:
    """What makes a name that of a volume, if it does."""
    return next((one for one in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(one)), None)


def read_header(path: Path) -> Header:
    """The header alone; a file that passes may still be damaged.  Raises BadFile with the bare reason."""
    with _reasons(path):
        if ending(path.name) in (".nii", ".nii.gz"):
            image, order = _nifti(path)
            up, front, right = order
            sides, steps = image.shape, [float(step) or 1.0 for step in image.header.get_zooms()]
            channels = _channels(sides)
            return Header((sides[up], sides[front], sides[right]), channels, (steps[up], steps[front], steps[right]))
        shape = _array_shape(path)
        channels = _channels(shape)
        return Header((shape[0], shape[1], shape[2]), channels)


def read_voxels(path: Path) -> Voxels:
    """The volume in a file, (D, H, W, C) float32 as it was stored.

    NIfTI is scaled as its header says and turned to the nearest directions of the body: D goes from feet to head, H
    from back to front, W from left to right.  NaN, by which programs mark what lies outside of a scan, becomes 0 there.

    Raises:
        BadFile: with the bare reason.
    """
    with _reasons(path):
        if ending(path.name) in (".nii", ".nii.gz"):
            return _checked(_turned(path))
        return _checked(_array(path))


def resampled(voxels: Voxels, size: Size, how: Literal["stretch", "fit", "crop"], spacing: tuple[float, ...]) -> Voxels:
    """A volume (D, H, W, C) brought to `size`.

    Args:
        voxels: of any size.
        size: (D, H, W) of the result.
        how: "stretch", each side by itself; "fit", all of it, in proportion, within borders of its smallest value;
            "crop", its middle, in proportion.
        spacing: how far voxels are apart in each direction.

    Returns:
        (*size, C).  Where it becomes smaller, voxels are means over areas; where larger, trilinear.
    """
    if voxels.shape[:3] == size:
        return voxels
    inner: tuple[int, ...] = size
    if how != "stretch":
        extent = np.array(voxels.shape[:3]) * np.array(spacing)
        scale = (min if how == "fit" else max)(np.array(size) / extent)
        inner = tuple(int(max(1, side)) for side in np.rint(extent * scale))
    x = torch.from_numpy(voxels).movedim(-1, 0)[None]
    smaller = [min(sides) for sides in zip(x.shape[2:], inner, strict=True)]
    if smaller != list(x.shape[2:]):
        x = functional.interpolate(x, size=smaller, mode="area")
    if smaller != list(inner):
        x = functional.interpolate(x, size=list(inner), mode="trilinear", align_corners=False)
    found = x[0].movedim(0, -1).numpy()
    return np.ascontiguousarray(_placed(found, size, float(voxels.min())))


def _placed(voxels: Voxels, size: Size, border: float) -> Voxels:
    """The middle of a volume where it is too large, and a border around it where it is too small."""
    found = np.full((*size, voxels.shape[3]), border, np.float32)
    there: list[slice] = []
    here: list[slice] = []
    for side, wanted in zip(voxels.shape[:3], size, strict=True):
        length, cut, room = min(side, wanted), max(0, side - wanted) // 2, max(0, wanted - side) // 2
        there.append(slice(room, room + length))
        here.append(slice(cut, cut + length))
    found[tuple(there)] = voxels[tuple(here)]
    return found


@contextmanager
def _reasons(path: Path) -> Iterator[None]:
    """Whatever goes wrong in the block leaves as BadFile with a short reason."""
    try:
        if not S_ISREG(path.stat().st_mode):
            raise BadFile("not a file")
        if not path.stat().st_size:
            raise BadFile("empty, 0 bytes")
        yield
    except HoldfastError:
        raise
    except FileNotFoundError as error:
        raise BadFile("missing") from error
    except zipfile.BadZipFile as error:
        raise BadFile("damaged, or no .npz file") from error
    except Exception as error:  # of readers of damaged files, which raise nearly anything
        if "allow_pickle" in str(error):  # what NumPy says of anything that does not begin as its arrays do
            raise BadFile("no array of numbers: text, pickled objects or another format") from error
        words = str(error).splitlines()
        raise BadFile(f"damaged: {words[0] if words else type(error).__name__}") from error


def _channels(shape: tuple[int, ...]) -> int:
    """How many; raises BadFile for what is no volume."""
    if len(shape) not in (3, 4) or 0 in shape:
        raise BadFile(f"an array of {shape}, a volume is (D, H, W) or (D, H, W, C)")
    channels = 1 if len(shape) == 3 else shape[3]
    if channels > MOST_CHANNELS:
        raise BadFile(f"an array of {shape}, at most {MOST_CHANNELS} channels come last")
    return channels


def _checked(voxels: NDArray[Any]) -> Voxels:  # Any: of any dtype
    if voxels.dtype.kind not in "buif":
        raise BadFile(f"an array of {voxels.dtype}, a volume holds numbers")
    channels = _channels(voxels.shape)
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(voxels, np.float32).reshape(*voxels.shape[:3], channels)
    if not np.isfinite(found).all():
        raise BadFile("holds NaN or infinite values")
    return found


def _array(path: Path) -> NDArray[Any]:  # Any: of any dtype
    if path.suffix.lower() == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[_member(archive.files)])


def _array_shape(path: Path) -> tuple[int, ...]:
    """Of the array in a file, without reading its values."""
    if path.suffix.lower() == ".npy":
        return tuple(np.load(path, mmap_mode="r", allow_pickle=False).shape)
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        with archive.open(f"{_member(names)}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            return tuple(read(file)[0])


def _member(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    known = next((name for name in KNOWN if name in names), None)
    if known is None:
        raise BadFile(f"holds {len(names)} arrays ({', '.join(names[:3])}), none of them called volume")
    return known


def _nifti(path: Path) -> tuple[Any, tuple[int, int, int]]:  # Any: an image of nibabel, which has no types
    """The image, its values not read, and which of its axes goes up, to the front and to the right."""
    nibabel = need("nibabel", extra="volumes")
    image = nibabel.load(path)
    if not hasattr(image, "affine"):
        raise BadFile("holds no volume but points of a surface")
    if len(image.shape) > 3:
        image = nibabel.squeeze_image(image)  # of axes of length 1 behind the first three
    axes = nibabel.io_orientation(image.affine)[:, 0]
    if np.isnan(axes).any():
        raise BadFile("its header does not say which way it lies")
    right, front, up = (int(np.flatnonzero(axes == axis)[0]) for axis in range(3))
    return image, (up, front, right)


def _turned(path: Path) -> NDArray[Any]:  # Any: float32 as nibabel gives it
    nibabel = need("nibabel", extra="volumes")
    image, _ = _nifti(path)
    values = np.asarray(nibabel.as_closest_canonical(image).get_fdata(dtype=np.float32, caching="unchanged"))
    outside = np.isnan(values)  # of what the scanner saw, once a volume was moved or masked
    if outside.any() and not outside.all():
        values = np.where(outside, np.float32(0), values)
    return values.transpose(2, 1, 0, *range(3, values.ndim))
