"""fit.npz: two epochs of the MNIST-shaped net on made pictures, from given weights and in a given order.

Keys: "train_images" (512, 28, 28) uint8, "train_labels" (512,) int64, "validation_images", "validation_labels" (128);
"initial/weight_i", "epoch_1/weight_i", "final/weight_i"; "history/loss", "history/accuracy", "history/val_loss",
"history/val_accuracy" (2,); "batch_loss" (16,): the mean of the epoch so far, as logged after each batch;
"probabilities" (128, 10): of the final weights on the validation pictures.
"""

import math
from typing import Any

import numpy as np

from .common import Array, Arrays, Model, generator, get_weights, keras, listed, set_weights

TRAIN, VALIDATION, CLASSES, SIDE = 512, 128, 10, 28
BATCH, EPOCHS = 64, 2
PARAMETERS = 33_194


def make() -> Arrays:
    """The whole file."""
    rng = generator("fit")
    model = net()
    set_weights(model, [glorot(rng, tuple(weight.shape)) for weight in model.weights])
    found = {**pictures(rng), **listed("initial/weight", get_weights(model))}
    train, validation = [(scaled(found[f"{p}_images"]), found[f"{p}_labels"]) for p in ("train", "validation")]
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    batch_losses: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batch_losses.append(float(logs["loss"])),
        on_epoch_end=lambda epoch, logs: found.update(listed(f"epoch_{epoch + 1}/weight", get_weights(model))),
    )
    history = model.fit(
        *train,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=validation,
        verbose=0,
        callbacks=[watch],
    ).history
    found |= {f"history/{key}": np.array(values, np.float32) for key, values in history.items()}
    found = {key.replace(f"epoch_{EPOCHS}/", "final/"): value for key, value in found.items()}
    found["batch_loss"] = np.array(batch_losses, np.float32)
    found["probabilities"] = model.predict(validation[0], verbose=0)
    return found


def net() -> Model:
    """16C3-P2-32C3-P2-32C3-64D-10, relu and softmax."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    if model.count_params() != PARAMETERS:
        raise ValueError(f"the net has {model.count_params()} parameters, not {PARAMETERS}")
    return model


def glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Glorot-uniform kernels, and biases that are not zero."""
    if len(shape) == 1:
        return np.asarray(rng.uniform(-0.05, 0.05, shape), np.float32)
    receptive = math.prod(shape[:-2])
    limit = math.sqrt(6 / (receptive * (shape[-2] + shape[-1])))
    return np.asarray(rng.uniform(-limit, limit, shape), np.float32)


def pictures(rng: np.random.Generator) -> dict[str, Any]:  # Any: arrays
    """Pictures to learn from: a class is three strokes at places of its own, each picture moved and spotted."""
    strokes = rng.integers(4, SIDE - 10, (CLASSES, 3, 2))
    upright = rng.integers(0, 2, (CLASSES, 3))
    found = {}
    for part, count in (("train", TRAIN), ("validation", VALIDATION)):
        labels = rng.permutation(np.arange(count) % CLASSES).astype(np.int64)
        found[f"{part}_images"] = np.stack([picture(rng, strokes[label], upright[label]) for label in labels])
        found[f"{part}_labels"] = labels
    return found


def picture(rng: np.random.Generator, strokes: Array, upright: Array) -> Array:
    """One picture, (28, 28) uint8: strokes of 7 x 2 pixels, and forty spots."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    shift = rng.integers(-3, 4, 2)
    for (row, column), tall in zip(strokes + shift, upright, strict=True):
        height, width = (7, 2) if tall else (2, 7)
        image[row : row + height, column : column + width] = rng.integers(100, 256)
    spots = rng.integers(0, SIDE, (2, 40))
    image[spots[0], spots[1]] = rng.integers(0, 200, 40)
    return image


def scaled(images: Array) -> Array:
    """(N, 28, 28) uint8 to (N, 28, 28, 1) float32 in [0, 1]."""
    return images[..., None].astype(np.float32) / np.float32(255)
