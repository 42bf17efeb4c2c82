"""Learning-rate schedules: the rate as a function of the step, with Keras's names, fields and formulas."""

import bisect
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ..core import BadValue, Registry


@dataclass(frozen=True)
class Schedule(ABC):
    """Base of all schedules.

    `schedule(step, begin, end)` is the rate of a step: `step` counts from 0 over all training, `begin` and `end` are
    the first step of the present `fit` and the one after its last, for schedules that spread themselves over it.
    """

    @abstractmethod
    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float: ...


schedules: Registry[type[Schedule]] = Registry("schedule")


def _positive(schedule: Schedule, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not 0 < value < math.inf:  # NaN is neither
            raise BadValue(f"{type(schedule).__name__}({name}={value}): must be positive.")


@schedules.register("Constant")
@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always."""

    learning_rate: float

    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float:
        return self.learning_rate


@schedules.register("CosineDecay", "cosine")
@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from the initial rate down to `alpha` times it, after a linear warm-up to `warmup_target`.

    `decay_steps` None spreads the decay over the present `fit`.  Source: Loshchilov & Hutter 2016, without restarts.
    """

    initial_learning_rate: float
    decay_steps: int | None = None
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        _positive(self, decay_steps=self.decay_steps)

    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float:
        top, place = self.initial_learning_rate, step
        warmup = self.warmup_steps if self.warmup_target is not None else 0
        if self.decay_steps is None:
            place, decay_steps = step - begin, max(end - begin - warmup, 1)
        else:
            decay_steps = self.decay_steps
        if self.warmup_target is not None:
            if place < warmup:
                return top + (self.warmup_target - top) * place / warmup
            top, place = self.warmup_target, place - warmup
        cosine = 0.5 * (1 + math.cos(math.pi * min(place / decay_steps, 1.0)))
        return top * ((1 - self.alpha) * cosine + self.alpha)


@schedules.register("ExponentialDecay", "exponential")
@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """initial * decay_rate ** (step / decay_steps); the exponent in whole numbers with `staircase`."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        _positive(self, decay_steps=self.decay_steps)

    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float:
        exponent = step // self.decay_steps if self.staircase else step / self.decay_steps
        return float(self.initial_learning_rate * self.decay_rate**exponent)


@schedules.register("PiecewiseConstantDecay", "piecewise")
@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """values[0] up to and including step boundaries[0], then values[1], and so on."""

    boundaries: Sequence[int]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise BadValue(
                f"PiecewiseConstantDecay: {len(self.boundaries)} boundaries need {len(self.boundaries) + 1} values, "
                f"got {len(self.values)}."
            )

    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float:
        return self.values[bisect.bisect_left(self.boundaries, step)]


@schedules.register("OneCycle")
@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to `max_learning_rate` in the first `warmup` share of the `fit`, down to nearly nothing in the rest; cosines.

    Source: Smith & Topin 2018, without the momentum cycle.
    """

    max_learning_rate: float
    warmup: float = 0.25
    start_factor: float = 1 / 25
    end_factor: float = 1e-4

    def __post_init__(self) -> None:
        _positive(self, max_learning_rate=self.max_learning_rate)
        if not 0 <= self.warmup < 1:
            raise BadValue(f"OneCycle(warmup={self.warmup}): must be at least 0 and less than 1.")

    def __call__(self, step: int, begin: int = 0, end: int = 0) -> float:
        share = min((step - begin) / max(end - begin - 1, 1), 1.0)
        if share < self.warmup:
            low, way = self.start_factor, share / self.warmup
        else:
            low, way = self.end_factor, 1 - (share - self.warmup) / (1 - self.warmup)
        return self.max_learning_rate * (low + (1 - low) * 0.5 * (1 - math.cos(math.pi * way)))
