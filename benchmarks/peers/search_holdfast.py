"""holdfast's search as it comes, with its own sampler or, for comparison, `random` draws; the ledger tells the rest.

python -m peers.search_holdfast tpe ASKED
"""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.runs.run import LEDGER
from holdfast.tune.search import search

from .search_sets import SETS
from .search_told import Asked, Teller

GRACE_S = 120.0  # to end the trial that runs, and to put the answers together


def looks(ledger: Path) -> list[tuple[str, float]]:
    """When it was looked at validation, and what share of it was right."""
    with closing(sqlite3.connect(ledger)) as rows:
        return rows.execute("select at, value from looks where metric = 'accuracy' order by id").fetchall()


def main() -> None:
    """Searches for its time, then tells what the ledger has of it."""
    sampler, asked = sys.argv[1], Asked.read()
    data = SETS[asked.name](asked.seed)
    teller = Teller("holdfast", "optuna", "torch", "numpy")
    teller.begin(asked.seconds + GRACE_S)
    began, end = datetime.now(UTC), asked.seconds
    search(data, trials=10_000, time_s=end, sampler=sampler, seed=asked.seed, refit=None, out=asked.folder, verbose=0)
    for at, accuracy in looks(Path(asked.folder) / LEDGER):
        teller.point((datetime.fromisoformat(at) - began) / timedelta(seconds=1), 0, accuracy)


if __name__ == "__main__":
    main()
