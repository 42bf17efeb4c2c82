"""Decoding of many pictures: by threads, and by processes where the files are so many that these are faster.

A process of ours is a Python that imports this module and nothing of the user's: it starts on every system alike,
whatever the user's program looks like, and it writes into the memory-mapped file of its parent.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile
from .image import DRAFT_PX, Header, decode, decode_known, draft_side, fitted, quiet, read_header
from .kept import Arrays, Columns, open_for_writing
from .listing import Listed
from .near import draw_thumbnail
from .reads import Pictures
from .threads import DECODERS

CHUNK = 32  # pictures
PROCESSES_FROM = (4, 5000)  # processors and pictures: below, threads are as fast, and processes take a second to start
START = "import sys; sys.path[:] = {path!r}; from holdfast.data.decoding import serve; serve()"

T = TypeVar("T")
U = TypeVar("U")
Outcome = int | str  # the digest of a picture, or why there is none


@dataclass(frozen=True)
class Task:
    """What is to be done with files.

    Attributes:
        files: all of them.
        reads: how.
        columns, room: of the arrays that are filled, see `kept.Keep`: "pictures", "small" and "colours".
    """

    files: Sequence[Listed]
    reads: Pictures
    columns: Columns
    room: int


def columns_of(reads: Pictures, side: int) -> Columns:
    """The arrays of a decoded set, with thumbnails of `side` pixels."""
    return {
        "stamps": (np.uint64, ()),
        "digests": (np.uint64, ()),
        "colours": (np.float32, (reads.channels,)),
        "small": (np.uint8, (side, side)),
        "pictures": (np.uint8, reads.shape),
    }


def headers(files: Sequence[Listed], places: NDArray[np.int64]) -> Iterator[list[Header | BadFile]]:
    """Of the files at these places what they say of themselves; a chunk at a time, in their order."""
    with ThreadPoolExecutor(DECODERS) as pool:
        try:
            yield from in_order(pool, lambda chunk: [_header(files[place]) for place in chunk], _chunks(places))
        finally:
            pool.shutdown(cancel_futures=True)


def decode_all(
    task: Task, places: NDArray[np.int64], rows: NDArray[np.int64], arrays: Arrays, path: Path | None
) -> Iterator[list[Outcome]]:
    """Decodes the files at these places into these rows of the arrays; outcomes come a chunk at a time, in order.

    Args:
        task: what is to be done.
        places: (n,) of files.
        rows: (n,) of the arrays, one for each place.
        arrays: what is filled.
        path: of the file that they are a map of; without one no processes can help.
    """
    pairs = np.stack([places, rows], 1)
    several = path is not None and PROCESSES_FROM[0] <= DECODERS and len(places) >= PROCESSES_FROM[1]
    with ThreadPoolExecutor(DECODERS) as pool:
        try:
            if several and path is not None and sys.executable and not getattr(sys, "frozen", False):
                with Workers(task, path, DECODERS) as workers:
                    yield from in_order(pool, workers.decode, _chunks(pairs))
            else:
                yield from in_order(pool, lambda chunk: decode_rows(task, chunk, arrays), _chunks(pairs))
        finally:
            pool.shutdown(cancel_futures=True)


def decode_rows(task: Task, pairs: Sequence[tuple[int, int]], arrays: Arrays) -> list[Outcome]:
    """Decodes files into the rows that are paired with them."""
    return [_decode(task.files[place], task.reads, arrays, row) for place, row in pairs]


def _decode(file: Listed, reads: Pictures, arrays: Arrays, row: int) -> Outcome:
    try:
        content = file.content()
        picture, known = decode_known(content, reads.channels, reads.size)
        arrays["pictures"][row] = fitted(picture, reads.size, reads.interpolation, reads.fit)
        if arrays["small"].size and draft_side(reads.size) > DRAFT_PX:
            picture = decode(content, reads.channels, (1, 1))  # near copies are the same ones at every size
    except BadFile as error:
        return str(error)
    if arrays["small"].size:
        draw_thumbnail(picture, arrays["small"][row], arrays["colours"][row])
    return known


def _header(file: Listed) -> Header | BadFile:
    try:
        return read_header(file.path if file.archive is None else file.content())
    except BadFile as error:
        return error


def _chunks(places: NDArray[np.int64]) -> Iterator[Any]:  # Any: a list of int, or of pairs of them
    return (places[start : start + CHUNK].tolist() for start in range(0, len(places), CHUNK))


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], U], tasks: Iterable[T]) -> Iterator[U]:
    """What comes of each task, in their order; a few are under way ahead, so that results do not pile up."""
    coming = deque[Future[U]]()
    for task in tasks:
        coming.append(pool.submit(work, task))
        if len(coming) > 2 * DECODERS:
            yield coming.popleft().result()
    while coming:
        yield coming.popleft().result()


class Workers:
    """Processes that decode; use them in a `with`, from as many threads."""

    def __init__(self, task: Task, path: Path, count: int) -> None:
        self._first = pickle.dumps((task, path))
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []
        started = [self._started() for _ in range(count)]
        for process in started:  # all of them have begun to import by then
            self._free.put(self._told(process))

    def decode(self, pairs: list[tuple[int, int]]) -> list[Outcome]:
        """As `decode_rows`; a file that ends the process that decodes it is told as such."""
        process = self._free.get()
        try:
            outcomes = _asked(process, pairs)
        except (OSError, EOFError, pickle.UnpicklingError):
            process.kill()
            process.wait()
            self._free.put(self._told(self._started()))
            if len(pairs) == 1:
                return ["the decoder crashed on it"]
            middle = len(pairs) // 2
            return self.decode(pairs[:middle]) + self.decode(pairs[middle:])
        self._free.put(process)
        return outcomes

    def _started(self) -> "subprocess.Popen[bytes]":
        code = START.format(path=sys.path)
        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | one
        )
        self._all.append(process)
        return process

    def _told(self, process: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
        assert process.stdin is not None
        with suppress(OSError):  # it ended; whoever asks it is told
            process.stdin.write(self._first)
            process.stdin.flush()
        return process

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()
            process.wait()


def _asked(process: "subprocess.Popen[bytes]", pairs: list[tuple[int, int]]) -> list[Outcome]:
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump(pairs, process.stdin)
    process.stdin.flush()
    outcomes: list[Outcome] = pickle.load(process.stdout)  # from our own process
    return outcomes


def serve() -> None:
    """The life of a process: a task, then chunks of it until nobody asks any more."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what anybody prints is no answer
    task, path = pickle.load(asked)
    arrays = open_for_writing(path, task.columns, task.room)
    with quiet(), suppress(EOFError, KeyboardInterrupt):
        while True:
            outcomes = decode_rows(task, pickle.load(asked), arrays)
            pickle.dump(outcomes, answers)
            answers.flush()
