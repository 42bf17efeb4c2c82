"""The run that a search has found: how its score is told, which was chosen among many, and what else there is to say.

Searching itself is the package `tune`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, Part
from ..evaluate import Report, Score
from ..evaluate.interval import Interval
from ..evaluate.score import PartName
from .predictions import Predictions
from .record import Record

ANSWERS = "answers.npz"  # of a trial; its winner has them, too, where it has learned from the samples that judged that
Policy = Literal["same", "all"]


@dataclass(frozen=True)
class Searched:
    """What a search says of the run that is its winner.

    Attributes:
        search: the name of its folder, beside that of the run.
        trial: the number of the one that won.
        values: that it was trained with.
        policy: "same": trained as the trial was; "all": on train and validation, so that nothing is left to judge it.
        part: that judged the trials.
        value, interval, naive, n: of its accuracy: without the luck of being the best, 95 %, as seen, of n samples.
        candidates: trials that came to their end.
        trials: all that were begun; each is a look.
        built: whether a function made the models, so that the values alone do not say all.
        nested: the score of the whole way of searching, by nested cross-validation; None where that was not asked for.
        reproduced: whether training anew gave the answers of the trial, in words; "" before that is known.
    """

    search: str
    trial: int
    values: Mapping[str, Any]  # Any: numbers and words
    policy: Policy
    part: PartName
    value: float
    interval: Interval
    naive: float
    n: int
    candidates: int
    trials: int
    built: bool = False
    nested: Score | None = None
    reproduced: str = ""

    @classmethod
    def of(cls, record: Record) -> "Searched | None":
        """What a record says; None for a run that no search has found."""
        plain = record.scores.get("search")
        if plain is None:
            return None
        nested = plain["nested"] and Score.from_dict(plain["nested"])
        return cls(**(plain | {"interval": tuple(plain["interval"]), "nested": nested}))

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it."""
        return asdict(self)

    @property
    def optimism(self) -> float:
        """What the choice among the trials added to the score of the best."""
        return max(0.0, self.naive - self.value)

    @property
    def sentence(self) -> str:
        """Where the run comes from, and what its score is."""
        how = "trained as that was" if self.policy == "same" else "trained anew on train and validation together"
        judged = "" if self.policy == "same" else "; nothing judges this model itself, the score is that of the search"
        said = f"the best of {self.candidates:,} trials of {self.search} (trial {self.trial}), {how}{judged}"
        return f"{said}; {self.reproduced}" if self.reproduced else said

    def corrected(self, report: Report) -> Report:
        """A report of the winner, with the score of the search, which is without the luck of its epoch, too."""
        seen = report.accuracy
        told = replace(seen, value=self.value, interval=self.interval, optimism=max(0.0, seen.naive - self.value))
        return replace(report, accuracy=told)


def judges(folder: Path, data: Dataset) -> tuple[PartName, Part, Predictions]:
    """What judges a run that has learned from train and validation: the samples and the answers of its trial.

    Raises:
        BadFile: these answers are not there.
    """
    kept = Predictions.read(folder / ANSWERS)
    for part, samples in (("validation", data.validation), ("out-of-fold", data.pool)):
        if samples.fingerprint == kept.fingerprint:
            return part, samples, kept  # type: ignore[return-value]  # one of the two words
    places = {name: place for place, name in enumerate(data.pool.names)}  # folds in time judge not all of the pool
    return "out-of-fold", data.pool.take([places[name] for name in kept.names]), kept


def tempered(probabilities: NDArray[np.float32], temperature: float | None) -> NDArray[np.float32]:
    """(N, K) as they were if the logits had been divided by this; None leaves them."""
    if temperature is None:
        return probabilities
    from scipy.special import log_softmax, softmax

    logits = log_softmax(np.log(probabilities.astype(np.float64).clip(1e-38)), axis=1)
    return np.asarray(softmax(logits / temperature, axis=1), np.float32)
