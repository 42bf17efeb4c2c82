"""`demo:series`: two sensors that see the same short event at some time, whose shape is its class."""

import numpy as np
from numpy.typing import NDArray

from ..series import series_source
from ..source import Source

COUNT, STEPS, SEED = 2000, 128, 6
LENGTHS = 18, 30  # steps of an event
CLASSES = ("double", "fall", "rise", "saw")
DISTRACTORS = ("bump", "burst", "step")
NOISE, DRIFT, LAG = 0.45, 0.12, 4

Values = NDArray[np.float64]


def read_demo_series() -> Source:
    """2,000 series of 128 steps and 2 channels in 4 classes of equal size.

    An event of one of four shapes comes at any time, in the second channel some steps later and upside down or not,
    beside two distractors that every class has, on a drifting level and in noise.
    """
    random = np.random.default_rng(SEED)
    labels = random.permutation(np.arange(COUNT) % len(CLASSES))
    series = [_series(CLASSES[label], random) for label in labels]
    names = [f"series {number}" for number in range(COUNT)]
    return series_source(series, labels.astype(np.int64), CLASSES, names, channels=("first", "second"))


def _series(kind: str, random: np.random.Generator) -> Values:
    """(T, 2) with one event of this kind."""
    values: Values = random.normal(0, NOISE, (STEPS, 2)) + random.normal(0, DRIFT, (STEPS, 2)).cumsum(0)
    sign = random.choice([-1.0, 1.0])
    for shape in (kind, *random.choice(DISTRACTORS, 2)):
        length, lag = int(random.integers(*LENGTHS)), int(random.integers(-LAG, LAG + 1))
        begin = int(random.integers(LAG, STEPS - length - LAG))
        event = random.uniform(0.8, 1.4) * _shape(str(shape), length)
        values[begin : begin + length, 0] += event
        values[begin + lag : begin + lag + length, 1] += sign * event
    return values


def _shape(kind: str, length: int) -> Values:
    """(length,) of mean square 1, fading in and out."""
    time = np.linspace(0, 1, length)
    fade = np.sin(np.pi * time) ** 0.5
    sweep = 2 * np.pi * (1.2 * time + 1.6 * time**2)
    shapes = {
        "double": np.exp(-(((time - 0.3) / 0.1) ** 2)) + np.exp(-(((time - 0.7) / 0.1) ** 2)) - 0.3,
        "rise": fade * np.sin(sweep),
        "fall": fade * np.sin(sweep[::-1]),
        "saw": fade * (2 * (2.5 * time % 1) - 1),
        "bump": np.exp(-(((time - 0.5) / 0.15) ** 2)),
        "burst": fade * np.sin(2 * np.pi * 4.5 * time),
        "step": np.where(time < 0.5, -1.0, 1.0),
    }
    found: Values = shapes[kind] / np.sqrt(np.mean(shapes[kind] ** 2))
    return found
