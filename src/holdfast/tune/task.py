"""What a search is, as all that carry out its trials see it, and what is told of a trial."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..data import Dataset, Sealed
from ..models import BaseModel
from ..runs.plan import How, ModelChoice
from ..transfer import anew
from .candidate import Build
from .space import Space, Value


@dataclass(frozen=True, eq=False)
class Task:
    """A search: all that carrying out one of its trials needs, on this machine or another.

    Attributes:
        name: of the search and of its study, "digits-tune-001".
        storage: the URL of the ledger's database, with its password.
        folder: of the search, absolute.
        data: without its test part, so that no trial can reach that.
        space: what may be chosen, or a function that chooses.
        model: what is trained where the space does not say it.
        how: how it is trained where the space does not say it, with the precision decided.
        cv: None: trials are judged on the validation part; else what `folds_of` takes.
        sampler, pruner: names.
        seed: of the draws and of every training.
        run: the id of the search in the ledger.
        workers: how many trials are carried out at once.
        together: how many folds, or trials, are trained together; decided once, for it changes answers by rounding.
    """

    name: str
    storage: str
    folder: str
    data: Dataset
    space: Space | Build
    model: ModelChoice
    how: How
    cv: Any
    sampler: str
    pruner: str
    seed: int
    run: int
    workers: int = 1
    together: int = 1

    def trial_folder(self, number: int) -> Path:
        """Where a trial keeps its checkpoint, then its answers."""
        return Path(self.folder) / "trials" / f"{number:04d}"


@dataclass(frozen=True)
class Told:
    """A trial that has ended.

    Attributes:
        number: from 0.
        values: that it was trained with, by name.
        state: "pruned" where it was stopped on the way, for others looked better.
        value: its accuracy on validation, or out of fold; of a pruned one when it was stopped; None of a failed one.
        log_loss: likewise.
        epochs: that it was trained, over all folds.
        seconds: that it took.
        reason: why it failed or was stopped.
        seen: its accuracies epoch by epoch, where the epoch to keep was chosen by them.
    """

    number: int
    values: dict[str, Value]
    state: Literal["complete", "pruned", "failed"]
    value: float | None
    log_loss: float | None
    epochs: int
    seconds: float
    reason: str = ""
    seen: tuple[float, ...] = ()

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Told":  # Any: what JSON holds
        """What `asdict` gave."""
        return cls(**{**plain, "seen": tuple(plain["seen"])})

    @property
    def order(self) -> tuple[float, float, int]:
        """The best trial has the largest: by accuracy, then by log-loss, then the first."""
        known = self.value is not None and self.log_loss is not None
        return (self.value or 0.0, -(self.log_loss or 0.0), -self.number) if known else (-1.0, 0.0, -self.number)


def best_of_ended(trials: Iterable[Told]) -> Told | None:
    """The best of those that came to their end; None before there is one."""
    return max((one for one in trials if one.state == "complete"), key=lambda one: one.order, default=None)


def fresh(model: ModelChoice, seed: int) -> ModelChoice:
    """What is trained where the space does not say it; of a model that is given a copy with first weights."""
    return anew(model, seed=seed) if isinstance(model, BaseModel) else model


def without_test(data: Dataset) -> Dataset:
    """The data as trials see it: what is not there cannot be looked at."""
    return replace(data, test=Sealed(data.train.take([])))
