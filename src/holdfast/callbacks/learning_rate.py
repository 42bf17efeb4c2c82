"""Learning rates that follow from what happens: ReduceLROnPlateau and LearningRateScheduler.

Schedules that are functions of the step alone belong to the program, see training/schedules.py.
"""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from inspect import signature
from typing import Any

from ..core import BadValue
from ..training.events import Begin, EpochEnd, Event, Stop
from ..training.state import State
from .monitor import Mode, Monitor, check_epochs


@dataclass(eq=False)
class ReduceLROnPlateau:
    """Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs.  As in Keras.

    Args:
        monitor: key of the logs.
        factor: in (0, 1).
        patience: epochs without improvement; those that `validation_freq` leaves out do not count.
        mode: "min", "max", or "auto": by the name.
        min_delta: smallest change that counts as an improvement.
        cooldown: epochs after a reduction in which none are counted.
        min_lr: the learning rate does not go below.
        verbose: taken because Keras has it; the learning rate is in the logs anyway.

    Raises:
        BadValue: at the beginning of training, when the program has a schedule, which sets the rate itself.
        UnknownName: at the end of the first epoch, when the logs have no `monitor`.
    """

    monitor: str = "val_loss"
    _: KW_ONLY
    factor: float = 0.1
    patience: int = 10
    mode: Mode = "auto"
    min_delta: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0
    verbose: int = field(default=0, repr=False)
    best: float | None = field(default=None, init=False)
    wait: int = field(default=0, init=False)
    _cooling: int = field(default=0, init=False, repr=False)  # epochs of cooldown to come
    _resumed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1:
            raise BadValue(f"ReduceLROnPlateau(factor={self.factor}): must be between 0 and 1")
        check_epochs("ReduceLROnPlateau", patience=self.patience, cooldown=self.cooldown)
        self._watch = Monitor("ReduceLROnPlateau", self.monitor, mode=self.mode, min_delta=self.min_delta)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                _refuse_schedule(event, "ReduceLROnPlateau")
                self._begin()
            case EpochEnd(state=state, logs=logs, judged=judged):
                value = self._watch.read(logs, judged=judged)
                if value is not None:
                    self._judge(value, state)
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {"best": self.best, "wait": self.wait, "cooling": self._cooling}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self.best, self.wait, self._cooling = state["best"], state["wait"], state["cooling"]
        self._resumed = True

    def _begin(self) -> None:
        if not self._resumed:
            self.best, self.wait, self._cooling = None, 0, 0
        self._resumed = False

    def _judge(self, value: float, state: State) -> None:
        if self._cooling > 0:
            self._cooling -= 1
            self.wait = 0
        if self._watch.better(value, self.best):
            self.best, self.wait = value, 0
        elif self._cooling == 0:
            self.wait += 1
            if self.wait >= self.patience and state.learning_rate > self.min_lr:
                state.learning_rate = max(state.learning_rate * self.factor, self.min_lr)
                self.wait, self._cooling = 0, self.cooldown


@dataclass(eq=False)
class LearningRateScheduler:
    """Sets the learning rate of each epoch to `schedule(epoch, learning_rate)`, or `schedule(epoch)`.

    It is asked once an epoch, also of a resumed run, so `lambda epoch, rate: rate * 0.9` is right.

    Args:
        schedule: takes the index of the epoch to come, from 0, and the rate until now, if it takes two arguments;
            returns the new one.
        verbose: taken because Keras has it; the learning rate is in the logs anyway.

    Raises:
        BadValue: when the program has a schedule, or this one gives something else than a finite number >= 0.
    """

    schedule: Callable[[int, float], float] | Callable[[int], float]
    _: KW_ONLY
    verbose: int = field(default=0, repr=False)
    _epochs: int = field(default=0, init=False, repr=False)
    _set_for: int | None = field(default=None, init=False, repr=False)  # the epoch last asked for
    _resumed: bool = field(default=False, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin(state=state, epoch=epoch, epochs=epochs):
                _refuse_schedule(event, "LearningRateScheduler")
                if not (self._resumed and self._set_for == epoch):
                    self._set(state, epoch)
                self._epochs, self._resumed = epochs, False
            case EpochEnd(state=state, epoch=epoch) if epoch + 1 < self._epochs:
                self._set(state, epoch + 1)
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {"set_for": self._set_for}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self._set_for, self._resumed = state["set_for"], True

    def _set(self, state: State, epoch: int) -> None:
        known = (epoch, state.learning_rate) if _takes_two(self.schedule) else (epoch,)
        rate = self.schedule(*known)  # as many as it takes
        try:
            number = float(rate)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            asked = f"schedule({', '.join(f'{value:g}' for value in known)})"
            raise BadValue(f"LearningRateScheduler: {asked} gave {rate!r}; must be a finite number >= 0")
        state.learning_rate, self._set_for = number, epoch


def _takes_two(schedule: Callable[..., object]) -> bool:
    """Whether the function can be called with two arguments; of one written in C that does not tell, True."""
    try:
        signature(schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _refuse_schedule(event: Event, name: str) -> None:
    if event.program.schedule is not None:
        raise BadValue(
            f"{name}: the program has a schedule, which sets the learning rate at each step; "
            "use one of the two; compile('adam') has none, the default recipe has"
        )
