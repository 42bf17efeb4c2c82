"""Samples as a reader found them, before the split; every reader (folder, csv, idx, npz, arrays) makes one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .dataset import BadFileFound
from .digests import digest as digest
from .digests import row_digests as row_digests
from .names import names_at
from .near import Thumbnails
from .reads import Reads
from .rows import Mapped, Rows, Store

TRAIN, VALIDATION, TEST = 0, 1, 2
POOL = 3  # no part: samples without labels


@dataclass(frozen=True, eq=False)
class Source:
    """All samples of the data in one fixed order.

    Attributes:
        images: (N, H, W, C) uint8, or (N, ...) float32; a memory map or a store where they exceed the memory.
        labels: (N,) int64.
        names: where each sample came from.
        classes: names of the labels.
        digests: (N,) uint64; equal for exact copies only.
        parts: (N,) int8; VALIDATION and TEST where the data says so itself, TRAIN for all that may be split, POOL for
            those without a label, whatever `labels` say of them.
        groups: (N,) int64; samples of one group stay together, -1 is in none.  None when the data has no groups.
        group_names: what the groups 0, 1, ... are called.
        times: (N,) float64, when each sample ends; None when the data has no times.
        span: how long before that the longest one begins; a split by time leaves out what reaches over its borders.
        thumbnails: by which near copies are found; None when these are not looked for.
        reads: how raw files become such samples; None when the data has no files.
        skipped: files left out.
        notes: sentences for the facts.
        near: (P, 2) pairs of which the second is nearly a copy of the first, where they have been looked for already.
        rows: (N,) where in `images` each sample lies; None: in this order.
    """

    images: NDArray[np.uint8] | NDArray[np.float32] | Store
    labels: NDArray[np.int64]
    names: Sequence[str]
    classes: tuple[str, ...]
    digests: NDArray[np.uint64]
    parts: NDArray[np.int8]
    groups: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    times: NDArray[np.float64] | None = None
    thumbnails: Thumbnails | None = None
    reads: Reads | None = None
    skipped: tuple[BadFileFound, ...] = ()
    notes: tuple[str, ...] = ()
    near: NDArray[np.int64] | None = None
    span: float = 0.0
    rows: NDArray[np.int64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.images.shape[1:] if isinstance(self.images, np.ndarray) else self.images.shape)

    def samples(self, places: NDArray[np.int64]) -> Tensor:
        """Those at these places; of a memory map or a store `Rows`, cast, that fetch them when they are needed."""
        places = places if self.rows is None else self.rows[places]
        if isinstance(self.images, np.ndarray) and not isinstance(self.images, np.memmap):
            return torch.from_numpy(self.images[places])
        return cast(Tensor, Rows(self._store, places))

    def apart(self) -> "tuple[Source, Source | None]":
        """The labelled samples, and those of the pool; None where there is no pool."""
        pool = self.parts == POOL
        if not pool.any():
            return self, None
        only = np.setdiff1d(self.labels[pool], self.labels[~pool])  # what the folder of the pool is called is no class
        known = [place for place in range(len(self.classes)) if place not in only]
        rank = np.zeros(len(self.classes), np.int64)
        rank[known] = np.arange(len(known))
        labelled, others = (self._taken(np.flatnonzero(chosen)) for chosen in (~pool, pool))
        classes = tuple(self.classes[place] for place in known)
        return replace(labelled, labels=rank[labelled.labels], classes=classes), others

    def _taken(self, places: NDArray[np.int64]) -> "Source":
        """The samples at these places; their values stay where they are."""
        whole = isinstance(self.images, np.ndarray) and not isinstance(self.images, np.memmap)
        near = self.near
        if near is not None:
            rank = np.full(len(self.labels), -1)
            rank[places] = np.arange(len(places))
            near = rank[near][(rank[near] >= 0).all(1)]
        return replace(
            self,
            images=self.images if whole else self._store,
            labels=self.labels[places],
            names=names_at(self.names, places.tolist()),
            digests=self.digests[places],
            parts=self.parts[places],
            groups=None if self.groups is None else self.groups[places],
            times=None if self.times is None else self.times[places],
            thumbnails=None if self.thumbnails is None else self.thumbnails.take(places),
            near=near,
            rows=places if self.rows is None else self.rows[places],
        )

    @cached_property
    def _store(self) -> Store:
        """One for all parts, so that they can be joined."""
        return Mapped(self.images) if isinstance(self.images, np.ndarray) else self.images
