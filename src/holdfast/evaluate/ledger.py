"""The ledger: every look at a score that a decision may hang on, every opening of a test part, as rows of a database.

An SQLite file by default, any database of SQLAlchemy by URL.  Its tables are in tables.py.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from ..core import BadFile, BadValue, MissingExtra
from ..data import Dataset
from .score import PartName

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

Purpose = Literal["early stopping", "selection", "report", "unseal"]


@dataclass(frozen=True)
class RunRow:
    """A run as the ledger knows it.

    Attributes:
        id: in the ledger.
        name: of its folder.
        dataset: the name of its data.
        status: "running", or how it ended.
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


class Ledger:
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

    def __init__(self, engine: "Engine", where: str) -> None:
        self.where = where
        self._engine = engine

    @classmethod
    def open(cls, where: str | Path = "runs/ledger.db") -> Self:
        """Opens a ledger, and makes it where there is none.

        Args:
            where: a file, or a URL of SQLAlchemy ("postgresql+psycopg://host/name").  The environment variable
                HOLDFAST_LEDGER, when set, goes before a file: so a team's runs meet in one place.

        Raises:
            BadFile: the folder cannot be written to, or the file is no database.
            BadValue: no URL of a database.
            MissingExtra: the driver of the database is not installed.
        """
        from . import tables

        url = _url(where)
        try:
            ledger = cls(tables.connect(url), _shown(url))
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{error.name} is not installed; the ledger {_shown(url)} needs it.") from error
        with ledger._transaction() as connection:
            tables.METADATA.create_all(connection)
        return ledger

    def close(self) -> None:
        """Closes all connections; the ledger opens them again if it is used again."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin_run(self, name: str, data: Dataset) -> int:
        """Writes a run on this data that starts now, status "running", and gives its id."""
        from .tables import RUNS

        row = RUNS.insert().values(
            name=name,
            dataset=data.name,
            dataset_fingerprint=data.fingerprint,
            split_fingerprint=data.split_fingerprint,
            status="running",
            started=_now(),
        )
        with self._transaction() as connection:
            key = connection.execute(row).inserted_primary_key
            assert key is not None
            return int(key[0])

    @contextmanager
    def beating(self, run: int) -> Iterator[None]:
        """Shows that the run is at work, for as long as the block lasts."""
        yield

    def end_run(self, run: int, status: str) -> None:
        """Writes how the run ended ("finished", "failed", ...), now.

        Raises:
            BadValue: the ledger has no such run.
        """
        from .tables import RUNS

        with self._transaction() as connection:
            found = connection.execute(RUNS.update().where(RUNS.c.id == run).values(status=status, ended=_now()))
            if not found.rowcount:
                raise BadValue(self._no_run(run))

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
            with self._transaction() as connection:
                before = connection.scalar(select(func.max(LOOKS.c.number)).where(mine)) or 0
                connection.execute(LOOKS.insert(), [same | row | {"number": before + 1} for row in rows or [{}]])
        except IntegrityError as error:
            raise BadValue(self._no_run(run)) from error

    def looks(self, part_fingerprint: str, run: int | None = None) -> int:
        """How often this part has been looked at: by this run, or by all runs in the ledger when None."""
        from sqlalchemy import func, select

        from .tables import LOOKS

        distinct = select(LOOKS.c.run, LOOKS.c.number).where(LOOKS.c.part_fingerprint == part_fingerprint).distinct()
        if run is not None:
            distinct = distinct.where(LOOKS.c.run == run)
        with self._transaction(reading=True) as connection:
            return connection.scalar(select(func.count()).select_from(distinct.subquery())) or 0

    def openings(self, test_fingerprint: str) -> int:
        """How often this test part has been unsealed, by all runs in the ledger."""
        from sqlalchemy import func, select

        from .tables import LOOKS

        opened = (LOOKS.c.part_fingerprint == test_fingerprint) & (LOOKS.c.purpose == "unseal")
        with self._transaction(reading=True) as connection:
            return connection.scalar(select(func.count()).select_from(LOOKS).where(opened)) or 0

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
                func.coalesce(func.max(LOOKS.c.number), 0),
                func.max(case((LOOKS.c.metric == "accuracy", LOOKS.c.value))),
            )
            .join_from(RUNS, LOOKS, (LOOKS.c.run == RUNS.c.id) & (LOOKS.c.part == "validation"), isouter=True)
            .group_by(RUNS.c.id)
            .order_by(RUNS.c.id)
        )
        with self._transaction(reading=True) as connection:
            rows = connection.execute(query).all()
        return [
            RunRow(key, name, dataset, status, datetime.fromisoformat(started), looks, best)
            for key, name, dataset, status, started, looks, best in rows
        ]

    @contextmanager
    def _transaction(self, *, reading: bool = False) -> "Iterator[Connection]":
        from sqlalchemy.exc import DBAPIError, IntegrityError

        try:
            with self._engine.execution_options(reading=reading).begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            reason = str(error.orig).partition("\n")[0]
            raise BadFile(f"cannot use {self.where} as a ledger: {reason}.") from error

    def _no_run(self, run: int) -> str:
        return f"the ledger {self.where} has no run {run}; begin_run gives the ids."

    def __repr__(self) -> str:
        return f"<Ledger {self.where}>"


def _url(where: str | Path) -> "URL":
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in str(where):
        where = os.environ.get("HOLDFAST_LEDGER") or where
    if "://" in str(where):
        try:
            url = make_url(str(where))
            url.get_dialect()
        except ArgumentError as error:
            raise BadValue(
                f"the ledger's URL is none that SQLAlchemy knows ({error}); "
                "give a file, or dialect+driver://user:password@host/name."
            ) from error
        return url
    path = Path(where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(f"cannot make the folder {path.parent} for the ledger: {error.strerror}.") from error
    return URL.create("sqlite", database=str(path))


def _shown(url: "URL") -> str:
    """The file, or the URL with its password hidden."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _number(value: float) -> float | None:
    """NaN is NULL in a database."""
    return None if math.isnan(value) else float(value)
