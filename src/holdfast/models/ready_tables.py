"""Ready-made models for tables: what brings their columns near 1, and the dense net behind it."""

from torch import Tensor

from ..data.table import Table
from ..layers import Input, Layer, Normalization, Shape
from .model import Sequential
from .net import PLAIN, Net


def table_front(reads: Table, train: Tensor) -> Normalization:
    """The layer that standardises the numbers of a table, by its training samples, and leaves ones and zeros alone."""
    return Normalization().take(*reads.moments(train.numpy()))


def table_net(shape: Shape, classes: int, *, front: Layer | None = None, net: Net = PLAIN, seed: int = 0) -> Sequential:
    """Two hidden layers, 128D-64D, with dropout between them.

    Args:
        shape: (features,).
        classes: how many to tell apart.
        front: the layer that brings values near 1; None: they are as they should be.
        net: what of this is to be otherwise; dropout stands behind each hidden layer but the last of several.
        seed: of the model.
    """
    count, units = net.layers or 2, net.wide(128)
    layers: list[Layer] = [front or Normalization()]
    for number in range(count):
        layers += net.hidden(max(1, units // 2) if number and units else units)
        layers += net.dropped(0.2) if number < max(1, count - 1) else []
    return Sequential([Input(shape), *layers, net.last(classes)], name="dense", seed=seed)
