"""NumPy archives: x and y, images and labels, or x_train, y_train, x_test and y_test as in Keras's mnist.npz."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..core import BadData, BadFile
from .arrays import array_source
from .source import Source

PAIRS = (("x_train", "y_train"), ("x", "y"), ("images", "labels"))


def read_npz(path: Path) -> Source:
    """The samples of an archive; x_test and y_test are its test part.

    Raises:
        BadFile: it is damaged, or holds pickled objects.
        BadData: it has none of the known pairs of names.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(f"{path}: is not an .npz of plain arrays: {error}.") from error
    pair = next((pair for pair in PAIRS if set(pair) <= arrays.keys()), None)
    if pair is None or ("x_test" in arrays) != ("y_test" in arrays):
        known = "x and y, images and labels, or x_train, y_train, x_test, y_test"
        raise BadData(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; accepted are {known}.")
    images, labels = (arrays[name] for name in pair)
    return array_source(images, labels, test_images=arrays.get("x_test"), test_labels=arrays.get("y_test"))
