"""The ledger: every look at a score that a decision may hang on, every opening of a test part, as rows of a database.

Where it is kept is in database.py, its tables are in tables.py.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, BadShape, BadValue
from ..data import Dataset, Part, Sealed
from .database import Database
from .ladder import Revealed, climbs
from .score import PartName

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

Purpose = Literal["early stopping", "selection", "report", "unseal"]
HEARTBEAT_S = 10.0  # between two signs of life of a run; after twice that without one it counts as killed


@dataclass(frozen=True)
class RunRow:
    """A run as the ledger knows it.

    Attributes:
        id: in the ledger.
        name: of its folder.
        dataset: the name of its data.
        status: "running", how it ended, or "killed": it did not end, and has shown no sign of life for 20 seconds.
        started: UTC.
        looks: how often the run looked at its validation part.
        best: the largest validation accuracy it saw; naive, for it is the best of `looks`; None before the first.
    """

    id: int
    name: str
    dataset: str
    status: str
    started: datetime
    looks: int
    best: float | None


@dataclass(frozen=True)
class Note:
    """What somebody wrote down about a run, and when (UTC)."""

    text: str
    at: datetime


class Ledger(Database):
    """An open ledger.  Many processes may use one at once; use it in a `with` block, or `close` it.

    Example:
        >>> from holdfast.data import from_arrays
        >>> data = from_arrays([[[index]] for index in range(20)], [0, 1] * 10)
        >>> with Ledger.open("sqlite://") as ledger:  # in memory; else a file, as "runs/ledger.db"
        ...     run = ledger.begin_run("photos-001", data)
        ...     ledger.look(run, "validation", data.validation.fingerprint, {"accuracy": 0.81}, purpose="report")
        ...     ledger.looks(data.validation.fingerprint)
        1
    """

    def begin_run(self, name: str, data: Dataset) -> int:
        """Writes a run that starts now, status "running", and its data set and split where they are new.

        Returns:
            The id of the run.
        """
        from .tables import RUNS

        now = _now()
        row = RUNS.insert().values(
            name=name,
            dataset=data.name,
            dataset_fingerprint=data.fingerprint,
            split_fingerprint=data.split_fingerprint,
            status="running",
            started=now,
            heartbeat=now,
        )
        with self.transaction() as connection:
            _write_data(connection, data)
            key = connection.execute(row).inserted_primary_key
            assert key is not None
            return int(key[0])

    @contextmanager
    def beating(self, run: int) -> Iterator[None]:
        """The run is at work for as long as the block lasts: a thread says so every 10 seconds.

        Raises:
            BadValue: the ledger has no such run.
        """
        done = Event()

        def beat() -> None:
            while not done.wait(HEARTBEAT_S):
                with suppress(BadFile):  # a disk that is full now and then; a look that is lost is an error
                    self._update(run, heartbeat=_now())

        self._update(run, status="running", ended=None, heartbeat=_now())
        thread = Thread(target=beat, name=f"heartbeat of run {run}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def end_run(self, run: int, status: str) -> None:
        """Writes how the run ended ("finished", "failed", ...), now.

        Raises:
            BadValue: the ledger has no such run.
        """
        self._update(run, status=status, ended=_now())

    def look(
        self,
        run: int,
        part: PartName,
        part_fingerprint: str,
        values: Mapping[str, float],
        *,
        purpose: Purpose,
        epoch: int | None = None,
    ) -> None:
        """Writes one look, a row a metric, in one transaction; on the disk when this returns.

        Args:
            run: id of the run that looks.
            part: what it looks at.
            part_fingerprint: of the samples in it.
            values: what it sees, by metric ("accuracy", "loss"); empty for an unsealing, which is written first.
            purpose: what may hang on it.
            epoch: completed epochs, during training.

        Raises:
            BadValue: the ledger has no such run.
        """
        from sqlalchemy import func, select
        from sqlalchemy.exc import IntegrityError

        from .tables import LOOKS

        same: dict[str, object] = {"run": run, "part": part, "part_fingerprint": part_fingerprint}
        same |= {"epoch": epoch, "purpose": purpose, "at": _now()}
        rows = [{"metric": metric, "value": _number(value)} for metric, value in values.items()]
        mine = (LOOKS.c.run == run) & (LOOKS.c.part_fingerprint == part_fingerprint)
        try:
            with self.transaction() as connection:
                before = connection.scalar(select(func.max(LOOKS.c.number)).where(mine)) or 0
                connection.execute(LOOKS.insert(), [same | row | {"number": before + 1} for row in rows or [{}]])
        except IntegrityError as error:
            raise BadValue(_no_run(self.where, run)) from error

    def looks(self, part_fingerprint: str, run: int | None = None) -> int:
        """How often this part has been looked at: by this run, or by all runs in the ledger when None."""
        from sqlalchemy import func, select

        from .tables import LOOKS

        distinct = select(LOOKS.c.run, LOOKS.c.number).where(LOOKS.c.part_fingerprint == part_fingerprint).distinct()
        if run is not None:
            distinct = distinct.where(LOOKS.c.run == run)
        with self.transaction(reading=True) as connection:
            return connection.scalar(select(func.count()).select_from(distinct.subquery())) or 0

    def openings(self, test_fingerprint: str) -> int:
        """How often this test part has been unsealed, by all runs in the ledger."""
        from sqlalchemy import func, select

        from .tables import LOOKS

        opened = (LOOKS.c.part_fingerprint == test_fingerprint) & (LOOKS.c.purpose == "unseal")
        with self.transaction(reading=True) as connection:
            return connection.scalar(select(func.count()).select_from(LOOKS).where(opened)) or 0

    def reveal(self, run: int, part_fingerprint: str, right: NDArray[np.bool_]) -> Revealed:
        """Passes the score of an opening through the Ladder of this test part; the first to come is told.

        Args:
            run: id of the run that has just unsealed the part.
            part_fingerprint: of the test part.
            right: (N,) whether each answer is right.

        Returns:
            What may be told: this accuracy, or the one that was told last.

        Raises:
            BadValue: the run has not unsealed the part, or has had its score for this opening.
            BadShape: another number of samples than before.
        """
        from sqlalchemy.exc import IntegrityError

        from .tables import LADDER

        try:
            with self.transaction() as connection:
                opening = _opening(connection, run, part_fingerprint)
                last = _last_told(connection, part_fingerprint)
                if last is not None and len(last[1]) != len(right):
                    raise BadShape(f"reveal: {len(right)} answers for a test part of {len(last[1])} samples.")
                told = last is None or climbs(right, last[1])
                row = {"part_fingerprint": part_fingerprint, "opening": opening, "run": run, "n": len(right)}
                row |= {"revealed": told, "bits": np.packbits(right).tobytes() if told else None, "at": _now()}
                connection.execute(LADDER.insert().values(row))
        except IntegrityError as error:
            raise BadValue(f"reveal: run {run} has had its score for opening {opening}; unseal opens anew.") from error
        if last is None or told:
            return Revealed(float(right.mean()), opening, new=True)
        return Revealed(float(last[1].mean()), last[0], new=False)

    def note(self, run: int, text: str) -> None:
        """Writes down a note about a run.

        Raises:
            BadValue: the ledger has no such run.
        """
        from sqlalchemy.exc import IntegrityError

        from .tables import NOTES

        try:
            with self.transaction() as connection:
                connection.execute(NOTES.insert().values(run=run, text=text, at=_now()))
        except IntegrityError as error:
            raise BadValue(_no_run(self.where, run)) from error

    def notes(self, run: int) -> list[Note]:
        """The notes about a run, the oldest first."""
        from sqlalchemy import select

        from .tables import NOTES

        query = select(NOTES.c.text, NOTES.c.at).where(NOTES.c.run == run).order_by(NOTES.c.id)
        with self.transaction(reading=True) as connection:
            return [Note(text, datetime.fromisoformat(at)) for text, at in connection.execute(query)]

    def runs(self) -> list[RunRow]:
        """All runs, the oldest first."""
        from sqlalchemy import case, func, select

        from .tables import LOOKS, RUNS

        query = (
            select(
                RUNS.c.id,
                RUNS.c.name,
                RUNS.c.dataset,
                RUNS.c.status,
                RUNS.c.started,
                func.coalesce(RUNS.c.heartbeat, RUNS.c.started),
                func.coalesce(func.max(LOOKS.c.number), 0),
                func.max(case((LOOKS.c.metric == "accuracy", LOOKS.c.value))),
            )
            .join_from(RUNS, LOOKS, (LOOKS.c.run == RUNS.c.id) & (LOOKS.c.part == "validation"), isouter=True)
            .group_by(RUNS.c.id)
            .order_by(RUNS.c.id)
        )
        with self.transaction(reading=True) as connection:
            rows = connection.execute(query).all()
        return [
            RunRow(key, name, dataset, _status(status, beat), datetime.fromisoformat(started), looks, best)
            for key, name, dataset, status, started, beat, looks, best in rows
        ]

    def _update(self, run: int, **values: str | None) -> None:
        from .tables import RUNS

        with self.transaction() as connection:
            if not connection.execute(RUNS.update().where(RUNS.c.id == run).values(**values)).rowcount:
                raise BadValue(_no_run(self.where, run))


def _no_run(where: str, run: int) -> str:
    return f"the ledger {where} has no run {run}; begin_run gives the ids."


def _write_data(connection: "Connection", data: Dataset) -> None:
    """Writes data set and split; fills in what an older holdfast did not know of them."""
    from .tables import DATASETS, SPLITS

    parts: dict[str, Part | Sealed] = {"train": data.train, "validation": data.validation, "test": data.test}
    sides: dict[str, object] = {f"{name}_n": len(part) for name, part in parts.items()}
    sides |= {f"{name}_fingerprint": part.fingerprint for name, part in parts.items()}
    known = {"name": data.name, "n": sum(map(len, parts.values())), "classes": len(data.classes)}
    same = {"dataset": data.fingerprint, "seed": data.origin.get("seed")}
    _write_once(connection, DATASETS, data.fingerprint, known)
    _write_once(connection, SPLITS, data.split_fingerprint, same | sides)


def _write_once(connection: "Connection", table: "Table", fingerprint: str, values: Mapping[str, object]) -> None:
    from sqlalchemy import select

    known = connection.execute(select(table).where(table.c.fingerprint == fingerprint)).mappings().first()
    if known is None:
        connection.execute(table.insert().values(fingerprint=fingerprint, **values))
    elif missing := {key: value for key, value in values.items() if known[key] is None and value is not None}:
        connection.execute(table.update().where(table.c.fingerprint == fingerprint).values(missing))


def _opening(connection: "Connection", run: int, part_fingerprint: str) -> int:
    """Which opening of the part, from 1, is the last of this run."""
    from sqlalchemy import func, select

    from .tables import LOOKS

    opened = (LOOKS.c.part_fingerprint == part_fingerprint) & (LOOKS.c.purpose == "unseal")
    mine = connection.scalar(select(func.max(LOOKS.c.id)).where(opened, LOOKS.c.run == run))
    if mine is None:
        raise BadValue(f"reveal: run {run} has not opened the test part {part_fingerprint}; unseal does.")
    return connection.scalar(select(func.count()).select_from(LOOKS).where(opened, LOOKS.c.id <= mine)) or 0


def _last_told(connection: "Connection", part_fingerprint: str) -> tuple[int, NDArray[np.bool_]] | None:
    """The last opening whose score was told, and which answers were right then; None before the first.

    That is the best, for each one told beats the one before; openings may come to their scores in another order.
    """
    from sqlalchemy import select

    from .tables import LADDER

    told = (LADDER.c.part_fingerprint == part_fingerprint) & LADDER.c.revealed
    rows = connection.execute(select(LADDER.c.opening, LADDER.c.n, LADDER.c.bits).where(told)).all()
    each = ((opening, np.unpackbits(np.frombuffer(bits, np.uint8), count=n) > 0) for opening, n, bits in rows)
    return max(each, key=lambda one: int(one[1].sum()), default=None)


def _status(status: str, heartbeat: str) -> str:
    """As written, but for a run that is said to be running and shows no life."""
    silent = datetime.now(UTC) - datetime.fromisoformat(heartbeat) > timedelta(seconds=2 * HEARTBEAT_S)
    return "killed" if status == "running" and silent else status


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _number(value: float) -> float | None:
    """NaN is NULL in a database."""
    return None if math.isnan(value) else float(value)
