"""Metrics by name, in Keras's spelling and TF.js's."""

from collections.abc import Callable

from ..core import BadValue, Registry
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .confusion import AUC, F1Score, Precision, Recall
from .error import LogLoss, MeanAbsoluteError, MeanSquaredError
from .metric import Metric

METRICS = Registry[Callable[..., Metric]]("metric")  # called without arguments, each has its defaults
METRICS.add("accuracy", Accuracy, "acc")
METRICS.add("binary_accuracy", BinaryAccuracy)
METRICS.add("categorical_accuracy", CategoricalAccuracy)
METRICS.add("sparse_categorical_accuracy", SparseCategoricalAccuracy)
METRICS.add("top_k_categorical_accuracy", TopKCategoricalAccuracy, "sparse_top_k_categorical_accuracy")
METRICS.add("precision", Precision)
METRICS.add("recall", Recall)
METRICS.add("f1_score", F1Score, "f1")
METRICS.add("auc", AUC)
CROSS_ENTROPIES = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy", "bce")
METRICS.add("log_loss", LogLoss, *CROSS_ENTROPIES)
METRICS.add("mean_squared_error", MeanSquaredError, "mse")
METRICS.add("mean_absolute_error", MeanAbsoluteError, "mae")


def get(metric: str | Metric) -> Metric:
    """The metric of this name, its own `name` being the word as it was written ("acc" -> `acc` in logs, as in Keras).

    Raises:
        UnknownName: no metric is called so.
        BadValue: neither a name nor a metric.
    """
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str):
        raise BadValue(f"metrics: {metric!r} is neither a name nor a Metric; known names: {', '.join(METRICS)}.")
    found = METRICS[metric]()
    found.name = metric
    return found
