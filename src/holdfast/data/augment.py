"""Augmentation: changed copies of pictures for training, each following from (seed, pass, sample) alone.

`Batches` draws for a whole pass at once and changes a batch where it lies, on its device.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ..core import BadShape, BadValue, generator

if TYPE_CHECKING:
    from .batches import Batch


class Augmentation(Protocol):
    """What changes the batches that are trained on."""

    def __call__(self, batch: "Batch", samples: Tensor, seed: int, number: int) -> "Batch":
        """The batch, changed; every draw follows from (seed, number, sample), so from no other sample of the batch.

        Args:
            batch: on its device; it is not to be changed in place.
            samples: (n,) int64 places of its samples among all.
            seed: of the training.
            number: of the pass over all samples.
        """
        ...


@dataclass(frozen=True)
class RandomShift:
    """Moves each picture by up to `pixels` in both directions; what comes in repeats the edge.

    The edge and not zeros: it goes on with any background, and needs no word on what black is.
    """

    pixels: int

    def __post_init__(self) -> None:
        whole = isinstance(self.pixels, int) and not isinstance(self.pixels, bool)
        if not whole or self.pixels < 1:
            raise BadValue(f"RandomShift(pixels={self.pixels!r}): must be a whole number of at least 1.")

    def draw(self, n: int, seed: int, number: int) -> Tensor:
        """The shifts of all samples in a pass, (n, 2) int64 in -pixels..pixels: down, right."""
        return torch.randint(-self.pixels, self.pixels + 1, (n, 2), generator=generator(seed, "shift", number))

    def check(self, shape: Sequence[int]) -> None:
        """Raises BadShape or BadValue unless it can move samples (N, H, W, C) of this shape."""
        if len(shape) != 4:
            raise BadShape(f"{self}: moves pictures (N, H, W, C), the input has {tuple(shape)}.")
        if 2 * self.pixels >= min(shape[1:3]):
            raise BadValue(f"{self}: moves half of a picture {tuple(shape[1:])} out of sight; take less.")

    def __call__(self, batch: "Batch", samples: Tensor, seed: int, number: int) -> "Batch":
        """As every augmentation; `Batches` takes a faster way to the same where it can."""
        first, *others = batch.inputs
        drawn = self.draw(int(samples.max()) + 1, seed, number)[samples.cpu()].to(first.device)
        return replace(batch, inputs=(self.move(first, drawn), *others))

    def move(self, images: Tensor, shifts: Tensor) -> Tensor:
        """The images (N, H, W, C), of any dtype, each moved by its shift."""
        padded = self.pad(images)
        return self.windows(padded).index_select(0, self.starts(padded.shape, shifts)).view(images.shape)

    def pad(self, images: Tensor) -> Tensor:
        """The images with their edges repeated around them, (N, H + 2 * pixels, W + 2 * pixels, C)."""
        n, h, w, c = images.shape
        reach = self.pixels
        padded = images.new_empty(n, h + 2 * reach, w + 2 * reach, c)
        middle = padded[:, reach:-reach]
        middle[:, :, reach:-reach] = images
        middle[:, :, :reach], middle[:, :, -reach:] = images[:, :, :1], images[:, :, -1:]
        padded[:, :reach], padded[:, -reach:] = middle[:, :1], middle[:, -1:]
        return padded

    def windows(self, padded: Tensor) -> Tensor:
        """Every window (H, W * C) of all padded pictures, one for each pixel that it can start at, as a view."""
        n, high, wide, c = padded.shape
        h, w = high - 2 * self.pixels, wide - 2 * self.pixels
        return padded.as_strided((n * high * wide - (h - 1) * wide - w + 1, h, w * c), (c, wide * c, 1))

    def starts(self, shape: Sequence[int], shifts: Tensor) -> Tensor:
        """Where among `windows` of padded pictures of this shape the moved ones are, (N,) for shifts (N, 2)."""
        n, high, wide, _ = shape
        tops, lefts = (self.pixels - shifts).unbind(1)
        return torch.arange(n, device=shifts.device).mul_(high).add_(tops).mul_(wide).add_(lefts)
