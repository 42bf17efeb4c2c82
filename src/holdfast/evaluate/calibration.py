"""Calibration: whether the probabilities of a model come true, and the temperature that makes them.

`models.fold_temperature` puts it into the model; when a model answers "unknown" is in models/unknown.py.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .interval import Interval, wilson
from .score import checked, percent

BINS = 15  # as in Guo et al. 2017
TEMPERATURES = 0.05, 20.0  # what is searched
TINY = float(np.finfo(np.float32).tiny)  # a probability of 0 has no logarithm


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence, the probability of the class that was answered, is in (low, high].

    Attributes:
        low, high: in [0, 1].
        n: how many; never 0.
        confidence: their mean confidence.
        accuracy: the share of them that is right; equal to `confidence` where the model is calibrated.
        interval: 95 %, of the accuracy.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """How far probabilities come true.

    Attributes:
        brier: mean squared distance between probabilities and truth, summed over the classes: 0 is best, 2 is worst.
        ece: expected calibration error, the mean distance between confidence and accuracy over the bins, a share.
            Chance alone makes it positive, the more the fewer samples there are.
        bins: of the reliability diagram, by confidence; empty ones are left out.
        n: samples it was measured on.
    """

    brier: float
    ece: float
    bins: tuple[Bin, ...]
    n: int

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Calibration":  # Any: what JSON holds
        """What `to_dict` was made from."""
        bins = tuple(Bin(**(row | {"interval": tuple(row["interval"])})) for row in plain["bins"])
        return cls(plain["brier"], plain["ece"], bins, plain["n"])

    def __str__(self) -> str:
        return f"Brier {self.brier:.4f} · calibration error {percent(self.ece)} n={self.n:,}"


def calibration(targets: ArrayLike, probabilities: ArrayLike) -> Calibration:
    """Whether the probabilities of these predictions come true.

    Args:
        targets: (N,) class indices in 0..K-1.
        probabilities: (N, K), rows that sum to 1.

    Raises:
        BadShape, BadData, BadValue: as `score` does.

    Source: Brier 1950, eq. 2; Guo et al. 2017, eq. 3: 15 bins of one width, over the probability of the answer.

    Example:
        >>> measured = calibration([0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        >>> round(measured.brier, 3), round(measured.ece, 3)
        (0.25, 0.3)
    """
    actual, shares = checked(targets, probabilities)
    confidence, right = shares.max(1).clip(0, 1), shares.argmax(1) == actual
    places = np.ceil(confidence * BINS).astype(int) - 1
    bins = tuple(_bin(int(place), confidence[places == place], right[places == place]) for place in np.unique(places))
    return Calibration(
        brier=float(((shares - np.eye(shares.shape[1])[actual]) ** 2).sum(1).mean()),
        ece=sum(one.n * abs(one.accuracy - one.confidence) for one in bins) / len(actual),
        bins=bins,
        n=len(actual),
    )


def fit_temperature(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """The temperature T for which softmax(logits / T) gives the best log-loss; above 1 the model was too sure.

    Which class is most probable never changes.  Differs from the source by one imagined mistake more, whose second
    choice is right: a model that makes none on few samples would else be told to be sure of everything.

    Args:
        targets: (N,) class indices in 0..K-1, of samples that the model did not learn from.
        probabilities: (N, K), softmax of the logits.

    Returns:
        In [0.05, 20]; 1 leaves the model as it is.

    Raises:
        BadShape, BadData, BadValue: as `score` does.

    Source: Guo et al. 2017, section 4.2; the imagined mistake after Platt 1999, section 2.2.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    actual, shares = checked(targets, probabilities)
    n, k = shares.shape
    if k == 1:
        return 1.0
    logits = np.log(shares.clip(TINY))
    second = np.argpartition(shares, -2, axis=1)[:, -2]
    imagined: float = 1 / (n + 1)

    def loss(log_temperature: float) -> float:
        said = log_softmax(logits / np.exp(log_temperature), axis=1)
        true, wrong = (float(said[np.arange(n), place].mean()) for place in (actual, second))
        return (imagined - 1) * true - imagined * wrong

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def _bin(place: int, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    n = len(right)
    return Bin(
        low=place / BINS,
        high=(place + 1) / BINS,
        n=n,
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        interval=wilson(int(right.sum()), n),
    )
