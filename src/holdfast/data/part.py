"""A part of a dataset: samples, what they are, and where they came from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .names import names_at, names_joined
from .rows import joined


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Labelled samples, on the CPU.

    Attributes:
        images: (N, H, W, C) uint8 in 0..255; for arrays given as floats (N, ...) float32, as they were.
            Where they exceed the memory they are `Rows`, cast: what stands for a tensor until it is indexed.
        labels: (N,) int64 indices into the classes of the dataset.
        names: where each sample came from: "t-shirt/1.jpg", "train[17]".
        groups: (N,) int64 numbers of what must stay on one side: given groups, joined with the copies that connect
            them; the same numbers in all parts of a dataset.  None when no groups were given and nothing is a copy.
        times: (N,) float64, later is larger; None when none were given.
        digests: (N,) uint64 of the samples as they came, so that pictures keep them at every size; None where only
            `images` are known.
    """

    images: Tensor
    labels: Tensor
    names: Sequence[str]
    groups: NDArray[np.int64] | None = None
    times: NDArray[np.float64] | None = None
    digests: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> "Part":
        """The samples at these places, in this order; copied, so that the rest can be forgotten."""
        places = np.asarray(indices, np.int64)
        chosen = torch.from_numpy(places)
        return Part(
            self.images.index_select(0, chosen),
            self.labels.index_select(0, chosen),
            names_at(self.names, places.tolist()),
            None if self.groups is None else self.groups[places],
            None if self.times is None else self.times[places],
            None if self.digests is None else self.digests[places],
        )

    def joined(self, other: "Part") -> "Part":
        """These samples and then those of another part of the same dataset."""
        return Part(
            joined(self.images, other.images),
            torch.cat([self.labels, other.labels]),
            names_joined(self.names, other.names),
            None if self.groups is None or other.groups is None else np.concatenate([self.groups, other.groups]),
            None if self.times is None or other.times is None else np.concatenate([self.times, other.times]),
            None if self.digests is None or other.digests is None else np.concatenate([self.digests, other.digests]),
        )

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the BLAKE2b hash of samples and labels in their order; names and image sizes do not count.

        If sizes did, the looks at a part would begin anew with each size that is tried.
        """
        digest = hashlib.blake2b(digest_size=8)
        digest.update(self.images[:].contiguous().numpy().data if self.digests is None else self.digests.data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"<{len(self)} samples of {tuple(self.images.shape[1:])} {str(self.images.dtype).removeprefix('torch.')}>"
        )
