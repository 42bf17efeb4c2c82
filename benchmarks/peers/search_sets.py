"""What is searched on: 15,000 of MNIST's training pictures, and spoken digits, divided anew in each repeat.

holdfast gets a Dataset, as its users have it.  The peers get the same parts as arrays: pictures from 0 to 1, and of
sounds the spectrograms, scaled, that holdfast's own net has to compute in each step.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from holdfast import Sequential
from holdfast.data import Dataset, from_arrays, load
from holdfast.data.sounds import Sounds
from holdfast.layers import Input, Rescaling
from holdfast.models.ready_sounds import FLOOR_DB, front_of

from .tasks import SHARED, mnist, scaled

SPOKEN = SHARED / "spoken_digits"
SPEAKERS = "([a-z]+)_"
DRAWN, VALIDATION = 15_000, 1 / 3  # of MNIST's 60,000 training pictures; the test part is not read
EPOCHS = {"mnist": 10, "spoken-random": 30, "spoken-speaker": 30}  # that a trial of a peer has at most


def _mnist(seed: int) -> Dataset:
    """10,000 train, 5,000 validate."""
    pixels, labels = mnist("train")
    drawn = np.random.default_rng(seed).choice(len(labels), DRAWN, replace=False)
    return from_arrays(pixels[drawn], labels[drawn], name="mnist", validation=VALIDATION, test=0, seed=seed)


def _spoken(seed: int) -> Dataset:
    """At random: all speakers are on both sides, 1,500 train, 500 validate."""
    return load(SPOKEN, validation=0.25, test=0, seed=seed)


def _speaker(seed: int) -> Dataset:
    """One of the four speakers validates, who is not heard in training."""
    return load(SPOKEN, group_by=SPEAKERS, validation=0.25, test=0, seed=seed)


SETS: dict[str, Callable[[int], Dataset]] = {
    "mnist": _mnist,
    "spoken-random": _spoken,
    "spoken-speaker": _speaker,
}


def arrays(data: Dataset) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Train and validation as the peers get them, channels last."""
    parts = {"train": data.train, "validation": data.validation}
    images = {name: part.images[:].numpy() for name, part in parts.items()}
    if isinstance(data.reads, Sounds):
        front = Sequential(
            [Input(data.shape), front_of(data.shape, data.reads.rate), Rescaling(2 / FLOOR_DB, offset=1.0)]
        )
        images = {name: front.predict(waves) for name, waves in images.items()}
    labels = {f"{name}_labels": part.labels.numpy() for name, part in parts.items()}
    return {name: scaled(values) for name, values in images.items()} | labels
