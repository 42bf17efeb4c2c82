"""What to minimise and how: everything about training that does not change while it runs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..core import BadValue
from ..metrics import Metric
from .losses import Loss
from .optimizers import REACHING, Number, Optimizer
from .schedules import Schedule


@dataclass(frozen=True)
class Head:
    """What one output of the model is trained and judged by.

    Attributes:
        loss: of this output.
        name: prefix of its keys in the logs when there are several outputs.
        weight: its share in the total loss.
        metrics: templates; each training works on copies.
        weighted_metrics: the same, but with class and sample weights taken into account.
        activation: from the outputs that the model gives in training to the predictions that metrics take.
        judged_by: the loss in evaluation, where that leaves out what only training has; None: `loss`.

    Raises:
        BadValue: a metric that gives more than one number.
    """

    loss: Loss
    name: str = ""
    weight: float = 1.0
    metrics: tuple[Metric, ...] = ()
    weighted_metrics: tuple[Metric, ...] = ()
    activation: Literal["linear", "softmax", "sigmoid"] = "linear"
    judged_by: Loss | None = None

    def __post_init__(self) -> None:
        for metric in (*self.metrics, *self.weighted_metrics):
            if not metric.scalar:
                raise BadValue(
                    f"metrics: {metric.name!r} gives several numbers, logs take metrics of one; after training, "
                    "evaluate.score gives a Report, whose confusion and per_class have them."
                )

    def predictions(self, outputs: Tensor) -> Tensor:
        if self.activation == "softmax":
            return outputs.softmax(-1)
        return outputs.sigmoid() if self.activation == "sigmoid" else outputs


class Measure(NamedTuple):
    """A metric of one output, its key in the logs, and whether class and sample weights count in it."""

    key: str
    metric: Metric
    weighted: bool


class Proximal(Protocol):
    """The step after the optimizer's that leaves exact zeros, see `layers.L1`."""

    def __call__(self, parameters: Sequence[Tensor], reach: Callable[[int], Number]) -> None:
        """Takes it, in place.

        Args:
            parameters: those that training changes.
            reach: of the parameter at a place, see `Optimizer.reach`.
        """

    def sparsity(self) -> float:
        """The share of exact zeros among the weights that it is for; waits for the device."""
        ...


@dataclass(frozen=True)
class Program:
    """What to minimise and how.

    Attributes:
        optimizer: and in it the learning rate or its schedule.
        heads: one an output of the model.
        precision: "bfloat16" computes under autocast; weights and losses stay float32.
        penalty: regularization, from the model to a tensor of no axes; None without any.
        seed: of dropout; the order of samples is the batches'.
        constrain: brings weights back to what is allowed after each step; None where all is.
        proximal: the soft thresholds after each step, before that; None without any.
    """

    optimizer: Optimizer
    heads: tuple[Head, ...]
    precision: Literal["float32", "bfloat16"] = "float32"
    penalty: Callable[[nn.Module], Tensor] | None = field(default=None, compare=False)
    seed: int = 0
    constrain: Callable[[], None] | None = field(default=None, compare=False)
    proximal: Proximal | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "bfloat16"):
            raise BadValue(f"precision {self.precision!r}: must be 'float32' or 'bfloat16'.")
        if self.proximal is not None and not self.optimizer.reaches:
            kind = type(self.optimizer).__name__
            raise BadValue(f"{kind}: has no step for L1(proximal=True); take {' or '.join(REACHING)}.")
        names = [head.name for head in self.heads]
        if len(set(names)) < len(names):
            raise BadValue(f"the heads of a program are called {names}; each needs a name of its own.")

    @property
    def schedule(self) -> Schedule | None:
        """The learning rate's schedule, if it has one."""
        rate = self.optimizer.learning_rate
        return rate if isinstance(rate, Schedule) else None

    @cached_property
    def measures(self) -> tuple[tuple[Measure, ...], ...]:
        """The metrics of each head.

        Keys are Keras's: with several outputs the output's name in front; where a key is taken, weighted_ before the
        name of a weighted metric, else _1, _2, ... behind it.
        """
        several = len(self.heads) > 1
        return tuple(tuple(_measures(head, f"{head.name}_" if several else "")) for head in self.heads)

    @cached_property
    def judging(self) -> "Program":
        """The program that evaluates: of each head the loss that it is judged by."""
        if all(head.judged_by is None for head in self.heads):
            return self
        heads = (replace(head, loss=head.judged_by or head.loss, judged_by=None) for head in self.heads)
        return replace(self, heads=tuple(heads))

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Where the forward pass is computed."""
        return torch.autocast(device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()


def _measures(head: Head, prefix: str) -> Iterator[Measure]:
    taken = Counter(["loss"])
    both = [(metric, False) for metric in head.metrics] + [(metric, True) for metric in head.weighted_metrics]
    for metric, weighted in both:
        name = f"weighted_{metric.name}" if weighted and taken[metric.name] else metric.name
        number = taken[name]
        taken[name] += 1
        yield Measure(prefix + (f"{name}_{number}" if number else name), metric, weighted)
