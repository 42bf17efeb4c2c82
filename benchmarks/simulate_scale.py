"""Claim: of 1 billion samples 1,000 workers read as many each, each once, and from one shard a step; in a minute.

Nothing is trained and nothing is read: the order is the one that training takes (`holdfast.data.rows`), buffer by
buffer over a whole pass, and each batch is dealt out to the ranks as training deals it out (`holdfast.core.Share`).
What is counted of each step is how many samples, bytes and shards a worker has to read.  Files have the sizes of a
lognormal distribution around --sample-kb, so that the worker with the most to read is known: all wait for it.

What follows from arithmetic alone is printed below it with its formula: memory, reading, and the exchange of gradients.

    python benchmarks/simulate_scale.py
    python benchmarks/simulate_scale.py --samples 1281167 --workers 8 --batch 1024       # a set as large as ImageNet
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, write
from numpy.typing import NDArray

from holdfast.core import Share
from holdfast.data.rows import shuffled, together, turns

INDEX_BYTES = 90  # a sample, of a set of shards; docs/big-data.md
SIZES = 2**20  # so many different files; all others have the size of one of these


@dataclass(frozen=True)
class Set:
    """A set in shards of equally many samples, but for the last one."""

    samples: int
    shard: int
    sample_bytes: float
    spread: float

    @property
    def shards(self) -> int:
        return -(-self.samples // self.shard)

    def sizes(self) -> NDArray[np.float32]:
        """Bytes of files, of which sample i has number i modulo their count."""
        drawn = np.random.default_rng(0).lognormal(0, self.spread, SIZES)
        scaled: NDArray[np.float32] = (drawn / drawn.mean() * self.sample_bytes).astype(np.float32)
        return scaled

    def pass_(self, seed: int, number: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """All samples in the order of a pass, buffer by buffer: their places, and the turn of the shard of each."""
        first = 0
        for buffer, blocks in enumerate(turns(self.shards, seed, number)):
            counts = np.minimum(self.shard, self.samples - blocks * self.shard)
            order = shuffled(int(counts.sum()), seed, number, buffer)
            ends = np.cumsum(counts)
            turn = np.searchsorted(ends, order, side="right") if len(set(counts)) > 1 else order // self.shard
            yield (blocks * self.shard - ends + counts)[turn] + order, turn + first
            first += len(blocks)


def batches(given: Set, batch: int, seed: int, number: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The same in batches; the last one may be smaller."""
    kept = np.empty(0, np.int64), np.empty(0, np.int64)
    for places, shards in given.pass_(seed, number):
        held = np.concatenate([kept[0], places]), np.concatenate([kept[1], shards])
        whole = len(held[0]) // batch * batch
        for start in range(0, whole, batch):
            yield held[0][start : start + batch], held[1][start : start + batch]
        kept = held[0][whole:], held[1][whole:]
    if len(kept[0]):
        yield kept


@dataclass
class Load:
    """What a pass asks of the workers."""

    samples: NDArray[np.int64]  # of each worker
    bytes_: NDArray[np.float64]
    steps: int = 0
    uneven: int = 0  # samples by which two workers differ in a step, at most
    slowest: float = 0.0  # bytes of the worker with the most in a step, over the mean; summed over the steps
    opened: int = 0  # shards that workers open, summed over workers and steps
    place_sum: int = 0

    def count(self, places: NDArray[np.int64], shards: NDArray[np.uint16], sizes: NDArray[np.float32]) -> None:
        """One batch, of which each rank takes its part."""
        workers = len(self.samples)
        starts, counts = dealt(len(places), workers)
        some = counts > 0
        read = np.zeros(workers)
        read[some] = np.add.reduceat(sizes[places & (SIZES - 1)], starts[some])
        # In the order in which they are read, a worker opens the first shard and then each that is another one.
        changes = np.flatnonzero(np.diff(shards)) + 1
        self.opened += int(np.count_nonzero(some)) + len(np.setdiff1d(changes, starts[some], assume_unique=True))
        self.samples += counts
        self.bytes_ += read
        self.steps += 1
        self.uneven = max(self.uneven, int(np.ptp(counts)))
        self.slowest += float(read.max() / read.mean())
        self.place_sum += int(places.sum())


@cache
def dealt(batch: int, workers: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the part of each rank begins in a batch, and how many samples it has.

    Of a batch of fewer samples than workers all read the whole: here it is the first one's.
    """
    shares = [Share.of(batch, rank, workers) for rank in range(workers)]
    return np.array([share.first for share in shares]), np.array([share.own * share.counts for share in shares])


def walk(given: Set, *, workers: int, batch: int, seed: int, number: int) -> dict[str, Any]:
    """What a pass asks of the workers, in numbers of which each has its unit in its name."""
    load, sizes = Load(np.zeros(workers, np.int64), np.zeros(workers)), given.sizes()
    told = began = time.perf_counter()
    worked = time.process_time()
    for places, shards in batches(given, batch, seed, number):
        shards = (shards - shards.min()).astype(np.uint16)  # are sorted sooner
        order = together(shards)
        load.count(places[order], shards[order], sizes)
        if sys.stdout.isatty() and time.perf_counter() - told > 1:
            told = time.perf_counter()
            print(f"{load.samples.sum() / given.samples:4.0%}", end="\r", flush=True)
    assert load.samples.sum() == given.samples
    assert load.place_sum == given.samples * (given.samples - 1) // 2, "each sample once"
    mean = load.bytes_.mean()
    return {
        "seconds": time.perf_counter() - began,
        "seconds_of_a_core": time.process_time() - worked,
        "steps": load.steps,
        "samples_a_worker": [int(load.samples.min()), int(load.samples.max())],
        "samples_apart_in_a_step": load.uneven,
        "bytes_a_worker_over_mean": [float(load.bytes_.min() / mean), float(load.bytes_.max() / mean)],
        "most_bytes_of_a_step_over_mean": load.slowest / load.steps,
        "shards_a_worker_opens_in_a_step": load.opened / load.steps / workers,
        "workers_that_open_a_shard": load.opened / given.shards,
    }


def computed(given: Set, load: dict[str, Any], **asked: float) -> list[tuple[str, str, str]]:
    """What follows by arithmetic: what, how much, and the formula."""
    workers, batch, parameters = asked["workers"], asked["batch"], asked["parameters"]
    share, step = batch / workers, batch / workers / asked["rate"]
    exchanged = 2 * (workers - 1) / workers * 4 * parameters
    passing = exchanged / (asked["gbit"] * 1e9 / 8)
    read = share * given.sample_bytes / step
    shards = load["shards_a_worker_opens_in_a_step"] / step
    return [
        ("a worker's part of a batch", f"{share:,.0f} samples", "batch / workers"),
        ("a step's arithmetic", f"{step * 1e3:,.1f} ms", "part / rate of a worker"),
        ("a worker reads", f"{read / 1e6:,.0f} MB/s", "rate x bytes of a sample"),
        ("all workers read", f"{read * workers / 1e9:,.1f} GB/s", "workers x that"),
        ("a worker opens", f"{shards:,.0f} shards/s", "shards it opens a step / a step's time"),
        ("gradients a worker sends a step", f"{exchanged / 1e6:,.0f} MB", "2 (N - 1) / N x 4 bytes x parameters"),
        ("which takes, at full speed", f"{passing * 1e3:,.1f} ms", "that / network"),
        ("share of the time left for arithmetic", f"{step / (step + passing):.0%}", "step / (step + exchange)"),
        ("an epoch", f"{load['steps'] * (step + passing) / 3600:,.2f} h", "steps x (step + exchange)"),
        ("index, in each process", f"{INDEX_BYTES * given.samples / 1e9:,.1f} GB", "90 bytes x samples"),
        ("order of a pass, in each process", f"{8 * given.samples / 1e9:,.1f} GB", "8 bytes x samples"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=float, default=1e9)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32_000, help="samples of all workers together; 32,000")
    parser.add_argument("--shard", type=int, default=2500, help="samples in a shard; 2,500, about 256 MB")
    parser.add_argument("--sample-kb", type=float, default=110.0, help="of a file; 110, as a photo")
    parser.add_argument("--spread", type=float, default=0.6, help="of the logarithm of the sizes of files; 0.6")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pass", dest="number", type=int, default=0, help="which; 0, the first")
    parser.add_argument("--rate", type=float, default=1000.0, help="samples/s that a worker trains on; 1,000")
    parser.add_argument("--parameters", type=float, default=25.6e6, help="of the model; 25.6e6, ResNet-50")
    parser.add_argument("--gbit", type=float, default=100.0, help="of a worker's network; 100")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    asked = parser.parse_args()
    given = Set(int(asked.samples), asked.shard, asked.sample_kb * 1e3, asked.spread)
    load = walk(given, workers=asked.workers, batch=asked.batch, seed=asked.seed, number=asked.number)
    print(f"{given.samples:,} samples in {given.shards:,} shards, {asked.workers:,} workers; simulated:")
    for name, value in load.items():
        several = value if isinstance(value, list) else [value]
        words = " to ".join(f"{one:,}" if isinstance(one, int) else f"{one:,.3f}" for one in several)
        print(f"  {name.replace('_', ' '):<40} {words}")
    print("computed:")
    settings = {key: value for key, value in vars(asked).items() if key != "out"}
    rows = computed(given, load, **settings)
    for what, much, formula in rows:
        print(f"  {what:<40} {much:<16} {formula}")
    print(write(asked.out, "simulate_scale", settings=settings, simulated=load, computed=rows))


if __name__ == "__main__":
    main()
