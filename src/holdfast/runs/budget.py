"""How long a way of training takes here, by a short trial, and how many epochs fit into a time."""

import time
from dataclasses import dataclass
from math import ceil

from ..data import Dataset
from ..models import BaseModel
from ..models.frozen import front_of
from ..training import StepEnd
from .plan import session_for
from .record import Settings

STEPS, BATCHES = 4, 2  # of a trial: steps at least, batches of samples at most
SAMPLES = 32  # that go through a frozen front to see how long one takes
MOST = 10  # times the epochs of the recipe are enough, however much time is left


@dataclass(frozen=True)
class Pace:
    """How fast a way of training goes on so many samples.

    Attributes:
        features_s: what a frozen front takes for all samples, once; 0 without one.
        epoch_s: an epoch behind it.
        recipe: epochs, by its recipe.
    """

    features_s: float
    epoch_s: float
    recipe: int

    @property
    def own_s(self) -> float:
        """What the recipe takes."""
        return self.features_s + self.recipe * self.epoch_s

    def epochs(self, budget_s: float) -> int:
        """As many as fit, at most ten times those of the recipe; 0 where not even one does."""
        return max(0, min(MOST * self.recipe, int((budget_s - self.features_s) / self.epoch_s)))


def pace_of(data: Dataset, network: BaseModel, settings: Settings) -> Pace:
    """The pace of training a planned model on the training part of data, of which the first samples are tried."""
    n, size = len(data.train), min(len(data.train), settings.batch_size)
    trial = data.with_parts(data.train.take(range(min(n, BATCHES * size))), data.train.take([]))
    epochs = ceil(STEPS * size / len(trial.train))
    features_s = _feature_s(trial, network) * n
    tried = settings.model_copy(update={"epochs": epochs, "patience": None})
    session, _ = session_for(network, trial, tried, (), 0)
    steps, began = 0, time.perf_counter()
    for event in session.events():
        if isinstance(event, StepEnd):
            steps += 1
            began = time.perf_counter() if steps == 1 else began  # the first one warms up
    step_s = (time.perf_counter() - began) / (steps - 1)
    return Pace(features_s, step_s * ceil(n / settings.batch_size), settings.epochs)


def _feature_s(data: Dataset, network: BaseModel) -> float:
    """What the frozen front of a model takes for one sample; 0 without one."""
    if front_of(network.lowered) is None:
        return 0.0
    images = data.train.images[: min(SAMPLES, len(data.train))]
    network.predict(images[:1])
    began = time.perf_counter()
    network.predict(images)  # of arrays nothing is kept
    return (time.perf_counter() - began) / len(images)
