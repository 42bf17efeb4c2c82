"""What a ready-made net can be told to have: how wide, how deep, of which kernels, and what holds it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core import BadValue, HoldfastError
from ..layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
    Layer,
)
from ..layers.regularizers import L1L2

if TYPE_CHECKING:
    from pathlib import Path

    from .model import BaseModel

Setting: TypeAlias = bool | int | float | str | None
Convolution: TypeAlias = type[Conv1D] | type[Conv2D] | type[Conv3D]
CONVOLVING = ("filters", "kernel_size")  # words that say nothing to a net without convolutions


@dataclass(frozen=True)
class Net:
    """Settings of a ready-made net; None: as it is without being told.

    Args:
        filters: of the first convolution; those behind it have more in the proportion that they always have.
        layers: how many convolutions; of a net without, how many hidden dense layers.
        kernel_size: side of the kernels.
        units: of the hidden dense layer, of several the first; 0: no such layer.
        activation: of all hidden layers.
        kernel_initializer: of all hidden layers.
        dropout: share that is dropped before the last layer.
        l1, l2: factors of the penalty on all kernels.
        batch_normalization: whether hidden layers are normalised, before their activation.

    Example:
        >>> from holdfast.models import convnet
        >>> convnet((28, 28, 1), 10, net=Net(filters=8, units=32)).count_params()
        8538
    """

    filters: int | None = None
    layers: int | None = None
    kernel_size: int | None = None
    units: int | None = None
    activation: str | None = None
    kernel_initializer: str | None = None
    dropout: float | None = None
    l1: float | None = None
    l2: float | None = None
    batch_normalization: bool | None = None

    def __post_init__(self) -> None:
        for name in ("filters", "layers", "kernel_size", "units"):
            value, least = getattr(self, name), 0 if name == "units" else 1
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise BadValue(f"{name}={value!r}: must be a whole number of at least {least}.")
        for name in ("l1", "l2"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise BadValue(f"{name}={value!r}: must be a finite number of at least 0.")
        if self.batch_normalization not in (None, False, True):
            raise BadValue(f"batch_normalization={self.batch_normalization!r}: must be true or false.")
        for name in ("activation", "kernel_initializer"):
            if (value := getattr(self, name)) is not None:
                try:
                    Dense(1, **{name: value})
                except HoldfastError as error:  # without the name of the layer
                    raise type(error)(f"{name}: {error.__cause__ or error}") from error
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise BadValue(f"dropout={self.dropout!r}: must be at least 0 and less than 1.")

    @property
    def told(self) -> dict[str, Setting]:
        """What was said, by name."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def width(self, filters: int, first: int) -> int:
        """Filters of a convolution that without being told has so many, where the first has `first`."""
        return filters if self.filters is None else max(1, round(filters * self.filters / first))

    def side(self, kernel_size: int) -> int:
        """Of kernels that are of this size without being told."""
        return self.kernel_size or kernel_size

    def wide(self, units: int) -> int:
        """Units of a dense layer that without being told has so many."""
        return units if self.units is None else self.units

    def convolution(
        self,
        kind: Convolution,
        filters: int,
        kernel_size: int,
        strides: int | tuple[int, ...] = 1,
        *,
        padding: str = "valid",
        normalized: bool = False,
    ) -> list[Layer]:
        """A convolution and its activation; between them, where that is told or usual, batch normalization."""
        if self._normalized(normalized):
            plain = kind(filters, kernel_size, strides, padding, use_bias=False, **self._kernel())  # type: ignore[arg-type]
            return [plain, BatchNormalization(momentum=0.9), Activation(self.activation or "relu")]
        activation = self.activation or "relu"
        return [kind(filters, kernel_size, strides, padding, activation=activation, **self._kernel())]  # type: ignore[arg-type]

    def hidden(self, units: int) -> list[Layer]:
        """A dense layer and its activation; nothing for 0."""
        if not units:
            return []
        activation = self.activation or "relu"
        if not self._normalized(usual=False):
            return [Dense(units, activation=activation, **self._kernel())]
        plain = Dense(units, use_bias=False, **self._kernel())
        return [plain, BatchNormalization(momentum=0.9), Activation(activation)]

    def dropped(self, share: float) -> list[Layer]:
        """Dropout of what is usual or told; nothing for 0."""
        share = share if self.dropout is None else self.dropout
        return [Dropout(share)] if share else []

    def end(self, classes: int, *, units: int = 0, dropout: float = 0.0) -> list[Layer]:
        """From features to probabilities: the hidden layer, if any, dropout, if any, and the last layer."""
        return [*self.hidden(self.wide(units)), *self.dropped(dropout), self.last(classes)]

    def last(self, classes: int) -> Dense:
        """The layer that gives probabilities; it begins as ever."""
        return Dense(classes, activation="softmax", kernel_regularizer=self._penalty())

    def _normalized(self, usual: bool) -> bool:
        return usual if self.batch_normalization is None else self.batch_normalization

    def _kernel(self) -> dict[str, Any]:  # Any: settings of layers
        return {
            "kernel_initializer": self.kernel_initializer or "glorot_uniform",
            "kernel_regularizer": self._penalty(),
        }

    def _penalty(self) -> L1L2 | None:
        return L1L2(self.l1 or 0.0, self.l2 or 0.0) if self.l1 or self.l2 else None


PLAIN = Net()  # the ready-made nets as they are


@dataclass(frozen=True)
class Variant:
    """A model with other settings, as `train`, `cross_validate` and the like take it in place of a model.

    It is made for the data that it trains on, front end included, so every fold and seed has one of its own.

    Args:
        model: a ready-made name; or the path of a configuration, or a model, of which only `changes` are told.
        net: of a ready-made model.
        changes: what single layers are told, by paths such as "conv2d_1.filters" or "layers[2].filters".
    """

    model: "str | Path | BaseModel"
    net: Net = PLAIN
    changes: Mapping[str, Setting] = field(default_factory=dict)
