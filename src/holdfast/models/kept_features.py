"""Features: what the frozen front of a model gives for a sample, computed once and kept in the user's cache.

A sample is known again by its digest, so folds, seeds, trials and the next command find what one of them has computed,
however the data was divided.  A front is known by its layers and weights.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..callbacks.screen import Line, Screen, screen_for
from ..core import BadFile, keep_freed_memory
from ..data import Augmentation, Batch, RandomShift
from ..data.digests import row_digests
from ..data.kept import ENDING, Arrays, Columns, Keep, rows_of
from ..data.memory import free_memory
from ..data.remote import cache_folder
from ..data.rows import Mapped, Rows, Store
from ..layers.augment_mix import Mixing
from ..training.passes import folded
from ..training.probe import one_thread
from .augmenting import Pipeline
from .frozen import Front

VIEWS = 4  # augmented copies of each sample; epoch e learns from number e mod VIEWS
PIECE_NUMBERS, PIECE = 2**20, (8, 256)  # samples that go through the front at once: so many as stay in the cache
CHUNK = 256  # samples that are hashed at once
IN_MEMORY = 0.25  # of what is free; more features than that stay on disk
PATIENCE_S, REDRAW_S, PRINT_S = 2.0, 0.2, 5.0

Told = Callable[[int, int], None]  # samples done, samples to compute
Compute = Callable[[NDArray[np.float32]], None]  # fills (n, ...) with features
Take = Callable[[NDArray[np.int64]], tuple[Tensor, ...]]  # the samples at these places, one tensor an input

_seen: WeakKeyDictionary[Store, NDArray[np.uint64]] = WeakKeyDictionary()  # digests by place; 0: not known yet


@dataclass(frozen=True)
class Views:
    """An augmentation that was drawn before: each pass learns from one of a few changed copies of all samples.

    Attributes:
        features: of each copy, (N, ...).
    """

    features: tuple[Tensor, ...]

    def __call__(self, batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        chosen = self.features[number % len(self.features)]
        places = samples.cpu() if isinstance(chosen, Rows) else samples.to(chosen.device)
        return replace(batch, inputs=(chosen[places].to(batch.inputs[0].device),))


def can_keep(augment: Augmentation | None) -> bool:
    """Whether what an augmentation makes can be computed before: where labels are mixed, or code decides, it cannot."""
    if isinstance(augment, Pipeline):
        return not any(isinstance(layer, Mixing) for layer in augment.layers)
    return augment is None or isinstance(augment, RandomShift)


def features_of(front: Front, batch: Batch, told: Told | None = None) -> Batch | None:
    """The samples with their features as the one input; None where neither disk nor memory has room for them."""
    inputs = batch.inputs
    digests = _digests(inputs)

    def take(places: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return tuple(
            tensor[places] if isinstance(tensor, Rows) else tensor[torch.from_numpy(places)] for tensor in inputs
        )

    found = _features(front, digests, take, told)
    return None if found is None else replace(batch, inputs=(found,))


def views_of(front: Front, batch: Batch, augment: Augmentation, seed: int, told: Told | None = None) -> Views | None:
    """Features of `VIEWS` changed copies of all samples; None where there is no room for them."""
    views = []
    for number in range(VIEWS):

        def take(places: NDArray[np.int64], number: int = number) -> tuple[Tensor, ...]:
            chosen = torch.from_numpy(places)
            plain = Batch((batch.inputs[0][places if isinstance(batch.inputs[0], Rows) else chosen],))
            return augment(plain, chosen, seed, number).inputs

        digests = np.concatenate([_hashed(take(places)) for places in _pieces(np.arange(len(batch)), CHUNK)])
        found = _features(front, digests, take, told)
        if found is None:
            return None
        views.append(found)
    return Views(tuple(views))


def _pieces(places: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [places[start : start + size] for start in range(0, len(places), size)]


def _digests(inputs: Sequence[Tensor]) -> NDArray[np.uint64]:
    """(N,) digests of the samples."""
    each = [_stored(cast(Rows, one)) if isinstance(one, Rows) else _hashed((one,)) for one in inputs]
    return each[0] if len(each) == 1 else row_digests(np.stack(each, 1))


def _hashed(tensors: Sequence[Tensor]) -> NDArray[np.uint64]:
    """(N,) digests of samples in memory."""
    each = [row_digests(tensor.cpu().contiguous().numpy()) for tensor in tensors]
    return each[0] if len(each) == 1 else row_digests(np.stack(each, 1))


def _stored(rows: Rows) -> NDArray[np.uint64]:
    """(N,) digests of samples that lie in a store, which does not change; they are read once a process."""
    known = _seen.setdefault(rows.store, np.zeros(len(rows.store), np.uint64))
    missing = np.unique(rows.places[known[rows.places] == 0])
    for places in _pieces(missing, CHUNK):
        known[places] = _hashed((rows.store.fetch(places),))
    return known[rows.places]


def _features(front: Front, digests: NDArray[np.uint64], take: Take, told: Told | None) -> Tensor | None:
    """Features of samples with these digests, (N, ...): found, or computed and kept."""
    keep = Keep(cache_folder() / "pictures" / f"features-{front.key}{ENDING}")
    columns: Columns = {"digests": (np.uint64, ()), "features": (np.float32, front.shape)}
    kept = keep.read(columns)
    places = rows_of(digests, kept["digests"])
    missing = np.flatnonzero(places < 0)
    size = 4 * math.prod(front.shape)
    small = size * len(digests) <= IN_MEMORY * (free_memory() or 2**32)
    if len(missing):
        wanted, own = np.unique(digests[missing], return_index=True)  # of copies one
        own = missing[own]
        count, compute = len(kept["digests"]) + len(wanted), partial(_compute, front, own, take, told)
        if keep.fits(columns, count):
            kept = _written(keep, columns, kept, wanted, compute)
        elif small:
            arrays = {name: np.empty((count, *shape), dtype) for name, (dtype, shape) in columns.items()}
            _fill(arrays, kept, wanted, compute)
            kept = arrays
        else:
            return None
        places = rows_of(digests, kept["digests"])
    if small:
        return torch.from_numpy(kept["features"][places])
    return cast(Tensor, Rows(Mapped(kept["features"]), places))


def _written(keep: Keep, columns: Columns, kept: Arrays, wanted: NDArray[np.uint64], compute: Compute) -> Arrays:
    """What was kept and what is wanted, kept together; where the cache is gone by then, for this once."""
    arrays: Arrays = {}
    try:
        with keep.write(columns, len(kept["digests"]) + len(wanted)) as writing:
            _fill(writing.arrays, kept, wanted, compute)
            writing.rows = writing.room
            arrays = dict(writing.arrays)  # read again, the file may be that of another process, or removed
    except BadFile:
        if not arrays:
            raise
    return arrays


def _fill(arrays: Arrays, kept: Arrays, wanted: NDArray[np.uint64], compute: Compute) -> None:
    """Puts what was kept first, and the features of samples with the digests `wanted` behind it."""
    before = len(kept["digests"])
    for name, array in arrays.items():
        array[:before] = kept[name]
    arrays["digests"][before:] = wanted
    compute(arrays["features"][before:])


def _compute(front: Front, places: NDArray[np.int64], take: Take, told: Told | None, out: NDArray[np.float32]) -> None:
    """Fills (n, ...) with the features of the samples at these places.

    On a CPU each core takes its own samples through all layers: a few stay in its cache, and no core waits for others.
    All go in pieces of one size, so that what a sample gives does not depend on which others were missing.
    """
    keep_freed_memory()
    module = folded(front.trunk)
    device = next(module.parameters()).device
    alone = device.type != "cpu"
    size = PIECE[1] if alone else _at_once(take(places[:1]))
    pieces = [(start, places[start : start + size]) for start in range(0, len(places), size)]

    def work(piece: tuple[int, NDArray[np.int64]]) -> int:
        start, own = piece
        whole = np.concatenate([own, np.repeat(own[-1:], size - len(own))])
        with torch.inference_mode():
            given = module(*(tensor.to(device) for tensor in take(whole)))
            out[start : start + len(own)] = given[: len(own)].float().cpu().numpy()
        return len(own)

    done = 0
    count = 1 if alone else torch.get_num_threads()
    with nullcontext() if alone else one_thread(), ThreadPoolExecutor(count, "holdfast-features") as pool:
        try:
            for n in pool.map(work, pieces):
                done += n
                if told is not None:
                    told(done, len(places))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _at_once(samples: Sequence[Tensor]) -> int:
    numbers = sum(math.prod(tensor.shape[1:]) for tensor in samples)
    return max(PIECE[0], min(PIECE[1], PIECE_NUMBERS // max(1, numbers)))


class Telling:
    """A line on the terminal while features are computed, once that has taken two seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.began = quiet, time.perf_counter()
        self.due = self.began + PATIENCE_S
        self.screen: Screen | None = None

    def __enter__(self) -> "Telling":
        return self

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        if self.quiet or now < self.due:
            return
        if self.screen is None:
            from rich.console import Console

            self.screen = screen_for(Console(), lines=False)
        self.due = now + (REDRAW_S if self.screen.rewrites else PRINT_S)
        rate = done / (now - self.began)
        left = f"{(total - done) / rate:,.0f} s left"
        self.screen.show(Line(f"features  {done:,}/{total:,}", done / total, f"{rate:,.0f}/s", "", left))

    def __exit__(self, *_: object) -> None:
        if self.screen is not None:
            self.screen.close()
