"""metrics.npz and metrics.json: each metric over two updates, without and with sample weights.

The JSON gives for each name the class, its keyword arguments and which data it was fed: "data/NAME/targets_0", ...
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .common import Array, Arrays, generator, keras

SAMPLES, CLASSES, UPDATES = 12, 4, 2


@dataclass(frozen=True)
class MetricCase:
    """A metric and the data it was fed.

    Args:
        name: the key in the file.
        metric: the Keras class.
        kwargs: its arguments.
        data: the key in DATA.
    """

    name: str
    metric: str
    data: str
    kwargs: dict[str, Any] = field(default_factory=dict)  # Any: JSON values


def case(name: str, metric: str, data: str, **kwargs: Any) -> MetricCase:  # Any: JSON values
    """A case in one line."""
    return MetricCase(name, metric, data, kwargs)


METRICS = [
    case("binary_accuracy", "BinaryAccuracy", "binary"),
    case("binary_accuracy_flat", "BinaryAccuracy", "binary_flat"),
    case("binary_accuracy_threshold", "BinaryAccuracy", "binary", threshold=0.7),
    case("categorical_accuracy", "CategoricalAccuracy", "one_hot"),
    case("sparse_categorical_accuracy", "SparseCategoricalAccuracy", "sparse"),
    case("sparse_categorical_accuracy_column", "SparseCategoricalAccuracy", "sparse_column"),
    case("top_2", "TopKCategoricalAccuracy", "one_hot", k=2),
    case("sparse_top_2", "SparseTopKCategoricalAccuracy", "sparse", k=2),
    case("sparse_top_default", "SparseTopKCategoricalAccuracy", "many_classes"),
    case("precision", "Precision", "binary"),
    case("precision_flat", "Precision", "binary_flat"),
    case("precision_threshold", "Precision", "binary", thresholds=0.7),
    case("precision_one_hot", "Precision", "one_hot"),
    case("precision_class", "Precision", "one_hot", class_id=1),
    case("recall", "Recall", "binary"),
    case("recall_flat", "Recall", "binary_flat"),
    case("recall_threshold", "Recall", "binary", thresholds=0.7),
    case("recall_one_hot", "Recall", "one_hot"),
    case("recall_class", "Recall", "one_hot", class_id=1),
    case("f1_none", "F1Score", "one_hot", average=None),
    case("f1_macro", "F1Score", "one_hot", average="macro"),
    case("f1_micro", "F1Score", "one_hot", average="micro"),
    case("f1_weighted", "F1Score", "one_hot", average="weighted"),
    case("f1_threshold", "F1Score", "binary", threshold=0.5, average="micro"),
    case("auc", "AUC", "binary"),
    case("auc_flat", "AUC", "binary_flat"),
    case("auc_one_hot", "AUC", "one_hot"),
    case("auc_few_thresholds", "AUC", "binary", num_thresholds=5),
    case("categorical_crossentropy", "CategoricalCrossentropy", "one_hot"),
    case("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "sparse"),
    case("binary_crossentropy", "BinaryCrossentropy", "binary"),
    case("mean_squared_error", "MeanSquaredError", "real"),
    case("mean_absolute_error", "MeanAbsoluteError", "real"),
]


def texts() -> list[dict[str, Any]]:  # Any: JSON values
    """What metrics.json says."""
    return [asdict(one) for one in METRICS]


def make() -> Arrays:
    """The data under "data/", then each metric under its name."""
    data = {name: [found(generator(f"metric/{name}/{i}")) for i in range(UPDATES)] for name, found in DATA.items()}
    found: Arrays = {}
    for name, updates in data.items():
        for index, (targets, predictions, weights) in enumerate(updates):
            found[f"data/{name}/targets_{index}"] = targets
            found[f"data/{name}/predictions_{index}"] = predictions
            found[f"data/{name}/weights_{index}"] = weights
    for one in METRICS:
        found |= {f"{one.name}/{key}": value for key, value in of_case(one, data[one.data]).items()}
    return found


def of_case(one: MetricCase, updates: list[tuple[Array, Array, Array]]) -> Arrays:
    """ "value_0", "value_1": after each update; "weighted/value_0", ..: the same with sample weights."""
    found: Arrays = {}
    for prefix in ("", "weighted/"):
        metric = getattr(keras.metrics, one.metric)(**one.kwargs)
        for index, (targets, predictions, weights) in enumerate(updates):
            metric.update_state(targets, predictions, sample_weight=weights if prefix else None)
            found[f"{prefix}value_{index}"] = np.array(metric.result(), np.float32)
    return found


def weights(rng: np.random.Generator) -> Array:
    """(N,) of which one is 0."""
    found = rng.uniform(0.2, 3, SAMPLES).astype(np.float32)
    found[3] = 0
    return found


def binary(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """(N, 1), with predictions of exactly 0, 1 and one half among them."""
    targets = rng.integers(0, 2, (SAMPLES, 1))
    predictions = np.clip(0.5 + 0.25 * (targets - 0.5) + 0.3 * rng.standard_normal((SAMPLES, 1)), 0, 1)
    predictions[:4, 0] = [0, 1, 0.5, 0.5]
    return targets.astype(np.float32), predictions.astype(np.float32), weights(rng)


def binary_flat(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """(N,) each."""
    targets, predictions, weight = binary(rng)
    return targets[:, 0], predictions[:, 0], weight


def sparse(rng: np.random.Generator, classes: int = CLASSES) -> tuple[Array, Array, Array]:
    """Labels (N,) int64 and probabilities (N, K), right more often than not."""
    targets = rng.integers(0, classes, SAMPLES)
    scores = np.exp(rng.standard_normal((SAMPLES, classes)) + 1.2 * np.eye(classes)[targets])
    return targets, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32), weights(rng)


def one_hot(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Targets and probabilities (N, K)."""
    targets, predictions, weight = sparse(rng)
    return np.eye(CLASSES, dtype=np.float32)[targets], predictions, weight


def sparse_column(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Labels (N, 1) and probabilities (N, K)."""
    targets, predictions, weight = sparse(rng)
    return targets[:, None], predictions, weight


def real(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Values of a regression, (N, K)."""
    targets, predictions = rng.standard_normal((2, SAMPLES, CLASSES)).astype(np.float32)
    return targets, predictions, weights(rng)


DATA: dict[str, Callable[[np.random.Generator], tuple[Array, Array, Array]]] = {
    "binary": binary,
    "binary_flat": binary_flat,
    "one_hot": one_hot,
    "sparse": sparse,
    "sparse_column": sparse_column,
    "many_classes": lambda rng: sparse(rng, 9),
    "real": real,
}
