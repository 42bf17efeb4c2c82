"""How much memory is free, where the system says so."""

import os
from pathlib import Path


def free_memory() -> int | None:
    """Bytes that can be taken without swapping: what the machine and the container still have; None when unknown."""
    known = [amount for amount in (_machine(), _container()) if amount is not None]
    return min(known, default=None)


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:  # no /proc: take all there is (macOS)
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _container() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no cgroup of version 2, or its limit is "max"
        return None
