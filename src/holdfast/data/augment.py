"""Augmentation: changed copies of pictures for training, each following from (seed, pass, sample) alone.

`Batches` draws for a whole pass at once and changes a batch where it lies, on its device.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import BadValue, generator


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

    def __call__(self, images: Tensor, shifts: Tensor) -> Tensor:
        """The images (N, H, W, C), of any dtype, each moved by its shift."""
        n, h, w, c = images.shape
        reach, high, wide = self.pixels, h + 2 * self.pixels, w + 2 * self.pixels
        padded = images.new_empty(n, high, wide, c)
        middle = padded[:, reach:-reach]
        middle[:, :, reach:-reach] = images
        middle[:, :, :reach], middle[:, :, -reach:] = images[:, :, :1], images[:, :, -1:]
        padded[:, :reach], padded[:, -reach:] = middle[:, :1], middle[:, -1:]
        # Every window (H, W * C) of every picture, as a view; one copy then takes the N that are wanted.
        size, strides = (n * high * wide - (h - 1) * wide - w + 1, h, w * c), (c, wide * c, 1)
        tops, lefts = (reach - shifts).unbind(1)
        starts = torch.arange(n, device=images.device).mul_(high).add_(tops).mul_(wide).add_(lefts)
        return padded.as_strided(size, strides).index_select(0, starts).view(n, h, w, c)
