"""Small data for tests of the ledger, and what the database itself finds in it."""

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
