"""How long a way of training takes here, by a short trial, and how many epochs fit into a time."""

import time
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median

import torch

from ..data import Dataset
from ..models import BaseModel
from ..models.frozen import front_of
from ..training import StepEnd
from .plan import session_for
from .record import Settings

STEPS, BATCHES = 6, 2  # of a trial: steps at least, batches of samples at most
SAMPLES, CALLS = 16, 3  # that go through a frozen front to see how long one takes, so many times
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


def clock(device: str) -> float:
    """Seconds that this program has worked; differences of it are times.

    On a CPU it is the processor's time, by thread: it is what an idle machine takes, and what other programs do at the
    time changes nothing.  Elsewhere it is the clock on the wall.
    """
    return time.process_time() / torch.get_num_threads() if device == "cpu" else time.perf_counter()


def pace_of(data: Dataset, network: BaseModel, settings: Settings) -> Pace:
    """The pace of training a planned model on the training part of data, of which the first samples are tried."""
    n, size = len(data.train), min(len(data.train), settings.batch_size)
    trial = data.with_parts(data.train.take(range(min(n, BATCHES * size))), data.train.take([]))
    epochs = ceil(STEPS * size / len(trial.train))
    features_s = _feature_s(trial, network, settings.device) * n
    tried = settings.model_copy(update={"epochs": epochs, "patience": None})
    session, _ = session_for(network, trial, tried, (), 0)
    ends = list[float]()
    for event in session.events():
        if isinstance(event, StepEnd):
            event.running()  # waits for the device
            ends.append(clock(settings.device))
    step_s = median(after - before for before, after in pairwise(ends))  # the first one warms up
    return Pace(features_s, step_s * ceil(n / settings.batch_size), settings.epochs)


def _feature_s(data: Dataset, network: BaseModel, device: str) -> float:
    """What the frozen front of a model takes for one sample; 0 without one."""
    if front_of(network.lowered) is None:
        return 0.0
    images, taken = data.train.images[: min(SAMPLES, len(data.train))], list[float]()
    for _ in range(CALLS):
        began = clock(device)
        network.predict(images)  # of arrays nothing is kept
        taken.append(clock(device) - began)
    return median(taken) / len(images)
