"""Few groups: what models reach on a group that they have not seen, beside a split that ignores the groups.

A validation part of one speaker or two says little of the next one.  So each group outside the sealed test part is left
out in turn, and one more model is trained on as much of every group; the difference is what it is worth to know the
group.  Nothing is chosen by these models, and none is kept.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import derive
from ..data import Dataset, Part
from ..data.assign import assign
from ..data.source import VALIDATION
from ..evaluate import Ledger, Score, wilson
from ..evaluate.interval import Interval, normal
from ..models import BaseModel
from ..transfer import FromBase, anew
from .again import rate_of
from .formats import duration, percent
from .lines import Say
from .plan import How, ModelChoice, fitted, how_of
from .record import Record

MOST_GROUPS = 10
LONGEST_S = 1800.0  # that all these trainings may take; else it is said how to ask for them


@dataclass(frozen=True)
class LeftOut:
    """Groups left out in turn, beside a random split.

    Attributes:
        names: of the groups.
        scores: the accuracy on each, of a model that learned from the others.
        random: the accuracy on samples drawn from all groups, of a model that learned from the rest.
    """

    names: tuple[str, ...]
    scores: tuple[Score, ...]
    random: Score

    @property
    def mean(self) -> float:
        """Of the accuracies on groups, each counting the same."""
        return float(np.mean([one.value for one in self.scores]))

    @property
    def interval(self) -> Interval:
        """95 %, for groups like these: Student's t over as many groups as there are."""
        return normal(np.array([one.value for one in self.scores]), 0.0, 1.0)

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it, with the mean and its interval."""
        return asdict(self) | {"mean": self.mean, "interval": self.interval}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "LeftOut":  # Any: as above
        """What `to_dict` was made from."""
        scores = tuple(Score(**(one | {"interval": tuple(one["interval"])})) for one in plain["scores"])
        random = Score(**(plain["random"] | {"interval": tuple(plain["random"]["interval"])}))
        return cls(tuple(plain["names"]), scores, random)

    def __str__(self) -> str:
        each = ", ".join(f"{name} {percent(one.value)}" for name, one in zip(self.names, self.scores, strict=True))
        low, high = self.interval
        return (
            f"random split {self.random.text} of {self.random.n:,} · one group left out {percent(self.mean)} "
            f"[{100 * low:.1f}, {100 * high:.1f}], the mean of {len(self.names)}, few for an interval: {each}"
        )


def left_out(record: Record, model: BaseModel, data: Dataset, ledger: Ledger, say: Say) -> LeftOut | None:
    """Trains the model of a run once for each group of the pool, and once on a random split; keeps their scores only.

    Args:
        record: of the run, trained.
        model: that the run keeps; it stands for the group that is its whole validation part, if one is.
        data: what it was trained on.
        ledger: hears that the pool was looked at.
        say: told of each group, or why there are none.

    Returns:
        None for data without groups or with too many, and where it would take too long.
    """
    pool = data.pool
    numbers = groups_of(pool, data)
    if not 2 <= len(numbers) <= MOST_GROUPS:
        return None
    assert pool.groups is not None
    expected = record.seconds * len(pool) / len(data.train) * (len(numbers) + 1)
    if expected > LONGEST_S:
        say(
            "groups",
            f"to leave out each of {len(numbers)} takes about {duration(expected)}: holdfast crossval --folds groups",
        )
        return None
    say(
        "groups", f"each of {len(numbers)} is left out in turn, then as many samples of all, about {duration(expected)}"
    )
    names, scores = [], []
    for number in numbers:
        began, name = perf_counter(), data.group_names[number]
        judged = pool.groups == number
        # With patience its epoch was chosen by that group.
        own = record.settings.patience is None and _is_group(data.validation, number)
        scores.append(_score(model, data, pool, judged, None if own else record))
        names.append(name)
        took = "the model of this run" if own else f"in {duration(perf_counter() - began)}"
        say("left out", f"{name}: {scores[-1].text} of {scores[-1].n:,}, {took}")
    judged = _drawn(pool, 1 / len(numbers), record.settings.seed)
    found = LeftOut(tuple(names), tuple(scores), _score(model, data, pool, judged, record))
    seen = {"left_out": found.mean, "random": found.random.value}
    ledger.look(record.ledger_id, "out-of-fold", pool.fingerprint, seen, purpose="report")
    return found


def _is_group(part: Part, number: int) -> bool:
    """Whether a part is this group and nothing else."""
    return part.groups is not None and bool((part.groups == number).all())


def groups_of(pool: Part, data: Dataset) -> Sequence[int]:
    """The numbers of the given groups in the pool, by name; none where samples stand outside of all groups."""
    if pool.groups is None or not data.group_names:
        return []
    found = np.unique(pool.groups).tolist()
    if not set(found) <= data.group_names.keys():
        return []
    return sorted(found, key=lambda number: data.group_names[number])


def _score(model: BaseModel, data: Dataset, pool: Part, judged: NDArray[np.bool_], record: Record | None) -> Score:
    """The accuracy on these samples of the model, or with its record of another that is trained on the others."""
    part = data.with_parts(pool.take(np.flatnonzero(~judged)), pool.take(np.flatnonzero(judged)))
    trained = model if record is None else fitted(part, _choice(record, model), _how(record))
    said, n = trained.predict(part.validation).argmax(1), int(judged.sum())
    right = int((said == part.validation.labels.numpy()).sum())
    return Score("accuracy", right / n, wilson(right, n), n, "out-of-fold")


def _how(record: Record) -> How:
    """As the run was trained, at its own rate where that is the recipe's, too."""
    how = how_of(record.settings)
    return {**how, "learning_rate": rate_of(record.settings)} if record.settings.recipe else how


def _choice(record: Record, model: BaseModel) -> ModelChoice:
    """What to train: by its base or name, so that a front end is fitted on the samples of this training alone."""
    if isinstance(model.made_from, FromBase):
        return model.made_from
    if record.settings.model != "model":
        return record.settings.model
    fresh = anew(model, seed=record.settings.seed)
    fresh.compiled = None  # the settings say how to train
    return fresh


def _drawn(pool: Part, share: float, seed: int) -> NDArray[np.bool_]:
    """Samples of all groups, as the classes are mixed; of copies all or none."""
    n = len(pool)
    copies = np.arange(n) if pool.digests is None else np.unique(pool.digests, return_inverse=True)[1].astype(np.int64)
    drawn = assign(pool.labels.numpy(), copies, (1 - share, share, 0.0), seed=derive(seed, "random split"))
    return np.asarray(drawn == VALIDATION)
