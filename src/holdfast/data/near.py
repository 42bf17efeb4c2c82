"""Pictures that are nearly copies: recompressed, resized, mirrored, or shifted by a pixel or two.

A perceptual hash proposes pairs, their pixels decide.  Both see thumbnails of 64 pixels, whatever size is trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX, SMALLEST_PX = 64, 32  # below the second, as of digits, distinct pictures look as alike as copies
HASH_PX, FREQUENCIES = 32, 8  # the side that is hashed, and what is kept of its cosine transform in each direction
BITS_APART = 20  # of 63; of distinct photos, 1 pair in 270 is as near
LEVELS_APART = 8.0  # of 255, between mean colours
CONTRAST_RATIO, FLAT = 1.25, 2.0  # between standard deviations; pictures below the second show nothing to go by
REACH = 2  # pixels of a thumbnail by which one picture may be shifted
ALIKE, ALIKE_SMALL = 0.8, 0.9  # correlations from which two are one; the second for smaller thumbnails
TOO_ALIKE = 1e-3  # pairs of different classes that the hash takes for one; above, it says nothing of such pictures
SAMPLE = 2000  # pictures among which these are counted
CHUNK = 64


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """What near copies are found by.

    Attributes:
        grey: (N, s, s) uint8.
        colours: (N, C) float32, the mean of each picture.
    """

    grey: NDArray[np.uint8]
    colours: NDArray[np.float32]

    def take(self, places: NDArray[np.int64]) -> "Thumbnails":
        return Thumbnails(self.grey[places], self.colours[places])


def thumbnail_side(shorter_sides: Sequence[int]) -> int | None:
    """The side in pixels of the thumbnails of such pictures; None when they are too small to look for near copies."""
    middle = median(shorter_sides or [0])
    return THUMBNAIL_PX if middle >= THUMBNAIL_PX else SMALLEST_PX if middle >= SMALLEST_PX else None


def draw_thumbnail(picture: "Image.Image", grey: NDArray[np.uint8], colour: NDArray[np.float32]) -> None:
    """Writes the thumbnail of a picture into `grey` (s, s), and its mean colour into `colour` (C,)."""
    from PIL import Image

    small = picture.resize(grey.shape, Image.Resampling.BOX, reducing_gap=1.0)
    rows = np.frombuffer(small.tobytes(), np.uint8).reshape(grey.size, -1).astype(np.float32)
    bands = rows.shape[1]
    grey[:] = np.rint(rows @ np.full(bands, 1 / bands, np.float32)).reshape(grey.shape)
    colour[:] = np.full(grey.size, 1 / grey.size, np.float32) @ rows


def thumbnails_of(images: NDArray[np.generic]) -> Thumbnails | None:
    """Of arrays (N, H, W, C); None unless they are bytes, grey or RGB, of at least 32 pixels a side."""
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
        return None
    side = thumbnail_side([min(images.shape[1:3])])
    if side is None:
        return None
    grey, colours = np.empty((len(images), side, side), np.uint8), np.empty((len(images), images.shape[3]), np.float32)
    for start in range(0, len(images), CHUNK):
        chunk = torch.from_numpy(images[start : start + CHUNK]).float()
        small = F.adaptive_avg_pool2d(chunk.mean(3)[:, None], side)[:, 0]
        grey[start : start + CHUNK], colours[start : start + CHUNK] = small.round().numpy(), chunk.mean((1, 2)).numpy()
    return Thumbnails(grey, colours)


def near_pairs(pictures: Thumbnails, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Pairs of pictures of which one is nearly a copy of the other.

    The hash is pHash: signs of the low frequencies of the cosine transform (Zauner 2010, section 3.2.1), here without
    the constant one, so that a mirrored picture has the same signs but for every other column.  Pairs with like hashes,
    mean colours and contrasts are compared pixel by pixel: the largest correlation of their details over small shifts.

    Args:
        pictures: exact copies are best left out.
        labels: (N,) classes.

    Returns:
        (P, 2) int64: each near copy as the second of its pair, behind the first picture that it is a copy of, be it
        through other copies; None when pictures of different classes are so alike (digits, X-rays) that near copies
        cannot be told from others.
    """
    hashed = _Hashed.of(pictures)
    sample = np.sort(np.random.default_rng(0).permutation(len(labels))[:SAMPLE])
    if _indistinct(hashed.take(sample), labels[sample]):
        return None
    first = np.arange(len(labels))  # of the pictures that are one with each, as far as is known
    for mirrored in (False, True):
        for pairs in _alike(hashed, mirrored=mirrored):
            for some in _by_rows(pairs):
                # Of m frames of one scene all m² / 2 pairs are alike: those that are one already need no comparison.
                asked = some[first[some[:, 0]] != first[some[:, 1]]]
                alike = _correlation(pictures.grey, asked, mirrored=mirrored) >= _threshold(pictures)
                for one, two in asked[alike]:
                    _join(first, one, two)
    copies = np.flatnonzero(first < np.arange(len(first)))
    return np.stack([first[copies], copies], 1)


def _by_rows(pairs: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The pairs, sorted by their first pictures, in pieces of about CHUNK that hold all or none of a first picture."""
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    yield from np.split(pairs, begins[np.flatnonzero(np.diff(begins // CHUNK, prepend=0))])


def _join(first: NDArray[np.int64], one: int, two: int) -> None:
    """Makes one of two sets of pictures, in place."""
    low, high = sorted((int(first[one]), int(first[two])))
    if low != high:
        first[first == high] = low


@dataclass(frozen=True, eq=False)
class _Hashed:
    """Mean colours (N, C), contrasts (N,) in grey levels, and hashes (N, 63) of -1 and 1."""

    colours: NDArray[np.float32]
    contrast: NDArray[np.float32]
    signs: Tensor

    @classmethod
    def of(cls, pictures: Thumbnails) -> "_Hashed":
        from scipy.fft import dctn

        rows = [np.empty((0, FREQUENCIES**2 - 1), np.float32)]
        for start in range(0, len(pictures.grey), CHUNK):
            grey = torch.from_numpy(pictures.grey[start : start + CHUNK]).float()
            small = F.adaptive_avg_pool2d(grey[:, None], HASH_PX)[:, 0].numpy()
            waves = dctn(small, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
            rows.append(waves.reshape(len(small), -1)[:, 1:])
        waves = np.concatenate(rows)
        contrast = np.sqrt((waves**2).sum(1)) / HASH_PX
        return cls(pictures.colours, contrast, torch.from_numpy(np.where(waves > 0, 1, -1).astype(np.float32)))

    def take(self, places: NDArray[np.int64]) -> "_Hashed":
        return _Hashed(self.colours[places], self.contrast[places], self.signs[torch.from_numpy(places)])

    @property
    def mirrored(self) -> Tensor:
        """The hashes of the mirrored pictures: odd horizontal frequencies are turned around."""
        odd = torch.arange(FREQUENCIES**2)[1:] % 2 == 1
        return torch.where(odd, -self.signs, self.signs)


def _alike(hashed: _Hashed, *, mirrored: bool) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) with like colours, contrasts and hashes; those of the second of each pair mirrored if told to."""
    colours, contrast = hashed.colours, hashed.contrast
    brightness = colours.mean(1)
    order = np.argsort(brightness, kind="stable")  # only pictures that are as bright are compared
    order = order[contrast[order] >= FLAT]
    ones, others = hashed.signs[order], (hashed.mirrored if mirrored else hashed.signs)[order]
    ends = np.searchsorted(brightness[order], brightness[order] + LEVELS_APART, side="right")
    for start in range(0, len(order), CHUNK):
        stop = min(start + CHUNK, len(order))
        bits = (ones.shape[1] - ones[start:stop] @ others[start : int(ends[stop - 1])].T) / 2
        rows, columns = (bits <= BITS_APART).nonzero(as_tuple=True)
        one, two = order[start + rows.numpy()], order[start + columns.numpy()]
        near = (columns > rows).numpy() & (np.abs(colours[one] - colours[two]).max(1) <= LEVELS_APART)
        high, low = np.maximum(contrast[one], contrast[two]), np.minimum(contrast[one], contrast[two])
        yield np.stack([one, two], 1)[near & (high <= CONTRAST_RATIO * low + 1)]


def _indistinct(hashed: _Hashed, labels: NDArray[np.int64]) -> bool:
    """Whether the hash takes pictures of different classes for one too often to be of use."""
    apart = (len(labels) ** 2 - (np.bincount(labels) ** 2).sum()) / 2
    taken = sum(int((labels[one] != labels[two]).sum()) for one, two in (x.T for x in _alike(hashed, mirrored=False)))
    return taken >= 5 and taken > TOO_ALIKE * apart


def _threshold(pictures: Thumbnails) -> float:
    return ALIKE if pictures.grey.shape[1] >= THUMBNAIL_PX else ALIKE_SMALL


def _correlation(grey: NDArray[np.uint8], pairs: NDArray[np.int64], *, mirrored: bool) -> NDArray[np.float32]:
    """(P,) the largest correlation of details of the first of each pair with the second, moved by up to REACH."""
    best = [np.empty(0, np.float32)]
    for start in range(0, len(pairs), CHUNK):
        one, around = (_details(grey[side]) for side in pairs[start : start + CHUNK].T)
        around = around.flip(2) if mirrored else around
        inside = one[:, REACH:-REACH, REACH:-REACH].contiguous()
        height, width = inside.shape[1:]
        products = F.conv2d(around[None], inside[:, None], groups=len(inside))[0]  # (P, 5, 5): of each shift
        energy = F.avg_pool2d(around[:, None] ** 2, (height, width), stride=1)[:, 0] * (height * width)
        shares = products / ((inside**2).sum((1, 2))[:, None, None] * energy + 1e-6).sqrt()
        best.append(shares.amax((1, 2)).numpy())
    return np.concatenate(best)


def _details(grey: NDArray[np.uint8]) -> Tensor:
    """(N, s, s) without the low frequencies, in which distinct pictures may agree, and without the noise of pixels."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(grey.astype(np.float32), (0, 0.7, 0.7), mode="nearest")
    return torch.from_numpy(smooth - gaussian_filter(smooth, (0, 4, 4), mode="nearest"))
