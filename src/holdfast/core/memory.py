"""Memory: has the C library keep what is freed, so that training does not map the same pages again each step."""

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT, KEPT_BEFORE_2_35 = 2**30, 2**25  # bytes; glibc 2.34 and older refuse larger blocks


@cache
def keep_freed_memory() -> None:
    """Has glibc keep up to 1 GiB of freed memory for the next tensors; once a process, elsewhere nothing.

    By default it gives each large tensor back to the system, which clears its pages anew for the next one: a third of
    a float32 step on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl, say, has none
        if not mallopt(M_MMAP_THRESHOLD, KEPT):
            mallopt(M_MMAP_THRESHOLD, KEPT_BEFORE_2_35)
        mallopt(M_TRIM_THRESHOLD, KEPT)
