"""Ready-made models for tables: what brings their columns near 1, and the dense net behind it."""

from torch import Tensor

from ..data.table import Table
from ..layers import Dense, Dropout, Input, Layer, Normalization, Shape
from .model import Sequential


def table_front(reads: Table, train: Tensor) -> Normalization:
    """The layer that standardises the numbers of a table, by its training samples, and leaves ones and zeros alone."""
    return Normalization().take(*reads.moments(train.numpy()))


def table_net(shape: Shape, classes: int, *, front: Layer | None = None, seed: int = 0) -> Sequential:
    """Two hidden layers, 128D-64D, with dropout between them.

    Args:
        shape: (features,).
        classes: how many to tell apart.
        front: the layer that brings values near 1; None: they are as they should be.
        seed: of the model.
    """
    hidden: list[Layer] = [Dense(128, activation="relu"), Dropout(0.2), Dense(64, activation="relu")]
    hidden.append(Dense(classes, activation="softmax"))
    return Sequential([Input(shape), front or Normalization(), *hidden], name="dense", seed=seed)
