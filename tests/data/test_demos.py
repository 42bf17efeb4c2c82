"""The generated examples of each kind of data."""

import hashlib

import numpy as np
import pytest

from holdfast.data import load
from holdfast.data.load import NAMES

DEMOS = {
    "demo:noise": ("arrays", (1000,)),
    "demo:series": ("series", (128, 2)),
    "demo:sounds": ("sounds", (4000,)),
    "demo:table": ("table", (12,)),
    "demo:volumes": ("volumes", (16, 16, 16, 1)),
}


@pytest.mark.parametrize("name", DEMOS)
def test_an_example_is_of_its_kind_with_classes_of_equal_size(name: str) -> None:
    data = load(name)

    assert (data.kind, data.shape) == DEMOS[name]
    counts = np.bincount(NAMES[name]().labels)
    assert counts.max() - counts.min() <= 1
    assert data.facts.duplicates == 0


@pytest.mark.parametrize("name", DEMOS)
def test_an_example_is_the_same_each_time(name: str) -> None:
    first, second = (NAMES[name]() for _ in range(2))

    prints = {
        hashlib.blake2b(source.digests.tobytes() + source.labels.tobytes()).digest() for source in (first, second)
    }
    assert len(prints) == 1


def test_pitch_and_moment_of_a_sound_are_no_classes() -> None:
    source = NAMES["demo:sounds"]()

    heard = np.abs(np.fft.rfft(np.asarray(source.images), axis=1))
    loudest = heard.argmax(1)

    means = [loudest[source.labels == label].mean() for label in range(len(source.classes))]
    assert np.ptp(means) < loudest.std()
