"""Samples as a reader found them, before the split; every reader (folder, csv, idx, npz, arrays) makes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .dataset import BadFileFound
from .digests import digest as digest
from .digests import row_digests as row_digests
from .near import Thumbnails
from .reads import Reads
from .rows import Mapped, Rows, Store

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Source:
    """All samples of the data in one fixed order.

    Attributes:
        images: (N, H, W, C) uint8, or (N, ...) float32; a memory map or a store where they exceed the memory.
        labels: (N,) int64.
        names: where each sample came from.
        classes: names of the labels.
        digests: (N,) uint64; equal for exact copies only.
        parts: (N,) int8; VALIDATION and TEST where the data says so itself, TRAIN for all that may be split.
        groups: (N,) int64; samples of one group stay together, -1 is in none.  None when the data has no groups.
        group_names: what the groups 0, 1, ... are called.
        times: (N,) float64, when each sample ends; None when the data has no times.
        span: how long before that the longest one begins; a split by time leaves out what reaches over its borders.
        thumbnails: by which near copies are found; None when these are not looked for.
        reads: how raw files become such samples; None when the data has no files.
        skipped: files left out.
        notes: sentences for the facts.
        near: (P, 2) pairs of which the second is nearly a copy of the first, where they have been looked for already.
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

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.images.shape[1:] if isinstance(self.images, np.ndarray) else self.images.shape)

    def samples(self, places: NDArray[np.int64]) -> Tensor:
        """Those at these places; of a memory map or a store `Rows`, cast, that fetch them when they are needed."""
        if isinstance(self.images, np.ndarray) and not isinstance(self.images, np.memmap):
            return torch.from_numpy(self.images[places])
        return cast(Tensor, Rows(self._store, places))

    @cached_property
    def _store(self) -> Store:
        """One for all parts, so that they can be joined."""
        return Mapped(self.images) if isinstance(self.images, np.ndarray) else self.images
