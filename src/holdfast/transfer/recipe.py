"""The recipe for a head on a frozen base, and for a base whose last layers learn along."""

from ..models.recipe import recipe_optimizer
from ..training import Optimizer

LEARNING_RATE = 0.01  # at the top of the cycle
FINE_TUNING_RATE = 0.002
LABEL_SMOOTHING = 0.0


def transfer_epochs(samples: int, fine_tune: int) -> int:
    """How long a run on a base trains unless it is told."""
    return 10 if fine_tune else 30


def transfer_rate(batch_size: int, fine_tune: int) -> float:
    """The learning rate at the top of the cycle."""
    return FINE_TUNING_RATE if fine_tune else LEARNING_RATE


def transfer_optimizer(learning_rate: float) -> Optimizer:
    """AdamW under one cycle up to this learning rate."""
    return recipe_optimizer(learning_rate)
