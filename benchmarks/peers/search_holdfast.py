"""holdfast's search as it comes, with its own sampler or, for comparison, `random` draws; the ledger tells the rest.

python -m peers.search_holdfast tpe ASKED
"""

import sqlite3
import sys
from bisect import bisect
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from holdfast.runs.run import LEDGER
from holdfast.tune.search import search

from .search_sets import SETS
from .search_told import Asked, Teller


def looks(ledger: Path) -> list[tuple[str, float]]:
    """When it was looked at validation, and what share of it was right."""
    with closing(sqlite3.connect(ledger)) as rows:
        return rows.execute("select at, value from looks where metric = 'accuracy' order by id").fetchall()


def main() -> None:
    """Searches for its time, then tells what the ledger has of it."""
    sampler, asked = sys.argv[1], Asked.read()
    data = SETS[asked.name](asked.seed)
    teller = Teller("holdfast", "optuna", "torch", "numpy")
    teller.begin(None)
    began = datetime.now(UTC)
    found = search(
        data,
        trials=10_000,
        time_s=asked.seconds,
        sampler=sampler,
        seed=asked.seed,
        refit=None,
        out=asked.folder,
        verbose=0,
    )
    ends = list(accumulate(told.seconds for told in found.trials))
    for at, accuracy in looks(Path(asked.folder) / LEDGER):
        seconds = (datetime.fromisoformat(at) - began) / timedelta(seconds=1)
        teller.point(seconds, bisect(ends, seconds), accuracy)


if __name__ == "__main__":
    main()
