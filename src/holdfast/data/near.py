"""Pictures that are nearly copies: recompressed, resized, mirrored, or shifted by a pixel or two.

A perceptual hash proposes pairs, their pixels decide.
"""

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

SMALLEST_PX = 32  # the shorter side; in smaller pictures, as of digits, distinct ones look as alike as copies
HASH_PX, FREQUENCIES = 32, 8  # the side that is hashed, and what is kept of its cosine transform in each direction
BITS_APART = 20  # of 63; of distinct photos, 1 pair in 270 is as near
LEVELS_APART = 8.0  # of 255, between mean colours
CONTRAST_RATIO, FLAT = 1.25, 2.0  # between standard deviations; pictures below the second show nothing to go by
DETAIL_PX = 64  # the side at which pixels are compared
REACH = 2  # pixels of that size by which one picture may be shifted
ALIKE, ALIKE_SMALL = 0.8, 0.9  # correlations from which two are one; the second where a side is below DETAIL_PX
TOO_ALIKE = 1e-3  # pairs of different classes that the hash takes for one; above, it says nothing of such pictures
SAMPLE = 2000  # pictures among which these are counted
CHUNK = 64


def comparable(images: NDArray[np.uint8] | NDArray[np.float32]) -> TypeGuard[NDArray[np.uint8]]:
    """Whether near copies can be found: pictures of bytes, grey or RGB, of at least 32 pixels a side."""
    return (
        images.ndim == 4
        and images.dtype == np.uint8
        and images.shape[3] in (1, 3)
        and min(images.shape[1:3]) >= SMALLEST_PX
    )


def near_pairs(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Pairs of pictures of which one is nearly a copy of the other.

    The hash is pHash: signs of the low frequencies of the cosine transform (Zauner 2010, section 3.2.1), here without
    the constant one, so that a mirrored picture has the same signs but for every other column.  Pairs with like hashes,
    mean colours and contrasts are compared pixel by pixel: the largest correlation of their details over small shifts.

    Args:
        images: (N, H, W, C), `comparable`; exact copies are best left out.
        labels: (N,) classes.

    Returns:
        (P, 2) int64, the smaller index first; None when pictures of different classes are so alike (digits, X-rays)
        that near copies cannot be told from others.
    """
    colours, hashes, details = _features(images)
    contrast = _contrast(hashes)
    signs = torch.from_numpy(np.where(hashes > 0, 1, -1).astype(np.float32))
    odd = torch.arange(FREQUENCIES**2)[1:] % 2 == 1  # horizontal frequencies that mirroring turns around
    sample = np.sort(np.random.default_rng(0).permutation(len(images))[:SAMPLE])
    if _indistinct(colours[sample], contrast[sample], signs[sample], labels[sample]):
        return None
    found = [
        pairs[_correlation(details[pairs[:, 0]], other[pairs[:, 1]]) >= _threshold(details)]
        for other, turned in ((details, signs), (details.flip(2), torch.where(odd, -signs, signs)))
        for pairs in _alike(colours, contrast, signs, turned)
    ]
    return np.unique(np.sort(np.concatenate([*found, np.empty((0, 2), np.int64)]), axis=1), axis=0)


def _features(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], Tensor]:
    """Mean colours (N, C), (N, 63) coefficients of the cosine transform, details (N, h, w) without low frequencies."""
    from scipy.fft import dctn
    from scipy.ndimage import gaussian_filter

    colours, coefficients, details = [], [], []
    for start in range(0, len(images), CHUNK):
        chunk = torch.from_numpy(images[start : start + CHUNK]).float()
        grey = chunk.mean(3)[:, None]
        small = F.adaptive_avg_pool2d(grey, HASH_PX)[:, 0].numpy()
        waves = dctn(small, axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
        sides = min(images.shape[1], DETAIL_PX), min(images.shape[2], DETAIL_PX)
        large = gaussian_filter(F.adaptive_avg_pool2d(grey, sides)[:, 0].numpy(), (0, 0.7, 0.7), mode="nearest")
        colours.append(chunk.mean((1, 2)).numpy())
        coefficients.append(waves.reshape(len(chunk), -1)[:, 1:])
        details.append(torch.from_numpy(large - gaussian_filter(large, (0, 4, 4), mode="nearest")))
    return np.concatenate(colours), np.concatenate(coefficients), torch.cat(details)


def _contrast(hashes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) standard deviations in grey levels, of what the hash sees."""
    result: NDArray[np.float32] = np.sqrt((hashes**2).sum(1)) / HASH_PX
    return result


def _alike(
    colours: NDArray[np.float32], contrast: NDArray[np.float32], signs: Tensor, others: Tensor
) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) with like colours, contrasts and hashes, where `others` are the hashes of the second of each."""
    brightness = colours.mean(1)
    order = np.argsort(brightness, kind="stable")
    order = order[contrast[order] >= FLAT]
    sorted_others, sorted_signs = others[order], signs[order]
    ends = np.searchsorted(brightness[order], brightness[order] + LEVELS_APART, side="right")
    for start in range(0, len(order), CHUNK):
        stop = min(start + CHUNK, len(order))
        last = int(ends[stop - 1])  # as bright as the brightest of these, at most
        bits = (signs.shape[1] - sorted_signs[start:stop] @ sorted_others[start:last].T) / 2
        rows, columns = (bits <= BITS_APART).nonzero(as_tuple=True)
        one, two = order[start + rows.numpy()], order[start + columns.numpy()]
        near = (columns > rows).numpy() & (np.abs(colours[one] - colours[two]).max(1) <= LEVELS_APART)
        high, low = np.maximum(contrast[one], contrast[two]), np.minimum(contrast[one], contrast[two])
        yield np.stack([one, two], 1)[near & (high <= CONTRAST_RATIO * low + 1)]


def _indistinct(
    colours: NDArray[np.float32], contrast: NDArray[np.float32], signs: Tensor, labels: NDArray[np.int64]
) -> bool:
    """Whether the hash takes pictures of different classes for one too often to be of use."""
    counts = np.bincount(labels)
    apart = (len(labels) ** 2 - (counts**2).sum()) / 2
    taken = sum(
        int((labels[pairs[:, 0]] != labels[pairs[:, 1]]).sum()) for pairs in _alike(colours, contrast, signs, signs)
    )
    return taken >= 5 and taken > TOO_ALIKE * apart


def _threshold(details: Tensor) -> float:
    return ALIKE if min(details.shape[1:]) >= DETAIL_PX else ALIKE_SMALL


def _correlation(one: Tensor, two: Tensor) -> NDArray[np.float32]:
    """(P,) the largest correlation of the insides of `one` (P, h, w) with `two`, moved by up to REACH pixels."""
    best = [np.empty(0, np.float32)]
    for start in range(0, len(one), CHUNK):
        inside = one[start : start + CHUNK, REACH:-REACH, REACH:-REACH]
        around = two[start : start + CHUNK]
        size = inside.shape[1:]
        products = F.conv2d(around[None], inside[:, None], groups=len(inside))[0]  # (P, 5, 5): of each shift
        energy = F.avg_pool2d(around[:, None] ** 2, size, stride=1)[:, 0] * (size[0] * size[1])
        shares = products / ((inside**2).sum((1, 2))[:, None, None] * energy + 1e-6).sqrt()
        best.append(shares.amax((1, 2)).numpy())
    return np.concatenate(best)
