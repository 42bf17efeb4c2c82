"""A part of a dataset: samples, what they are, and where they came from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Labelled samples in memory, on the CPU.

    Attributes:
        images: (N, H, W, C) uint8 in 0..255; for arrays given as floats (N, ...) float32, as they were.
        labels: (N,) int64 indices into the classes of the dataset.
        names: where each sample came from: "t-shirt/1.jpg", "train[17]".
    """

    images: Tensor
    labels: Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the BLAKE2b hash of images and labels in their order; names do not count."""
        digest = hashlib.blake2b(f"{self.images.dtype} {tuple(self.images.shape)}".encode(), digest_size=8)
        digest.update(self.images.contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"<{len(self)} samples of {tuple(self.images.shape[1:])} {str(self.images.dtype).removeprefix('torch.')}>"
        )
