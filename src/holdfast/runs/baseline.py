"""The plain baseline of a run: what a logistic regression reaches on the same parts.

The majority class is in evaluate/score.py; the dense twin, which has to be trained, is `holdfast compare --twin`.
"""

import math
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..core import derive
from ..data import Dataset, Part
from ..evaluate import score

SAMPLES, VALUES = 5000, 4_000_000  # of the training part that it learns from, at most
SIDES = {1: (256,), 2: (16, 16), 3: (6, 6, 6)}  # of series, pictures and volumes, at most
STRENGTH = 0.1  # C; of 1, 0.1, 0.01 and 0.001 it came first on MNIST, second on the digits, within noise on clothing
WORK = 6e8  # values times classes times iterations: about two seconds of one core
POOLED = 2**22  # values at once


def logistic_regression(data: Dataset, *, seed: int = 0) -> dict[str, Any]:  # Any: what JSON holds
    """A logistic regression on the values of the training part, judged on validation.

    Pictures are made smaller by the mean over areas; values are standardised by the training samples alone.

    Args:
        data: of a classifier.
        seed: of which training samples it learns from, where there are more than 5,000: each class in proportion.

    Returns:
        The fields of its accuracy, a `Score`, and "how": "5,000 of 51,000 training samples at 14 × 14".
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, sides = data.train.labels.numpy(), sides_of(data.shape)
    features = math.prod(sides or data.shape[:-1]) * data.shape[-1]
    chosen = drawn(labels, min(SAMPLES, VALUES // features), seed)
    learned, judged = values_of(data.train, chosen, sides), values_of(data.validation, None, sides)
    iterations = int(np.clip(WORK / (learned.size * len(data.classes)), 20, 200))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=iterations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty, too
        model.fit(learned, labels[chosen])
    shares = np.zeros((len(judged), len(data.classes)))
    shares[:, model.classes_] = model.predict_proba(judged)
    measured = score(data.validation.labels.numpy(), shares, part="validation", classes=data.classes)
    size = f" at {' × '.join(map(str, sides))}" if sides else ""
    return asdict(measured.accuracy) | {"how": f"{len(chosen):,} of {len(labels):,} training samples{size}"}


def sides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sides to which samples of this shape (..., C) are brought; () for plain values.

    By whole factors as far as they go, so that each new pixel is the mean of equally many: 28 becomes 14.
    """
    most = SIDES.get(len(shape) - 1, ())
    return tuple(-(-side // -(-side // end)) for side, end in zip(shape, most, strict=False))


def drawn(labels: NDArray[np.int64], most: int, seed: int, *, least: int = 1) -> NDArray[np.int64]:
    """Indices, so many at most; each class in proportion, and `least` of it at least, as far as there are."""
    order = np.random.default_rng(derive(seed, "baseline")).permutation(len(labels))
    share = min(1.0, most / len(labels))
    kept = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([rows[: max(least, int(share * len(rows)))] for rows in kept]))


def values_of(part: Part, indices: NDArray[np.int64] | None, sides: tuple[int, ...]) -> NDArray[np.float32]:
    """(n, F) values of these samples, or of all."""
    places = torch.arange(len(part)) if indices is None else torch.from_numpy(indices)
    shape = tuple(part.images.shape[1:])
    # One array from the start: small ones, kept between the large ones of each piece, scattered the memory of a process
    # on a busy machine until it had taken twice as much.
    values = np.empty((len(places), math.prod(sides or shape[:-1]) * shape[-1]), np.float32)
    size = max(1, POOLED // math.prod(shape))
    for start in range(0, len(places), size):
        values[start : start + size] = _pooled(part, places[start : start + size], sides)
    return values


def _pooled(part: Part, places: torch.Tensor, sides: tuple[int, ...]) -> NDArray[np.float32]:
    """(n, F) values of a few samples."""
    values = part.images[places].float()
    if sides:
        values = functional.interpolate(values.movedim(-1, 1), size=list(sides), mode="area")
    return values.flatten(1).numpy()
