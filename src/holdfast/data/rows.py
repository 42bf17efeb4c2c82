"""Samples that are fetched when they are needed: for data that does not fit into memory."""

import math
from collections.abc import Iterator, Sequence
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadFile, derive, generator

BUFFER_BLOCKS = 8  # blocks that are shuffled into each other
SOME_BYTES = 2**28


class Store(Protocol):
    """Where samples lie.

    Attributes:
        shape: of one sample, channels last.
        dtype: of the samples.
        blocks: (N,) int64, in which block each sample lies, where those of one block are best read together; None when
            any is found as fast as any other.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    blocks: NDArray[np.int64] | None

    def __len__(self) -> int: ...

    def fetch(self, places: NDArray[np.int64]) -> Tensor:
        """The samples at these places, (n, *shape), on the CPU, their own memory.  Called by several threads."""
        ...


class Mapped:
    """A store over a memory map (N, *shape), of which the system keeps in memory what there is room for."""

    def __init__(self, array: NDArray[np.generic]) -> None:
        self.array = array
        self.shape = tuple(array.shape[1:])
        self.dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
        self.blocks: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.array)

    def fetch(self, places: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.array[places])

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as pickle has it
        """Other processes map the same file; what lies in none is sent to them."""
        array = self.array
        if isinstance(array, np.memmap) and isinstance(array.base, mmap) and Path(array.filename or "").is_file():
            return _mapped, (str(Path(array.filename).absolute()), array.dtype, array.shape, array.offset)
        return type(self), (np.asarray(array),)


def _mapped(path: str, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> Mapped:  # Any: of any numbers
    try:
        return Mapped(np.memmap(path, dtype, "r", offset, shape))
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{path}: this process does not see it as it was; lay it on a disk that all machines see."
        ) from error


class Rows:
    """Some samples of a store, in an order: what a tensor (N, *shape) is for data in memory.

    Args:
        store: where they lie.
        places: (N,) which of its samples.
    """

    def __init__(self, store: Store, places: NDArray[np.int64]) -> None:
        self.store, self.places = store, places

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.store.shape))

    @property
    def dtype(self) -> torch.dtype:
        return self.store.dtype

    @property
    def device(self) -> torch.device:
        """Where samples are when they were fetched."""
        return torch.device("cpu")

    def dim(self) -> int:
        return 1 + len(self.store.shape)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def __getitem__(self, key: int | slice | Sequence[int] | NDArray[np.int64] | Tensor) -> Tensor:
        """Fetched samples; of one number the sample itself."""
        if isinstance(key, (int, np.integer)):
            return self.store.fetch(self.places[[int(key)]])[0]
        return self.store.fetch(self.places[key if isinstance(key, slice) else np.asarray(key)])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    def index_select(self, dim: int, indices: Tensor) -> "Rows":
        """Others of the same store; nothing is fetched."""
        assert dim == 0, "samples are the first axis"
        return Rows(self.store, self.places[indices.cpu().numpy()])

    def order(self, seed: int, number: int, batch_size: int = 1) -> Tensor:
        """The places of all rows in the order of pass `number`, int64; it follows from (seed, number).

        Blocks in a random order, and samples shuffled within as many blocks as are held at once.  Those of a batch are
        put together by their blocks: of workers that share it each then reads one or two.
        """
        blocks = self.store.blocks
        if blocks is None:
            return torch.randperm(len(self), generator=generator(seed, "order", number))
        own = blocks[self.places]
        lying = np.argsort(own, kind="stable")
        pieces = np.split(lying, np.flatnonzero(np.diff(own[lying])) + 1)  # the samples of each block
        found = np.empty(len(own), np.int64)
        start = 0
        for buffer, turn in enumerate(turns(len(pieces), seed, number)):
            held = np.concatenate([pieces[block] for block in turn])
            found[start : start + len(held)] = held[shuffled(len(held), seed, number, buffer)]
            start += len(held)
        if batch_size > 1:
            for first in range(0, len(found), batch_size):
                batch = found[first : first + batch_size]
                found[first : first + batch_size] = batch[together(own[batch])]
        return torch.from_numpy(found)


def turns(blocks: int, seed: int, number: int) -> list[NDArray[np.int64]]:
    """The blocks in the order of pass `number`, by the buffers in which they are shuffled into each other."""
    order = np.random.default_rng(derive(seed, "order", number)).permutation(blocks)
    return np.split(order, range(BUFFER_BLOCKS, blocks, BUFFER_BLOCKS))


def shuffled(samples: int, seed: int, number: int, buffer: int) -> NDArray[np.int64]:
    """The order of the samples of one buffer of pass `number`; it is found without those of the others."""
    return np.random.default_rng(derive(seed, "order", number, buffer)).permutation(samples)


def together(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order in which the samples of a batch, in these blocks, are put together by their blocks."""
    return np.argsort(blocks, kind="stable")


Samples = Tensor | Rows  # a tensor in memory, or what stands for one


def joined(one: Samples, other: Samples) -> Tensor:
    """The samples of one and then of another part of the same data; `Rows`, cast, if they are such."""
    if isinstance(one, Rows) and isinstance(other, Rows):
        assert one.store is other.store, "parts of one dataset lie in one store"
        return cast(Tensor, Rows(one.store, np.concatenate([one.places, other.places])))
    return torch.cat([one[:], other[:]])


def some(samples: Samples, most: int = 10_000) -> Tensor:
    """All samples in memory; of those that must be fetched so many, or what 256 MB hold, evenly spread."""
    if isinstance(samples, Tensor):
        return samples
    size = math.prod(samples.shape[1:]) * samples.dtype.itemsize
    count = min(most, len(samples), max(1, SOME_BYTES // max(1, size)))
    return samples[np.linspace(0, len(samples) - 1, count).round().astype(np.int64)]
