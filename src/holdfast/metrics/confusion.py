"""Metrics of what was taken for what: precision, recall, F1, area under the ROC curve, confusion matrix."""

from typing import Literal

import torch
from torch import Tensor

from ..core import BadShape, BadValue
from .metric import Metric, class_indices, exact, flags, ratio


class Precision(Metric):
    """The share of true ones among all that the model calls positive; 0 when it calls none so.

    A class is called positive when its probability is above `thresholds`.  With more than two classes every (sample,
    class) pair counts, as in Keras.  totals: (2,), true positives and predicted positives.
    """

    def __init__(self, thresholds: float = 0.5, *, name: str = "precision") -> None:
        super().__init__(name)
        self.thresholds = thresholds

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        actual, shares = flags(self.name, targets, predictions)
        predicted = shares > self.thresholds
        return torch.stack((_by_class(actual & predicted, weights).sum(), _by_class(predicted, weights).sum()))

    def measure(self, totals: Tensor) -> Tensor:
        return ratio(totals[0], totals[1])


class Recall(Metric):
    """The share of the true ones that the model calls positive; 0 when there are none.

    Thresholds and pairs as in `Precision`.  totals: (2,), true positives and actual positives.
    """

    def __init__(self, thresholds: float = 0.5, *, name: str = "recall") -> None:
        super().__init__(name)
        self.thresholds = thresholds

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        actual, shares = flags(self.name, targets, predictions)
        found = actual & (shares > self.thresholds)
        return torch.stack((_by_class(found, weights).sum(), _by_class(actual, weights).sum()))

    def measure(self, totals: Tensor) -> Tensor:
        return ratio(totals[0], totals[1])


class F1Score(Metric):
    """The harmonic mean of precision and recall, of each class; then averaged.

    Differs from Keras in two defaults: `average` is "macro", for a metric in a history is one number (Keras: None), and
    with one value a sample the threshold is 0.5 (Keras: the largest of the one, so that everything is positive).

    Args:
        average: "macro", the plain mean over classes; "weighted", by how often each is true; "micro", over all
            (sample, class) pairs; None: `compute` gives one value a class, (K,).
        threshold: a class is called positive above it; None: the likeliest class is (all of them when several tie).
        name: the key in logs.

    totals: (3, K), true, predicted and actual positives.
    """

    def __init__(
        self,
        average: Literal["macro", "micro", "weighted"] | None = "macro",
        threshold: float | None = None,
        *,
        name: str = "f1_score",
    ) -> None:
        super().__init__(name)
        if average not in ("macro", "micro", "weighted", None):
            raise BadValue(f"{name}(average={average!r}): must be 'macro', 'micro', 'weighted' or None.")
        self.average = average
        self.scalar = average is not None
        self.threshold = threshold

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        actual, shares = flags(self.name, targets, predictions)
        predicted = self._positive(shares)
        return torch.stack([_by_class(flag, weights) for flag in (actual & predicted, predicted, actual)])

    def measure(self, totals: Tensor) -> Tensor:
        hits, predicted, actual = totals.sum(1, keepdim=True) if self.average == "micro" else totals
        scores = ratio(2 * hits, predicted + actual)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return ratio((scores * actual).sum(), actual.sum())
        return scores.mean()

    def _positive(self, shares: Tensor) -> Tensor:
        if self.threshold is not None:
            return shares > self.threshold
        if shares.shape[1] == 1:
            return shares > 0.5
        return (shares == shares.amax(1, keepdim=True)) & (shares.abs() > 1e-9)  # Keras: all zero is no class


class AUC(Metric):
    """The area under the ROC curve, by Keras's rule: 200 evenly spaced thresholds, trapezoids between them.

    With more than two classes every (sample, class) pair counts, as in Keras.  0 when all or none are positive.
    totals: (2, 200), by how many thresholds a pair passes: the positives, and the negatives.
    """

    BUCKETS = 200

    def __init__(self, *, name: str = "auc") -> None:
        super().__init__(name)

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        actual, shares = flags(self.name, targets, predictions)
        # A pair passes the thresholds strictly below its probability: of 0, 1/199, ..., 1 those up to ceil(199 p) - 1.
        passed = (shares * (self.BUCKETS - 1)).ceil().long().sub_(1).clamp_(0, self.BUCKETS - 1)
        weights = torch.ones(len(shares), device=shares.device) if weights is None else weights
        counts = torch.zeros(2 * self.BUCKETS, dtype=exact(shares.device), device=shares.device)
        where = torch.where(actual, passed, passed + self.BUCKETS).flatten()
        # index_add_, for bincount asks the device for the largest index and waits for the answer.
        counts.index_add_(0, where, weights.to(counts.dtype)[:, None].expand(shares.shape).flatten())
        return counts.view(2, self.BUCKETS)

    def measure(self, totals: Tensor) -> Tensor:
        above = totals.flip(1).cumsum(1).flip(1)  # how many are called positive at each threshold
        curves = ratio(above, above[:, :1])  # recall and false alarms, both falling from 1
        return -torch.trapezoid(curves[0], curves[1])


class ConfusionMatrix(Metric):
    """How often each class (row) was taken for each (column): `compute` gives (K, K), so it is nothing for a history.

    The likeliest class is predicted; with one value a sample, the second of two classes above 0.5.
    """

    scalar = False

    def __init__(self, *, name: str = "confusion_matrix") -> None:
        super().__init__(name)

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        if predictions.ndim == 1 or predictions.shape[1] == 1:
            shares = predictions.reshape(-1, 1)
            predictions = torch.cat((1 - shares, shares), 1)
        if predictions.ndim != 2:
            raise BadShape(f"{self.name}: predictions have shape {tuple(predictions.shape)}; the metric takes (N, K).")
        classes = predictions.shape[1]
        cells = class_indices(self.name, targets, predictions) * classes + predictions.argmax(1)
        counts = torch.zeros(classes * classes, dtype=exact(cells.device), device=cells.device)
        weights = torch.ones(len(cells), device=cells.device) if weights is None else weights
        counts.index_add_(0, cells, weights.to(counts.dtype))
        return counts.view(classes, classes)

    def measure(self, totals: Tensor) -> Tensor:
        return totals.clone()


def _by_class(flagged: Tensor, weights: Tensor | None) -> Tensor:
    """The weights of the flagged samples added up, (N, K) bool -> (K,)."""
    dtype = exact(flagged.device)
    return flagged.sum(0, dtype=dtype) if weights is None else weights.to(dtype) @ flagged.to(dtype)
