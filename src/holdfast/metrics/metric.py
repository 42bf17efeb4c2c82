"""What a metric is: one additive tensor of totals on the device, and what to make of it.

The formulas are in the files beside this one; when to update and when to read is training's.
"""

import copy
from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from ..core import BadShape, NotReady


class Metric(ABC):
    """Accumulates over batches: `update` adds, `compute` reads, `reset` begins again.

    `totals` is all there is to save.  It is float64 where the device has it, and additive: the totals of two machines
    add up to those of all their samples.  Nothing here waits for the device.

    Attributes:
        name: the key in logs and histories.
        totals: sums over all samples since the last `reset`; None before the first `update`.
        scalar: whether `compute` gives one number, as logs need it.
        ranks: whether of several outputs a sample only the order counts, so that logits do as well as probabilities.
    """

    scalar = True
    ranks = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.totals: Tensor | None = None

    @abstractmethod
    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        """What these samples add to the totals: a new tensor in the dtype `exact(device)`."""

    @abstractmethod
    def measure(self, totals: Tensor) -> Tensor:
        """The metric's value for these totals."""

    @torch.no_grad()
    def update(self, targets: Tensor, predictions: Tensor, weights: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            targets: integers (N,) or (N, 1), one-hot (N, K), or values of the shape of `predictions`.
            predictions: probabilities (N, K), (N, 1) or (N,) of the second of two classes; for errors, any values.
            weights: of the samples, (N,); 1 each when None.

        Raises:
            BadShape: the shapes do not fit each other.
        """
        if targets.shape[:1] != predictions.shape[:1]:
            raise BadShape(f"{self.name}: {_samples(targets)} targets for {_samples(predictions)} predictions.")
        if weights is not None and weights.numel() != len(targets):
            raise BadShape(f"{self.name}: {weights.numel()} weights for {len(targets)} samples.")
        self._add(self.tally(targets, predictions, None if weights is None else weights.reshape(-1)))

    def compute(self) -> Tensor:
        """The value over all samples since the last reset, on the device; 0-d for all metrics but those that say so.

        Raises:
            NotReady: nothing was added yet.
        """
        if self.totals is None:
            raise NotReady(f"{self.name}: nothing to compute yet; call update first.")
        return self.measure(self.totals)

    def reset(self) -> None:
        """Forgets all samples."""
        self.totals = None

    def copy(self) -> Self:
        """A fresh metric of the same settings, without samples."""
        fresh = copy.copy(self)
        fresh.totals = None
        return fresh

    def _add(self, totals: Tensor) -> None:
        self.totals = totals if self.totals is None else self.totals.add_(totals)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


def exact(device: torch.device) -> torch.dtype:
    """The dtype of totals: float64, for float32 stops counting at 16,777,216; on MPS, which has no other, float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Their quotient; 0 where the denominator is 0, as in Keras."""
    return torch.where(denominator == 0, 0, numerator / denominator)


def same_shape(name: str, targets: Tensor, predictions: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape: a last axis of 1 that only one of them has is dropped.

    Raises:
        BadShape: they differ in more than that.
    """
    if targets.ndim == predictions.ndim + 1:
        targets = targets.squeeze(-1)
    elif predictions.ndim == targets.ndim + 1:
        predictions = predictions.squeeze(-1)
    if targets.shape != predictions.shape:
        raise BadShape(
            f"{name}: targets have shape {tuple(targets.shape)}, predictions {tuple(predictions.shape)}; "
            "they must be equal."
        )
    return targets, predictions


def class_indices(name: str, targets: Tensor, predictions: Tensor) -> Tensor:
    """The class of each sample, int64 (N,), from indices (N,) or (N, 1) or one-hot (N, K), for predictions (N, K).

    Raises:
        BadShape: the shapes do not fit each other.
    """
    if predictions.ndim == 2 and targets.ndim == 2 and targets.shape[1] == predictions.shape[1] > 1:
        return targets.argmax(1)
    if predictions.ndim == 2 and (targets.ndim == 1 or targets.shape[1:] == (1,)):
        return targets.reshape(-1).long()
    raise BadShape(
        f"{name}: targets have shape {tuple(targets.shape)}, predictions {tuple(predictions.shape)}; "
        "the metric takes class indices (N,) or one-hot targets (N, K) with predictions (N, K)."
    )


def flags(name: str, targets: Tensor, predictions: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each class is true, (N, K) bool, and its probability, (N, K); K is 1 for binary predictions.

    Class indices become one-hot.  Keras has that done by the user and fails without.

    Raises:
        BadShape: the shapes do not fit each other.
    """
    if predictions.ndim == 1:
        predictions = predictions[:, None]
    classes = predictions.shape[-1]
    if targets.ndim == 1:
        targets = targets[:, None]
    if targets.shape[-1] == 1 and classes > 1:
        targets = targets == torch.arange(classes, device=targets.device)
    if targets.shape != predictions.shape or targets.ndim != 2:
        raise BadShape(
            f"{name}: targets have shape {tuple(targets.shape)}, predictions {tuple(predictions.shape)}; "
            "the metric takes class indices (N,) or one-hot targets (N, K) with predictions (N, K)."
        )
    return targets.bool(), predictions


def _samples(tensor: Tensor) -> str:
    return str(len(tensor)) if tensor.ndim else "no batch of"
