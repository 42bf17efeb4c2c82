"""Limits: TargetReached, TimeBudget and TerminateOnNaN, which end training for reasons other than a plateau."""

import math
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from ..core import BadValue
from ..training.events import Begin, EpochEnd, Event, StepEnd, Stop
from .monitor import Mode, Monitor


@dataclass(eq=False)
class TargetReached:
    """Stops at the end of the epoch in which `monitor` is as good as `target`, or better.

    Args:
        monitor: key of the logs.
        target: value to reach, e.g. 0.98 for an accuracy of 98 %.
        mode: "min", "max", or "auto": by the name.

    Raises:
        UnknownName: at the end of the first epoch, when the logs have no `monitor`.
    """

    monitor: str = "val_accuracy"
    _: KW_ONLY
    target: float
    mode: Mode = "auto"

    def __post_init__(self) -> None:
        self._watch = Monitor("TargetReached", self.monitor, mode=self.mode)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case EpochEnd(epoch=epoch, logs=logs, judged=judged):
                value = self._watch.read(logs, judged=judged)
                if value is not None and (value == self.target or self._watch.better(value, self.target)):
                    return Stop(f"epoch {epoch + 1}: {self.monitor} {value:.4g} has reached its target {self.target:g}")
        return None


@dataclass(eq=False)
class TimeBudget:
    """Stops after the first step that ends later than `seconds` after the beginning of training.

    The clock on the wall counts, validation included; of a resumed run, the time until its checkpoint too.

    Args:
        seconds: positive.
    """

    seconds: float
    _spent: float = field(default=0.0, init=False, repr=False)  # before the last Begin
    _begun: float | None = field(default=None, init=False, repr=False)
    _resumed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise BadValue(f"TimeBudget(seconds={self.seconds}): must be positive")

    @property
    def spent(self) -> float:
        """Seconds of training so far."""
        return self._spent + (time.perf_counter() - self._begun if self._begun is not None else 0.0)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case StepEnd(epoch=epoch) | EpochEnd(epoch=epoch) if self.spent >= self.seconds:
                return Stop(f"epoch {epoch + 1}: the time budget of {self.seconds:g} s is spent")
            case Begin():
                self._spent = self._spent if self._resumed else 0.0
                self._begun, self._resumed = time.perf_counter(), False
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {"spent": self.spent}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self._spent, self._begun, self._resumed = state["spent"], None, True


@dataclass(eq=False)
class TerminateOnNaN:
    """Stops when the loss is no longer a number, or infinite.

    Reading the loss waits for the device, so it is read every 100 steps of an epoch, and at its end together with
    val_loss.  Nothing is missed: the loss of an epoch is a running mean, in which one NaN stays.
    """

    every: int = 100  # steps

    def __post_init__(self) -> None:
        if self.every < 1:
            raise BadValue(f"TerminateOnNaN(every={self.every}): must be 1 step or more")

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case StepEnd(epoch=epoch, step=step) if step % self.every == 0:
                return _unless_finite(event.running(), f"epoch {epoch + 1}, step {step}")
            case EpochEnd(epoch=epoch, logs=logs):
                return _unless_finite(logs, f"epoch {epoch + 1}")
        return None


def _unless_finite(logs: Mapping[str, float], when: str) -> Stop | None:
    for name in ("loss", "val_loss"):
        value = logs.get(name, 0.0)
        if not math.isfinite(value):
            return Stop(f"{when}: {name} is {value}; try a smaller learning rate, or look for NaN in the data")
    return None
