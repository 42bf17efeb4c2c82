"""CSVLogger: one row an epoch in a file that spreadsheets read."""

import csv
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ..core import BadFile
from ..training.events import Begin, End, EpochEnd, Event, Stop


@dataclass(eq=False)
class CSVLogger:
    """Writes the logs of each epoch as a row; each row is in the file at once.

    As in Keras the first column is the epoch's index, from 0, a value that is missing is NA, and there are columns
    for validation even if the first epoch had none.  Columns keep the order of the logs, learning_rate included.
    Appending to a file takes the columns it has; a resumed run appends.

    Args:
        filename: the file; its folder is made.
        separator: one character.
        append: whether to go on with a file that exists instead of replacing it.

    Raises:
        BadFile: at the beginning of training, when the file cannot be written.
    """

    filename: str | Path
    separator: str = ","
    _: KW_ONLY
    append: bool = False
    _file: TextIO | None = field(default=None, init=False, repr=False)
    _columns: list[str] = field(default_factory=list, init=False, repr=False)
    _resumed: bool = field(default=False, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                self._open()
            case EpochEnd(epoch=epoch, logs=logs):
                self._write(epoch, logs)
            case End() if self._file is not None:
                self._file.close()
                self._file = None
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self._resumed = True

    def _open(self) -> None:
        path, going_on = Path(self.filename), self.append or self._resumed
        self._resumed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._columns = self._header(path) if going_on and path.exists() else []
            self._file = path.open("a" if self._columns else "w", newline="", encoding="utf-8")
        except OSError as error:
            raise BadFile(f"cannot write {path}: {error.strerror or error}") from error

    def _header(self, path: Path) -> list[str]:
        with path.open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file, delimiter=self.separator), [])

    def _write(self, epoch: int, logs: Mapping[str, float]) -> None:
        assert self._file is not None  # Begin opened it
        writer = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if not self._columns:
            self._columns = ["epoch", *_with_validation(list(logs))]
            writer.writerow(self._columns)
        row: dict[str, float] = {**logs, "epoch": epoch}
        writer.writerow([row.get(name, "NA") for name in self._columns])
        self._file.flush()


def _with_validation(keys: list[str]) -> list[str]:
    if any(key.startswith("val_") for key in keys):
        return keys
    return keys + [f"val_{key}" for key in keys if key != "learning_rate"]
