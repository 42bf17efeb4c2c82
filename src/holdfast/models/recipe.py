"""The default recipe: how a model is trained when `compile` is not told an optimizer.

AdamW under one cycle of the learning rate that spans the `fit`, label smoothing, batches by the size of the data, and
small shifts of pictures.  benchmarks/tune_recipe.py chose the numbers, on validation data of several kinds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..data import RandomShift
from ..layers import Symbol
from ..training import AdamW, BinaryCrossentropy, Loss, OneCycle, Optimizer
from ..training.losses import Crossentropy
from .frozen import front_of

if TYPE_CHECKING:
    from .model import BaseModel

LEARNING_RATE = 0.01  # at the top of the cycle, for the convnet and batches of 128
WIDE = 64  # units from which on a dense layer needs a lower rate
BETAS = 0.85, 0.95  # shorter memories than Adam's own suit a training of few steps
WEIGHT_DECAY = 0.004
LABEL_SMOOTHING = 0.05
SHIFTED = 16  # pictures move by one in so many pixels of their side; smaller ones would lose too much


def recipe_batch_size(samples: int) -> int:
    """32 below 1,000 training samples, 64 below 10,000, else 128."""
    return 32 if samples < 1_000 else 64 if samples < 10_000 else 128


def recipe_epochs(samples: int) -> int:
    """How long a run trains unless it is told: 30 epochs, from 10,000 training samples on 10."""
    return 30 if samples < 10_000 else 10


def recipe_rate(model: "BaseModel", batch_size: int) -> float:
    """The learning rate at the top of the cycle.

    It goes with the fourth root of the batch size: between 32 and 128 the best hardly moves.  Without convolutions,
    whose kernels are small, it falls with the root of the width: of the shorter side of the largest kernel.
    """
    shapes = [parameter.shape for parameter in model.module.parameters() if parameter.dim() > 1]
    convolves = any(len(shape) > 2 for shape in shapes)
    width = WIDE if convolves else max((min(shape) for shape in shapes), default=WIDE)
    return LEARNING_RATE * math.sqrt(math.sqrt(batch_size / 128) * min(1, WIDE / width))


def recipe_optimizer(learning_rate: float) -> Optimizer:
    """AdamW under one cycle up to this learning rate."""
    return AdamW(OneCycle(learning_rate), *BETAS, weight_decay=WEIGHT_DECAY)


def smoothed(loss: Loss, share: float) -> Loss:
    """The loss with so much label smoothing, if it is a plain cross-entropy over classes; else as it is."""
    if not share or not isinstance(loss, Crossentropy) or loss.label_smoothing:
        return loss
    return replace(loss, label_smoothing=share)


def recipe_shift(model: "BaseModel", losses: Sequence[Loss]) -> RandomShift | None:
    """Shifts for a model that classifies pictures (H, W, C) of 1, 3 or 4 channels; None for any other.

    Where several inputs belong together, or the outputs are values or places, moving the picture is unsound.  Behind a
    frozen front the head learns in seconds from the pictures as they are; moved ones are asked for by name.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 3:
        return None
    height, width, channels = model.inputs[0].shape
    classify = all(_classifies(*pair) for pair in zip(losses, model.outputs, strict=True))
    if not classify or min(height, width) < SHIFTED or channels not in (1, 3, 4):
        return None
    if front_of(model.lowered) is not None:
        return None
    return RandomShift(min(height, width) // SHIFTED)


def _classifies(loss: Loss, output: Symbol) -> bool:
    """Whether an output is learned as one class of the whole sample."""
    one_class = isinstance(loss, Crossentropy) or (isinstance(loss, BinaryCrossentropy) and output.shape[-1] == 1)
    return one_class and len(output.shape) == 1
