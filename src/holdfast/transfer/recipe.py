"""The recipe for a head on a frozen base, and for a base whose last layers learn along.

The head standardises features, drops some, and is one dense layer, which learns by AdamW under one cycle: a logistic
regression that is held back by where it begins and when it ends.  The numbers were chosen by cross-validation, on what
MobileNet makes of photos, digits and spectrograms.
"""

from ..layers import BatchNormalization, Dense, Dropout, Symbol
from ..models.recipe import recipe_optimizer
from ..training import Optimizer

LEARNING_RATE = 0.002  # at the top of the cycle; of a base that learns along, too
LABEL_SMOOTHING = 0.0
EPOCHS, FINE_TUNING_EPOCHS = 30, 10
MOMENTUM = 0.9  # of the statistics that standardise: few steps must be enough for them
DROPPED = 0.1  # of the features, at each step


def head_on(features: Symbol, classes: int, dropped: float = DROPPED) -> Symbol:
    """Probabilities of the classes from features (C,).

    The first kernel is of zeros: one layer has nothing to break the symmetry of, and each seed ends nearly alike.
    """
    x = BatchNormalization(momentum=MOMENTUM, center=False, scale=False)(features)
    return Dense(classes, activation="softmax", kernel_initializer="zeros")(Dropout(dropped)(x))


def transfer_epochs(fine_tune: int) -> int:
    """How long a run on a base trains unless it is told."""
    return FINE_TUNING_EPOCHS if fine_tune else EPOCHS


def transfer_optimizer(learning_rate: float = LEARNING_RATE) -> Optimizer:
    """AdamW under one cycle up to this learning rate."""
    return recipe_optimizer(learning_rate)
