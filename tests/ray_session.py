"""The processes of the Ray session of the tests: who is at work, and an end as if by chance."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event


def at_work(title: str, *, below: int | None = None) -> list[int]:
    """The numbers of processes that Ray calls by this title and process `below`, else this one, has started.

    Those of other sessions are left alone.
    """
    found, below = list[int](), os.getpid() if below is None else below
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            called = folder.joinpath("cmdline").read_bytes().startswith(b"ray::" + title.encode())
            if called and _is_below(below, folder.name):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def _is_below(ancestor: int, number: str) -> bool:
    while number not in ("0", "1"):
        if int(number) == ancestor:
            return True
        number = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1]
    return False


def kill_one(title: str, over: Event, *, out: Path | None = None) -> bool:
    """Kills the process of this title that has been at work for longest, with -9.

    Args:
        title: as Ray calls it.
        over: set when nobody more is waited for.
        out: a folder of runs: not before the next checkpoint of one of its trials.  Else a worker on a slow machine
            could be killed again and again before it has begun.

    Returns:
        False where nobody was at work until then.
    """
    asked, since = time.time(), dict[int, float]()
    while not over.wait(0.02):
        now = time.monotonic()
        since = {number: since.get(number, now) for number in at_work(title)}
        oldest = min(since, key=lambda number: since[number], default=0)
        if oldest and now - since[oldest] > 0.1 and (out is None or _last_checkpoint(out) > asked):
            os.kill(oldest, signal.SIGKILL)
            return True
    return False


def _last_checkpoint(folder: Path) -> float:
    times = [0.0]
    for path in folder.glob("*/trials/*/*.safetensors"):
        with suppress(OSError):  # the trial has ended
            times.append(path.stat().st_mtime)
    return max(times)
