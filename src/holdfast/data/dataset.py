"""What `load` gives: three parts of labelled samples, and all that is known about them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .part import Part
from .reads import Learns, Reads
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
        near_duplicates: samples that are nearly a copy of one before them: recompressed, resized, mirrored, shifted.
        duplicates_removed: samples taken out of train or validation because a part given from outside holds them too.
        conflicts: one sentence for each set of copies that stand under different labels, naming them.
        groups: how many groups were given with the data; None when none were.
        test_counts: samples of each class in the test part; it is stratified by them, so they say nothing new.
        notes: other sentences worth reading.
    """

    skipped: tuple[BadFileFound, ...] = ()
    duplicates: int = 0
    near_duplicates: int = 0
    duplicates_removed: int = 0
    conflicts: tuple[str, ...] = ()
    groups: int | None = None
    test_counts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data in three disjoint parts; copies and groups never stand on two sides.

    Attributes:
        name: what people call it: "photos".
        train: learned from.
        validation: looked at while choosing.
        test: judged by, once; sealed.
        unlabelled: samples without labels, their `labels` are -1; no copy or near copy of a labelled sample is among
            them.  None where the data has no such pool.
        classes: their names; a label is an index into them.
        origin: what to give to `load` to get the same dataset again; empty when it came from arrays in memory.
        facts: what was found on the way.
        fingerprint: 16 hex digits, of the whole data: the same for every seed and share, and for every image size.
        split_fingerprint: 16 hex digits, of what the three parts hold.
        reads: how raw files become its samples; None when it came from arrays that are no pictures.
        group_names: what the given groups are called, by their number in `Part.groups`; joined by "+" where copies
            connect several.  Empty when none were given.
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
    group_names: Mapping[int, str] = field(default_factory=dict)
    reads: Reads | None = None
    unlabelled: Part | None = None

    @property
    def kind(self) -> str:
        """ "pictures", "sounds", "series", "volumes", "table", or "arrays" of any meaning."""
        return "arrays" if self.reads is None else self.reads.kind

    @property
    def things(self) -> str:
        """What its samples are called: "pictures", "sounds", "rows"."""
        if self.kind == "arrays":
            return "pictures" if len(self.shape) == 3 and self.shape[-1] in (1, 3) else "samples"
        return "rows" if self.kind == "table" else self.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (H, W, C) for pictures."""
        return tuple(self.train.images.shape[1:])

    @property
    def pool(self) -> Part:
        """Train and validation together, in this order: what cross-validation divides.  The test part stays sealed."""
        return self.train.joined(self.validation)

    def with_parts(self, train: Part, validation: Part) -> "Dataset":
        """The same data with other samples to learn from and to select by, e.g. a fold; its test part is empty."""
        reads = self.reads
        if isinstance(reads, Learns) and len(train) and isinstance(train.images, Tensor):
            reads = reads.fitted(train.images.numpy())
            train, validation = (_filled(reads, part) for part in (train, validation))
        test = Sealed(train.take([]))
        prints = split_fingerprint(train.fingerprint, validation.fingerprint, test.fingerprint)
        return replace(self, train=train, validation=validation, test=test, split_fingerprint=prints, reads=reads)


def _filled(reads: Learns, part: Part) -> Part:
    """A part as a way of reading has it that learned from other samples than before."""
    assert isinstance(part.images, Tensor)
    return replace(part, images=torch.from_numpy(reads.filled(part.images.numpy())))


def split_fingerprint(*parts: str) -> str:
    """16 hex digits for the fingerprints of train, validation and test."""
    return hashlib.blake2b("/".join(parts).encode(), digest_size=8).hexdigest()
