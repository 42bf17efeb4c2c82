"""Data: read from files or arrays, checked, split into train, validation and a sealed test part."""

from .arrays import from_arrays
from .augment import RandomShift
from .batches import Batch, Batches, order
from .dataset import BadFileFound, Dataset, Facts
from .image import read_image
from .labels import encode_labels
from .load import load, manifest_path
from .part import Part
from .sealed import Sealed

__all__ = [
    "BadFileFound",
    "Batch",
    "Batches",
    "Dataset",
    "Facts",
    "Part",
    "RandomShift",
    "Sealed",
    "encode_labels",
    "from_arrays",
    "load",
    "manifest_path",
    "order",
    "read_image",
]
