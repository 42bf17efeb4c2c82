"""Samples that look as if something went wrong with them: blank, dark, tiny, silent, clipped, constant."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..data import Dataset, Part
from ..data.series import Series

Samples = NDArray[Any]  # Any: uint8 or float32; (n, *shape)
CHUNK = 256  # samples at once
PIXELS = 2048  # of a picture whose brightness is ranked
FLAT, DARK, BRIGHT = 8, 40, 225  # levels of 255: between the extremes; that 99 % are below; that 99 % are above
SILENT, CLIPPED, LOUD = 1e-3, 2e-3, 0.98  # of full scale; share of values on flat tops, of a peak beyond the third
COMMON = 0.1  # share of the samples from which on a thing is how this data is
LOOKED = 20_000  # samples that are fetched to be looked at; of more, a share


@dataclass(frozen=True)
class Odd:
    """A sample to look at.

    Attributes:
        part, place: where it is: "train" and the index in it.
        name: where it came from.
        why: in a few words.
    """

    part: str
    place: int
    name: str
    why: str


def odd_samples(data: Dataset) -> tuple[list[Odd], list[str]]:
    """The odd ones of train and validation, and sentences on what is too common in this data to be odd.

    The test part is sealed and is not looked at.
    """
    test = TESTS.get(data.kind, _constant)
    found = [
        Odd(name, place, part.names[place], why)
        for name, part in (("train", data.train), ("validation", data.validation))
        for start, samples in chunks(part)
        for place, why in ((start + index, why) for index, why in test(measured(samples, data)))
    ]
    odd, usual = without_common(found, len(data.train) + len(data.validation))
    if (every := _every(data.train)) > 1:
        usual.append(f"one sample in {every} was looked at, there are very many")
    return odd, usual


def without_common(found: Sequence[Odd], n: int) -> tuple[list[Odd], list[str]]:
    """The odd ones among n samples, and a sentence for each reason that so many share that it is none."""
    shared = {why: count for why, count in Counter(odd.why for odd in found).items() if count > max(3, COMMON * n)}
    said = [f"{count:,} of {n:,} are {why}: so this data is" for why, count in shared.items()]
    return [odd for odd in found if odd.why not in shared], said


def chunks(part: Part) -> Iterator[tuple[int, Samples]]:
    """The samples of a part, some at once, and the place of the first; of very many outside of memory, a share."""
    for start in range(0, len(part), CHUNK * _every(part)):
        yield start, part.images[start : start + CHUNK].numpy()


def measured(samples: Samples, data: Dataset) -> Samples:
    """Series without their mask, and NaN where it says that nothing was measured; all other samples as they are."""
    if not isinstance(data.reads, Series) or not data.reads.masked:
        return samples
    return np.where(samples[..., -1:] > 0, samples[..., :-1], np.nan)


def _every(part: Part) -> int:
    """Each so many-th chunk is looked at."""
    return 1 if isinstance(part.images, Tensor) else -(-len(part) // LOOKED)


def _pictures(pixels: Samples) -> Iterator[tuple[int, str]]:
    flat = pixels.reshape(len(pixels), -1)
    lowest, highest = flat.min(1).astype(np.int64), flat.max(1).astype(np.int64)
    step = max(1, flat.shape[1] // PIXELS)
    step += 1 - step % 2  # odd, so that all channels and columns have their turn
    dark, bright = np.percentile(flat[:, ::step], (99, 1), axis=1)
    for index in np.flatnonzero((highest - lowest <= FLAT) | (dark <= DARK) | (bright >= BRIGHT)):
        if highest[index] - lowest[index] <= FLAT:
            yield int(index), "blank"
        else:
            yield int(index), "very dark" if dark[index] <= DARK else "very bright"


def _sounds(waves: Samples) -> Iterator[tuple[int, str]]:
    flat = np.abs(waves.reshape(len(waves), -1))
    peaks = flat.max(1)
    top = flat >= (1 - 1e-4) * peaks[:, None]
    flats = (top[:, :-2] & top[:, 1:-1] & top[:, 2:]).mean(1)
    for index in np.flatnonzero((peaks < SILENT) | ((peaks >= LOUD) & (flats > CLIPPED))):
        yield int(index), "silent" if peaks[index] < SILENT else "clipped"


def _series(values: Samples) -> Iterator[tuple[int, str]]:
    highest = np.fmax.reduce(values, axis=1)  # (n, C), as max, but NaN only where nothing was measured at all
    constant = ~(highest > np.fmin.reduce(values, axis=1))
    for index in np.flatnonzero(constant.any(1)):
        every = constant[index].all()
        yield int(index), "constant" if every else "constant in a channel"


def _constant(values: Samples) -> Iterator[tuple[int, str]]:
    flat = values.reshape(len(values), -1)
    if flat.shape[1] > 1:
        yield from ((int(index), "blank") for index in np.flatnonzero(flat.min(1) == flat.max(1)))


def _rows(values: Samples) -> Iterator[tuple[int, str]]:
    yield from ()


TESTS: dict[str, Callable[[Samples], Iterator[tuple[int, str]]]] = {
    "pictures": _pictures,
    "sounds": _sounds,
    "series": _series,
    "table": _rows,
}
