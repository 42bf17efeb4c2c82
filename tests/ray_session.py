"""The processes of the Ray session of the tests: who is at work, and an end as if by chance."""

import os
import signal
import time
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


def kill_one(title: str, *, after_s: float, within_s: float = 60.0) -> bool:
    """Kills a process of this title that has been at work for so long, with -9; False where there was none."""
    end, since = time.monotonic() + within_s, dict[int, float]()
    while time.monotonic() < end:
        now = time.monotonic()
        since = {number: since.get(number, now) for number in at_work(title)}
        for number, began in since.items():
            if now - began >= after_s:
                os.kill(number, signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False
