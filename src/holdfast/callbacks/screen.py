"""Screens: where a progress line is shown.  What it says, and how often, is for progress.py."""

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

BAR = (10, 32)  # least and most characters of a bar


@dataclass(frozen=True)
class Line:
    """One moment of training in words.

    Attributes:
        head: what is going on: "training  epoch 9/30".
        done: how much of it, in [0, 1].
        pace: "412/s"; may be empty.
        values: "loss 0.412  val_loss 0.655"; may be empty.
        time: "0:41 left".
    """

    head: str
    done: float
    pace: str
    values: str
    time: str

    def __str__(self) -> str:
        return "  ".join(part for part in (self.head, self.pace, self.values, self.time) if part)


class Screen(Protocol):
    """Shows lines, and says what is to stay.  `rewrites` tells whether a line takes the place of the last."""

    rewrites: bool

    def show(self, line: Line, /) -> None: ...

    def close(self) -> None: ...

    def say(self, text: str, /) -> None: ...


class Lines:
    """One below the other: files, pipes, logs."""

    rewrites = False

    def __init__(self, console: "Console") -> None:
        self._console = console

    def show(self, line: Line, /) -> None:
        self.say(str(line))

    def close(self) -> None:
        pass

    def say(self, text: str, /) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Terminal:
    """A line that stays at the bottom of the terminal; it is redrawn when told to, by no thread."""

    rewrites = True

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self._console = console
        # What others print goes above the line, but only where it would meet it: output into a file stays there.
        self._live = Live(
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )
        self._live.start()

    def show(self, line: Line, /) -> None:
        unicode = not self._console.options.ascii_only
        self._live.update(layout(line, self._console.width, unicode=unicode), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def say(self, text: str, /) -> None:
        self._console.print(text, markup=False, highlight=False)


class Notebook:
    """A line below the cell, rewritten in place.  Needs IPython alone; rich's own way needs ipywidgets."""

    rewrites = True
    width = 110

    def __init__(self) -> None:
        ipython = import_module("IPython.display")  # is there wherever a notebook is
        self._handle = ipython.display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, line: Line, /) -> None:
        self._handle.update({"text/plain": layout(line, self.width, unicode=True).plain}, raw=True)

    def close(self) -> None:
        pass

    def say(self, text: str, /) -> None:
        print(text)


def screen_for(console: "Console", *, lines: bool) -> Screen:
    """The screen that suits the console; `lines` asks for plain ones everywhere."""
    if lines:
        return Lines(console)
    if console.is_jupyter:
        return Notebook()
    return Terminal(console) if console.is_interactive else Lines(console)


def layout(line: Line, width: int, *, unicode: bool) -> "Text":
    """The line with a bar; its values go to a second line where one is too narrow."""
    from rich.text import Text

    below = ""
    rest = [part for part in (line.pace, line.values, line.time) if part]
    room = _room(line.head, rest, width)
    if room < BAR[0] and line.values:
        below = "\n" + " " * 10 + line.values
        rest = [part for part in (line.pace, line.time) if part]
        room = _room(line.head, rest, width)
    bar = _bar(line.done, min(room, BAR[1]), unicode=unicode) if room >= BAR[0] else Text()
    tail = "".join(f"  {part}" for part in rest)
    return Text.assemble(line.head, " " if bar else "", bar, tail, below, no_wrap=True, overflow="ellipsis")


def _room(head: str, rest: list[str], width: int) -> int:
    """Characters left for a bar."""
    return width - len(head) - 1 - sum(len(part) + 2 for part in rest)


def _bar(done: float, width: int, *, unicode: bool) -> "Text":
    from rich.text import Text

    full, half, empty = ("━", "╸", "─") if unicode else ("=", "-", " ")
    halves = int(2 * width * min(max(done, 0.0), 1.0))
    complete = full * (halves // 2) + half * (halves % 2)
    return Text.assemble((complete, "cyan"), (empty * (width - len(complete)), "bright_black"))
