"""Another learning rate for each weight, and another time to begin: how what was learned before is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..core import BadShape, BadValue
from .optimizers import Number, Optimizer, Slots, Tensors, get_optimizer, optimizers
from .schedules import Schedule

OURS = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps")  # are of all weights together


@optimizers.register("Discriminative")
@dataclass(frozen=True)
class Discriminative(Optimizer):
    """An optimizer that gives each weight a share of its learning rate, from a share of the training on.

    Before that, a weight stays as it is, to the bit; what the optimizer remembers of its gradients is gathered already.
    `transfer.discriminative` makes one for a model.

    Args:
        learning_rate: of the weights whose rate is 1; None: the optimizer's own.
        optimizer: a name, Keras's JSON form or an Optimizer.
        rates: one a trained weight, in the model's order; its learning rate is so many times that of the optimizer.
        starts: one a trained weight, at least 0 and less than 1: how much of the training is done when it begins.

    Source: Howard & Ruder 2018 (ULMFiT), sections 3.2 "discriminative fine-tuning" and 3.3 "gradual unfreezing"; the
    rates are theirs, the times are shares of a training and not whole epochs.
    """

    learning_rate: float | Schedule = None  # type: ignore[assignment]  # until it is known
    optimizer: Any = field(default="adamw", kw_only=True)  # Any: see the Args; an Optimizer once it is made
    rates: Sequence[float] = field(default=(), kw_only=True)
    starts: Sequence[float] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        inner = get_optimizer(self.optimizer)
        if isinstance(inner, Discriminative):
            raise BadValue("Discriminative(optimizer=Discriminative(...)): takes a plain optimizer.")
        rate = inner.learning_rate if self.learning_rate is None else self.learning_rate
        object.__setattr__(self, "learning_rate", rate)
        for name in OURS:
            if (value := getattr(inner, name)) is not None:
                object.__setattr__(self, name, value)
        super().__post_init__()
        inner = replace(inner, learning_rate=self.learning_rate, **dict.fromkeys(OURS))
        object.__setattr__(self, "optimizer", inner)
        for name in ("rates", "starts"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        if self.weight_decay is not None:
            raise BadValue("Discriminative(weight_decay=...): give it to the optimizer inside.")
        if len(self.rates) != len(self.starts):
            raise BadValue(f"Discriminative: has {len(self.rates)} rates and {len(self.starts)} starts; one a weight.")
        if not all(0 <= value < float("inf") for value in self.rates):
            raise BadValue(f"Discriminative(rates={self.rates}): must be finite numbers of at least 0.")
        if not all(0 <= value < 1 for value in self.starts):
            raise BadValue(f"Discriminative(starts={self.starts}): must be at least 0 and less than 1.")

    @cached_property
    def groups(self) -> dict[tuple[float, float], list[int]]:
        """The places of the weights that have a rate and a start in common."""
        found: dict[tuple[float, float], list[int]] = {}
        for place, key in enumerate(zip(self.rates, self.starts, strict=True)):
            found.setdefault(key, []).append(place)
        return found

    def start(self, parameters: Tensors) -> Slots:
        if not parameters:  # who only asks how many there are
            return self._inner.start([])
        if len(parameters) != len(self.rates):
            raise BadShape(
                f"Discriminative: has rates of {len(self.rates)} weights, the model trains {len(parameters)}; "
                "make it anew: transfer.discriminative(model)."
            )
        return {
            f"{name}.{number}": slot
            for number, places in enumerate(self.groups.values())
            for name, slot in self._inner.start([parameters[place] for place in places]).items()
        }

    def numbers(self, slots: Slots, *, rate: float, step: int, share: float = 1.0) -> tuple[float, ...]:
        every = self.gradient_accumulation_steps or 1
        if (step + 1) % every:
            return ()
        found = [1.0]
        for number, (factor, start) in enumerate(self.groups):
            own = rate * factor if share >= start else 0.0
            found += self._inner.numbers(_of(slots, number), rate=own, step=step // every)
        return tuple(found)

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        each = len(scalars) // max(len(self.groups), 1)
        for number, places in enumerate(self.groups.values()):
            own = scalars[number * each : (number + 1) * each]
            some, their = ([tensors[place] for place in places] for tensors in (parameters, gradients))
            self._inner.apply(some, their, _of(slots, number), own)

    @property
    def reaches(self) -> bool:  # type: ignore[override]  # of the optimizer inside
        return self._inner.reaches

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        each = (len(numbers) - 1) // max(len(self.groups), 1)
        for group, places in enumerate(self.groups.values()):
            if place in places:
                own = numbers[1 + group * each : 1 + (group + 1) * each]
                return self._inner.reach(_of(slots, group), own, places.index(place))
        raise BadShape(f"Discriminative: has rates of {len(self.rates)} weights, none of them the {place + 1}th.")

    @property
    def _inner(self) -> Optimizer:
        assert isinstance(self.optimizer, Optimizer)
        return self.optimizer


def _of(slots: Slots, group: int) -> Slots:
    """What is remembered of one group, under the optimizer's own names."""
    return {name.removesuffix(f".{group}"): slot for name, slot in slots.items() if name.endswith(f".{group}")}
