"""What training tells those who listen: the state at every moment, and why it stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .program import Program
from .state import State


@dataclass(frozen=True)
class Stop:
    """Why training ended before its last epoch, as one sentence without a full stop."""

    reason: str


@dataclass(frozen=True)
class Event:
    """A moment of training.  `state` is complete and may be saved; it goes on changing after the event was handled."""

    state: State
    program: Program


@dataclass(frozen=True)
class Begin(Event):
    """Before the first step.  `epoch` is the index of the first epoch to come, `epochs` the index after the last."""

    epoch: int
    epochs: int
    steps: int  # steps an epoch
    samples: int  # samples an epoch
    validation_freq: int | None = None  # judged after every so many-th epoch; None: never


@dataclass(frozen=True)
class StepEnd(Event):
    """After a step.  `running()` reads loss and metrics of the epoch so far: it waits for the device, so ask seldom."""

    epoch: int
    step: int  # steps done in this epoch, from 1
    samples: int  # samples seen in this epoch
    running: Callable[[], dict[str, float]]


@dataclass(frozen=True)
class EpochEnd(Event):
    """After an epoch and its validation.  `state.epoch` already counts it, so a checkpoint taken here repeats nothing.

    `logs` has Keras's keys: loss, each metric, the same with val_, and learning_rate.
    """

    epoch: int  # index of the epoch that ended
    logs: dict[str, float]
    seconds: float  # of training, validation not counted
    samples: int
    judged: bool = True  # False: there is validation data, but validation_freq leaves this epoch out


@dataclass(frozen=True)
class End(Event):
    """After the last epoch, or after a callback asked to stop.  Sent by `fit`; nothing follows it."""

    stop: Stop | None


class Callback(Protocol):
    """Whoever wants to listen: called with every event, may answer with a Stop."""

    def __call__(self, event: Event, /) -> Stop | None: ...
