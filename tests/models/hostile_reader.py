"""Reads files one after another and tells what became of each, what it cost and what it touched; see test_hostile.py.

Run in a process of its own: it watches itself by an audit hook, which cannot be taken off.
Prints a line of JSON a file: path, error (null: it was read), text, seconds, mib (over what was taken before), touched.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from holdfast import load
from holdfast.core import HoldfastError
from holdfast.models import Sequential

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = ("socket.", "subprocess.", "os.", "shutil.", "pickle.", "marshal.", "ctypes.dlopen", "tempfile.", "urllib.")
HARMLESS = ("os.listdir", "os.scandir", "os.walk", "marshal.loads")  # modules are imported by these


def main(paths: list[str]) -> None:
    """Reads all of them."""
    touched: list[str] = []
    reading = False

    def watch(event: str, arguments: Any) -> None:  # Any: of any event
        wrote = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & WRITING)
        if reading and (wrote or (event.startswith(FORBIDDEN) and event not in HARMLESS)):
            touched.append(f"{event}{arguments!r}"[:200])

    warm_up()
    sys.addaudithook(watch)
    most = memory("VmSize") + 2**30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for path in paths:
        touched.clear()
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
        before, start, error, text = memory("VmRSS"), time.monotonic(), None, ""
        reading = True
        try:
            load(path)
        except HoldfastError as caught:
            error, text = type(caught).__name__, str(caught)
        except BaseException as caught:
            error, text = f"raw {type(caught).__name__}", str(caught)
        reading = False
        seconds, mib = time.monotonic() - start, (memory("VmHWM") - before) / 2**20
        found = {"path": path, "error": error, "text": text, "seconds": seconds, "mib": mib, "touched": touched}
        print(json.dumps(found), flush=True)


def warm_up() -> None:
    """Imports what reading needs, so that its cost is none of the first file's."""
    import h5py  # noqa: F401
    import torch  # noqa: F401

    from holdfast.layers import Dense, Input

    Sequential([Input(4), Dense(2)]).get_weights()


def memory(kind: str) -> int:
    """Bytes that this process has, by Linux's word for it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
