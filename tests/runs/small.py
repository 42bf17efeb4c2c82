"""Data and runs so small that a training takes milliseconds."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import holdfast
from holdfast import Sequential
from holdfast.data import Dataset, from_arrays, load
from holdfast.layers import BatchNormalization, Dense, Dropout, Flatten, Input, Rescaling
from holdfast.runs import Run
from holdfast.training import EpochEnd, Event, Stop

CLASSES = 3


def arrays(n: int = 120, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise with a lighter column, by class; one label in five is wrong, so that training overfits soon."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    images = random.integers(0, 120, (n, 6, 6), np.uint8)
    images[np.arange(n), :, 2 * labels] += 60
    wrong = random.random(n) < 0.2
    return images, np.where(wrong, random.integers(0, CLASSES, n), labels)


def npz(path: Path, n: int = 120, seed: int = 0) -> Path:
    images, labels = arrays(n, seed)
    np.savez(path, x=images, y=labels)
    return path


def in_memory(**changes: Any) -> Dataset:  # Any: what from_arrays takes
    return from_arrays(*arrays(), **changes)


def train(out: Path, data: Dataset | None = None, **changes: Any) -> Run:  # Any: what holdfast.train takes
    """A run on the CPU that ends by early stopping after a few epochs; on a file beside `out` unless data is given."""
    if data is None:
        path = out.parent / "small.npz"
        data = load(path if path.exists() else npz(path))
    settings: dict[str, Any] = {
        "epochs": 30,
        "patience": 4,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "device": "cpu",
        "verbose": 0,
        "out": out,
    }
    return holdfast.train(data, **(settings | changes))


def with_dropout(seed: int = 0) -> Sequential:
    """A model that draws random numbers in training, and has buffers."""
    layers = [Rescaling(1 / 255), Flatten(), Dense(16, activation="relu"), BatchNormalization(), Dropout(0.3)]
    return Sequential([Input((6, 6, 1)), *layers, Dense(CLASSES, activation="softmax")], seed=seed)


class Break:
    """A callback that raises at the end of an epoch (counted from 1), after `batch` steps of the next one, or at the
    end of all."""

    def __init__(self, error: BaseException, *, epoch: int | None = None, batch: int = 0, at: type[Event] = EpochEnd):
        self.error, self.epoch, self.batch, self.at = error, epoch, batch, at

    def __call__(self, event: Event) -> Stop | None:
        here = (event.state.epoch, event.state.batch) == (self.epoch, self.batch)
        if isinstance(event, self.at) and (self.epoch is None or here):
            raise self.error
        return None


def rows(out: Path, query: str) -> list[tuple[Any, ...]]:  # Any: what SQLite holds
    """Straight from the ledger's file, past our own code."""
    connection = sqlite3.connect(out / "ledger.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def same(one: Run, other: Run) -> bool:
    """Whether weights, history, reason and kept epoch are equal, bit by bit."""
    weights = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    told = [(run.record.logs, run.record.stop, run.record.kept_epoch) for run in (one, other)]
    return told[0] == told[1] and all(np.array_equal(a, b) for a, b in weights)
