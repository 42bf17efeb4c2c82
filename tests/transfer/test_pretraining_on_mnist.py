"""With 100 labels, a base that learned from the other pictures without labels beats learning from scratch.

MNIST's own test pictures are not read: what judges are training pictures that no one has learned from, with labels or
without.  benchmarks/pretrain.py is the whole of it, with scratch at its best.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from holdfast.core import derive
from holdfast.data.idx import read_array
from holdfast.models import BaseModel, convnet
from holdfast.transfer import classifier, pretrain

MNIST = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "mnist"
JUDGED, SEEDS, OF_EACH = 5_000, 10, 10


@cache
def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The 60,000 training pictures and their labels, in an order of their own."""
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST at {MNIST}; HOLDFAST_DATA names the folder that holds mnist/")
    order = np.random.default_rng(derive(0, "judged")).permutation(60_000)
    images = read_array(MNIST / "train-images-idx3-ubyte.gz")[order][..., np.newaxis].astype(np.uint8)
    return images, read_array(MNIST / "train-labels-idx1-ubyte.gz")[order].astype(np.int64)


def gains(base: BaseModel, epochs: int) -> NDArray[np.float64]:
    """Of each seed, by how much the classifier on the base is more often right; both learn from the same labels."""
    images, labels = digits()
    found = []
    for seed in range(SEEDS):
        random = np.random.default_rng(derive(seed, "labelled"))
        learned = labels[JUDGED:]
        chosen = JUDGED + np.concatenate(
            [random.choice(np.flatnonzero(learned == digit), OF_EACH, replace=False) for digit in range(10)]
        )
        models = [classifier(base, 10, seed=seed), convnet((28, 28, 1), 10, seed=seed)]
        for model, how in zip(models, ({"epochs": 30}, {"epochs": epochs, "augment": "light"}), strict=True):
            model.fit(images[chosen], labels[chosen], verbose=0, measure_train="never", **how)  # type: ignore[arg-type]
        right = [(model.predict(images[:JUDGED]).argmax(1) == labels[:JUDGED]).mean() for model in models]
        found.append(right[0] - right[1])
    return np.array(found)


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of their mean by Student's t."""
    half = float(t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences)))
    return float(differences.mean()) - half, float(differences.mean()) + half


@pytest.mark.slow
def test_a_short_pre_training_beats_a_short_training_from_scratch() -> None:
    images, _ = digits()
    base = pretrain(images[JUDGED:][:12_000], epochs=4, device="cpu", verbose=0).encoder

    low, _ = interval(gains(base, 30))

    assert low > 0


@pytest.mark.soak
def test_all_other_pictures_without_labels_beat_the_best_from_scratch() -> None:
    images, _ = digits()
    base = pretrain(images[JUDGED:], epochs=10, device="cpu", verbose=0).encoder

    low, _ = interval(gains(base, 400))

    assert low > 0
