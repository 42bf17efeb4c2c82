"""Metrics: accumulators on the device.  Scores with intervals, for people, are in evaluate."""

from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .confusion import AUC, ConfusionMatrix, F1Score, Precision, Recall
from .error import LogLoss, MeanAbsoluteError, MeanSquaredError
from .mean import Mean
from .metric import Metric
from .names import METRICS, get

__all__ = [
    "AUC",
    "METRICS",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ConfusionMatrix",
    "F1Score",
    "LogLoss",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "get",
]
