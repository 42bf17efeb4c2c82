"""Constraints: what weights are brought back to after each step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from torch import Tensor

from ..core import BadValue, Registry

EPSILON = 1e-7  # Keras's: it keeps zeros from being divided by zero


@dataclass(frozen=True)
class Constraint(ABC):
    """Base of all constraints: `constraint(weight)`, in Keras's layout, gives the nearest weight that is allowed."""

    @abstractmethod
    def __call__(self, weight: Tensor) -> Tensor: ...


constraints: Registry[type[Constraint]] = Registry("constraint")


def get_constraint(value: Any) -> Constraint:  # Any: a name, Keras's JSON form or a Constraint
    """The constraint that `value` describes."""
    return constraints.make(value, Constraint)  # type: ignore[type-abstract]  # only asked about


def _axes(constraint: Constraint, axis: Any) -> int | tuple[int, ...]:  # Any: whatever the user wrote
    """`axis` as it is, a list as a tuple.  Raises BadValue for what is neither a whole number nor several."""
    several = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    if not several or any(isinstance(one, bool) or not isinstance(one, int) for one in several):
        raise BadValue(f"{type(constraint).__name__}(axis={axis!r}): must be a whole number, or several.")
    return several if isinstance(axis, (list, tuple)) else int(axis)


def _norms(weight: Tensor, axis: int | Sequence[int]) -> Tensor:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return weight.square().sum(axes, keepdim=True).sqrt()


@constraints.register("max_norm")
@dataclass(frozen=True)
class MaxNorm(Constraint):
    """Vectors along `axis` that are longer than `max_value` are shortened to it.

    Args:
        max_value: positive.
        axis: of Keras's layout: 0 takes what comes into each unit of a dense layer, (0, 1, 2) each filter of `Conv2D`.
    """

    max_value: float = 2.0
    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        if not isinstance(self.max_value, Real) or not float(self.max_value) > 0:
            raise BadValue(f"MaxNorm(max_value={self.max_value!r}): must be a positive number.")
        object.__setattr__(self, "axis", _axes(self, self.axis))

    def __call__(self, weight: Tensor) -> Tensor:
        norms = _norms(weight, self.axis)
        return weight * (norms.clamp(max=self.max_value) / (EPSILON + norms))


@constraints.register("non_neg")
@dataclass(frozen=True)
class NonNeg(Constraint):
    """What is below 0 becomes 0."""

    def __call__(self, weight: Tensor) -> Tensor:
        return weight.clamp(min=0)


@constraints.register("unit_norm")
@dataclass(frozen=True)
class UnitNorm(Constraint):
    """All vectors along `axis`, which counts as in `MaxNorm`, get the length 1."""

    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", _axes(self, self.axis))

    def __call__(self, weight: Tensor) -> Tensor:
        return weight / (EPSILON + _norms(weight, self.axis))
