"""Data: read from files or arrays, checked, split into train, validation and a sealed test part."""

from .arrays import from_arrays
from .augment import Augmentation, RandomShift
from .batches import Batch, Batches, order
from .dataset import BadFileFound, Dataset, Facts
from .image import read_image
from .labels import encode_labels
from .load import load, manifest_path
from .options import Reading
from .part import Part
from .pool import load_pool
from .reads import Pictures, Reads
from .rows import Rows, Store
from .sealed import Sealed
from .shard_writer import write_shards

__all__ = [
    "Augmentation",
    "BadFileFound",
    "Batch",
    "Batches",
    "Dataset",
    "Facts",
    "Part",
    "Pictures",
    "RandomShift",
    "Reading",
    "Reads",
    "Rows",
    "Sealed",
    "Store",
    "encode_labels",
    "from_arrays",
    "load",
    "load_pool",
    "manifest_path",
    "order",
    "read_image",
    "write_shards",
]
