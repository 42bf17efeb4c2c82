"""Where a ledger is kept: an SQLite file by default, any database of SQLAlchemy by URL; brought up to date when opened.

Its tables are in tables.py, how they came to be in migrations/.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..core import BadFile, BadValue, MissingExtra

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

BUSY_TIMEOUT_MS = 10_000
VERSION = "ledger_version"  # the table that holds our revision; Optuna's, in the same database, is alembic_version
LOCK = 0x686F6C64  # "hold": names our lock among the advisory locks of a PostgreSQL database


class Database:
    """An open database.  Many processes may use one at once: those that write take turns, those that read do not wait.

    Use it in a `with` block, or `close` it.
    """

    def __init__(self, engine: "Engine", where: str) -> None:
        self.where = where
        self._engine = engine

    @classmethod
    def open(cls, where: str | Path = "runs/ledger.db") -> Self:
        """Opens a ledger, and makes it where there is none.  One of an older holdfast gets the tables of this one.

        Args:
            where: a file, or a URL of SQLAlchemy ("postgresql+psycopg://host/name").  The environment variable
                HOLDFAST_LEDGER, when set, goes before a file: so a team's runs meet in one place.

        Raises:
            BadFile: the folder cannot be written to, the file is no database, or a newer holdfast has changed it.
            BadValue: no URL of a database.
            MissingExtra: the driver of the database is not installed.
        """
        url = _url(where)
        try:
            opened = cls(_connect(url), _shown(url))
        except ModuleNotFoundError as error:
            remedy = "run: pip install 'holdfast[postgres]'" if error.name == "psycopg" else "install it"
            raise MissingExtra(f"{error.name} is not installed; the ledger {_shown(url)} needs it; {remedy}") from error
        try:
            opened._bring_up_to_date()
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def url(self) -> str:
        """The URL that other programs open it by, with its password; of a file with its whole path."""
        url = self._engine.url
        if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:"):
            url = url.set(database=str(Path(url.database).resolve()))
        return url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Closes all connections; they are opened again when they are needed."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, reading: bool = False) -> "Iterator[Connection]":
        """All or nothing, and on the disk when the block ends.

        Raises:
            BadFile: the database cannot be used.  An IntegrityError comes through, for who writes knows what it means.
        """
        from sqlalchemy.exc import DBAPIError, IntegrityError

        try:
            with self._engine.execution_options(reading=reading).begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            reason = str(error.orig).partition("\n")[0]
            raise BadFile(f"cannot use {self.where} as a ledger: {reason}.") from error

    def _bring_up_to_date(self) -> None:
        """Compares the revision first: Alembic takes its time to import, and a lock would wait for others."""
        from .tables import REVISION

        with self.transaction(reading=True) as connection:
            found = _revision(connection)
        if found > REVISION:
            raise BadFile(
                f"the ledger {self.where} was written by a newer holdfast; run: pip install --upgrade holdfast"
            )
        if found < REVISION:
            with self.transaction() as connection:
                _migrate(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.where}>"


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


def _connect(url: "URL") -> "Engine":
    """An engine whose transactions wait for each other rather than fail.

    One that writes holds the lock from its beginning, for what reads and then writes could not wait in between; with
    the execution option `reading` it takes none.
    """
    from sqlalchemy import create_engine, event

    engine = create_engine(url, pool_pre_ping=True)  # a server may have dropped an idle connection
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, record: Any) -> None:  # Any: SQLAlchemy's record of the pool, not used
    connection.isolation_level = None  # else Python's driver decides when a transaction begins
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets the journal mode.  SQLite does not apply its busy timeout here: two who make one file must try again."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: "Connection") -> None:
    reading = connection.get_execution_options().get("reading")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql" and not reading:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _revision(connection: "Connection") -> str:
    """Of the tables in the database; "" where there are none, or those of the first holdfast, which wrote none."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table(VERSION):
        return ""
    return connection.exec_driver_sql(f"SELECT version_num FROM {VERSION}").scalar() or ""


def _migrate(connection: "Connection") -> None:
    """Brings the tables up to date, within a transaction that holds the lock: who comes second finds them done."""
    from alembic import command
    from alembic.config import Config

    _move_version(connection)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "holdfast.evaluate:migrations")
    command.upgrade(config, "head")


def _move_version(connection: "Connection") -> None:
    """Takes our revision out of the table that it shared with no one, before searches were kept here."""
    from sqlalchemy import inspect

    if inspect(connection).has_table(VERSION) or not inspect(connection).has_table("alembic_version"):
        return
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or ""
    if not found.isdecimal():  # Optuna's, in a database that had searches before it had a ledger
        return
    connection.exec_driver_sql(f"CREATE TABLE {VERSION} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.exec_driver_sql(f"INSERT INTO {VERSION} SELECT version_num FROM alembic_version")
    connection.exec_driver_sql("DROP TABLE alembic_version")
