"""Nested cross-validation: what a whole way of searching is worth, on samples that none of its searches has seen."""

import glob
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core import BadFile, BadValue, derive
from ..data import Dataset
from ..evaluate import Ledger, Score, wilson
from ..evaluate.interval import mean_over_folds
from ..runs import lines
from ..runs.folds import Fold, folds_of
from ..runs.formats import duration
from ..runs.lines import Say
from ..runs.plan import inner
from ..runs.record import Record
from .space import Space, Value
from .task import Task, Told
from .winner import trained


@dataclass(frozen=True)
class Outer:
    """One outer fold.

    Attributes:
        name: "fold 2".
        search: the folder of its search, beside the one that asked for it.
        trial: that won there.
        values: of that trial.
        accuracy: of the winner, on samples that this search has not seen.
        train_n: samples that the search had.
    """

    name: str
    search: str
    trial: int
    values: dict[str, Value]
    accuracy: Score
    train_n: int

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Outer":  # Any: what JSON holds
        """What `asdict` gave."""
        return cls(**{**plain, "accuracy": Score.from_dict(plain["accuracy"])})


@dataclass(frozen=True)
class Nested:
    """What nested cross-validation found.

    Attributes:
        folds: one an outer fold.
        score: the mean over them, with Nadeau and Bengio's interval, never narrower than that of so many samples.
    """

    folds: tuple[Outer, ...]
    score: Score

    @classmethod
    def of(cls, plain: Mapping[str, Any] | None) -> "Nested | None":  # Any: what JSON holds
        """What `asdict` gave; None of None."""
        if plain is None:
            return None
        return cls(tuple(map(Outer.of, plain["folds"])), Score.from_dict(plain["score"]))


def check_nested(nested: int | None, cv: Any) -> None:  # Any: what folds are made of
    """Raises BadValue for what is no number of outer folds, and beside folds of the trials."""
    if nested is None:
        return
    if isinstance(nested, bool) or not isinstance(nested, int) or nested < 2:
        raise BadValue(f"nested={nested!r}: must be a number of outer folds, 2 or more.")
    if cv is not None:
        raise BadValue("nested and cv exclude each other: inside an outer fold trials are judged on a validation part.")


def cost_words(nested: int, trials: int, time_s: float | None) -> str:
    """What it costs, to be said before it begins."""
    limit = "" if time_s is None else f", each of up to {duration(time_s)}"
    return (
        f"{nested} outer folds make {nested + 1} searches of {trials:,} trials{limit}: {(nested + 1) * trials:,} "
        f"trials and {nested} trainings of winners in all"
    )


def nested_score(task: Task, record: Record, data: Dataset, ledger: Ledger, say: Say) -> Nested:
    """Searches anew on all but each outer fold, and judges the winner there.  Goes on where it was interrupted.

    Each search is one of its own, beside the one that asked for it; the record of that names it from its beginning.

    Args:
        task: the search on everything, whose way of searching is judged.
        record: of that; told of each fold.
        data: whose parts train and validation are dealt out.
        ledger: that all are in.
        say: told how it goes.
    """
    options, home = record.search, Path(task.folder)
    known = record.scores.setdefault("nested", {"folds": [], "score": None})
    pool = data.pool
    folds = folds_of(data, pool, options["nested"], seed=task.seed)
    for number, fold in enumerate(folds):
        if number < len(known["folds"]):
            continue
        say("nested", f"{fold.name} of {len(folds)}: a search on {len(fold.train):,} {data.things}")
        outer = _outer(task, record, data, fold, say)
        known["folds"].append(asdict(outer))
        record.write(home)
        say(fold.name, f"{outer.accuracy.text} n={outer.accuracy.n:,}, samples that its search has not seen")
    looks = ledger.looks(pool.fingerprint)
    found = tuple(map(Outer.of, known["folds"]))
    result = Nested(found, _mean(found, looks))
    if known["score"] is None:
        seen = {"accuracy": result.score.value}
        ledger.look(record.ledger_id, "out-of-fold", pool.fingerprint, seen, purpose="report")
        known["score"] = asdict(result.score)
        record.write(home)
    return result


def _outer(task: Task, record: Record, data: Dataset, fold: Fold, say: Say) -> Outer:
    """One search, and the judgement of its winner."""
    pool = data.pool
    train, validation = inner(pool.take(fold.train), derive(task.seed, "nested"))
    name = f"{data.name}-{fold.name.replace(' ', '-')}"
    # Without an origin, which would read the samples again that are to judge.
    part = replace(data.with_parts(train, validation), name=name, origin={})
    folder, best = _searched(task, record, part, say)
    judged = data.with_parts(train, pool.take(fold.judged)).validation
    network = trained(replace(task, data=part, folder=str(folder)), best)
    right, n = int((network.predict(judged).argmax(1) == judged.labels.numpy()).sum()), len(judged)
    accuracy = Score("accuracy", right / n, wilson(right, n), n, "out-of-fold")
    return Outer(fold.name, folder.name, best.number, best.values, accuracy, len(fold.train))


def _searched(task: Task, record: Record, part: Dataset, say: Say) -> tuple[Path, Told]:
    """The folder of the search of an outer fold, carried out or gone on with; and its best trial."""
    from .found import Search
    from .search import resume_search, search

    options, home = record.search, Path(task.folder)
    verbose: Literal[0, 1] = 0 if say is lines.quiet else 1
    begun = _begun(home.parent, record, part)
    if begun is None:
        told = {key: options[key] for key in ("trials", "time_s", "sampler", "pruner", "on", "workers")}
        found = search(
            part, task.space, model=task.model, refit=None, out=home.parent, verbose=verbose, **told, **task.how
        )
    elif Record.read(begun).status == "finished":
        found = Search.load(begun)
    else:
        function = None if isinstance(task.space, Space) else task.space
        found = resume_search(begun, part, space=function, verbose=verbose)
    return home.parent / found.folder.name, found.best


def _begun(out: Path, asking: Record, part: Dataset) -> Path | None:
    """The folder of the search of this outer fold, if it was begun before an interruption."""
    for folder in sorted(out.glob(f"{glob.escape(part.name)}-tune-*"), reverse=True):
        with suppress(BadFile):
            record = Record.read(folder)
            if record.ledger_id > asking.ledger_id and record.prints["split"] == part.split_fingerprint:
                return folder
    return None


def _mean(folds: Sequence[Outer], looks: int) -> Score:
    """The mean accuracy over the outer folds, with its interval."""
    values = np.array([one.accuracy.value for one in folds])
    n = sum(one.accuracy.n for one in folds)
    mean, interval = mean_over_folds(values, sum(one.train_n for one in folds), n, n)
    return Score("accuracy", mean, interval, n, "out-of-fold", looks)
