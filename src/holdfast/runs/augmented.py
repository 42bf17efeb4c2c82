"""What training samples look like once they are augmented: some of them, as the first passes drew them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..core import derive
from ..data import Batch, Dataset
from ..models import BaseModel
from ..models.augmenting import augmentation_for, from_recorded
from ..training import Head, SparseCategoricalCrossentropy
from .pages.told import Augmented
from .record import Settings

SHOWN, PASSES = 8, 5
HEAD = Head(SparseCategoricalCrossentropy())


def augmented_of(model: BaseModel, data: Dataset, settings: Settings) -> list[Augmented]:
    """Training samples drawn at random, each as it is and as the first passes changed it.

    What a sample undergoes is what training drew; with whom it is mixed is not, for here they are mixed among each
    other.  Empty where nothing changes them, and for rows of numbers, which are no picture.
    """
    part, shape = data.train, data.shape
    if len(shape) < 2 and data.kind != "sounds":
        return []
    whole = Batch((part.images,), (part.labels,))
    augment = from_recorded(settings.shift, settings.augment)
    change = augmentation_for(augment, model, [HEAD], whole, reads=data.reads, by_recipe=settings.recipe)
    if change is None:
        return []
    random = np.random.default_rng(derive(settings.seed, "augmented"))
    places = torch.from_numpy(random.permutation(len(part))[:SHOWN])
    chosen = Batch((part.images[places],), (part.labels[places],))
    made = [change(chosen, places, settings.seed, number) for number in range(PASSES)]
    return [
        Augmented(
            part.names[place],
            data.classes[int(chosen.targets[0][row])],
            _shown(chosen.inputs[0][row]),
            [_shown(batch.inputs[0][row]) for batch in made],
            [_label(batch, row, data.classes) for batch in made],
        )
        for row, place in enumerate(map(int, places))
    ]


def _shown(sample: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """A picture, or lines; of a volume its middle slice."""
    array = sample[:, None] if sample.dim() == 1 else sample[len(sample) // 2] if sample.dim() == 4 else sample
    return np.asarray(array.cpu().numpy())


def _label(batch: Batch, row: int, classes: Sequence[str]) -> str:
    """What a mixed sample is labelled with, the larger share first."""
    if not batch.soft:
        return ""
    shares = batch.soft[0][row]
    order = [int(place) for place in shares.argsort(descending=True) if float(shares[place]) >= 0.005]
    return ", ".join(f"{100 * float(shares[place]):.0f} % {classes[place]}" for place in order)
