"""Accuracies: how often the prediction is right."""

from torch import Tensor

from ..core import BadShape, BadValue
from .mean import SampleMean
from .metric import class_indices, same_shape


class BinaryAccuracy(SampleMean):
    """How often a probability is on the right side of the threshold; of (N, K) values each sample's mean counts."""

    def __init__(self, name: str = "binary_accuracy", *, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = threshold

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        targets, predictions = same_shape(self.name, targets, predictions)
        return (predictions > self.threshold) == targets


class CategoricalAccuracy(SampleMean):
    """How often the likeliest class is that of the one-hot target.  targets and predictions: (N, K)."""

    ranks = True

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        if targets.shape != predictions.shape:
            raise BadShape(
                f"{self.name}: targets have shape {tuple(targets.shape)}, predictions {tuple(predictions.shape)}; "
                "they must be equal, or use sparse_categorical_accuracy with integer targets."
            )
        return predictions.argmax(-1) == targets.argmax(-1)


class SparseCategoricalAccuracy(SampleMean):
    """How often the likeliest class is the target.  targets: integers (N,) or (N, 1); predictions: (N, K).

    Of series, images and volumes with a class at each place, (N, ...) and (N, ..., K), each sample's mean counts.
    """

    ranks = True

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        return right(self.name, targets, predictions)


class Accuracy(SampleMean):
    """How often the prediction is right, in the sense that fits the shapes of targets and predictions, as in Keras.

    Binary (threshold 0.5) when predictions have one value a sample, (N, 1) or (N,); sparse when targets are class
    indices, (N,) or (N, 1); else categorical.  With a class at each place, (N, ...) for predictions (N, ..., K), each
    sample's mean counts.  Keras takes predictions (N,) for one sample of N classes; we do not.
    """

    ranks = True

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name)

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        if predictions.ndim == 1 or predictions.shape[-1] == 1:
            targets, predictions = same_shape(self.name, targets, predictions)
            return (predictions > 0.5) == targets
        return right(self.name, targets, predictions)


def right(name: str, targets: Tensor, predictions: Tensor) -> Tensor:
    """Whether the likeliest class is the target's, (N,); of predictions (N, ..., K) at each place, (N, ...)."""
    places = predictions.shape[:-1]
    if len(places) > 1 and targets.shape[: len(places)] == places:
        return right(name, targets.flatten(0, len(places) - 1), predictions.flatten(0, -2)).view(places)
    return predictions.argmax(-1) == class_indices(name, targets, predictions)


class TopKCategoricalAccuracy(SampleMean):
    """How often the target is among the k likeliest classes; one as likely as the k-th counts, as in Keras.

    targets: class indices (N,) or (N, 1), or one-hot (N, K); so this is Keras's SparseTopKCategoricalAccuracy, too.
    """

    def __init__(self, k: int = 5, *, name: str = "top_k_categorical_accuracy") -> None:
        super().__init__(name)
        if k < 1:
            raise BadValue(f"{name}(k={k}): must be positive.")
        self.k = k

    def values(self, targets: Tensor, predictions: Tensor) -> Tensor:
        if predictions.ndim != 2 or predictions.shape[1] <= self.k:
            raise BadShape(
                f"{self.name}: predictions have shape {tuple(predictions.shape)}; k={self.k} needs (N, K) with "
                f"K of at least {self.k + 1}, else every prediction is right; choose a smaller k."
            )
        targets = class_indices(self.name, targets, predictions)
        return predictions.gather(1, targets[:, None]) >= predictions.topk(self.k).values[:, -1:]
