"""Sparsity: how many of a model's weights are exactly 0, layer by layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..layers import L1
from .bound import BoundLayer
from .lower import Lowered

if TYPE_CHECKING:
    from .model import BaseModel


@dataclass(frozen=True)
class Zeros:
    """The weights of one layer, or of a model: how many there are, and how many of them are exactly 0."""

    name: str
    numbers: int
    zeros: int

    @property
    def share(self) -> float:
        """0 where there are no weights."""
        return self.zeros / max(1, self.numbers)

    def __str__(self) -> str:
        return f"{self.name}: {self.zeros:,} of {self.numbers:,} weights are 0 ({100 * self.share:.1f} %)"


@dataclass(frozen=True)
class Sparsity:
    """What `sparsity` found.

    Attributes:
        rows: one a layer that has weights.
        total: of all of them.
    """

    rows: tuple[Zeros, ...]
    total: Zeros

    def __str__(self) -> str:
        return "\n".join(map(str, (*self.rows, self.total)))


def sparsity(model: "BaseModel") -> Sparsity:
    """How many weights are exactly 0, as `L1(factor, proximal=True)` leaves them; counted, not estimated.

    Example:
        >>> from holdfast.layers import Dense, Input
        >>> from holdfast.models import Sequential
        >>> print(sparsity(Sequential([Input(3), Dense(2, kernel_initializer="zeros", bias_initializer="ones")])))
        dense: 6 of 8 weights are 0 (75.0 %)
        model: 6 of 8 weights are 0 (75.0 %)
    """
    return zeros_in(model.lowered)


def zeros_in(lowered: Lowered) -> Sparsity:
    """As `sparsity`, of a lowered model."""
    rows = []
    for layer, name in lowered.names.items():
        weights = BoundLayer(layer, lowered).get_weights()
        if weights:
            rows.append(Zeros(name, sum(one.size for one in weights), sum(int((one == 0).sum()) for one in weights)))
    total = Zeros("model", sum(row.numbers for row in rows), sum(row.zeros for row in rows))
    return Sparsity(tuple(rows), total)


def thresholded(lowered: Lowered) -> bool:
    """Whether a lowered model has weights under a proximal L1."""
    return any(isinstance(one, L1) and one.proximal for _, _, one in lowered.penalties)
