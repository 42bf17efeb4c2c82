"""The files of a run that are text: each appears whole or not at all."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core import whole_file


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_history(path: Path, logs: Sequence[Mapping[str, float | None]]) -> None:
    """history.csv: an epoch a row, counted from 1; a column for each key of the logs."""
    keys = list(dict.fromkeys(key for row in logs for key in row))
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["epoch", *keys], restval="")
        table.writeheader()
        for number, row in enumerate(logs):
            table.writerow({"epoch": number + 1, **row})


def remove_remains(folder: Path) -> None:
    """Deletes what writers that were killed left in a folder: the temporary files of `core.whole_file`."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)
