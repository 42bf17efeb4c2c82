"""The processes of the Ray session of the tests: who is at work, and an end as if by chance."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def at_work(title: str) -> list[int]:
    """The numbers of processes of ours that Ray calls by this title; those of other sessions are left alone."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.joinpath("cmdline").read_bytes().startswith(b"ray::" + title.encode()) and _ours(folder.name):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def _ours(number: str) -> bool:
    while number not in ("0", "1"):
        if int(number) == os.getpid():
            return True
        number = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1]
    return False


def kill_one(title: str, *, out: Path | None = None, within_s: float = 120.0) -> bool:
    """Kills the process of this title that has been at work for longest, with -9.

    Args:
        title: as Ray calls it.
        out: a folder of runs: not before the next checkpoint of one of its trials.  Else a worker on a slow machine
            could be killed again and again before it has begun.
        within_s: how long somebody is waited for.

    Returns:
        False where nobody was at work.
    """
    end, asked, since = time.monotonic() + within_s, time.time(), dict[int, float]()
    while time.monotonic() < end:
        now = time.monotonic()
        since = {number: since.get(number, now) for number in at_work(title)}
        oldest = min(since, key=lambda number: since[number], default=0)
        if oldest and now - since[oldest] > 0.1 and (out is None or _last_checkpoint(out) > asked):
            os.kill(oldest, signal.SIGKILL)
            return True
        time.sleep(0.02)
    return False


def _last_checkpoint(folder: Path) -> float:
    times = [0.0]
    for path in folder.glob("*/trials/*/*.safetensors"):
        with suppress(OSError):  # the trial has ended
            times.append(path.stat().st_mtime)
    return max(times)
