"""How large pictures and how long sounds are in their files, and which of them are unlike the others."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from ..core import BadFile, HoldfastError
from ..data import Dataset, Reading
from ..data import image as pictures
from ..data import sound as sounds
from ..data.files import list_files
from ..data.listing import Listed
from ..data.public import PUBLIC
from .odd import Odd

H = TypeVar("H")
SLIM = 3.0  # times longer than wide, and twice as slim as the middle one
TINY, LONG = 4, 8  # times smaller than the middle one; times shorter or longer
ASKED = 20_000  # files that are asked for their size; of more, a share


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

    def __str__(self) -> str:
        """`400x533 (258), 400x534 (86) and 40 more; the middle is 400x533 pixels`, width first."""
        shown = [f"{w}x{h} ({count:,})" for (h, w), count in self.counts[:3]]
        more = f" and {len(self.counts) - 3:,} more" if len(self.counts) > 3 else ""
        height, width = self.middle
        mixed = ", some grey and some in colour" if self.mixed else ""
        return f"{', '.join(shown)}{more}; the middle is {width:.0f}x{height:.0f} pixels{mixed}"


@dataclass(frozen=True)
class Lengths:
    """How long sounds are in their files.

    Attributes:
        seconds: of each file, the shortest first.
        rates: (Hz, files), the commonest first.
    """

    seconds: Sequence[float]
    rates: Sequence[tuple[int, int]]

    @property
    def n(self) -> int:
        """Files that were asked."""
        return len(self.seconds)

    def __str__(self) -> str:
        """`0.14 to 2.28 s, the middle is 0.4 s; 8,000 Hz (2,000)`."""
        rates = ", ".join(f"{rate:,} Hz ({count:,})" for rate, count in self.rates[:4])
        ends = f"{self.seconds[0]:.2f} to {self.seconds[-1]:.2f} s"
        return f"{ends}, the middle is {median(self.seconds):.2f} s; {rates}"


def odd_sizes(data: Dataset, seed: int = 0) -> tuple[Sizes | Lengths | None, list[Odd]]:
    """The sizes of the files of train and validation, and files that are unlike the others.

    None where the data has no files of pictures or sounds, e.g. arrays.
    """
    if data.kind == "sounds":
        heard = _headers(data, lambda file: sounds.read_header(file.content()), seed)
        return _lengths(heard), list(_odd_lengths(heard))
    if data.kind == "pictures":
        with pictures.quiet():
            seen = _headers(data, _picture_header, seed)
        return _sizes(seen), list(_odd_shapes(seen))
    return None, []


def _picture_header(file: Listed) -> pictures.Header:
    return pictures.read_header(file.path if file.archive is None else file.content())


def _sizes(seen: Sequence[tuple[Odd, pictures.Header]]) -> Sizes | None:
    if not seen:
        return None
    found = Counter((header.height, header.width) for _, header in seen)
    return Sizes(found.most_common(), len(seen), len({header.grey for _, header in seen}) > 1)


def _lengths(heard: Sequence[tuple[Odd, sounds.Header]]) -> Lengths | None:
    if not heard:
        return None
    rates = Counter(header.rate for _, header in heard)
    return Lengths(sorted(header.frames / header.rate for _, header in heard), rates.most_common())


def _odd_shapes(seen: Sequence[tuple[Odd, pictures.Header]]) -> Iterator[Odd]:
    """Pictures that are tiny, or slim, beside the others."""
    slimness = median([_slimness(header) for _, header in seen] or [0])
    shorter = median([min(header.height, header.width) for _, header in seen] or [0])
    for one, header in seen:
        size = f"{header.width}x{header.height}"
        if min(header.height, header.width) * TINY <= shorter:
            yield Odd(one.part, one.place, one.name, f"tiny, {size}")
        elif _slimness(header) >= max(SLIM, 2 * slimness):
            yield Odd(one.part, one.place, one.name, f"of an odd shape, {size}")


def _odd_lengths(heard: Sequence[tuple[Odd, sounds.Header]]) -> Iterator[Odd]:
    """Sounds that are very short or very long beside the others."""
    middle = median([header.frames / header.rate for _, header in heard] or [0])
    for one, header in heard:
        length = header.frames / header.rate
        if length * LONG <= middle:
            yield Odd(one.part, one.place, one.name, f"very short, {length:.2g} s")
        elif length >= LONG * middle:
            yield Odd(one.part, one.place, one.name, f"very long, {length:.3g} s")


def _slimness(header: pictures.Header) -> float:
    return max(header.height, header.width) / max(1, min(header.height, header.width))


def _headers(data: Dataset, read: Callable[[Listed], H], seed: int) -> list[tuple[Odd, H]]:
    """What the files of train and validation say of themselves, each once; of very many a share."""
    files = _files(data)
    listed: dict[str, Odd] = {}
    for part, samples in (("train", data.train), ("validation", data.validation)):
        for place, name in enumerate(samples.names):
            file = name if name in files else name.rpartition("@")[0]  # of a window of it
            if file in files:
                listed.setdefault(file, Odd(part, place, file, ""))
    chosen = list(listed.values())
    if len(chosen) > ASKED:
        drawn = np.random.default_rng(seed).permutation(len(chosen))[:ASKED]
        chosen = [chosen[index] for index in sorted(map(int, drawn))]

    def header(one: Odd) -> H | None:
        try:
            return read(files[one.name])
        except BadFile:
            return None

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(header, chosen))
    return [(one, said) for one, said in zip(chosen, found, strict=True) if said is not None]


def _files(data: Dataset) -> dict[str, Listed]:
    """The files by their names, in a folder, an archive or a CSV; none where there are none."""
    if not data.origin:
        return {}
    name = str(data.origin["path"])
    path = (PUBLIC[name].found() if name in PUBLIC else None) or Path(name)
    try:
        return {file.name: file for file in list_files(path, Reading()).files} if path.exists() else {}
    except (HoldfastError, OSError):  # it is something else
        return {}
