"""What `load` gives: three parts of labelled samples, and all that is known about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .part import Part
from .sealed import Sealed


@dataclass(frozen=True)
class BadFileFound:
    """A file that is no sample, and why, in a few words."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.reason})"


@dataclass(frozen=True)
class Facts:
    """What was found while loading and splitting.

    Attributes:
        skipped: files left out because they hold no picture; empty unless `skip_bad`.
        duplicates: samples that are exact copies, pixel for pixel, of one that comes before them in the data.
        duplicates_removed: samples taken out of train or validation because a part given from outside holds them too.
        conflicts: one sentence for each set of copies that stand under different labels, naming them.
        groups: how many groups were given with the data; None when none were.
        notes: other sentences worth reading.
    """

    skipped: tuple[BadFileFound, ...] = ()
    duplicates: int = 0
    duplicates_removed: int = 0
    conflicts: tuple[str, ...] = ()
    groups: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data in three disjoint parts; copies and groups never stand on two sides.

    Attributes:
        name: what people call it: "photos".
        train: learned from.
        validation: looked at while choosing.
        test: judged by, once; sealed.
        classes: their names; a label is an index into them.
        origin: what to give to `load` to get the same dataset again; empty when it came from arrays in memory.
        facts: what was found on the way.
        fingerprint: 16 hex digits, of the whole data: the same for every seed and share, and for every image size.
    """

    name: str
    train: Part
    validation: Part
    test: Sealed
    classes: tuple[str, ...]
    origin: Mapping[str, Any]  # Any: JSON values
    facts: Facts
    fingerprint: str
    split_fingerprint: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (H, W, C) for pictures."""
        return tuple(self.train.images.shape[1:])
