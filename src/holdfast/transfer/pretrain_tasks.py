"""What is learned without labels: what a batch becomes, and the loss.  Every draw follows from (seed, pass, sample)."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core import derive
from ..data import Batch
from ..data.rows import Samples
from ..layers import (
    Normalization,
    RandomColorJitter,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Rescaling,
)
from ..layers.augment import Augmenting, Draws, keys_of
from ..models.augment_choice import colourful, value_range
from ..models.augmenting import Pipeline
from ..training import Loss

Method = Literal["autoencoder", "denoising", "masked", "contrastive"]

NOISE = 0.3  # standard deviation, where samples lie near 0 to 1
HIDDEN = 0.6  # share of the blocks that masked learning hides
BLOCKS = 7  # along the shorter side of a picture
TEMPERATURE = 1.0


@dataclass(frozen=True)
class Units:
    """What the front of an encoder does to values: (x - mean) / deviation, by channel; tensors that broadcast."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, front: Rescaling | Normalization) -> "Units":
        if isinstance(front, Rescaling):
            return cls(torch.tensor(0.0), (1 / torch.tensor(front.scale, dtype=torch.float64)).float())
        mean, variance = (torch.tensor(value, dtype=torch.float32) for value in (front.mean, front.variance))
        return cls(mean, variance.sqrt().clamp(min=1e-7))

    def near_one(self, x: Tensor) -> Tensor:
        return (x.float() - self.mean.to(x.device)) / self.deviation.to(x.device)


@dataclass(frozen=True)
class Rebuild:
    """The target is the sample itself, the input the sample with noise; without noise a plain autoencoder.

    Attributes:
        units: of the target.
        noise: standard deviation of the normal noise on the input, in these units.

    Source: Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders.
    """

    units: Units
    noise: float = 0.0

    def __call__(self, batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        x = batch.inputs[0]
        clean = self.units.near_one(x)
        if not self.noise:
            return replace(batch, targets=(clean,))
        draws = _draws(samples, x, seed, number)
        noise = draws.noise(x.shape[1:]) * self.noise * self.units.deviation.to(x.device)
        return replace(batch, inputs=(x.float() + noise,), targets=(clean,))


@dataclass(frozen=True)
class Hide:
    """Blocks of the input are hidden; behind the channels of the target as many say with 1 what is hidden.

    Attributes:
        units: of the target.
        share: of the blocks, hidden on average.
        blocks: along the shorter side of a picture; of a row each number is a block.

    Source: the task of He et al. 2021, Masked autoencoders are scalable vision learners; but a convolutional network
    sees all blocks, the hidden ones as grey.
    """

    units: Units
    share: float = HIDDEN
    blocks: int = BLOCKS

    def __call__(self, batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        x = batch.inputs[0]
        clean = self.units.near_one(x)
        hidden = self.hidden(x, _draws(samples, x, seed, number))
        filler = self.units.mean.to(x.device) + self.grey * self.units.deviation.to(x.device)
        shown = torch.where(hidden.bool(), filler.expand_as(clean), x.float())
        return replace(batch, inputs=(shown,), targets=(torch.cat([clean, hidden.expand_as(clean)], -1),))

    @property
    def grey(self) -> float:
        """What stands in the place of what is hidden: the middle of 0 to 1, and of standardised values the mean."""
        return 0.5 if not self.units.mean.any() else 0.0

    def hidden(self, x: Tensor, draws: Draws) -> Tensor:
        """1 where samples (n, ...) are hidden, else 0: (n, H, W, 1) of pictures, (n, ...) of others."""
        if x.dim() != 4:
            return (draws.take(x[0].numel()) < self.share).view(x.shape).float()
        height, width = x.shape[1:3]
        block = max(1, min(height, width) // self.blocks)
        rows, columns = -(-height // block), -(-width // block)
        grid = (draws.take(rows * columns) < self.share).view(len(x), rows, columns).float()
        whole = grid.repeat_interleave(block, 1).repeat_interleave(block, 2)
        return whole[:, :height, :width, None]


@dataclass(frozen=True)
class Views:
    """Two changed copies of each sample, (2n, ...): the first of all, then the second of all.

    Attributes:
        pipeline: what changes them.

    Source: Chen et al. 2020, A simple framework for contrastive learning of visual representations.
    """

    pipeline: Pipeline

    def __call__(self, batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        both = [self.pipeline(batch, samples, derive(seed, "view", which), number).inputs[0] for which in (0, 1)]
        x = torch.cat(both)
        return Batch((x,), (torch.zeros(len(x), device=x.device),))


Task = Rebuild | Hide | Views


@dataclass(frozen=True)
class HiddenError(Loss):
    """Mean squared error of what was hidden; the targets' last half of channels is 1 there."""

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        clean, hidden = targets.chunk(2, -1)
        errors = (outputs - clean).square() * hidden
        return errors.flatten(1).sum(1) / hidden.flatten(1).sum(1).clamp(min=1)


@dataclass(frozen=True)
class NTXent(Loss):
    """Normalised temperature-scaled cross-entropy: each view is to find its other one among all the rest.

    Args:
        temperature: by which cosines are divided.

    Source: Chen et al. 2020, eq. 1; outputs are (2n, d), view i + n is the other of view i.
    """

    temperature: float = TEMPERATURE

    def __call__(self, targets: Tensor, outputs: Tensor) -> Tensor:
        unit = F.normalize(outputs, dim=1)
        alike = unit @ unit.T / self.temperature
        alike = alike.masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), float("-inf"))
        others = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
        return F.cross_entropy(alike, others, reduction="none")


def views_for(samples: Samples) -> Views:
    """The views of pictures: moved, turned and zoomed; photos, which have colour in them, also mirrored and recoloured.

    Digits, letters and scans are mostly grey, and a mirrored one is another one, or none.
    """
    limits = value_range(samples)
    moves: list[Augmenting] = [
        RandomZoom((-0.4, 0.3), (-0.4, 0.3), fill_mode="nearest"),
        RandomTranslation(0.15, 0.15, "nearest"),
        RandomRotation(0.05, "nearest"),
    ]
    if samples.shape[-1] == 3 and colourful(samples, limits):
        colours = RandomColorJitter(limits, 0.2, 0.4, (0.2, 0.8), 0.1)
        moves = [RandomFlip("horizontal"), *moves, colours]
    return Views(Pipeline(tuple(moves), (None,)))


def _draws(samples: Tensor, x: Tensor, seed: int, number: int) -> Draws:
    return Draws(keys_of(samples.to(x.device), derive(seed, "corrupt", number)))
