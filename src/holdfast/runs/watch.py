"""What listens to a run while it trains: the checkpoint that it can be resumed from, and the ledger of looks."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..callbacks import Resumable
from ..core import BadValue
from ..evaluate import Ledger
from ..training import (
    Callback,
    End,
    EpochEnd,
    Event,
    Program,
    State,
    StepEnd,
    Stop,
    hear,
    load_checkpoint,
    save_checkpoint,
    tell,
)


@dataclass
class Checkpointing:
    """Passes every event on to the others, then keeps the last state in one file: after each epoch, and every minute
    of a long one.

    What the others remember is kept with it, and their Stop, too: a run that is killed between its last epoch and its
    score is judged when it is resumed, and trained no further.
    """

    path: Path
    others: Sequence[Callback]
    every_s: float = 60.0
    least_s: float = 0.0  # epochs that end sooner after the last save are not saved
    stop: Stop | None = None
    _saved: float = field(default_factory=time.monotonic, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        if isinstance(event, End):
            tell(event, self.others)
            return None
        heard = hear(event, self.others)
        self.stop = self.stop or heard
        since = time.monotonic() - self._saved
        late = isinstance(event, StepEnd) and since > self.every_s
        if late or (isinstance(event, EpochEnd) and since >= self.least_s):
            self.save(event.state)
        return self.stop

    def save(self, state: State) -> None:
        """Writes the file, whole or not at all."""
        memory = {name: other.state_dict() for name, other in self._named()}
        save_checkpoint(self.path, state, memory={"stop": self.stop.reason if self.stop else None, "others": memory})
        self._saved = time.monotonic()

    def restore(self, state: State, program: Program) -> None:
        """Puts state and others back as they were."""
        memory = load_checkpoint(self.path, state, program)
        self.stop = Stop(memory["stop"]) if memory["stop"] else None
        for name, other in self._named():
            if name in memory["others"]:
                other.load_state_dict(memory["others"][name])

    def _named(self) -> Iterator[tuple[str, Resumable]]:
        """Those of the others that have a memory, by names that are the same when the run is resumed."""
        seen = Counter[str]()
        for other in self.others:
            if isinstance(other, Resumable):
                kind = type(other).__name__
                yield f"{kind} {seen[kind]}", other
                seen[kind] += 1


@dataclass
class Looking:
    """Writes into the ledger that training looked at validation, before early stopping decides on what it saw."""

    ledger: Ledger
    run: int
    fingerprint: str

    def __call__(self, event: Event) -> Stop | None:
        if isinstance(event, EpochEnd):
            seen = {key.removeprefix("val_"): value for key, value in event.logs.items() if key.startswith("val_")}
            if seen:
                self.ledger.look(
                    self.run, "validation", self.fingerprint, seen, purpose="early stopping", epoch=event.epoch + 1
                )
        return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from training the run in `folder`; ends with this process, whatever ends that.

    Raises:
        BadValue: another process trains it.
    """
    if sys.platform == "win32" or not folder.is_dir():  # folders have no locks there, and what is no run is found later
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not _lock(handle):
            raise BadValue(f"{folder}: another process is training this run; wait for it, or end it.")
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # others than this one: a network file system without such locks
        return not isinstance(error, BlockingIOError)
    return True
