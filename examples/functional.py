"""A graph: two pictures in, two answers out, and layers that both pictures share.

Are these two digits the same, and which one is the left one?  The digits are divided first and paired afterwards: were
the pairs divided, validation would see digits that were trained on.

    python examples/functional.py
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import holdfast
from holdfast.layers import Concatenate, Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

Arrays = list[NDArray[Any]]


def pairs(images: NDArray[Any], labels: NDArray[Any], count: int, seed: int) -> tuple[Arrays, Arrays]:
    """Two pictures each, every other time of the same digit -> [left, right], [same, digit]."""
    random = np.random.default_rng(seed)
    left = random.integers(len(labels), size=count)
    right = random.integers(len(labels), size=count)
    for place in range(0, count, 2):
        right[place] = random.choice(np.flatnonzero(labels == labels[left[place]]))
    same = (labels[left] == labels[right]).astype(np.float32)
    return [images[left], images[right]], [same, labels[left]]


def main() -> None:
    digits = load_digits()
    images, labels = (digits.images[..., None] * (255 / 16)).astype(np.uint8), digits.target
    train = pairs(images[:1400], labels[:1400], 6000, seed=0)
    validation = pairs(images[1400:], labels[1400:], 1000, seed=1)

    left, right = holdfast.Input((8, 8, 1), name="left"), holdfast.Input((8, 8, 1), name="right")
    layers = [
        Rescaling(1 / 255),
        Conv2D(16, 3, padding="same", activation="relu"),
        MaxPooling2D(2),
        Conv2D(32, 3, padding="same", activation="relu"),
        Flatten(),
        Dense(32, activation="relu"),
    ]
    a, b = left, right
    for layer in layers:  # called twice, built once: both sides have the same weights
        a, b = layer(a), layer(b)
    both = Dense(64, activation="relu")(Concatenate()([a, b]))
    same = Dense(1, activation="sigmoid", name="same")(both)
    digit = Dense(10, activation="softmax", name="digit")(a)
    model = holdfast.Model([left, right], [same, digit])
    print(model.summary())

    model.compile(
        "adam",
        loss={"same": "binary_crossentropy", "digit": "sparse_categorical_crossentropy"},
        loss_weights={"same": 1.0, "digit": 0.5},
        metrics={"same": ["accuracy", "auc"], "digit": ["accuracy"]},
    )
    history = model.fit(*train, validation_data=validation, batch_size=64, epochs=8, verbose=2)
    print("of unseen digits:", {key: round(value, 3) for key, value in history.measured.items() if key[:4] == "val_"})


if __name__ == "__main__":
    main()
