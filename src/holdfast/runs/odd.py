"""Samples that look as if something went wrong with them: blank, dark, tiny, silent, clipped, constant."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadFile, HoldfastError
from ..data import Dataset, Part, Reading
from ..data.files import holds_pictures, list_files
from ..data.image import Header, quiet, read_header
from ..data.listing import Listed
from ..data.series import Series

Samples = NDArray[Any]  # Any: uint8 or float32; (n, *shape)
CHUNK = 256  # samples at once
PIXELS = 2048  # of a picture whose brightness is ranked
FLAT, DARK, BRIGHT = 8, 40, 225  # levels of 255: between the extremes; that 99 % are below; that 99 % are above
SLIM = 3.0  # times longer than wide, and twice as slim as the middle one
TINY = 4  # times smaller than the middle one
SILENT, CLIPPED, LOUD = 1e-3, 2e-3, 0.98  # of full scale; share of values on flat tops, of a peak beyond the third
COMMON = 0.1  # share of the samples from which on a thing is how this data is
LOOKED = 20_000  # samples that are fetched to be looked at, and files that are asked for their size; of more, a share


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


@dataclass(frozen=True)
class Sizes:
    """How large pictures are in their files, (height, width) in pixels.

    Attributes:
        counts: of each size, the commonest first.
        n: files that were asked; of very many a share, drawn at random.
        mixed: whether some are grey and some in colour.
    """

    counts: Sequence[tuple[tuple[int, int], int]]
    n: int
    mixed: bool

    @property
    def middle(self) -> tuple[float, float]:
        """(height, width), the median of each."""
        heights, widths = (sorted(size[axis] for size, count in self.counts for _ in range(count)) for axis in (0, 1))
        return median(heights), median(widths)


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


def odd_sizes(data: Dataset, seed: int = 0) -> tuple[Sizes | None, list[Odd]]:
    """The sizes of picture files of train and validation, and files that are tiny or slim among the others.

    None where the data has no files, e.g. arrays.
    """
    files = _files(data)
    listed = [
        Odd(name, place, file, "")
        for name, part in (("train", data.train), ("validation", data.validation))
        for place, file in enumerate(part.names)
        if file in files
    ]
    if len(listed) > LOOKED:
        drawn = np.random.default_rng(seed).permutation(len(listed))[:LOOKED]
        listed = [listed[index] for index in sorted(map(int, drawn))]
    with ThreadPoolExecutor() as pool, quiet():
        headers = list(pool.map(lambda one: _header(files[one.name]), listed))
    read = [(one, header) for one, header in zip(listed, headers, strict=True) if header is not None]
    if not read:
        return None, []
    found = Counter((header.height, header.width) for _, header in read)
    greys = {header.grey for _, header in read}
    return Sizes(found.most_common(), len(read), len(greys) > 1), list(_misfits(read))


def _misfits(read: Sequence[tuple[Odd, Header]]) -> Iterator[Odd]:
    """Pictures whose size or shape is unlike that of the others."""
    slimness = median(_slimness(header) for _, header in read)
    shorter = median(min(header.height, header.width) for _, header in read)
    for one, header in read:
        size = f"{header.width}x{header.height}"
        if min(header.height, header.width) * TINY <= shorter:
            yield Odd(one.part, one.place, one.name, f"tiny, {size}")
        elif _slimness(header) >= max(SLIM, 2 * slimness):
            yield Odd(one.part, one.place, one.name, f"of an odd shape, {size}")


def _slimness(header: Header) -> float:
    return max(header.height, header.width) / max(1, min(header.height, header.width))


def _files(data: Dataset) -> dict[str, Listed]:
    """The picture files by their names, in a folder, an archive or a CSV; none where there are none."""
    path = Path(str(data.origin.get("path", "")))
    if data.kind != "pictures" or not data.origin or not path.exists() or not holds_pictures(path):
        return {}
    try:
        return {file.name: file for file in list_files(path, Reading()).files}
    except HoldfastError:  # it is something else
        return {}


def _header(file: Listed) -> Header | None:
    try:
        return read_header(file.path if file.archive is None else file.content())
    except BadFile:
        return None
