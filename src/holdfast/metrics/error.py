"""Errors as metrics: means over samples of a cross-entropy or of a distance.  The losses to minimise are training's."""

import torch
from torch import Tensor

from .mean import SampleMean
from .metric import class_indices, same_shape

EPSILON = 1e-7  # Keras's: no probability counts as smaller than this, or as larger than one minus this


class LogLoss(SampleMean):
    """The mean cross-entropy, in nats, of targets and probabilities.

    Binary for predictions (N, 1) or (N,); else rows of predictions (N, K) are divided by their sums, as in Keras, and
    targets are class indices (N,) or (N, 1), or shares of the classes (N, K).
    """

    def __init__(self, name: str = "log_loss") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        predictions = predictions.to(torch.promote_types(predictions.dtype, torch.float32))
        if predictions.ndim == 1 or predictions.shape[-1] == 1:
            targets, predictions = same_shape(self.name, targets, predictions)
            shares = predictions.clamp(EPSILON, 1 - EPSILON)
            return -(targets * shares.log() + (1 - targets) * (1 - shares).log())
        logs = (predictions / predictions.sum(-1, keepdim=True)).clamp(EPSILON, 1 - EPSILON).log()
        if targets.shape == predictions.shape:
            return -(targets * logs).sum(-1)
        return -logs.gather(1, class_indices(self.name, targets, predictions)[:, None])


class MeanSquaredError(SampleMean):
    """The mean squared difference.  targets and predictions: values of one shape, (N, ...)."""

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        targets, predictions = same_shape(self.name, targets, predictions)
        return (predictions - targets).square()


class MeanAbsoluteError(SampleMean):
    """The mean absolute difference.  targets and predictions: values of one shape, (N, ...)."""

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        targets, predictions = same_shape(self.name, targets, predictions)
        return (predictions - targets).abs()
