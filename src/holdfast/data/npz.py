"""NumPy archives: x and y, images and labels, or x_train, y_train, x_test and y_test as in Keras's mnist.npz.

An array `unlabelled` beside them is a pool of samples without labels.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile
from .arrays import array_source, check_size
from .folder import UNLABELLED
from .options import Reading
from .source import Source

PAIRS = (("x_train", "y_train"), ("x", "y"), ("images", "labels"))


def is_npz(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".npz"


def read_npz(path: Path, reading: Reading) -> Source:
    """The samples of an archive; x_test and y_test are its test part.

    Args:
        path: of the archive.
        reading: `group_by` and `time_by` are the names of arrays in it.

    Raises:
        BadFile: it is damaged, or holds pickled objects.
        BadData: it has none of the known pairs of names, or not the arrays of groups and times.
    """
    reading.only("the arrays of an .npz", "group_by", "time_by", "image_size")
    group_by, time_by = reading.group_by, reading.time_by
    arrays = arrays_of(path)
    pair = next((pair for pair in PAIRS if set(pair) <= arrays.keys()), None)
    if pair is None or ("x_test" in arrays) != ("y_test" in arrays):
        known = "x and y, images and labels, or x_train, y_train, x_test, y_test"
        raise BadData(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; accepted are {known}.")
    for option, name in (("group_by", group_by), ("time_by", time_by)):
        if name is not None and name not in arrays:
            raise BadData(f"{path}: {option}={name!r} is no array in it; it holds {', '.join(sorted(arrays))}.")
    images, labels = (arrays[name] for name in pair)
    source = array_source(
        images,
        labels,
        groups=arrays.get(group_by or ""),
        times=arrays.get(time_by or ""),
        test_images=arrays.get("x_test"),
        test_labels=arrays.get("y_test"),
        unlabelled=next((arrays[name] for name in UNLABELLED if name in arrays), None),
    )
    check_size(source, reading, path)
    return source


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:  # Any: of any type
    """The arrays of an archive, by name.  Raises BadFile for a damaged one, or pickled objects."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(f"{path}: is not an .npz of plain arrays: {error}.") from error
