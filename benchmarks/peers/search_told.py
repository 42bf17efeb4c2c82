"""What a search is asked for, and how it tells what it finds: a line of JSON after each epoch.

What the searching library prints goes to standard error.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

CLASSES = 10
BATCH = 128


@dataclass(frozen=True)
class Asked:
    """One search.

    Attributes:
        name: of the set.
        arrays: the file of its parts.
        epochs: of a trial, at most.
        seconds: how long.
        folder: for what the search keeps.
    """

    name: str
    arrays: str
    epochs: int
    seed: int
    seconds: float
    folder: str

    @classmethod
    def read(cls) -> "Asked":
        """From the last word of the command line."""
        return cls(**json.loads(sys.argv[-1]))

    def word(self) -> str:
        return json.dumps(asdict(self))


class Teller:
    """Counts trials and seconds."""

    def __init__(self, *packages: str) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.packages = packages
        self.trial, self.began = -1, 0.0

    def begin(self, seconds: float | None) -> None:
        """Everything is imported and in memory: from here on it counts, for so long; None: until it ends by itself."""
        self._line(versions={name: version(name) for name in self.packages})
        if seconds is not None:
            ending = threading.Timer(seconds, os._exit, (0,))
            ending.daemon = True
            ending.start()
        self.began = time.perf_counter()

    def begin_trial(self) -> None:
        self.trial += 1

    def epoch(self, accuracy: float) -> None:
        """What share of the validation part is right after this epoch."""
        self.point(time.perf_counter() - self.began, self.trial, accuracy)

    def point(self, seconds: float, trial: int, accuracy: float) -> None:
        self._line(seconds=round(seconds, 3), trial=trial, accuracy=round(accuracy, 6))

    def _line(self, **values: object) -> None:
        print(json.dumps(values), file=self.out, flush=True)
