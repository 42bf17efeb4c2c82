"""holdfast as it comes: `fit` at its default settings; MNIST as uint8, which the model scales itself."""

import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import holdfast
from holdfast.data import Dataset
from holdfast.evaluate import Ledger, unseal
from holdfast.training import SGD, Begin, EpochEnd, Event

from .serve import Trainer, serve
from .tasks import MNIST, Data, Images, Task


@cache
def mnist() -> Dataset:
    """Its test part is sealed."""
    return holdfast.data.load(MNIST)


class Clock:
    """Hears when training begins and when each epoch ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, (Begin, EpochEnd)):
            self.times.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Of each epoch."""
        return [end - begin for begin, end in zip(self.times, self.times[1:], strict=False)]


class HoldfastTrainer(Trainer):
    packages = ("holdfast", "torch", "numpy")

    def build(self, task: Task, data: Data) -> int:
        self.task, self.data = task, data
        self.start(0)
        return self.model.count_params()

    def start(self, seed: int) -> None:
        front = [holdfast.layers.Rescaling(1 / 255)] if self.data.images.dtype == np.uint8 else []
        self.model: holdfast.Model = self.task.model(holdfast, front, seed=seed)
        self.compiled_for: str | None = None

    def train(self, epochs: int) -> list[float]:
        if self.compiled_for is None:
            self.model.compile("rmsprop" if self.task.optimizer == "rmsprop" else SGD(0.01, 0.9), metrics=["accuracy"])
            self.compiled_for = "classic"
        return self._fit(epochs, batch_size=self.task.batch_size)

    def train_by_recipe(self, epochs: int) -> list[float]:
        if self.compiled_for is None:
            self.model.compile()
            self.compiled_for = "recipe"
        return self._fit(epochs)

    def _fit(self, epochs: int, **settings: Any) -> list[float]:  # Any: as fit takes them
        clock = Clock()
        self.model.fit(self.data.images, self.data.labels, epochs=epochs, verbose=0, callbacks=clock, **settings)
        return clock.seconds

    def predict(self, images: Images, batch_size: int | None) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self.model.predict(images, batch_size)
        return scores

    def test_accuracy(self, ledger: Path) -> dict[str, Any]:
        """The test part is sealed: each look at it is a row of the ledger."""
        data = mnist()
        with Ledger.open(ledger) as rows:
            run = rows.begin_run("benchmark", data)
            part = unseal(data.test, ledger=rows, run=run)
            looks = rows.openings(part.fingerprint)
            rows.end_run(run, "done")
        return {"accuracy": self.accuracy(part.images.numpy(), part.labels.numpy()), "looks": looks}


if __name__ == "__main__":
    serve(HoldfastTrainer())
