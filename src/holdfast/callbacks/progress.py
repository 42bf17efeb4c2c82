"""Progress: tells the user how training goes.  Where the line is drawn is screen.py."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from ..core import BadValue
from ..training.events import Begin, End, EpochEnd, Event, StepEnd, Stop
from .screen import Line, Screen, screen_for

if TYPE_CHECKING:
    from rich.console import Console

REDRAW_S, PRINT_S = 0.2, 1.0  # least time between two drawings of a live line, and between two printed ones


@dataclass(eq=False)
class Progress:
    """A live line on a terminal and in a notebook, else printed lines; at the end the reason of an early stop.

    Reading the running loss waits for the device, so a step is shown at most five times a second; between these it
    costs no more than a look at the clock.

    Args:
        verbose: 1: a live line where there can be one, else at most one printed line a second, the last epoch's always.
            2: a printed line for each epoch, everywhere.
        console: of rich; standard output when None.
    """

    verbose: int = 1
    _: KW_ONLY
    console: "Console | None" = None
    _job: "_Job | None" = field(default=None, init=False, repr=False)
    _due: float = field(default=math.inf, init=False, repr=False)  # when the next step is worth showing

    def __post_init__(self) -> None:
        if self.verbose not in (1, 2):
            raise BadValue(f"Progress(verbose={self.verbose!r}): must be 1 or 2; leave Progress out to see nothing")

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case StepEnd():
                if time.perf_counter() >= self._due and self._job is not None:
                    self._job.step(event)
                    self._due = time.perf_counter() + REDRAW_S
            case EpochEnd() if self._job is not None:
                self._job.epoch_end(event)
            case Begin():
                self._begin(event)
            case End(stop=stop) if self._job is not None:
                self._job.end(stop)
                self._job, self._due = None, math.inf
        return None

    def _begin(self, event: Begin) -> None:
        from rich.console import Console

        self.console = self.console or Console()
        screen = screen_for(self.console, lines=self.verbose == 2)
        interval = 0.0 if self.verbose == 2 else REDRAW_S if screen.rewrites else PRINT_S
        self._job = _Job(screen, event, interval)
        if screen.rewrites:
            self._job.show()
            self._due = 0.0


class _Job:
    """How far one training is, how fast, and what was shown of it.  Positions are in epochs, times in seconds."""

    def __init__(self, screen: Screen, event: Begin, interval: float) -> None:
        self.screen = screen
        self.interval = interval
        self.epochs, self.steps, self.samples = event.epochs, event.steps, event.samples
        self.start = self.epoch_start = event.epoch + event.state.batch / event.steps
        self.began = self.epoch_began = time.perf_counter()
        self.shown = -math.inf
        self.unseen = False
        self.epoch, self.done = event.epoch, event.state.batch / event.steps
        self.rate = 0.0
        self.values: dict[str, float] = {}

    def step(self, event: StepEnd) -> None:
        self.epoch, self.done = event.epoch, event.step / self.steps
        self.values |= event.running()
        passed = self.epoch + self.done - self.epoch_start
        self.rate = passed * self.samples / (time.perf_counter() - self.epoch_began)
        self.show()

    def epoch_end(self, event: EpochEnd) -> None:
        self.epoch, self.done = event.epoch, 1.0
        self.values = dict(event.logs)  # all of it, for values of an earlier validation are not this epoch's
        self.rate = event.samples / event.seconds if event.seconds else 0.0
        self.epoch_start, self.epoch_began = event.epoch + 1, time.perf_counter()
        self.unseen = True
        if self.epoch_began - self.shown >= self.interval:
            self.show()

    def end(self, stop: Stop | None) -> None:
        try:
            if self.unseen or self.screen.rewrites:
                self.show(ended=True)
        finally:
            self.screen.close()
        if stop is not None:
            self.screen.say(f"stopped   {stop.reason}")

    def show(self, *, ended: bool = False) -> None:
        now = time.perf_counter()
        seconds = now - self.began
        self.screen.show(
            Line(
                head=f"training  epoch {self.epoch + 1}/{self.epochs}",
                done=self.done,
                pace=f"{self.rate:,.0f}/s" if self.rate else "",
                values="  ".join(_words(self.values)),
                time=f"in {_clock(seconds) if seconds >= 60 else f'{seconds:.1f} s'}" if ended else self._left(seconds),
            )
        )
        self.shown, self.unseen = now, False

    def _left(self, seconds: float) -> str:
        at = self.epoch + self.done
        passed = at - self.start
        return f"{_clock(seconds / passed * (self.epochs - at))} left" if passed > 0 else ""


def _words(values: Mapping[str, float]) -> Iterator[str]:
    """loss 0.412, val_loss 0.655, accuracy 86.1 %, val 78.9 %: each followed by its value in validation."""
    for name, value in values.items():
        if name == "learning_rate" or name.startswith("val_"):
            continue
        yield f"{name} {_number(name, value)}"
        if f"val_{name}" in values:
            yield f"{'val_loss' if name == 'loss' else 'val'} {_number(name, values[f'val_{name}'])}"


def _number(name: str, value: float) -> str:
    if name.endswith(("accuracy", "acc")):
        return f"{100 * value:.1f} %"
    return f"{value:.3f}" if value == 0 or 0.01 <= abs(value) < 10_000 else f"{value:.3g}"


def _clock(seconds: float) -> str:
    """0:41, 12:05, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
