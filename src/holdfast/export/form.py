"""Exported models, opened by who will run them: ONNX Runtime, TF.js in node, or holdfast, which reads them back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..models import BaseModel, Extras, load_keras
from .node import TfjsJudge
from .onnx import session_of

Array: TypeAlias = NDArray[Any]  # of any number type
BATCH = 64
WARM_UP, REPEATS = 3, 21


@dataclass(frozen=True)
class Form:
    """An exported model with one input and one output, opened.

    Attributes:
        judge: who runs it: "onnxruntime 1.31.1".
        extras: what the exported files say besides layers and weights.
        predict: (N, *input) -> (N, K) float32.
        latency_s: of one sample (1, *input), the median of some.
    """

    judge: str
    extras: Extras
    predict: Callable[[Array], NDArray[np.float32]]
    latency_s: Callable[[Array], float]


@contextmanager
def open_keras(folder: Path) -> Iterator[Form]:
    """The .keras archive in a folder, read back by holdfast."""
    yield read_back(load_keras(folder / "model.keras"))


@contextmanager
def open_tfjs(folder: Path) -> Iterator[Form]:
    """model.json in a folder: by real TF.js where node finds it from the current folder, else read back by holdfast.

    In both cases what travels with the model is taken from the file.
    """
    from ..models.loading import load

    again = read_back(load(folder / "model.json"))
    if not TfjsJudge.available():
        yield again
        return
    with TfjsJudge() as judge:

        def predict(x: Array) -> NDArray[np.float32]:
            return np.concatenate([judge.predict(folder / "model.json", [part])[0] for part in _batches(x)])

        def latency_s(sample: Array) -> float:
            times = []
            for _ in range(WARM_UP + REPEATS):
                predict(sample)
                times.append(judge.seconds)
            return median(times[WARM_UP:])

        yield Form("TF.js in node", again.extras, predict, latency_s)


@contextmanager
def open_onnx(folder: Path) -> Iterator[Form]:
    """model.onnx in a folder, by ONNX Runtime on the CPU."""
    import onnxruntime

    session, plain = session_of(folder / "model.onnx")
    name = session.get_inputs()[0].name

    def predict(x: Array) -> NDArray[np.float32]:
        return np.concatenate([session.run(None, {name: part.astype(np.float32)})[0] for part in _batches(x)])

    yield Form(f"onnxruntime {onnxruntime.__version__}", Extras.from_dict(plain), predict, timed(predict))


def read_back(model: BaseModel) -> Form:
    """A model that holdfast has read."""
    return Form("holdfast, reading it back", Extras.of(model), model.predict, timed(model.predict))


def timed(predict: Callable[[Array], Any]) -> Callable[[Array], float]:  # Any: the answers do not matter
    """How long such a call takes in seconds, the median of some."""

    def latency_s(sample: Array) -> float:
        times = []
        for _ in range(WARM_UP + REPEATS):
            began = time.perf_counter()
            predict(sample)
            times.append(time.perf_counter() - began)
        return median(times[WARM_UP:])

    return latency_s


def _batches(x: Array) -> Iterator[Array]:
    for first in range(0, len(x), BATCH):
        yield x[first : first + BATCH]
