"""Means over samples: of a loss, and of everything that is one number a sample.  Accuracies are in accuracy.py."""

from abc import abstractmethod

import torch
from torch import Tensor

from ..core import BadShape
from .metric import Metric, exact, ratio


class SampleMean(Metric):
    """A weighted mean of one value a sample.  totals: (2,), the sum of the values and that of the weights."""

    @abstractmethod
    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        """One value a sample, (N,), or several, (N, ...), of which the mean counts."""

    def tally(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> Tensor:
        return sums(self.values(targets, predictions), weights)

    def measure(self, totals: Tensor) -> Tensor:
        return ratio(totals[0], totals[1])

    def begun(self, device: torch.device) -> Tensor:
        """The totals, zeros at first, for who adds to them himself."""
        if self.totals is None:
            self.totals = torch.zeros(2, dtype=exact(device), device=device)
        return self.totals


class Mean(SampleMean):
    """The mean of values that are known already, e.g. of a loss."""

    def __init__(self, name: str = "mean") -> None:
        super().__init__(name)

    @torch.no_grad()
    def update(self, values: Tensor, weights: Tensor | None = None) -> None:  # type: ignore[override]  # no targets here
        """Adds values (N,), or (N, ...) of which each sample's mean counts, or one 0-d value; weights (N,) or 0-d."""
        self._add(sums(values, weights))

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        return predictions


def sums(values: Tensor, weights: Tensor | None) -> Tensor:
    """The sum of the values times their weights, and the sum of the weights: (2,)."""
    if values.ndim > 1:
        values = values.flatten(1).mean(1, dtype=exact(values.device))
    if weights is None:
        total = values.sum(dtype=exact(values.device))
        return torch.stack((total, total.new_full((), values.numel())))
    weights = weights.to(exact(values.device))
    if weights.numel() != values.numel():
        raise BadShape(f"mean: {weights.numel()} weights for {values.numel()} values.")
    return torch.stack(((values * weights.reshape(values.shape)).sum(), weights.sum()))
