"""The tables of the ledger, and how SQLite is opened.  Imported when a ledger is, for SQLAlchemy takes its time."""

import sqlite3
import time
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)

METADATA = MetaData()

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, comment="of its folder, photos-001"),
    Column("dataset", String, nullable=False, comment="the name of the data, photos"),
    Column("dataset_fingerprint", String, nullable=False),
    Column("split_fingerprint", String, nullable=False),
    Column("status", String, nullable=False, comment="running, or how it ended"),
    Column("started", String(32), nullable=False, comment="UTC, ISO 8601 with microseconds"),
    Column("ended", String(32), comment="UTC; null while running"),
)

LOOKS = Table(
    "looks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="of the look, in its run and part; a look has a row a metric"),
    Column("part", String, nullable=False, comment="train, validation or test"),
    Column("part_fingerprint", String, nullable=False, comment="of the samples looked at"),
    Column("metric", String, comment="accuracy, loss, ...; null for an unsealing, which is written before any score"),
    Column("value", Float, comment="null for an unsealing, and for NaN"),
    Column("epoch", Integer, comment="completed epochs; null outside training"),
    Column("purpose", String, nullable=False, comment="early stopping, selection, report or unseal"),
    Column("at", String(32), nullable=False, comment="UTC, ISO 8601 with microseconds"),
    Index("looks_by_part", "part_fingerprint", "run"),
)

BUSY_TIMEOUT_MS = 10_000


def connect(url: URL) -> Engine:
    """An engine for this database.  On SQLite its transactions wait for each other rather than fail.

    A transaction begins with BEGIN IMMEDIATE, for one that reads and then writes cannot wait; with the execution
    option `reading` it begins with a plain BEGIN and waits for nobody.
    """
    engine = create_engine(url)
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


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")
