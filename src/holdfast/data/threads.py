"""Threads that stay for as long as the process lives, for work that comes again with every batch."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

DECODERS = min(16, os.cpu_count() or 1)


@cache
def threads(work: str, count: int) -> ThreadPoolExecutor:
    """The threads for this work; whoever waits in one for other work needs others for that.

    New ones each time would cost their start, and each an arena of the C library, which keeps what is freed in it: up
    to 16 times a few batches.
    """
    return ThreadPoolExecutor(count, f"holdfast-{work}")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=threads.cache_clear)  # a child has no threads
