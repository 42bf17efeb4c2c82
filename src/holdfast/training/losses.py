"""Losses with Keras 3's names, settings and formulas: one value a sample, whose mean is minimised."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import BadShape, BadValue, Registry
from . import native

EPSILON = 1e-7  # Keras's: probabilities are kept this far from 0 and 1


@dataclass(frozen=True)
class Loss(ABC):
    """Base of all losses: `loss(targets, outputs)` gives one value a sample, (N,).

    Targets and outputs have one shape, (N, ...), unless a loss says otherwise; (N,) and (N, 1) count as the same.
    """

    @abstractmethod
    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor: ...


losses: Registry[type[Loss]] = Registry("loss")


def get_loss(value: Any) -> Loss:  # Any: a name, Keras's JSON form or a Loss
    """The loss that `value` describes."""
    return losses.make(value, Loss)  # type: ignore[type-abstract]  # only asked about


def _aligned(loss: Loss, targets: Tensor, outputs: Tensor) -> Tensor:
    """The targets in the shape and dtype of the outputs; axes of 1 may be missing or too many."""
    if [side for side in targets.shape if side != 1] != [side for side in outputs.shape if side != 1]:
        raise BadShape(
            f"{type(loss).__name__}: targets have shape {tuple(targets.shape)}, the model gives {tuple(outputs.shape)}."
        )
    return targets.reshape(outputs.shape).to(outputs.dtype)


def _check_smoothing(loss: Loss, share: float) -> None:
    if not 0 <= share < 1:
        raise BadValue(f"{type(loss).__name__}(label_smoothing={share}): must be at least 0 and less than 1.")


def _per_sample(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.dim() > 1 else values


@dataclass(frozen=True)
class Crossentropy(Loss):
    """Base of the cross-entropies over classes; takes integer targets (N, ...) and one-hot ones (N, ..., K).

    Args:
        from_logits: whether outputs are logits rather than probabilities.
        label_smoothing: share of each target that is spread evenly over the classes, 0 <= share < 1.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        if outputs.shape[-1] == 1:
            raise BadShape(
                f"{type(self).__name__}: the model gives one output, i.e. a single class, it must be two or more; "
                "take loss='binary_crossentropy' with a sigmoid, or an output for each class."
            )
        if self.from_logits and native.scores(targets, outputs):
            labels = targets.long().flatten()
            values: Tensor = native.Crossentropy.apply(outputs, labels, self.label_smoothing)  # type: ignore[no-untyped-call]
            return values
        log_p = F.log_softmax(outputs, -1) if self.from_logits else _log_probabilities(outputs)
        if targets.shape == outputs.shape:
            values = -(targets * log_p).sum(-1)
        elif targets.numel() * outputs.shape[-1] == outputs.numel():
            values = F.nll_loss(log_p.flatten(0, -2), targets.long().flatten(), reduction="none")
            if outputs.dim() > 2:
                values = values.view(outputs.shape[:-1])
        else:
            raise BadShape(
                f"{type(self).__name__}: targets have shape {tuple(targets.shape)}, "
                f"the model gives {tuple(outputs.shape)}, i.e. {outputs.shape[-1]} classes."
            )
        if self.label_smoothing:
            values = (1 - self.label_smoothing) * values - self.label_smoothing * log_p.mean(-1)
        return _per_sample(values)

    def mean(self, targets: Tensor, outputs: Tensor, losses: Tensor, right: Tensor | None = None) -> Tensor | None:
        """The mean over the samples in one pass, which adds to the totals of the metrics; None: there is no such pass.

        Args:
            losses: totals of the mean of the losses.
            right: totals of an accuracy, if that is asked for.
        """
        if not self.in_one_pass(targets, outputs):
            return None
        labels = targets.long().flatten()
        return native.MeanCrossentropy.apply(outputs, labels, self.label_smoothing, losses, right)  # type: ignore[no-untyped-call,no-any-return]

    def in_one_pass(self, targets: Tensor, outputs: Tensor) -> bool:
        """Whether a kernel finds the losses of these samples and their gradients at once."""
        return self.from_logits and native.scores(targets, outputs) and len(outputs) > 0 and outputs.shape[1] > 1


def _log_probabilities(probabilities: Tensor) -> Tensor:
    """log p as Keras takes it: made to add up to 1, then kept EPSILON away from 0 and 1."""
    shares = probabilities / probabilities.sum(-1, keepdim=True)
    return shares.clamp(EPSILON, 1 - EPSILON).log()


@losses.register("categorical_crossentropy")
@dataclass(frozen=True)
class CategoricalCrossentropy(Crossentropy):
    """-sum target * log p over the classes, for one-hot targets (integers are taken, too)."""


@losses.register("sparse_categorical_crossentropy")
@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Crossentropy):
    """-log p of the target's class, for integer targets (one-hot ones are taken, too)."""


@losses.register("binary_crossentropy", "bce")
@dataclass(frozen=True)
class BinaryCrossentropy(Loss):
    """-(y log p + (1 - y) log(1 - p)), the mean over the outputs of a sample.

    Args:
        from_logits: whether outputs are logits rather than probabilities.
        label_smoothing: how far targets are drawn towards 1/2, 0 <= share < 1.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        y = _aligned(self, targets, outputs)
        if self.label_smoothing:
            y = y * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            return _per_sample(F.binary_cross_entropy_with_logits(outputs, y, reduction="none"))
        p = outputs.clamp(EPSILON, 1 - EPSILON)
        return _per_sample(-(y * p.log() + (1 - y) * (1 - p).log()))


@losses.register("mean_squared_error", "mse")
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Mean of (y - f)²."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        return _per_sample((outputs - _aligned(self, targets, outputs)).square())


@losses.register("mean_absolute_error", "mae")
@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """Mean of |y - f|."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        return _per_sample((outputs - _aligned(self, targets, outputs)).abs())


@losses.register("hinge")
@dataclass(frozen=True)
class Hinge(Loss):
    """Mean of max(0, 1 - y * f); y is -1 or 1, and a batch of 0 and 1 is read as such."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        return _per_sample(_shortfall(self, targets, outputs))


@losses.register("squared_hinge")
@dataclass(frozen=True)
class SquaredHinge(Loss):
    """Mean of max(0, 1 - y * f)²; y as for `Hinge`."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        return _per_sample(_shortfall(self, targets, outputs).square())


def _shortfall(loss: Loss, targets: Tensor, outputs: Tensor) -> Tensor:
    """max(0, 1 - y * f)."""
    y = _aligned(loss, targets, outputs)
    binary = ((y == 0) | (y == 1)).all()
    return (1 - torch.where(binary, 2 * y - 1, y) * outputs).clamp(min=0)


@losses.register("huber")
@dataclass(frozen=True)
class Huber(Loss):
    """Mean of e²/2 where the error is at most `delta`, delta * |e| - delta²/2 beyond."""

    delta: float = 1.0

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        return _per_sample(F.huber_loss(outputs, _aligned(self, targets, outputs), reduction="none", delta=self.delta))


@losses.register("kl_divergence", "kullback_leibler_divergence", "kld")
@dataclass(frozen=True)
class KLDivergence(Loss):
    """sum y * log(y / p) over the last axis, both kept within [EPSILON, 1]."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        y = _aligned(self, targets, outputs).clamp(EPSILON, 1)
        return _per_sample((y * (y / outputs.clamp(EPSILON, 1)).log()).sum(-1))


@losses.register("cosine_similarity", "cosine_proximity")
@dataclass(frozen=True)
class CosineSimilarity(Loss):
    """Minus the cosine of the angle between y and f along the last axis: -1 is best."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        y = _aligned(self, targets, outputs)
        return _per_sample(-(_unit(y) * _unit(outputs)).sum(-1))


def _unit(x: Tensor) -> Tensor:
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return x / length.clamp(min=EPSILON)
