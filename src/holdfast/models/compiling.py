"""What `compile` was told, and the program that follows from it once the first targets are seen."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from ..core import BadValue
from ..layers import L1, ActivityPenalty
from ..metrics import Metric
from ..metrics import get as get_metric
from ..training import (
    BinaryCrossentropy,
    Head,
    Loss,
    MeanSquaredError,
    Optimizer,
    Program,
    SparseCategoricalCrossentropy,
    get_loss,
    get_optimizer,
)
from ..training.optimizers import Number
from .arrays import check_number
from .lower import Link, Lowered, calls_in, for_training, links, removable
from .recipe import LABEL_SMOOTHING, recipe_optimizer, recipe_rate, smoothed

if TYPE_CHECKING:
    from .model import BaseModel


@dataclass(frozen=True)
class Compiled:
    """What `compile` was told; the losses are resolved when the first targets are seen."""

    optimizer: Optimizer | None  # None: that of the default recipe
    loss: Any  # a name, a Loss, or a list or dict of such, one an output
    loss_weights: Sequence[float] | Mapping[str, float] | None
    metrics: Any  # names or Metrics in a list, or a list or dict of such lists, one an output
    weighted_metrics: Any
    precision: Literal["auto", "float32", "bfloat16"]
    device: torch.device
    smoothing: float = 0.0  # label smoothing in training, of losses that were named or left out


def pick_device(device: str) -> torch.device:
    """ "auto" takes the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=torch.device(device)).item()  # "meta" holds no numbers
        return torch.device(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise BadValue(f"device {device!r} is not available here; take 'cpu' or 'auto'.") from error


def compiled(
    optimizer: Any,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    weighted_metrics: Any,
    precision: Literal["auto", "float32", "bfloat16"],
    device: str,
) -> Compiled:
    """Checks by name at once what can be checked before any data is seen."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise BadValue(f"compile(precision={precision!r}): must be 'auto', 'float32' or 'bfloat16'.")
    for one in _flat(loss):
        get_loss(one)
    for one in (*_flat(metrics), *_flat(weighted_metrics)):
        get_metric(one)
    for one in _flat(loss_weights):
        check_number(f"compile(loss_weights={loss_weights!r})", one, least=-math.inf, whole=False)
    chosen, smoothing = (None, LABEL_SMOOTHING) if optimizer is None else (get_optimizer(optimizer), 0.0)
    return Compiled(chosen, loss, loss_weights, metrics, weighted_metrics, precision, pick_device(device), smoothing)


def _flat(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Mapping) and "class_name" not in value:
        value = list(value.values())
    return [one for item in value for one in _flat(item)] if isinstance(value, (list, tuple)) else [value]


def program_for(
    model: "BaseModel", settings: Compiled, targets: Sequence[Tensor], batch_size: int
) -> tuple[nn.Module, Program]:
    """The module to train, without the last activations that losses compute better, and what to minimise.

    The learning rate of the default recipe follows from `batch_size`.

    Softmax and cross-entropy together are computed from the logits: the same value, exact where probabilities round to
    0 or 1.
    """
    lowered, names = model.lowered, model.output_names
    found = links(lowered.module)
    given = _by_output(settings.loss, names, "loss")
    losses = [
        default if one is None else get_loss(one)
        for one, default in zip(given, default_losses(model, targets), strict=True)
    ]
    fuse: list[Link] = [
        link if able and _takes_over(loss) == link else "linear"
        for loss, link, able in zip(losses, found, removable(lowered.module), strict=True)
    ]
    weights = _by_output(settings.loss_weights, names, "loss_weights")
    plain = _by_output(settings.metrics, names, "metrics")
    weighted = _by_output(settings.weighted_metrics, names, "weighted_metrics")
    heads = []
    for number, (loss, link) in enumerate(zip(losses, fuse, strict=True)):
        activation: Link = link
        if link != "linear":
            loss = replace(loss, from_logits=True)  # type: ignore[call-arg]  # cross-entropies have it
        elif getattr(loss, "from_logits", False):
            activation = "sigmoid" if isinstance(loss, BinaryCrossentropy) else "softmax"
        # Who brings a Loss has said how much smoothing there is.
        minimised = loss if isinstance(given[number], Loss) else smoothed(loss, settings.smoothing)
        heads.append(
            Head(
                minimised,
                names[number],
                1.0 if weights[number] is None else float(weights[number]),
                _metrics(plain[number]),
                _metrics(weighted[number]),
                activation,
                None if minimised == loss else loss,
            )
        )
    optimizer = settings.optimizer or recipe_optimizer(recipe_rate(model, batch_size))
    precision = "float32" if settings.precision == "auto" else settings.precision  # until the batches are known
    after = constraint_of(lowered), proximal_of(lowered)
    program = Program(optimizer, tuple(heads), precision, penalty_of(lowered), model.seed, *after)
    return for_training(lowered.module, fuse), program


def _by_output(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """One item for each output, from a dict by name, a list in order, or the only item."""
    if value is None or (what.endswith("metrics") and value == []):
        return [None] * len(names)
    if isinstance(value, Mapping) and "class_name" not in value:
        strange = next((key for key in value if key not in names), None)
        if strange is not None:
            raise BadValue(f"{what} names {strange!r}; the model's outputs are {', '.join(names)}.")
        return [value.get(name) for name in names]
    if len(names) == 1 and (what.endswith("metrics") or not isinstance(value, (list, tuple))):
        return [value]
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        return list(value)
    if what == "loss" and isinstance(value, (str, Loss)):
        return [value] * len(names)
    raise BadValue(f"{what}: the model has the outputs {', '.join(names)}; give a list of {len(names)} or a dict.")


def _metrics(value: Any) -> tuple[Metric, ...]:
    return tuple(get_metric(one) for one in _flat(value))


def default_losses(model: "BaseModel", targets: Sequence[Tensor]) -> list[Loss]:
    """The loss of each output when none is given: by the model's last activations, else by the targets."""
    found = links(model.lowered.module)
    return [
        _default_loss(link, target, symbol.shape[-1])
        for link, target, symbol in zip(found, targets, model.outputs, strict=True)
    ]


def default_metrics(model: "BaseModel", targets: Sequence[Tensor]) -> list[list[str]]:
    """Of each output when `compile` was left out: accuracy beside a cross-entropy, if the targets are classes."""
    losses = default_losses(model, targets)
    return [["accuracy"] if _tells_apart(*pair) else [] for pair in zip(losses, targets, strict=True)]


def _tells_apart(loss: Loss, target: Tensor) -> bool:
    """Whether a default loss is to learn classes, rather than values or, as an autoencoder does, shares."""
    if isinstance(loss, BinaryCrossentropy):
        return bool(((target == 0) | (target == 1)).all())
    return not isinstance(loss, MeanSquaredError)


def _default_loss(link: Link, target: Tensor, outputs: int) -> Loss:
    if link == "softmax":
        return SparseCategoricalCrossentropy()
    if link == "sigmoid":
        return BinaryCrossentropy()
    if target.is_floating_point() or outputs == 1:
        return MeanSquaredError()
    return SparseCategoricalCrossentropy(from_logits=True)


def _takes_over(loss: Loss) -> Link:
    """The activation that a loss from probabilities can compute itself."""
    if getattr(loss, "from_logits", True):
        return "linear"
    return "sigmoid" if isinstance(loss, BinaryCrossentropy) else "softmax"


class Penalty:
    """Regularization of a lowered model: of its weights and, after a forward pass, of its activations."""

    def __init__(self, lowered: Lowered) -> None:
        self.weights = list(dict.fromkeys(lowered.penalties))  # a sub-model may be met in several ways
        calls = calls_in(lowered.module)
        self.activities = [(module, calls[module]) for module in calls if isinstance(module, ActivityPenalty)]
        for module, times in self.activities:
            module.expect(times)

    def __call__(self, model: nn.Module) -> Tensor:
        terms = [regularizer(getattr(module, name)) for module, name, regularizer in self.weights]
        return torch.stack([*terms, *(module.take(times) for module, times in self.activities)]).sum()


def penalty_of(lowered: Lowered) -> Penalty | None:
    """The regularization of a model; None when it has none."""
    penalty = Penalty(lowered)
    return penalty if penalty.weights or penalty.activities else None


class Constrain:
    """Brings the constrained weights of a lowered model back to what is allowed."""

    # An object, not a function: a copy of the model must not go on changing the weights of the original.
    def __init__(self, lowered: Lowered) -> None:
        # A sub-model may be met in several ways.
        self.weights = list(
            {(id(main), weight.parameter): (main, weight) for main, weight in lowered.constrained}.values()
        )

    @torch.no_grad()
    def __call__(self) -> None:
        for main, weight in self.weights:
            assert weight.constraint is not None
            tensor = weight.to_keras(getattr(main, weight.parameter))
            tensor.copy_(weight.constraint(tensor))


def constraint_of(lowered: Lowered) -> Constrain | None:
    """What brings the weights of a model back after each step; None when none is constrained."""
    constrain = Constrain(lowered)
    return constrain if constrain.weights else None


class SoftThreshold:
    """Brings the weights of a lowered model that have a proximal L1 nearer to 0, and to 0 those that are near it."""

    # An object, not a function: see Constrain.
    def __init__(self, lowered: Lowered) -> None:
        penalties = dict.fromkeys(lowered.penalties)  # a sub-model may be met in several ways
        self.weights = [(main, name, one.l1) for main, name, one in penalties if isinstance(one, L1) and one.proximal]

    @torch.no_grad()
    def __call__(self, parameters: Sequence[Tensor], reach: Callable[[int], Number]) -> None:
        places = {id(parameter): place for place, parameter in enumerate(parameters)}
        for main, name, l1 in self.weights:
            weight = getattr(main, name)
            threshold = l1 * reach(places[id(weight)])
            weight.sub_(weight.clamp(-threshold, threshold))

    def sparsity(self) -> float:
        tensors: list[Tensor] = [getattr(main, name) for main, name, _ in self.weights]
        zeros = torch.stack([(tensor == 0).sum() for tensor in tensors]).sum()
        return float(zeros) / max(1, sum(tensor.numel() for tensor in tensors))


def proximal_of(lowered: Lowered) -> SoftThreshold | None:
    """The soft thresholds of a model's weights; None when none has a proximal L1."""
    thresholds = SoftThreshold(lowered)
    return thresholds if thresholds.weights else None
