"""Names of very many samples."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Names(Sequence[str]):
    """Texts in one block of bytes: 8 bytes each and what is written, where a list of str takes 60 more."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._block, self._ends = bytearray(), array("q", [0])
        self.extend(texts)

    def extend(self, texts: Iterable[str]) -> None:
        """Adds texts at the end."""
        for text in texts:
            self._block += text.encode("utf-8", "surrogateescape")
            self._ends.append(len(self._block))

    def take(self, places: NDArray[np.int64]) -> "Names":
        """Those at these places, in this order."""
        return Names(self[place] for place in places.tolist())

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Names": ...
    def __getitem__(self, place: int | slice) -> "str | Names":
        if isinstance(place, slice):
            return Names(self[one] for one in range(len(self))[place])
        place = range(len(self))[place]
        return self._block[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]  # it can be added to

    def __repr__(self) -> str:
        return repr(list(self))


def names_at(names: Sequence[str], places: Iterable[int]) -> Sequence[str]:
    """The names at these places, as compact as they were."""
    chosen = (names[place] for place in places)
    return Names(chosen) if isinstance(names, Names) else list(chosen)


def names_joined(one: Sequence[str], other: Sequence[str]) -> Sequence[str]:
    """The names of one and then of another, as compact as they were."""
    return Names((*one, *other)) if isinstance(one, Names) else [*one, *other]
