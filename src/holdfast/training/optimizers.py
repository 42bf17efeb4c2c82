"""Optimizers with Keras 3's formulas, defaults and epsilons, as frozen descriptions.

What they remember (`slots`) belongs to the state.  All parameters are updated at once: on a CPU by a native kernel for
SGD with momentum, RMSprop, Adam and AdamW, else by a handful of torch's `_foreach` operations.  What changes from step
to step is a handful of numbers, computed apart, so that a recorded update can be repeated with new ones.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..core import BadValue, Registry
from . import native
from .schedules import Schedule, schedules

Tensors: TypeAlias = list[Tensor]
Slots: TypeAlias = dict[str, Tensors]
Number: TypeAlias = float | Tensor  # a tensor is 0-d and lies on the parameters' device
Accepted: TypeAlias = tuple[str, Callable[[float], bool]]

SHARE: Accepted = ("a number of at least 0 and less than 1", lambda value: 0 <= value < 1)
LEAST = 1e-12  # instead of 0, to divide by
REACHING = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad")  # that have a `reach`
LIMIT: Accepted = ("a positive finite number, or None", lambda value: value > 0)

# What each number may be, in whatever optimizer it is found: in words, and whether a finite number is it.
ACCEPTED: dict[str, Accepted] = {
    "learning_rate": ("a finite number of at least 0, or a schedule", lambda value: value >= 0),
    "weight_decay": ("a finite number of at least 0, or None", lambda value: value >= 0),
    "clipnorm": LIMIT,
    "clipvalue": LIMIT,
    "global_clipnorm": LIMIT,
    "gradient_accumulation_steps": (
        "a whole number of at least 2, or None",
        lambda value: value >= 2 and not value % 1,
    ),
    "momentum": ("a number between 0 and 1", lambda value: 0 <= value <= 1),
    "rho": SHARE,
    "beta_1": SHARE,
    "beta_2": SHARE,
    "epsilon": ("a positive finite number", lambda value: value > 0),
    "initial_accumulator_value": ("a finite number of at least 0", lambda value: value >= 0),
}


class Kernel(NamedTuple):
    """A native kernel: its name, what is remembered, and the numbers it takes after the share that decay leaves."""

    name: str
    slots: tuple[Tensors, ...]
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Optimizer(ABC):
    """Base of all optimizers.

    Args:
        learning_rate: a number, or a schedule of the step.
        weight_decay: before each update every weight loses this share times the learning rate.
        clipnorm: largest norm of each gradient.  At most one of the three clips may be given.
        clipvalue: largest absolute value in a gradient.
        global_clipnorm: largest norm of all gradients together.
        gradient_accumulation_steps: at least 2; update only every so many steps, with the mean gradient.
    """

    learning_rate: float | Schedule = 0.001
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    gradient_accumulation_steps: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.learning_rate, dict):  # Keras's JSON form, as in a saved compile configuration
            rate = schedules.make(self.learning_rate, Schedule)  # type: ignore[type-abstract]  # only asked about
            object.__setattr__(self, "learning_rate", rate)
        for item in fields(self):
            if item.name in ACCEPTED:
                self._check(item.name)
        clips = [clip for clip in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, clip) is not None]
        if len(clips) > 1:
            raise BadValue(f"{type(self).__name__}: {' and '.join(clips)} exclude each other; give one.")

    def _check(self, name: str) -> None:
        """Makes a setting a plain number, or refuses it."""
        value, (words, fits) = getattr(self, name), ACCEPTED[name]
        if (value is None and words.endswith("None")) or isinstance(value, Schedule):
            return
        number = isinstance(value, Real) and not isinstance(value, bool)  # NumPy's scalars are Real, too
        if not (number and math.isfinite(value) and fits(value)):
            raise BadValue(f"{type(self).__name__}({name}={value!r}): must be {words}.")
        object.__setattr__(self, name, int(value) if name == "gradient_accumulation_steps" else float(value))

    @abstractmethod
    def start(self, parameters: Tensors) -> Slots:
        """What is remembered before the first step."""

    def scalars(self, slots: Slots, *, rate: float, t: int) -> tuple[float, ...]:
        """The numbers in update number `t` (from 1) that differ from one update to the next; asked for once each."""
        return (rate,)

    @abstractmethod
    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        """One update in place, with what `scalars` gave for it."""

    reaches: ClassVar[bool] = False  # whether it has a `reach`

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        """How far a gradient that stays at 1 moves the weight at this place of the parameters in an update.

        Times a factor of L1 it is the soft threshold with which weights settle where loss and penalty are least
        together, whatever the optimizer divides gradients by.

        Args:
            slots: after the update.
            numbers: that `apply` took for it.

        Returns:
            A number, or one for each number of the weight.

        Source: Yun, Lozano & Yang 2021, "Adaptive proximal gradient methods for structured neural networks", eq. 4;
        momentum, which they leave out of the threshold, adds up the gradients of 1 / (1 - momentum) steps.
        """
        raise BadValue(f"{type(self).__name__}: L1(proximal=True) goes with {', '.join(REACHING)}.")

    def kernel(self, slots: Slots, scalars: Sequence[Number]) -> Kernel | None:
        """The native kernel that does the same as weight decay and `update`, if there is one."""
        return None

    def slots(self, parameters: Tensors) -> Slots:
        """All that is remembered, before the first step."""
        slots = self.start(parameters)
        if self.gradient_accumulation_steps:
            slots["accumulated"] = zeros(parameters)
        return slots

    def step(self, parameters: Tensors, gradients: Sequence[Tensor], slots: Slots, *, rate: float, step: int) -> None:
        """Accumulation, clipping, decay and update for step `step` (from 0), in Keras's order."""
        self.apply(parameters, gradients, slots, self.numbers(slots, rate=rate, step=step))

    def numbers(self, slots: Slots, *, rate: float, step: int, share: float = 1.0) -> tuple[float, ...]:
        """All numbers that `apply` needs to know of step `step` (from 0); none where gradients are only added up.

        `share` of the training is done by then.
        """
        every = self.gradient_accumulation_steps or 1
        if (step + 1) % every:
            return ()
        return (1 - (self.weight_decay or 0) * rate, *self.scalars(slots, rate=rate, t=step // every + 1))

    @torch.no_grad()
    def apply(self, parameters: Tensors, gradients: Sequence[Tensor], slots: Slots, numbers: Sequence[Number]) -> None:
        """`step`, as far as it takes place on the device: it reads nothing there, so a CUDA graph can hold it."""
        grads = list(gradients)
        if self.gradient_accumulation_steps:
            total = slots["accumulated"]
            torch._foreach_add_(total, grads)
            if not numbers:
                return
            grads = list(torch._foreach_div(total, self.gradient_accumulation_steps))
            torch._foreach_zero_(total)
        kept, *scalars = numbers
        grads = self.clip(grads)
        kernel = self.kernel(slots, scalars)
        if kernel and native.update(kernel.name, (parameters, *kernel.slots, grads), kept, *kernel.numbers):
            return
        if self.weight_decay:
            torch._foreach_mul_(parameters, kept)
        self.update(parameters, grads, slots, scalars)

    def clip(self, gradients: Tensors) -> Tensors:
        if self.clipvalue is not None:
            return [gradient.clamp(-self.clipvalue, self.clipvalue) for gradient in gradients]
        if self.clipnorm is not None:
            norms = torch._foreach_norm(gradients)
            return [g * (self.clipnorm / n.clamp(min=self.clipnorm)) for g, n in zip(gradients, norms, strict=True)]
        if self.global_clipnorm is not None:
            norm = torch.stack(list(torch._foreach_norm(gradients))).norm()
            return list(torch._foreach_mul(gradients, self.global_clipnorm / norm.clamp(min=self.global_clipnorm)))
        return gradients


def zeros(parameters: Tensors) -> Tensors:
    return [torch.zeros_like(parameter) for parameter in parameters]


def add(into: Tensors, tensors: Tensors, factor: Number) -> None:
    """into + factor * tensors, in place."""
    if isinstance(factor, Tensor):  # which torch does not take as alpha
        torch._foreach_add_(into, torch._foreach_mul(tensors, factor))
    else:
        torch._foreach_add_(into, tensors, alpha=factor)


def add_ratio(into: Tensors, above: Tensors, below: Tensors, factor: Number) -> None:
    """into + factor * above / below, in place."""
    if isinstance(factor, Tensor):  # which torch takes from the CPU only
        add(into, list(torch._foreach_div(above, below)), factor)
    else:
        torch._foreach_addcdiv_(into, above, below, factor)


optimizers: Registry[type[Optimizer]] = Registry("optimizer")


def get_optimizer(value: Any) -> Optimizer:  # Any: a name, Keras's JSON form or an Optimizer
    """The optimizer that `value` describes."""
    return optimizers.make(value, Optimizer)  # type: ignore[type-abstract]  # only asked about


@optimizers.register("sgd")
@dataclass(frozen=True)
class SGD(Optimizer):
    """w - rate * g; with momentum v = momentum * v - rate * g, w + v (nesterov: w + momentum * v - rate * g)."""

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    reaches: ClassVar[bool] = True

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        return numbers[1] / max(1 - self.momentum, LEAST)

    def start(self, parameters: Tensors) -> Slots:
        return {"momentum": zeros(parameters)} if self.momentum else {}

    def kernel(self, slots: Slots, scalars: Sequence[Number]) -> Kernel | None:
        numbers = *scalars, self.momentum, float(self.nesterov)
        return Kernel("momentum", (slots["momentum"],), numbers) if self.momentum else None

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        (rate,) = scalars
        if not self.momentum:
            add(parameters, gradients, -rate)
            return
        velocity = slots["momentum"]
        torch._foreach_mul_(velocity, self.momentum)
        add(velocity, gradients, -rate)
        if self.nesterov:
            torch._foreach_add_(parameters, velocity, alpha=self.momentum)
            add(parameters, gradients, -rate)
        else:
            torch._foreach_add_(parameters, velocity)


@optimizers.register("rmsprop")
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """w - rate * g / sqrt(v + epsilon), v being the running mean of g²; `centered`: the running variance.

    Source: Hinton 2012, lecture 6; Graves 2013 for `centered`.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    reaches: ClassVar[bool] = True

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        square = slots["velocity"][place]
        if self.centered:
            square = square - slots["average"][place].square()
        return numbers[1] / max(1 - self.momentum, LEAST) / (square + self.epsilon).sqrt()

    def start(self, parameters: Tensors) -> Slots:
        slots = {"velocity": zeros(parameters)}
        if self.momentum:
            slots["momentum"] = zeros(parameters)
        if self.centered:
            slots["average"] = zeros(parameters)
        return slots

    def kernel(self, slots: Slots, scalars: Sequence[Number]) -> Kernel | None:
        numbers = *scalars, self.rho, 1 - self.rho, self.epsilon
        return None if self.momentum or self.centered else Kernel("rmsprop", (slots["velocity"],), numbers)

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        (rate,) = scalars
        velocity = slots["velocity"]
        torch._foreach_mul_(velocity, self.rho)
        torch._foreach_addcmul_(velocity, gradients, gradients, 1 - self.rho)
        denominator = list(torch._foreach_add(velocity, self.epsilon))
        if self.centered:
            torch._foreach_lerp_(slots["average"], gradients, 1 - self.rho)
            torch._foreach_addcmul_(denominator, slots["average"], slots["average"], -1)
        torch._foreach_sqrt_(denominator)
        if self.momentum:
            torch._foreach_mul_(slots["momentum"], self.momentum)
            add_ratio(slots["momentum"], gradients, denominator, rate)
            torch._foreach_sub_(parameters, slots["momentum"])
        else:
            add_ratio(parameters, gradients, denominator, -rate)


@optimizers.register("adam")
@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam with Keras's placing of epsilon, outside the bias correction ("epsilon hat" in Kingma & Ba 2014)."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    reaches: ClassVar[bool] = True

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        square = slots["largest" if self.amsgrad else "velocity"][place]
        return numbers[2] / (square.sqrt() + self.epsilon)

    def start(self, parameters: Tensors) -> Slots:
        slots = {"momentum": zeros(parameters), "velocity": zeros(parameters)}
        if self.amsgrad:
            slots["largest"] = zeros(parameters)
        return slots

    def kernel(self, slots: Slots, scalars: Sequence[Number]) -> Kernel | None:
        numbers = scalars[0], 1 - self.beta_1, 1 - self.beta_2, self.epsilon
        return None if self.amsgrad else Kernel("adam", (slots["momentum"], slots["velocity"]), numbers)

    def scalars(self, slots: Slots, *, rate: float, t: int) -> tuple[float, ...]:
        full = rate * math.sqrt(1 - self.beta_2**t)  # of a gradient that momentum knows in full
        return full / (1 - self.beta_1**t), full

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        alpha, _ = scalars
        momentum, velocity = slots["momentum"], slots["velocity"]
        torch._foreach_lerp_(momentum, gradients, 1 - self.beta_1)
        torch._foreach_mul_(velocity, self.beta_2)
        torch._foreach_addcmul_(velocity, gradients, gradients, 1 - self.beta_2)
        if self.amsgrad:
            torch._foreach_maximum_(slots["largest"], velocity)
            velocity = slots["largest"]
        denominator = list(torch._foreach_sqrt(velocity))
        torch._foreach_add_(denominator, self.epsilon)
        add_ratio(parameters, momentum, denominator, -alpha)


@optimizers.register("adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017)."""

    weight_decay: float | None = field(default=0.004, kw_only=True)


@optimizers.register("adagrad")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """w - rate * g / sqrt(sum of g² + epsilon).  Source: Duchi et al. 2011."""

    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    reaches: ClassVar[bool] = True

    def reach(self, slots: Slots, numbers: Sequence[Number], place: int) -> Number:
        return numbers[1] / (slots["sum"][place] + self.epsilon).sqrt()

    def start(self, parameters: Tensors) -> Slots:
        return {"sum": [torch.full_like(parameter, self.initial_accumulator_value) for parameter in parameters]}

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        (rate,) = scalars
        torch._foreach_addcmul_(slots["sum"], gradients, gradients)
        denominator = list(torch._foreach_add(slots["sum"], self.epsilon))
        torch._foreach_sqrt_(denominator)
        add_ratio(parameters, gradients, denominator, -rate)


@optimizers.register("adadelta")
@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the ratio of the running size of past steps to that of past gradients.  Source: Zeiler 2012."""

    rho: float = 0.95
    epsilon: float = 1e-7

    def start(self, parameters: Tensors) -> Slots:
        return {"gradients": zeros(parameters), "steps": zeros(parameters)}

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        (rate,) = scalars
        seen, taken = slots["gradients"], slots["steps"]
        torch._foreach_mul_(seen, self.rho)
        torch._foreach_addcmul_(seen, gradients, gradients, 1 - self.rho)
        ratio = list(torch._foreach_add(taken, self.epsilon))
        torch._foreach_div_(ratio, torch._foreach_add(seen, self.epsilon))
        torch._foreach_sqrt_(ratio)
        torch._foreach_mul_(ratio, gradients)  # the step, but for its sign
        torch._foreach_mul_(taken, self.rho)
        torch._foreach_addcmul_(taken, ratio, ratio, 1 - self.rho)
        add(parameters, ratio, -rate)


@optimizers.register("nadam")
@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov momentum on a warming schedule.  Source: Dozat 2016."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def start(self, parameters: Tensors) -> Slots:
        product = torch.ones((), dtype=torch.float64)  # of the momentum factors so far; kept on the CPU
        return {"momentum": zeros(parameters), "velocity": zeros(parameters), "product": [product]}

    def scalars(self, slots: Slots, *, rate: float, t: int) -> tuple[float, ...]:
        now, later = (self.beta_1 * (1 - 0.5 * 0.96**step) for step in (t, t + 1))
        slots["product"][0].mul_(now)
        product = float(slots["product"][0])
        return later / (1 - product * later), (1 - now) / (1 - product), 1 - self.beta_2**t, rate

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        of_momentum, of_gradients, correction, rate = scalars
        momentum, velocity = slots["momentum"], slots["velocity"]
        torch._foreach_lerp_(momentum, gradients, 1 - self.beta_1)
        torch._foreach_mul_(velocity, self.beta_2)
        torch._foreach_addcmul_(velocity, gradients, gradients, 1 - self.beta_2)
        ahead = list(torch._foreach_mul(momentum, of_momentum))
        add(ahead, gradients, of_gradients)
        denominator = list(torch._foreach_div(velocity, correction))
        torch._foreach_sqrt_(denominator)
        torch._foreach_add_(denominator, self.epsilon)
        add_ratio(parameters, ahead, denominator, -rate)


@optimizers.register("lion")
@dataclass(frozen=True)
class Lion(Optimizer):
    """w - rate * sign(beta_1 * m + (1 - beta_1) * g).  Source: Chen et al. 2023."""

    beta_1: float = 0.9
    beta_2: float = 0.99

    def start(self, parameters: Tensors) -> Slots:
        return {"momentum": zeros(parameters)}

    def update(self, parameters: Tensors, gradients: Tensors, slots: Slots, scalars: Sequence[Number]) -> None:
        (rate,) = scalars
        direction = list(torch._foreach_mul(slots["momentum"], self.beta_1))
        torch._foreach_add_(direction, gradients, alpha=1 - self.beta_1)
        torch._foreach_sign_(direction)
        add(parameters, direction, -rate)
        torch._foreach_lerp_(slots["momentum"], gradients, 1 - self.beta_2)
