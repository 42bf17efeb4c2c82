"""Data to learn from without labels: folders and arrays that have none, or what a labelled dataset may give."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..core import BadData, BadFile
from .arrays import check_size, samples_array
from .dataset import Dataset
from .folder import PARTS, UNLABELLED, list_pool
from .listing import Listing, shown
from .load import load, sides
from .near import thumbnails_of
from .npz import PAIRS, arrays_of, is_npz
from .options import Reading
from .pictures import read_pictures
from .sounds import is_sound, read_recordings
from .source import POOL, Source, row_digests
from .split import pool_alone


def load_pool(path: str | PathLike[str], **options: Any) -> Dataset:  # Any: as `load` takes them
    """Data for pre-training: its `train` and `unlabelled` may be learned from, its other parts may not.

    Args:
        path: a folder of files without class folders, or with a single one, which tells nothing apart; an .npy or an
            .npz without labels; or what `load` takes, which is then split as always, so that validation and test stay
            unseen.
        options: as of `load`.

    Raises:
        BadFile, BadData, BadValue, UnknownName: as `load` does.
    """
    place = Path(path)
    if not place.exists() or not (folder := _bare(place)):
        return load(path, **options)
    progress = options.pop("progress", None)
    asked = {name: value for name, value in options.items() if name in Reading.__dataclass_fields__}
    reading = Reading(**{**asked, "image_size": sides(asked.get("image_size"))}, progress=progress)
    source = _files(folder, reading) if folder.is_dir() else _arrays(folder, reading)
    return pool_alone(source, name=shown(place.resolve().stem), origin={"path": str(place.resolve()), **options})


def _bare(place: Path) -> Path | None:
    """Where samples without labels lie; None for data that has classes."""
    if place.is_dir():
        folders = [entry.name for entry in place.iterdir() if entry.is_dir() and entry.name[0] != "."]
        files = [entry for entry in place.iterdir() if entry.is_file() and entry.name[0] != "."]
        classes = len(folders) > 1 or any(name in PARTS for name in folders)  # files of a single folder have no class
        if classes or any("idx" in file.name or file.suffix in (".json", ".tar", ".csv") for file in files):
            return None
        return place / folders[0] if folders and folders[0] in UNLABELLED and not files else place
    if place.suffix.lower() == ".npy":
        return place
    return place if is_npz(place) and not any(set(pair) <= arrays_of(place).keys() for pair in PAIRS) else None


def _files(folder: Path, reading: Reading) -> Source:
    """The pictures or sounds in a folder, and in those within."""
    listing: Listing = list_pool(folder, reading.progress)
    if not len(listing.files):
        raise BadData(f"{folder}: is an empty folder; put files into it.")
    sounds = sum(is_sound(file.name) for file in listing.files)
    if sounds > len(listing.files) / 2:
        return read_recordings(listing, str(folder), reading)
    return read_pictures(
        listing,
        title=str(folder),
        image_size=reading.image_size,
        resize=reading.resize,
        skip_bad=reading.skip_bad,
        progress=reading.progress,
    )


def _arrays(path: Path, reading: Reading) -> Source:
    """The samples in an .npy, or in the only fitting array of an .npz."""
    if is_npz(path):
        arrays = arrays_of(path)
        name = next((name for name in (*UNLABELLED, "x_train", "x", "images") if name in arrays), None)
        if name is None:
            raise BadData(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; call the samples 'unlabelled'.")
        values = arrays[name]
    else:
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise BadFile(f"{path}: is no .npy of a plain array: {error}.") from error
    pixels = samples_array(values, path.stem)
    count = len(pixels)
    source = Source(
        pixels,
        np.zeros(count, np.int64),
        [f"{path.stem}[{index}]" for index in range(count)],
        (UNLABELLED[0],),
        row_digests(pixels),
        np.full(count, POOL, np.int8),
        thumbnails=thumbnails_of(pixels),
    )
    check_size(source, reading, path)
    return source
