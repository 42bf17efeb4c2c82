"""What listens to a run while it trains: the checkpoint that it can be resumed from, and the ledger of looks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..callbacks import Resumable
from ..evaluate import Ledger
from ..training import Begin, Callback, EpochEnd, Event, StepEnd, Stop, save_checkpoint


@dataclass
class Checkpointing:
    """Keeps the last state in one file: at the beginning, after each epoch, and every minute of a long one.

    It comes after the callbacks whose memory it keeps, so that this has heard the event, too.
    """

    path: Path
    others: Sequence[Callback]
    every_s: float = 60.0
    _saved: float = field(default=0.0, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        due = isinstance(event, (Begin, EpochEnd))
        if due or (isinstance(event, StepEnd) and time.monotonic() - self._saved > self.every_s):
            memory = {type(other).__name__: other.state_dict() for other in self.others if isinstance(other, Resumable)}
            save_checkpoint(self.path, event.state, memory=memory)
            self._saved = time.monotonic()
        return None


@dataclass
class Looking:
    """Writes into the ledger that training looked at validation, before early stopping decides on what it saw."""

    ledger: Ledger
    run: int
    fingerprint: str

    def __call__(self, event: Event) -> Stop | None:
        if isinstance(event, EpochEnd):
            seen = {key.removeprefix("val_"): value for key, value in event.logs.items() if key.startswith("val_")}
            self.ledger.look(
                self.run, "validation", self.fingerprint, seen, purpose="early stopping", epoch=event.epoch + 1
            )
        return None
