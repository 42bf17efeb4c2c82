"""The folder of a run, a cross-validation or a learning curve: how it begins, and how its record ends."""

import glob
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..core import BadFile
from ..data import Dataset
from ..evaluate import Ledger
from ..models import BaseModel, to_config
from .record import Kind, Record, Settings, machine, versions
from .run import LEDGER
from .watch import alone


def begin(
    out: Path, data: Dataset, settings: Settings, network: BaseModel | None, ledger: Ledger, *, kind: Kind = "run"
) -> tuple[Path, Record]:
    """Makes a folder, begins a run in the ledger, and gives the record to write there; what fails leaves no folder."""
    folder = new_folder(out, data.name if kind == "run" else f"{data.name}-{kind}")
    try:
        key = ledger.begin_run(folder.name, data)
    except BaseException:
        folder.rmdir()
        raise
    record = Record(
        kind=kind,
        name=folder.name,
        status="running",
        started=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        ledger_id=key,
        data=data.name,
        origin=dict(data.origin),
        classes=list(data.classes),
        shape=list(data.shape),
        sizes={"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        pictures=data.kind == "pictures",
        things=data.things,
        prints=prints_of(data),
        settings=settings,
        config={} if network is None else to_config(network),
        machine=machine(),
        versions=versions(),
    )
    return folder, record


@contextmanager
def recorded(
    out: Path, data: Dataset, settings: Settings, network: BaseModel | None, *, kind: Kind
) -> Iterator[tuple[Path, Record, Ledger]]:
    """A folder, its record and the ledger, for as long as the block works on them; then how that ended is written."""
    with Ledger.open(out / LEDGER) as ledger:
        folder, record = begin(out, data, settings, network, ledger, kind=kind)
        with alone(folder), working(folder, record, ledger):
            yield folder, record, ledger


@contextmanager
def working(folder: Path, record: Record, ledger: Ledger) -> Iterator[None]:
    """The ledger sees that the block is at work; how that ended is written in the record and there."""
    began = time.perf_counter() - record.seconds
    with ledger.beating(record.ledger_id):
        try:
            yield
            record.status = "finished"
        except BaseException as error:
            record.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            with suppress(Exception):  # the first error is the one to tell
                _end(folder, record, ledger, began)
            raise
        _end(folder, record, ledger, began)


def _end(folder: Path, record: Record, ledger: Ledger, began: float) -> None:
    record.seconds = time.perf_counter() - began
    record.write(folder)
    ledger.end_run(record.ledger_id, record.status)


def new_folder(out: Path, name: str) -> Path:
    """Makes `out/<name>-001`, or the next number that is free.

    Raises:
        BadFile: it cannot be made.
    """
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    taken = [path.name.removeprefix(f"{stem}-") for path in out.glob(f"{glob.escape(stem)}-*")] if out.is_dir() else []
    number = max((int(end) for end in taken if end.isdecimal()), default=0) + 1
    while True:
        folder = out / f"{stem}-{number:03d}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1  # another process was faster
        except OSError as error:
            raise BadFile(f"cannot make the folder {folder}: {error.strerror}; choose another with --out.") from error


def prints_of(data: Dataset) -> dict[str, str]:
    """The fingerprints that say whether data is still the same."""
    return {
        "data": data.fingerprint,
        "split": data.split_fingerprint,
        "train": data.train.fingerprint,
        "validation": data.validation.fingerprint,
        "test": data.test.fingerprint,
    }
