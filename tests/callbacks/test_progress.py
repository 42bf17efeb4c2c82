"""Progress: what it says, where, how often, and that it is over at the end."""

import io
import re
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from callbacks.moments import Moments
from holdfast.callbacks import Progress
from holdfast.callbacks.progress import _clock
from holdfast.callbacks.screen import Line, layout
from holdfast.core import BadValue
from holdfast.training import Stop

LOGS = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.655, "val_accuracy": 0.789, "learning_rate": 0.1}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test turns: its one entry is the time."""
    time_s = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: time_s[0])
    return time_s


def paper() -> tuple[io.StringIO, Console]:
    file = io.StringIO()
    return file, Console(file=file)


def terminal(width: int = 120) -> tuple[io.StringIO, Console]:
    file = io.StringIO()
    return file, Console(file=file, force_terminal=True, force_interactive=True, width=width, color_system=None)


def drawn(file: io.StringIO) -> list[str]:
    """The lines that were on the screen, one after the other, without the codes that move the cursor."""
    return [line for line in re.split(r"(?:\x1b\[[?\d]*[A-Za-z]|[\r\n])+", file.getvalue()) if line]


def test_without_a_terminal_there_is_a_line_a_second_at_most_and_the_last_one(now: list[float]) -> None:
    (file, console), moments = paper(), Moments(epochs=4)
    progress = Progress(console=console)

    progress(moments.begin())
    for epoch in range(4):
        now[0] += 0.75
        progress(moments.step_end(epoch, 4, loss=9.0))
        progress(moments.epoch_end(epoch, **LOGS))
    progress(moments.end())

    rest = "80/s  loss 0.500  val_loss 0.655  accuracy 75.0 %  val 78.9 %"
    assert file.getvalue().splitlines() == [
        f"training  epoch 1/4  {rest}  0:02 left",
        f"training  epoch 3/4  {rest}  0:01 left",
        f"training  epoch 4/4  {rest}  in 3.0 s",
    ]
    assert moments.reads == 0


def test_verbose_2_prints_every_epoch_even_on_a_terminal(now: list[float]) -> None:
    (file, console), moments = terminal(), Moments(epochs=3)
    progress = Progress(2, console=console)

    progress(moments.begin())
    for epoch in range(3):
        progress(moments.epoch_end(epoch, loss=1.0))
    progress(moments.end())

    assert [line[:19] for line in drawn(file)] == ["training  epoch 1/3", "training  epoch 2/3", "training  epoch 3/3"]
    assert "\x1b" not in file.getvalue()


def test_long_lines_are_not_broken_where_there_is_no_terminal(now: list[float]) -> None:
    (file, console), moments = paper(), Moments(epochs=1)
    progress = Progress(console=console)

    progress(moments.begin())
    progress(moments.epoch_end(0, **{f"metric_{number}": 0.5 for number in range(20)}))
    progress(moments.end(Stop("because " * 30)))

    assert len(file.getvalue().splitlines()) == 2


def test_the_reason_for_stopping_follows() -> None:
    (file, console), moments = paper(), Moments()
    progress = Progress(console=console)

    progress(moments.begin())
    progress(moments.end(Stop("epoch 17: [bold]val_loss[/bold] has not improved")))

    assert file.getvalue() == "stopped   epoch 17: [bold]val_loss[/bold] has not improved\n"


def test_a_terminal_has_one_line_that_is_redrawn(now: list[float]) -> None:
    (file, console), moments = terminal(), Moments(epochs=2)
    progress = Progress(console=console)

    progress(moments.begin())
    now[0] += 1
    progress(moments.step_end(0, 2, loss=2.0, accuracy=0.5))
    now[0] += 1
    progress(moments.epoch_end(0, **LOGS))
    now[0] += 1
    progress(moments.step_end(1, 1, loss=0.25, accuracy=0.8))
    progress(moments.end())

    assert drawn(file)[:4] == [
        "training  epoch 1/2 " + "─" * 32,
        "training  epoch 1/2 " + "━" * 16 + "─" * 16 + "  20/s  loss 2.000  accuracy 50.0 %  0:03 left",
        "training  epoch 1/2 "
        + "━" * 26
        + "  80/s  loss 0.500  val_loss 0.655  accuracy 75.0 %  val 78.9 %  0:02 left",
        "training  epoch 2/2 ━━━━━━╸"
        + "─" * 19
        + "  10/s  loss 0.250  val_loss 0.655  accuracy 80.0 %  val 78.9 %  0:02 left",
    ]
    assert drawn(file)[-1].endswith("in 3.0 s")


def test_steps_are_shown_at_most_five_times_a_second(now: list[float]) -> None:
    (_, console), moments = terminal(), Moments()
    progress = Progress(console=console)
    progress(moments.begin())

    for step in range(1000):
        now[0] += 0.001
        progress(moments.step_end(0, 1 + step % 4, loss=1.0))
    progress(moments.end())

    assert moments.reads == 5


def test_short_epochs_are_shown_at_most_five_times_a_second(now: list[float]) -> None:
    (file, console), moments = terminal(), Moments(epochs=1000)
    progress = Progress(console=console)
    progress(moments.begin())

    for epoch in range(1000):
        now[0] += 0.001
        progress(moments.epoch_end(epoch, loss=1.0))
    progress(moments.end())

    assert len(drawn(file)) <= 9
    assert drawn(file)[-1].startswith("training  epoch 1000/1000")


def test_a_step_that_is_not_shown_costs_less_than_three_microseconds() -> None:
    (_, console), moments = terminal(), Moments()
    progress = Progress(console=console)
    progress(moments.begin())
    event = moments.step_end(0, 1, loss=1.0)
    progress(event)

    best = min(seconds_of_1000(progress, event) for _ in range(50))  # the machine is shared: the least disturbed one

    progress(moments.end())
    assert best / 1000 < 3e-6


def seconds_of_1000(progress: Progress, event: object) -> float:
    began = time.perf_counter()
    for _ in range(1000):
        progress(event)  # type: ignore[arg-type]  # a StepEnd
    return time.perf_counter() - began


def test_a_resumed_training_is_timed_from_where_it_goes_on(now: list[float]) -> None:
    (file, console), moments = terminal(), Moments(epochs=10)
    moments.state.batch = 2
    progress = Progress(console=console)

    progress(moments.begin(8))
    now[0] += 10
    progress(moments.step_end(8, 4, loss=1.0))
    progress(moments.end())

    assert drawn(file)[0] == "training  epoch 9/10 " + "━" * 16 + "─" * 16
    assert drawn(file)[1].endswith("  2/s  loss 1.000  0:20 left")


def test_values_go_below_where_the_terminal_is_narrow() -> None:
    line = Line("training  epoch 1/9", 0.5, "412/s", "loss 0.412  val_loss 0.655  accuracy 86.1 %", "0:41 left")

    text = layout(line, 70, unicode=True).plain

    assert text.splitlines() == [
        "training  epoch 1/9 " + "━" * 16 + "─" * 16 + "  412/s  0:41 left",
        "          loss 0.412  val_loss 0.655  accuracy 86.1 %",
    ]
    assert len(text.splitlines()[0]) <= 70


def test_no_bar_is_better_than_a_tiny_one() -> None:
    line = Line("training  epoch 1/9", 0.5, "412/s", "", "0:41 left")

    assert layout(line, 41, unicode=True).plain == "training  epoch 1/9  412/s  0:41 left"


def test_terminals_without_unicode_get_an_ascii_bar() -> None:
    text = layout(Line("training  epoch 1/9", 0.5, "", "", ""), 80, unicode=False).plain

    assert text == "training  epoch 1/9 " + "=" * 16 + " " * 16
    assert text.isascii()


def test_the_display_is_closed_at_the_end_though_drawing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    (file, console), moments, threads = terminal(), Moments(), threading.active_count()
    progress = Progress(console=console)
    stdout = sys.stdout
    progress(moments.begin())
    assert threading.active_count() == threads

    monkeypatch.setattr("holdfast.callbacks.progress._words", lambda values: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        progress(moments.end())

    assert file.getvalue().endswith("\x1b[?25h")  # the cursor is back
    assert sys.stdout is stdout
    assert not console._live_stack


def test_what_is_printed_into_a_file_stays_out_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    (file, console), moments = terminal(), Moments()
    progress = Progress(console=console)
    progress(moments.begin())

    print("hello")

    progress(moments.end())
    assert capsys.readouterr().out == "hello\n"
    assert "hello" not in file.getvalue()


def test_a_second_training_opens_a_display_of_its_own(now: list[float]) -> None:
    (file, console), moments = terminal(), Moments(epochs=1)
    progress = Progress(console=console)

    for _ in range(2):
        progress(moments.begin())
        progress(moments.epoch_end(0, loss=1.0))
        progress(moments.end())

    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 2


def test_events_without_a_beginning_are_passed_over() -> None:
    (file, console), moments = paper(), Moments()
    progress = Progress(console=console)

    for event in (moments.step_end(0, 1, loss=1.0), moments.epoch_end(0, loss=1.0), moments.end(Stop("failed"))):
        progress(event)

    assert file.getvalue() == ""


def test_a_notebook_has_one_output_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[list[str]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        assert raw
        assert display_id
        mine = [bundle["text/plain"]]
        outputs.append(mine)
        return SimpleNamespace(update=lambda bundle, raw: mine.append(bundle["text/plain"]))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    moments, progress = Moments(epochs=1), Progress(console=Console(force_jupyter=True, file=io.StringIO()))

    progress(moments.begin())
    progress(moments.epoch_end(0, loss=1.0))
    progress(moments.end())

    (texts,) = outputs
    assert texts[1].startswith("training  epoch 1/1 ───")
    assert re.fullmatch(r"training  epoch 1/1 ━{32}  80/s  loss 1.000  in 0\.\d s", texts[-1])


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (41, "0:41"), (725, "12:05"), (3723, "1:02:03")])
def test_clocks(seconds: float, text: str) -> None:
    assert _clock(seconds) == text


@pytest.mark.parametrize("verbose", [0, 3, "auto"])
def test_other_verbosities_are_refused(verbose: int) -> None:
    with pytest.raises(BadValue, match=r"Progress\(verbose=.*\): must be 1 or 2; leave Progress out to see nothing"):
        Progress(verbose)


def test_an_epoch_that_is_not_judged_shows_no_values_of_an_earlier_one(now: list[float]) -> None:
    """With validation_freq=2 the line of epoch 3 used to show epoch 2's val_loss as its own."""
    (file, console), moments = paper(), Moments(epochs=2)
    progress = Progress(2, console=console)

    progress(moments.begin())
    progress(moments.epoch_end(0, loss=1.0, val_loss=2.0))
    progress(moments.epoch_end(1, loss=0.5))
    progress(moments.end())

    first, second = file.getvalue().splitlines()[:2]
    assert "loss 1.000  val_loss 2.000" in first
    assert "loss 0.500" in second
    assert "val_loss" not in second
