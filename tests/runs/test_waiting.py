"""The line of what lasts: on a terminal, and gone at its end; nothing else sees it."""

import io
import sys

import pytest

from holdfast.runs.waiting import waiting


class Terminal(io.StringIO):
    """A screen that keeps what was sent to it."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_lasts_and_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")

    with waiting("onnx", "is written") as told:
        told(64, 1_000)

    assert "onnx      is written: 64 of 1,000 samples" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[1A\x1b[2K")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_pipe_and_the_quiet_get_nothing(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)

    with waiting("onnx", "is written", quiet=quiet) as told:
        told(64, 1_000)

    assert pipe.getvalue() == ""
