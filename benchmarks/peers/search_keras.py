"""KerasTuner as its guides have it, on Keras with TensorFlow: `hyperband` or `bayesian`.

Up to three blocks of convolution and pooling, a dense layer with dropout, an optimizer and its rate; early stopping on
the validation loss; batches of 128 pictures; 5 trials at random before the Bayesian optimization (by default 3 for each
dimension, for which there would be no time); compiled as Keras does by itself, on all processors.

python -m peers.search_keras hyperband ASKED
"""

import sys
from typing import Any

import keras  # type: ignore[import-not-found]  # in the environments of peers only
import keras_tuner  # type: ignore[import-not-found]  # likewise
import numpy as np

from .search_told import BATCH, CLASSES, Asked, Teller

PATIENCE = 5
teller = Teller("keras", "keras-tuner", "tensorflow", "numpy")


class Telling(keras.callbacks.Callback):  # type: ignore[misc]  # it is not there
    """Hears each epoch of each trial; the tuner copies it for each."""

    def on_train_begin(self, logs: Any = None) -> None:
        teller.begin_trial()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        teller.epoch(logs["val_accuracy"])


def built(shape: tuple[int, ...]) -> Any:
    """What makes a compiled model of drawn values, for pictures of this shape."""

    def build(hp: Any) -> Any:
        model = keras.Sequential([keras.Input(shape)])
        kernel = hp.Choice("kernel_size", [3, 5])
        for block in range(hp.Int("blocks", 1, 3)):
            filters = hp.Int(f"filters_{block}", 16, 64, step=16)
            model.add(keras.layers.Conv2D(filters, kernel, padding="same", activation="relu"))
            model.add(keras.layers.MaxPooling2D(2))
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dense(hp.Int("units", 32, 256, step=32), activation="relu"))
        model.add(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1)))
        model.add(keras.layers.Dense(CLASSES, activation="softmax"))
        rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        optimizer = keras.optimizers.get(hp.Choice("optimizer", ["adam", "rmsprop", "sgd"]))
        optimizer.learning_rate = rate
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


def tuner(kind: str, shape: tuple[int, ...], asked: Asked) -> Any:
    """One that goes on until it is ended."""
    of_both = {"objective": "val_accuracy", "seed": asked.seed, "directory": asked.folder}
    if kind == "hyperband":
        return keras_tuner.Hyperband(built(shape), max_epochs=asked.epochs, hyperband_iterations=100, **of_both)
    return keras_tuner.BayesianOptimization(built(shape), max_trials=1000, num_initial_points=5, **of_both)


def main() -> None:
    """Searches until it is ended."""
    asked = Asked.read()
    found = dict(np.load(asked.arrays))
    keras.utils.set_random_seed(asked.seed)
    teller.begin(asked.seconds)
    tuner(sys.argv[1], found["train"].shape[1:], asked).search(
        found["train"],
        found["train_labels"],
        validation_data=(found["validation"], found["validation_labels"]),
        epochs=asked.epochs,
        batch_size=BATCH,
        callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE), Telling()],
        verbose=0,
    )


if __name__ == "__main__":
    main()
