"""LambdaCallback: functions in place of a class, under Keras's names."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from ..training.events import Begin, End, EpochEnd, Event, StepEnd, Stop

Logs: TypeAlias = dict[str, float]


@dataclass(eq=False)
class LambdaCallback:
    """Calls the functions it is given.  One that returns a `Stop` ends training; other answers do not count.

    Args:
        on_epoch_begin: (epoch, logs), with the index from 0 and empty logs.  It is called right after the end of the
            epoch before, so also for an epoch that another callback then prevents.
        on_epoch_end: (epoch, logs).
        on_train_begin: (logs), empty.
        on_train_end: (logs) of the last epoch that ended.
        on_train_batch_end: (batch, logs), with the index from 0 and the means of the epoch so far.  Reading these
            waits for the device at each step, which costs speed.
    """

    on_epoch_begin: Callable[[int, Logs], object] | None = None
    on_epoch_end: Callable[[int, Logs], object] | None = None
    _: KW_ONLY
    on_train_begin: Callable[[Logs], object] | None = None
    on_train_end: Callable[[Logs], object] | None = None
    on_train_batch_end: Callable[[int, Logs], object] | None = None
    _epochs: int = field(default=0, init=False, repr=False)
    _logs: Logs = field(default_factory=dict, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        answers: list[object] = []
        match event:
            case StepEnd(step=step) if self.on_train_batch_end:
                answers = [self.on_train_batch_end(step - 1, event.running())]
            case Begin(epoch=epoch, epochs=epochs):
                self._epochs, self._logs = epochs, {}
                answers = [self.on_train_begin and self.on_train_begin({}), self._begin_epoch(epoch)]
            case EpochEnd(epoch=epoch, logs=logs):
                self._logs = logs
                answers = [self.on_epoch_end and self.on_epoch_end(epoch, logs)]
                if not isinstance(answers[0], Stop):
                    answers.append(self._begin_epoch(epoch + 1))
            case End() if self.on_train_end:
                self.on_train_end(self._logs)
        return next((answer for answer in answers if isinstance(answer, Stop)), None)

    def _begin_epoch(self, epoch: int) -> object:
        return self.on_epoch_begin(epoch, {}) if self.on_epoch_begin and epoch < self._epochs else None
