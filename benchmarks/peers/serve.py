"""What every peer is: one who builds, trains and predicts when asked, in lines of JSON.

Keras and TensorFlow print what they like; that goes to standard error.
"""

import json
import os
import sys
import time
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tasks import TASKS, Data, Images, Task, data_for, mnist


class Trainer(ABC):
    """A library's way of training.

    Attributes:
        packages: what its speed hangs on.
    """

    packages: tuple[str, ...]

    @abstractmethod
    def build(self, task: Task, data: Data) -> int:
        """Makes a model that is ready to train on the data, and counts its parameters."""

    @abstractmethod
    def start(self, seed: int) -> None:
        """Gives the model fresh weights and the optimizer an empty memory; what was compiled stays."""

    @abstractmethod
    def train(self, epochs: int) -> list[float]:
        """Trains; the seconds of each epoch, from its beginning until all its work is done."""

    @abstractmethod
    def predict(self, images: Images, batch_size: int | None) -> NDArray[np.float32]:
        """Scores (N, 10) of pictures as the data was; the largest is the answer."""

    def train_by_recipe(self, epochs: int) -> list[float]:
        """`train` by the library's default recipe."""
        raise NotImplementedError(f"{type(self).__name__} has no default recipe")

    def test_accuracy(self, ledger: Path) -> dict[str, Any]:
        """On the test part of MNIST; holdfast writes in the ledger that it looked."""
        return {"accuracy": self.accuracy(*mnist("t10k"))}

    def accuracy(self, images: Images, labels: NDArray[np.int64]) -> float:
        """Share of right answers."""
        return float((self.predict(images, 1000).argmax(-1) == labels).mean())


class Session:
    """The answers to the questions that a driver may ask, each a method by its name."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.data: Data

    def build(self, model: str, data: str, images: int | None = None) -> dict[str, Any]:
        """A model by name on "random" or "mnist" data; `images` None: as many as the task has, or there are."""
        task = TASKS[model]
        self.data = data_for(task, data, images)
        parameters = self.trainer.build(task, self.data)
        return {"parameters": parameters, "versions": {name: version(name) for name in self.trainer.packages}}

    def start(self, seed: int) -> dict[str, Any]:
        self.trainer.start(seed)
        return {}

    def train(self, epochs: int, recipe: str = "classic") -> dict[str, Any]:
        """Seconds of each epoch, and of the call as a whole, with what a library does before and after."""
        began = time.perf_counter()
        epochs_s = self.trainer.train_by_recipe(epochs) if recipe == "default" else self.trainer.train(epochs)
        return {"epochs_s": epochs_s, "call_s": time.perf_counter() - began, "images": len(self.data.labels) * epochs}

    def accuracy(self, ledger: str) -> dict[str, Any]:
        """On test, and on what was held out for choosing."""
        held_out = self.data.held_out
        assert held_out is not None
        return self.trainer.test_accuracy(Path(ledger)) | {
            "validation": self.trainer.accuracy(held_out.images, held_out.labels)
        }

    def predict(self, images: int, times: int, batch_size: int | None = None) -> dict[str, Any]:
        """Seconds of each of so many calls."""
        asked = self.data.images[:images]
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            scores = self.trainer.predict(asked, batch_size)
            seconds.append(time.perf_counter() - began)
            assert scores.shape == (images, 10)
        return {"seconds": seconds}


def serve(trainer: Trainer) -> None:
    """Answers until the questions end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = Session(trainer)
    for line in sys.stdin:
        question = json.loads(line)
        answer = getattr(session, question.pop("do"))(**question)
        print(json.dumps(answer), file=answers, flush=True)
