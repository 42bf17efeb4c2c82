"""Small data for tests of the ledger, and what the database itself finds in it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data import Dataset, from_arrays
from holdfast.evaluate import Ledger


def small(name: str = "photos", seed: int = 0, samples: int = 40) -> Dataset:
    """Pictures of 1x1 in two classes, all different; a seed splits them anew."""
    numbers = np.arange(samples)
    images = np.stack([numbers % 256, numbers // 256], axis=1).astype(np.uint8).reshape(-1, 1, 2, 1)
    return from_arrays(images, numbers % 2, name=name, test=0.25, seed=seed)


def rows(ledger: Ledger, query: str) -> list[tuple[Any, ...]]:  # Any: what is in the columns
    """What the database finds."""
    with ledger.transaction(reading=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def write(ledger: Ledger, statement: str) -> None:
    """Changes rows as no method does."""
    with ledger.transaction() as connection:
        connection.exec_driver_sql(statement)


FIRST_SCHEMA = """
CREATE TABLE runs (
	id INTEGER NOT NULL, name VARCHAR NOT NULL, dataset VARCHAR NOT NULL, dataset_fingerprint VARCHAR NOT NULL,
	split_fingerprint VARCHAR NOT NULL, status VARCHAR NOT NULL, started VARCHAR(32) NOT NULL, ended VARCHAR(32),
	PRIMARY KEY (id)
);
CREATE TABLE looks (
	id INTEGER NOT NULL, run INTEGER NOT NULL, number INTEGER NOT NULL, part VARCHAR NOT NULL,
	part_fingerprint VARCHAR NOT NULL, metric VARCHAR, value FLOAT, epoch INTEGER, purpose VARCHAR NOT NULL,
	at VARCHAR(32) NOT NULL, PRIMARY KEY (id), FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE INDEX looks_by_part ON looks (part_fingerprint, run);
INSERT INTO runs VALUES (1, 'photos-001', 'photos', '{data}', '{split}', 'finished', '2026-11-20T10:00:00.000000+00:00',
	'2026-11-20T10:01:00.000000+00:00');
INSERT INTO runs VALUES (2, 'gone-001', 'gone', 'd2', 's2', 'running', '2026-11-20T11:00:00.000000+00:00', NULL);
INSERT INTO looks VALUES (1, 1, 1, 'validation', 'part', 'accuracy', 0.5, 1, 'early stopping', '2026-11-20T10:00:30');
INSERT INTO looks VALUES (2, 1, 1, 'test', '{test}', NULL, NULL, NULL, 'unseal', '2026-11-20T10:02:00');
"""  # as the first holdfast made it, without a revision


def first_ledger(path: Path) -> None:
    """A ledger of the first holdfast, with a run on `small()`."""
    data = small()
    script = FIRST_SCHEMA.format(data=data.fingerprint, split=data.split_fingerprint, test=data.test.fingerprint)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
