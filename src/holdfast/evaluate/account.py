"""The account: what the ledger knows of each data set, added up.  Printing it is cli/ledger.py."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .ledger import Ledger, Purpose
from .score import PartName
from .selection import optimism

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


@dataclass(frozen=True)
class Looked:
    """A part that was looked at, and what that did to the best score seen there.

    Attributes:
        part: "validation" or "out-of-fold".
        fingerprint: of its samples.
        n: samples; None where only an older holdfast has seen the part.
        looks: by purpose: how many, and by how many runs.
        scores: the accuracies that were reported or selected by, each with the name of its run, in their order.
    """

    part: PartName
    fingerprint: str
    n: int | None
    looks: dict[Purpose, tuple[int, int]]
    scores: tuple[tuple[str, float], ...]

    @property
    def best(self) -> tuple[str, float] | None:
        """The run that scored best, and how; too good, for it is the best of them."""
        return max(self.scores, key=lambda score: score[1], default=None)

    @property
    def optimism(self) -> float | None:
        """How much too good the best is expected to be, a share; None where there is no score, or n is not known."""
        values = sorted((value for _, value in self.scores), reverse=True)  # a rise over the runs is not learning
        return optimism(values, self.n) if self.n and values else None


@dataclass(frozen=True)
class Opening:
    """An opening of a test part.

    Attributes:
        run: its name.
        at: UTC.
        told: the accuracy that came of it, a share; None where none was written.
        sealed: whether the Ladder kept it sealed.
    """

    run: str
    at: datetime
    told: float | None
    sealed: bool


@dataclass(frozen=True)
class Opened:
    """A test part that was opened; `n` as in `Looked`."""

    fingerprint: str
    n: int | None
    openings: tuple[Opening, ...]


@dataclass(frozen=True)
class DataAccount:
    """All that became known of a data set; `n` and `classes` are None where only an older holdfast has seen it."""

    name: str
    fingerprint: str
    n: int | None
    classes: int | None
    runs: int
    looked: tuple[Looked, ...]
    opened: tuple[Opened, ...]


def account(ledger: Ledger) -> tuple[DataAccount, ...]:
    """Every data set in the ledger, in the order of their first runs."""
    from sqlalchemy import func, select

    from .tables import DATASETS, RUNS

    query = (
        select(DATASETS.c.name, DATASETS.c.fingerprint, DATASETS.c.n, DATASETS.c.classes, func.count(RUNS.c.id))
        .join_from(DATASETS, RUNS, RUNS.c.dataset_fingerprint == DATASETS.c.fingerprint)
        .group_by(DATASETS.c.fingerprint)
        .order_by(func.min(RUNS.c.id))
    )
    with ledger.transaction(reading=True) as connection:
        sizes = _sizes(connection)
        return tuple(
            DataAccount(name, key, n, classes, runs, _looked(connection, key, sizes), _opened(connection, key, sizes))
            for name, key, n, classes, runs in connection.execute(query).all()
        )


def _sizes(connection: "Connection") -> dict[str, int]:
    """Samples of the parts that splits have made, by fingerprint."""
    from sqlalchemy import select

    from .tables import SPLITS

    known: dict[str, int] = {}
    for part in ("validation", "test"):
        fingerprint, n = SPLITS.c[f"{part}_fingerprint"], SPLITS.c[f"{part}_n"]
        rows = connection.execute(select(fingerprint, n).where(n.is_not(None)))
        known |= {row[0]: row[1] for row in rows}
    return known


def _parts(dataset: str) -> "Select[str]":
    """Fingerprints of the parts of a data set; of two with a part in common, each has all looks at that."""
    from sqlalchemy import select

    from .tables import LOOKS, RUNS

    return select(LOOKS.c.part_fingerprint).join_from(LOOKS, RUNS).where(RUNS.c.dataset_fingerprint == dataset)


def _looked(connection: "Connection", dataset: str, sizes: dict[str, int]) -> tuple[Looked, ...]:
    """The parts of a data set that were looked at while choosing, in the order of their first looks."""
    from sqlalchemy import String, cast, distinct, func, select

    from .tables import LOOKS, RUNS, SPLITS

    part = LOOKS.c.part, LOOKS.c.part_fingerprint
    one = cast(LOOKS.c.run, String) + "/" + cast(LOOKS.c.number, String)  # a look has a row a metric
    pool = func.max(SPLITS.c.train_n + SPLITS.c.validation_n)
    looks = (
        select(*part, LOOKS.c.purpose, func.count(distinct(one)), func.count(distinct(LOOKS.c.run)), pool)
        .join_from(LOOKS, RUNS)
        .join(SPLITS, SPLITS.c.fingerprint == RUNS.c.split_fingerprint, isouter=True)
        .where(LOOKS.c.part.in_(("validation", "out-of-fold")), LOOKS.c.part_fingerprint.in_(_parts(dataset)))
        .group_by(*part, LOOKS.c.purpose)
        .order_by(func.min(LOOKS.c.id))
    )
    found: dict[str, Looked] = {}
    for name, key, purpose, count, runs, pooled in connection.execute(looks).all():
        n = pooled if name == "out-of-fold" else sizes.get(key)
        found.setdefault(key, Looked(name, key, n, {}, _scores(connection, key))).looks[purpose] = count, runs
    return tuple(found.values())


def _scores(connection: "Connection", part_fingerprint: str) -> tuple[tuple[str, float], ...]:
    """What was chosen among.  A run that is judged again scores the same: that is no further candidate."""
    from sqlalchemy import select

    from .tables import LOOKS, RUNS

    query = (
        select(LOOKS.c.run, RUNS.c.name, LOOKS.c.value)
        .join_from(LOOKS, RUNS)
        .where(LOOKS.c.part_fingerprint == part_fingerprint, LOOKS.c.metric == "accuracy")
        .where(LOOKS.c.purpose.in_(("report", "selection")), LOOKS.c.value.is_not(None))
        .order_by(LOOKS.c.id)
    )
    rows = dict.fromkeys(tuple(row) for row in connection.execute(query))
    return tuple((name, value) for _, name, value in rows)


def _opened(connection: "Connection", dataset: str, sizes: dict[str, int]) -> tuple[Opened, ...]:
    """The test parts of a data set that were opened, in the order of their first openings."""
    from sqlalchemy import select

    from .tables import LADDER, LOOKS, RUNS

    query = (
        select(LOOKS.c.id, LOOKS.c.part_fingerprint, LOOKS.c.run, LOOKS.c.at, RUNS.c.name)
        .join_from(LOOKS, RUNS)
        .where(LOOKS.c.purpose == "unseal", LOOKS.c.part_fingerprint.in_(_parts(dataset)))
        .order_by(LOOKS.c.id)
    )
    openings = defaultdict[str, list[Opening]](list)
    for look, key, run, at, name in connection.execute(query).all():
        number = len(openings[key]) + 1
        kept = select(LADDER.c.revealed).where(LADDER.c.part_fingerprint == key, LADDER.c.opening == number)
        sealed = connection.scalar(kept) is False
        told = None if sealed else _told(connection, look, run, key)
        openings[key].append(Opening(name, datetime.fromisoformat(at), told, sealed))
    return tuple(Opened(key, sizes.get(key), tuple(each)) for key, each in openings.items())


def _told(connection: "Connection", unsealing: int, run: int, part_fingerprint: str) -> float | None:
    """The accuracy that a run wrote down after it had opened a test part, before it opened it again."""
    from sqlalchemy import select

    from .tables import LOOKS

    mine = (LOOKS.c.run == run) & (LOOKS.c.part_fingerprint == part_fingerprint) & (LOOKS.c.id > unsealing)
    seen = (LOOKS.c.metric == "accuracy") | (LOOKS.c.purpose == "unseal")
    return connection.scalar(select(LOOKS.c.value).where(mine, seen).order_by(LOOKS.c.id).limit(1))
