"""`load`: any data that we know how to read, by its path or name."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..core import BadData, BadFile, BadValue, UnknownName, suggestion
from .csv import list_csv
from .dataset import Dataset
from .digits import read_digits
from .folder import list_folder
from .idx import has_idx, read_idx_folder
from .npz import read_npz
from .pictures import Progress, read_pictures, shown
from .source import Source
from .split import check_shares, split

NAMES: dict[str, Callable[[], Source]] = {"digits": read_digits}


def load(
    path: str | PathLike[str],
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    image_size: int | tuple[int, int] | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Reads data, checks it, and splits it into train, validation and a sealed test part.

    Args:
        path: "digits"; a folder with one folder of pictures for each class, or with train/, validation/ and test/ on
            top of these; a folder of IDX files; an .npz; a CSV of path,label or path,label,group.
        validation: share of the samples, 0 < validation < 1; not used when the data has a validation part.
        test: share of the samples, 0 for none; not used when the data has a test part.
        seed: of the split; the same data, seed and shares give the same parts on every machine.
        image_size: the side in pixels, or (H, W), that pictures in files are stretched to; None keeps a common size of
            up to 256 pixels and else takes a square of the median shorter side, at most 224.
        skip_bad: leave out files that cannot be read and list them in the facts, instead of raising.
        progress: told (files done, files in all) while pictures are decoded.

    Raises:
        BadFile: no such path, or a damaged file.
        UnknownName: a word that is neither a path nor a known name.
        BadData: data that cannot be trained on; the message names what is wrong and the remedy.
        BadValue: shares or an image size that are not accepted.
    """
    check_shares(validation, test)
    size = _size(image_size)
    known = str(path) in NAMES
    place = Path(path)
    try:
        source = NAMES[str(path)]() if known else _read(place, size, skip_bad, progress)
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: {error.strerror or error}.") from error
    if known and place.exists():
        source = replace(source, notes=(f"the bundled {path} were read; for what has this name here write ./{path}",))
    if size and source.images.shape[1:3] != size:
        raise BadValue(f"load(image_size={image_size}): only pictures in files are resized, {path} holds arrays.")
    origin = {
        "path": str(path) if known else str(place.resolve()),
        "validation": validation,
        "test": test,
        "seed": seed,
        "image_size": image_size if size is None or isinstance(image_size, int) else list(size),
        "skip_bad": skip_bad,
    }
    name = str(path) if known else _name(place.resolve())
    return split(source, name=name, validation=validation, test=test, seed=seed, origin=origin)


def _read(path: Path, size: tuple[int, int] | None, skip_bad: bool, progress: Progress | None) -> Source:
    """The samples under a path, by what it looks like."""
    if not path.exists():
        raise _missing(path)
    kind = path.suffix.lower()
    if path.is_dir() and has_idx(path):
        return read_idx_folder(path)
    if path.is_file() and kind == ".npz":
        return read_npz(path)
    if not path.is_dir() and kind != ".csv":
        raise BadData(f"{path}: is not data that can be loaded; give a folder, an .npz or a .csv file.")
    listing = list_folder(path) if path.is_dir() else list_csv(path)
    return read_pictures(listing, title=str(path), image_size=size, skip_bad=skip_bad, progress=progress)


def _name(path: Path) -> str:
    return shown(path.name if path.is_dir() else path.stem)


def _missing(path: Path) -> BadFile | UnknownName:
    if path.name == str(path) and not path.suffix:
        return UnknownName(f"no file, folder or data set is called {str(path)!r}{suggestion(str(path), list(NAMES))}")
    return BadFile(f"{path}: no such file or folder.")


def _size(image_size: object) -> tuple[int, int] | None:
    """(H, W) in pixels, checked; None stays None."""
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise BadValue(f"load(image_size={image_size!r}): must be a positive number of pixels, or (height, width).")
    return sides[0], sides[1]
