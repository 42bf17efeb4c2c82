"""Moments of a training that nobody runs: events made by hand.  At the end of epoch n (from 1) the one weight is n."""

import torch
from torch import nn

from holdfast.training import (
    SGD,
    Begin,
    Callback,
    End,
    EpochEnd,
    Head,
    MeanSquaredError,
    Program,
    Schedule,
    State,
    StepEnd,
    Stop,
)


class Moments:
    """Makes the events of one training: 4 steps of 10 samples an epoch.

    Attributes:
        reads: how often the running loss was read.
    """

    def __init__(self, *, epochs: int = 30, learning_rate: float | Schedule = 0.5) -> None:
        self.epochs = epochs
        self.program = Program(SGD(learning_rate), (Head(MeanSquaredError()),))
        self.state = State.start(nn.Linear(1, 1, bias=False), self.program)
        self.reads = 0
        self.set_weight(0)

    @property
    def weight(self) -> float:
        parameter = self.state.model.get_parameter("weight")
        return float(parameter.item())

    def set_weight(self, value: float) -> None:
        with torch.no_grad():
            self.state.model.get_parameter("weight").fill_(value)

    def begin(self, epoch: int = 0) -> Begin:
        return Begin(self.state, self.program, epoch, self.epochs, steps=4, samples=40)

    def step_end(self, epoch: int = 0, step: int = 1, **running: float) -> StepEnd:
        def read() -> dict[str, float]:
            self.reads += 1
            return dict(running)

        return StepEnd(self.state, self.program, epoch, step, samples=10 * step, running=read)

    def epoch_end(self, epoch: int = 0, **logs: float) -> EpochEnd:
        self.set_weight(epoch + 1)
        self.state.epoch = epoch + 1
        return EpochEnd(self.state, self.program, epoch, logs, seconds=0.5, samples=40)

    def end(self, stop: Stop | None = None) -> End:
        return End(self.state, self.program, stop)

    def play(self, callback: Callback, key: str, values: list[float], *, start: int = 0) -> Stop | None:
        """Begin, an epoch for each value, and End: until the callback stops it, as `fit` does."""
        callback(self.begin(start))
        stop = None
        for epoch, value in enumerate(values, start=start):
            stop = callback(self.epoch_end(epoch, **{"loss": 1.0, key: value}))
            if stop is not None:
                break
        callback(self.end(stop))
        return stop
