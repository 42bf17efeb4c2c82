"""The line of a search on the terminal: which trial, how far, how good the best is."""

import sys
import time
from types import TracebackType
from typing import Literal

from ..callbacks.screen import Line, Screen, screen_for
from ..evaluate import Score, wilson
from ..runs.formats import duration, settings
from ..runs.lines import Say
from ..training import Begin, Event, StepEnd
from .task import Told, best_of_ended

PATIENCE_S, REDRAW_S = 2.0, 0.2


class Progress:
    """Listens to trainings, and shows the search where somebody looks; says each new best.

    Args:
        told: the trials that have ended.
        trials: how many there are to be.
        limit: seconds that they may take.
        began: by the monotonic clock.
        say: hears of each new best.
        verbose: 2 for a line a trial.
    """

    def __init__(
        self, told: list[Told], trials: int, limit: float | None, began: float, say: Say, verbose: Literal[0, 1, 2]
    ) -> None:
        self.done, self.trials, self.limit, self.began = len(told), trials, limit, began
        self.say, self.verbose = say, verbose
        self.best = best_of_ended(told)
        self.screen: Screen | None = None
        self.due = time.monotonic() + PATIENCE_S
        self.number, self.epochs = 0, 0

    def __enter__(self) -> "Progress":
        return self

    def begin(self, number: int) -> None:
        """A trial begins."""
        self.number = number

    def end(self, told: Told, n: int) -> None:
        """A trial has ended, judged on n samples."""
        self.done += 1
        better = told.state == "complete" and (self.best is None or told.order > self.best.order)
        if better:
            self.best = told
        if better or self.verbose == 2:
            self.say("best" if better else told.state, trial_words(told, n))

    def __call__(self, event: Event) -> None:
        if isinstance(event, Begin):
            self.epochs = event.epochs
        if isinstance(event, StepEnd):
            self.show(f"trial {self.done + 1}/{self.trials}, epoch {event.epoch + 1}/{self.epochs}")

    def show(self, what: str) -> None:
        """Shows what is going on, where somebody looks and the last time was some time ago."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + REDRAW_S
        if self.verbose != 1 or not sys.stdout.isatty():
            return
        if self.screen is None:
            from rich.console import Console

            self.screen = screen_for(Console(), lines=False)
        self.screen.show(self.line(what))

    def line(self, what: str) -> Line:
        """What is shown."""
        spent = time.monotonic() - self.began
        share = self.done / self.trials
        if self.limit is not None:
            share = max(share, min(1.0, spent / self.limit))
        left = f"{duration(spent * (1 - share) / share)} left" if share else ""
        best = (
            "" if self.best is None else f"best so far {100 * (self.best.value or 0):.1f} % (trial {self.best.number})"
        )
        return Line(f"search    {what}", share, "", best, left)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.screen is not None:
            self.screen.close()


def trial_words(told: Told, n: int) -> str:
    """A trial in a line: `trial 7: 97.8 % [95.2, 99.0] n=270 in 1.2 s; learning_rate 0.01, filters 16`."""
    values = settings(told.values) or "nothing chosen"
    if told.value is None:
        return f"trial {told.number}: {told.reason}; {values}"
    accuracy = Score("accuracy", told.value, wilson(told.value * n, n), n, "validation")
    stopped = f", {told.reason} after {told.epochs} epochs" if told.state == "pruned" else ""
    return f"trial {told.number}: {accuracy.text} n={n:,}{stopped} in {duration(told.seconds)}; {values}"
