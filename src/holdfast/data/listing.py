"""Listings: what files there are and what is said about them, in columns that a million files do not burst."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from .dataset import BadFileFound
from .image import content_of
from .names import Names
from .source import POOL, TRAIN

UNKNOWN = -1  # the size or time of a file that could not be asked


class Packed(Protocol):
    """A file that holds others."""

    def content(self, place: int) -> bytes:
        """The content of one of them.  Raises BadFile with the bare reason."""
        ...


@dataclass(frozen=True)
class Listed:
    """A file that should hold a sample, and what the data says about it.

    `name`, relative to the data, is how people find it again; `time` is a number or an ISO date.  `archive` and `place`
    say where it is, if it lies in another file.
    """

    path: Path
    name: str
    label: str
    part: int = TRAIN
    group: str | None = None
    time: str | None = None
    archive: Packed | None = None
    place: int = 0

    def content(self) -> bytes:
        """All its bytes.  Raises BadFile with the bare reason."""
        return content_of(self.path) if self.archive is None else self.archive.content(self.place)


class Files(Sequence[Listed]):
    """Listed files in columns; each is made when it is asked for.

    Attributes:
        root: what paths are relative to.
        paths: as the file system has them.
        names: as people see them; mostly the same.
        labels: (N,) places in `classes`.
        classes: their names.
        parts: (N,) int8.
        stamps: (N, 2) int64, size in bytes and time of change in ns; UNKNOWN where it could not be asked.
        groups, times: None where the data has none.
        archive: what they are packed in.
    """

    def __init__(
        self,
        root: Path,
        paths: Names,
        labels: NDArray[np.int32],
        classes: tuple[str, ...],
        parts: NDArray[np.int8],
        stamps: NDArray[np.int64],
        *,
        groups: Names | None = None,
        times: Names | None = None,
        archive: Packed | None = None,
        names: Names | None = None,
    ) -> None:
        self.root, self.paths, self.labels, self.classes = root, paths, labels, classes
        self.parts, self.stamps, self.groups, self.times, self.archive = parts, stamps, groups, times, archive
        self.names = names or _shown(paths)

    def known(self, *, groups: Iterable[str] | None = None, times: Iterable[str] | None = None) -> "Files":
        """The same files with these groups or times."""
        return Files(
            self.root,
            self.paths,
            self.labels,
            self.classes,
            self.parts,
            self.stamps,
            groups=self.groups if groups is None else Names(groups),
            times=self.times if times is None else Names(times),
            archive=self.archive,
            names=self.names,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, place: int) -> Listed: ...
    @overload
    def __getitem__(self, place: slice) -> list[Listed]: ...
    def __getitem__(self, place: int | slice) -> Listed | list[Listed]:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        place = range(len(self))[place]
        return Listed(
            self.root / self.paths[place],
            self.names[place],
            self.classes[self.labels[place]],
            int(self.parts[place]),
            None if self.groups is None else self.groups[place],
            None if self.times is None else self.times[place],
            self.archive,
            place,
        )

    def __iter__(self) -> Iterator[Listed]:
        return (self[place] for place in range(len(self)))


@dataclass(frozen=True)
class Listing:
    """What a folder or CSV file lists: candidates in a fixed order, and what is no sample already at first sight.

    `columns` are the names of the columns of a CSV.
    """

    files: Sequence[Listed]
    classes: tuple[str, ...]
    bad: tuple[BadFileFound, ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def without_pool(listing: Listing) -> Listing:
    """The labelled files alone; with a note where there are others."""
    files = [file for file in listing.files if file.part != POOL]
    if len(files) == len(listing.files):
        return listing
    labels = {file.label for file in files}
    note = f"{len(listing.files) - len(files):,} samples without labels are left out"
    classes = tuple(name for name in listing.classes if name in labels)
    return replace(listing, files=files, classes=classes, notes=(*listing.notes, note))


def shown(text: str) -> str:
    """A file name as it can be printed and stored: one line, valid Unicode."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def codes(words: Iterable[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) the place of each word among all different ones, and these, sorted."""
    seen: dict[str, int] = {}
    found = np.fromiter((seen.setdefault(word, len(seen)) for word in words), np.int64)
    called = sorted(seen)
    rank = np.empty(len(seen), np.int64)
    rank[[seen[word] for word in called]] = np.arange(len(seen))
    return rank[found], tuple(called)


def names_of(files: Sequence[Listed]) -> Sequence[str]:
    """The names of listed files."""
    return files.names if isinstance(files, Files) else [file.name for file in files]


def _shown(paths: Names) -> Names:
    """The same object where nothing differs."""
    return paths if all(path.isprintable() for path in paths) else Names(map(shown, paths))
