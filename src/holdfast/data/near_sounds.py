"""Sounds that are nearly copies: recompressed, resampled, louder or softer.

How loud which notes are when proposes pairs, the waves themselves decide: of one recording they go together but for a
shift, of two that sound alike they do not.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .sound import Wave

PIECES, BANDS = 16, 16  # of a recording, and of the lower half of the notes in each
FLOOR_DB = 40.0
ALIKE = 0.9  # correlation of such pictures from which on two are looked at; of 100 recompressed words 97 are
NEIGHBOURS = 4  # of each recording are looked at
SAME = 0.95  # correlation of two waves; of other takes of the same word by one speaker 0.85 at most
HEARD_S = 10.0  # from the beginning
MOST = 20_000  # recordings; among more the pairs take too long
CHUNK = 512


def near_recordings(waves: Sequence[Wave], rate: int, digests: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """(P, 2) places of which the second is nearly a copy of the first, and no exact one; None for too many recordings.

    Args:
        waves: what is heard of each recording, trimmed.
        rate: samples a second, of all of them.
        digests: (N,) equal for exact copies.
    """
    if len(waves) > MOST:
        return None
    heard = [wave[: int(HEARD_S * rate)] for wave in waves]
    pictures = np.stack([_picture(wave) for wave in heard])
    proposed: set[tuple[int, int]] = set()
    for start in range(0, len(pictures), CHUNK):
        alike = pictures[start : start + CHUNK] @ pictures.T
        alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -1
        count = min(NEIGHBOURS, len(pictures) - 1)
        for row, places in enumerate(np.argpartition(-alike, count - 1, axis=1)[:, :count] if count else []):
            near = places[alike[row, places] >= ALIKE].tolist()
            proposed |= {(min(place, start + row), max(place, start + row)) for place in near}
    pairs = [
        (first, second)
        for first, second in sorted(proposed)
        if digests[first] != digests[second] and _same(heard[first], heard[second])
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _picture(wave: Wave) -> NDArray[np.float32]:
    """(PIECES * BANDS,) how loud which notes are when, of length 1 and without a mean, so that loudness cancels out."""
    length = max(4 * BANDS, len(wave) // PIECES)
    pieces = np.zeros((PIECES, length), np.float32)
    for piece, start in zip(pieces, np.linspace(0, max(0, len(wave) - length), PIECES).astype(int), strict=True):
        found = wave[start : start + length]
        piece[: len(found)] = found
    powers = np.square(np.abs(np.fft.rfft(pieces * np.hanning(length))))
    powers = powers[:, : powers.shape[1] // 2]  # codecs leave out what is high
    edges = np.linspace(0, powers.shape[1], BANDS + 1).astype(int)[:-1]
    loud = 10 * np.log10(np.add.reduceat(powers, edges, axis=1) + 1e-20)
    loud = np.maximum(loud, loud.max() - FLOOR_DB).ravel()
    loud -= loud.mean()
    picture: NDArray[np.float32] = (loud / max(float(np.linalg.norm(loud)), 1e-12)).astype(np.float32)
    return picture


def _same(one: Wave, other: Wave) -> bool:
    """Whether two waves go together at some shift, at whatever loudness and either way round."""
    size = 1 << (len(one) + len(other) - 1).bit_length()
    together = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return bool(np.abs(together).max() >= SAME * np.linalg.norm(one) * np.linalg.norm(other))
