"""Keras 3 on the backend that KERAS_BACKEND names, with the precision policy that the argument names."""

import sys
import time
from typing import Any

import keras  # type: ignore[import-not-found]  # in the environments of peers only
import numpy as np
from numpy.typing import NDArray

from .serve import Trainer, serve
from .tasks import Data, Images, Task, scaled

BACKENDS = {"tensorflow": ("tensorflow",), "torch": ("torch",), "jax": ("jax", "jaxlib")}


class Clock(keras.callbacks.Callback):  # type: ignore[misc]  # it is not there
    """Hears when training begins and when each epoch ends."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.times.append(time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.times.append(time.perf_counter())


class KerasTrainer(Trainer):
    packages = ("keras", *BACKENDS[keras.backend.backend()], "numpy")

    def build(self, task: Task, data: Data) -> int:
        self.task, self.images, self.labels = task, data.as_float(), data.labels  # float32 once, not in each epoch
        self.model = self._fresh(0)
        optimizer = keras.optimizers.SGD(0.01, 0.9) if task.optimizer == "sgd" else "rmsprop"
        self.model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.optimizer.build(self.model.trainable_variables)
        self.memory = [np.array(keras.ops.convert_to_numpy(each)) for each in self.model.optimizer.variables]
        # A whole batch, and the smaller one at the end of an epoch: both are compiled before anything is timed.
        few = task.batch_size + len(self.labels) % task.batch_size
        self.model.fit(self.images[:few], self.labels[:few], task.batch_size, 1, 0)
        return int(self.model.count_params())

    def _fresh(self, seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        return self.task.model(keras, last={"dtype": "float32"})

    def start(self, seed: int) -> None:
        self.model.set_weights(self._fresh(seed).get_weights())
        for variable, value in zip(self.model.optimizer.variables, self.memory, strict=True):
            variable.assign(value)

    def train(self, epochs: int) -> list[float]:
        clock = Clock()
        self.model.fit(self.images, self.labels, self.task.batch_size, epochs, verbose=0, callbacks=[clock])
        return [end - begin for begin, end in zip(clock.times, clock.times[1:], strict=False)]

    def predict(self, images: Images, batch_size: int | None) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self.model.predict(scaled(images), batch_size, verbose=0)
        return scores


if __name__ == "__main__":
    keras.mixed_precision.set_global_policy(sys.argv[1])
    serve(KerasTrainer())
