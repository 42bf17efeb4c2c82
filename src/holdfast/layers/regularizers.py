"""Regularizers: what is added to the loss for large weights or activations."""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from ..core import BadValue, Registry


@dataclass(frozen=True)
class Regularizer(ABC):
    """Base of all regularizers: `regularizer(tensor)` gives the penalty, a tensor of no axes."""

    def __post_init__(self) -> None:
        for name, factor in vars(self).items():
            if not isinstance(factor, Real) or not float(factor) >= 0:
                raise BadValue(f"{type(self).__name__}({name}={factor!r}): must be a number, and not negative.")

    @abstractmethod
    def __call__(self, tensor: Tensor) -> Tensor: ...


regularizers: Registry[type[Regularizer]] = Registry("regularizer")


def get_regularizer(value: Any) -> Regularizer:  # Any: a name, Keras's JSON form or a Regularizer
    """The regularizer that `value` describes."""
    return regularizers.make(value, Regularizer)  # type: ignore[type-abstract]  # only asked about


@regularizers.register("l1")
@dataclass(frozen=True)
class L1(Regularizer):
    """l1 * sum |w|.

    Args:
        l1: the factor.
        proximal: how weights get there.  False, as in Keras: by the gradient, which leaves them near 0 and never at 0.
            True: after each step of the optimizer by a soft threshold, which leaves exact zeros; the penalty counts in
            the loss as it is told, and not in its gradient.  Files say it to holdfast; Keras takes the plain L1.

    Source: Parikh & Boyd 2014, "Proximal algorithms", sections 4.2 and 6.5.2.
    """

    l1: float = 0.01
    proximal: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "proximal", bool(self.proximal))

    def __call__(self, tensor: Tensor) -> Tensor:
        return self.l1 * (tensor.detach() if self.proximal else tensor).abs().sum()

    def __repr__(self) -> str:
        return f"L1(l1={self.l1!r}{', proximal=True' if self.proximal else ''})"


@regularizers.register("l2")
@dataclass(frozen=True)
class L2(Regularizer):
    """l2 * sum w²."""

    l2: float = 0.01

    def __call__(self, tensor: Tensor) -> Tensor:
        return self.l2 * tensor.square().sum()


@regularizers.register("l1_l2")
@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1 * sum |w| + l2 * sum w²."""

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, tensor: Tensor) -> Tensor:
        return self.l1 * tensor.abs().sum() + self.l2 * tensor.square().sum()


class ActivityPenalty(nn.Module):
    """Hands its input on and keeps its penalty, divided by the batch size as in Keras, until the loss takes it.

    A shared layer has a penalty for each of its `calls` in one forward pass; of older passes nothing is kept.
    """

    def __init__(self, regularizer: Regularizer) -> None:
        super().__init__()
        self.regularizer = regularizer
        self.penalties: deque[Tensor] = deque(maxlen=1)

    def expect(self, calls: int) -> None:
        """Makes room for so many calls in one forward pass."""
        if calls > (self.penalties.maxlen or 0):
            self.penalties = deque(maxlen=calls)

    @classmethod
    def wanted(cls, regularizer: Regularizer | None) -> "ActivityPenalty | None":
        """The module for a layer's `activity_regularizer`; None when it has none.

        Raises:
            BadValue: a proximal one, which is a step of weights.
        """
        if isinstance(regularizer, L1) and regularizer.proximal:
            raise BadValue(f"activity_regularizer={regularizer!r}: activations take no steps; leave proximal out.")
        return None if regularizer is None else cls(regularizer)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            self.penalties.append(self.regularizer(x) / x.shape[0])
        return x

    def take(self, calls: int = 1) -> Tensor:
        """The sum over the last `calls`, all being forgotten here so that their graph can be freed."""
        assert len(self.penalties) >= calls
        total = torch.stack(list(self.penalties)[-calls:]).sum()
        self.penalties.clear()
        return total
