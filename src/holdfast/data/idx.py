"""IDX files, the format of MNIST: train-images-idx3-ubyte, train-labels-idx1-ubyte and the same as t10k-, or .gz."""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile
from .arrays import array_source, check_size
from .options import Reading
from .source import Source

NAME = re.compile(r"(?P<prefix>.*)(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?")
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def has_idx(folder: Path) -> bool:
    return folder.is_dir() and any(NAME.fullmatch(entry.name) for entry in folder.iterdir())


def read_idx(folder: Path, reading: Reading) -> Source:
    """One pair of images and labels, and one more that is the test part if its name has "t10k" or "test" in it.

    Raises:
        BadData: a file without its partner, or more pairs than these.
        BadFile: a file that is truncated or not IDX.
    """
    reading.no_names(str(folder))
    reading.only("IDX files", "image_size")
    pairs: dict[str, dict[str, Path]] = {}
    for entry in sorted(folder.iterdir()):  # a plain file comes before the same with .gz, and is preferred
        if match := NAME.fullmatch(entry.name):
            pairs.setdefault(match["prefix"], {}).setdefault(match["kind"], entry)
    for pair in pairs.values():
        if len(pair) < 2:
            lacking = "labels" if "images" in pair else "images"
            raise BadData(
                f"{folder}: {next(iter(pair.values())).name} stands alone; the file with its {lacking} is missing."
            )
    test = [prefix for prefix in pairs if "t10k" in prefix or "test" in prefix]
    train = [prefix for prefix in pairs if prefix not in test]
    if len(train) != 1 or len(test) > 1:
        names = ", ".join(f"{prefix}images" for prefix in pairs)
        raise BadData(
            f"{folder}: has {names}; one pair of images and labels is needed, and one more for testing at most."
        )
    read = {(prefix, kind): read_array(path) for prefix, pair in pairs.items() for kind, path in pair.items()}
    images, labels = read[train[0], "images"], read[train[0], "labels"]
    judging = (read[test[0], "images"], read[test[0], "labels"]) if test else (None, None)
    source = array_source(images, labels, test_images=judging[0], test_labels=judging[1])
    check_size(source, reading, folder)
    return source


def read_array(path: Path) -> NDArray[np.generic]:
    """The array in an IDX file, gzipped or not.

    Source: the description on the MNIST page: two zero bytes, a type, the rank, big-endian sizes, then the values.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(f"{path}: is truncated or not gzip: {error}.") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise BadFile(f"{path}: is not an IDX file; it begins with {content[:4].hex(' ') or 'nothing'}.")
    dtype, start = np.dtype(TYPES[content[2]]), 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[place : place + 4], "big") for place in range(4, start, 4))
    promised = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(content) != promised:
        raise BadFile(f"{path}: has {len(content):,} bytes, its header promises {promised:,}; fetch it again.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)
