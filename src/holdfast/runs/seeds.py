"""The luck of the seed: the same training several times, and how much its answers depend on nothing but chance."""

import sys
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..evaluate import Ledger, SeedAgreement, agreement_of_seeds
from ..models import BaseModel, Fitting
from ..models.together import trained
from ..transfer import anew
from .formats import percent
from .lines import Say, quiet
from .plan import compile_for, session_for
from .record import Record
from .watch import Looking


@dataclass(frozen=True)
class SeedSpread:
    """What trainings reach on validation that differ in their seed only.

    Attributes:
        seeds: of the trainings; the first is the run's own.
        accuracies: on validation, one a seed.
        agreement: of their answers.
    """

    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    agreement: SeedAgreement

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return float(np.mean(self.accuracies))

    @property
    def spread(self) -> float:
        """The standard deviation of the accuracies."""
        return float(np.std(self.accuracies, ddof=1))

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it, with mean and spread."""
        return asdict(self) | {"mean": self.mean, "spread": self.spread}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "SeedSpread":  # Any: what JSON holds
        """What `to_dict` was made from."""
        agreement = plain["agreement"] | {"interval": tuple(plain["agreement"]["interval"])}
        return cls(tuple(plain["seeds"]), tuple(plain["accuracies"]), SeedAgreement(**agreement))

    def __str__(self) -> str:
        low, high = min(self.accuracies), max(self.accuracies)
        return (
            f"validation accuracy {100 * self.mean:.1f} % over {len(self.seeds)} seeds, standard deviation "
            f"{100 * self.spread:.1f} points, {100 * low:.1f} to {100 * high:.1f}; {self.agreement}"
        )


def seed_spread(record: Record, model: BaseModel, data: Dataset, ledger: Ledger, say: Say) -> SeedSpread:
    """Trains a run again with the seeds that follow its own, under equal settings; keeps their answers only.

    Args:
        record: of the run.
        model: that the run keeps, which stands for its own seed.
        data: what it was trained on.
        ledger: hears of every look at validation.
        say: told of each seed; on a terminal a live line shows how far it is, unless `say` is quiet.
    """
    shown: Literal[0, 1] = 1 if say is not quiet and sys.stdout.isatty() else 0
    labels, settings = data.validation.labels.numpy(), record.settings
    seeds = tuple(range(settings.seed, settings.seed + settings.seeds))
    others = trained([partial(session_again, record, model, data, ledger, seed, shown) for seed in seeds[1:]])
    said, accuracies = list[NDArray[np.int64]](), list[float]()
    for seed, network in zip(seeds, chain([model], (session.model for session, _ in others)), strict=True):
        said.append(network.predict(data.validation).argmax(1))
        accuracies.append(float((said[-1] == labels).mean()))
        if seed != settings.seed:
            seen = {"accuracy": accuracies[-1]}
            ledger.look(record.ledger_id, "validation", data.validation.fingerprint, seen, purpose="report")
            say(f"seed {seed}", f"validation accuracy {percent(accuracies[-1])}")
    return SeedSpread(seeds, tuple(accuracies), agreement_of_seeds(np.stack(said)))


def session_again(
    record: Record, model: BaseModel, data: Dataset, ledger: Ledger, seed: int, verbose: Literal[0, 1] = 0
) -> Fitting:
    """A session that trains the model of a run anew, with another seed of weights, order and dropout.

    With patience each epoch is a look at validation; without, nobody sees what is measured there on the way.
    """
    looking = Looking(ledger, record.ledger_id, data.validation.fingerprint)
    network = anew(model, seed=seed)
    network.classes = data.classes
    compile_for(network, record.settings)
    callbacks = () if record.settings.patience is None else (looking,)
    session, _ = session_for(network, data, record.settings, callbacks, verbose)
    return session
