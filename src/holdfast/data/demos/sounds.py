"""`demo:sounds`: whistles that go up or down, waver or beat, at any pitch and moment in noise."""

import numpy as np
from numpy.typing import NDArray

from ..sounds import Sounds
from ..source import TRAIN, Source, row_digests

COUNT, RATE, SAMPLES, SEED = 800, 8000, 4000, 6  # RATE in Hz
CLASSES = ("arch", "beat", "fall", "rise", "waver")
SHORTEST_S, LONGEST_S = 0.2, 0.4
LOWEST_HZ, HIGHEST_HZ = 400.0, 1600.0
SOFTEST, LOUDEST = 0.5, 2.0  # against noise of deviation 1


def read_demo_sounds() -> Source:
    """800 sounds of half a second at 8 kHz, in 5 classes of equal size.

    Pitch, moment, length and loudness say nothing of the class; how the pitch or the loudness moves does.
    """
    random = np.random.default_rng(SEED)
    labels = random.permutation(np.arange(COUNT) % len(CLASSES))
    sounds = np.stack([_sound(CLASSES[label], random) for label in labels])
    return Source(
        images=sounds,
        labels=labels.astype(np.int64),
        names=[f"sound {index}" for index in range(COUNT)],
        classes=CLASSES,
        digests=row_digests(sounds),
        parts=np.full(COUNT, TRAIN, np.int8),
        reads=Sounds(RATE, SAMPLES, trim_db=None),
    )


def _sound(movement: str, random: np.random.Generator) -> NDArray[np.float32]:
    """(SAMPLES,) of one whistle in noise, within -1 and 1."""
    length = int(random.uniform(SHORTEST_S, LONGEST_S) * RATE)
    start = random.integers(0, SAMPLES - length + 1)
    way = np.linspace(0, 1, length)  # from the begin of the whistle to its end
    octaves, turns, phase = random.uniform(0.4, 1.0), random.uniform(3, 6), random.uniform(0, 2 * np.pi)
    pitch = {
        "arch": octaves * (1 - np.abs(2 * way - 1)),
        "beat": np.zeros(length),
        "fall": octaves * (1 - way),
        "rise": octaves * way,
        "waver": 0.3 * octaves * np.sin(2 * np.pi * turns * way + phase),
    }[movement]
    lowest = np.exp(random.uniform(np.log(LOWEST_HZ), np.log(HIGHEST_HZ)))
    wave = np.sin(2 * np.pi * np.cumsum(lowest * 2**pitch) / RATE + phase)
    loudness = 0.5 + 0.5 * np.sin(2 * np.pi * turns * way + phase) if movement == "beat" else np.ones(length)
    sound = random.normal(0, 1, SAMPLES)
    sound[start : start + length] += random.uniform(SOFTEST, LOUDEST) * wave * loudness * np.sin(np.pi * way) ** 0.5
    found: NDArray[np.float32] = np.clip(sound / 8, -1, 1).astype(np.float32)
    return found
