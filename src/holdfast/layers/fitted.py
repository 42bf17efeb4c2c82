"""Layers that scikit-learn fits before training: a linear map of flat samples, whose numbers never change after that.

They travel with the model, in every format: those that know no such layer hold it as a `Dense` that is not trained.
"""

import base64
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadShape, NotReady
from .dense import Dense
from .layer import Layer, Setting, Shape, require_rank

Array: TypeAlias = NDArray[np.float32]


class Numbers:
    """What a layer was fitted to: many numbers that are equal by value, short in print, and text in JSON."""

    def __init__(self, array: Any) -> None:  # Any: whatever NumPy can make an array of
        self.array: Array = np.array(array, np.float32, order="C")
        self.array.flags.writeable = False

    @classmethod
    def of(cls, value: Any) -> "Numbers":  # Any: numbers, or what `to_dict` gave
        """As they were given, or as JSON holds them.  Raises ValueError for what is neither."""
        if isinstance(value, Mapping):
            found = np.frombuffer(base64.b64decode(value["float32"], validate=True), "<f4")
            return cls(found.reshape([int(side) for side in value["shape"]]))
        return value if isinstance(value, Numbers) else cls(value)

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds them: exact, in a third of the room that figures take."""
        text = base64.b64encode(self.array.astype("<f4").tobytes()).decode()
        return {"shape": list(self.array.shape), "float32": text}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and np.array_equal(self.array, other.array)

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        return f"<{' x '.join(map(str, self.array.shape))} numbers>"


NumbersSetting: TypeAlias = Setting[object, Numbers | None]  # whatever NumPy can make an array of


@dataclass(frozen=True, eq=False)
class Fitted(Layer):
    """Base of the layers that `adapt` fits: (features,) -> (units,)."""

    used: list[bool] = field(default_factory=list, init=False, repr=False)  # filled by the first `build`

    @property
    @abstractmethod
    def adapted(self) -> bool:
        """Whether it has its numbers."""

    @abstractmethod
    def dense(self) -> Dense:
        """The layer that computes the same with `arrays` as its weights."""

    @abstractmethod
    def arrays(self, features: int) -> list[Array]:
        """Kernel (features, units) and, if the `dense` layer has one, bias (units,)."""

    @abstractmethod
    def take(self, arrays: Sequence[NDArray[Any]]) -> None:  # Any: of any number
        """Takes over what `arrays` gave, as a file has it, where the configuration does not say it already."""

    def missing(self) -> NotReady:
        """What is raised where numbers are needed before `adapt`."""
        return NotReady(f"{self.label}: was not adapted; call adapt on training data before the model is made.")

    def set(self, **numbers: object) -> None:
        """Takes over what was fitted; the one way in which a description changes, as in `Normalization`."""
        if self.used:
            raise NotReady(f"{self.label}: adapt comes before the model is first used; make the model anew after it.")
        for name, value in numbers.items():
            object.__setattr__(self, name, value)

    def require_flat(self, shape: Shape) -> None:
        """Raises BadShape for samples of several axes."""
        require_rank(self, shape, 1, form="flat samples (features,); put Flatten() before it")

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0]) * math.prod(self.out_shape(*shapes))


def flat_samples(layer: Layer, data: Any) -> NDArray[np.float64]:  # Any: whatever NumPy can make an array of
    """Training data (N, ...) as (N, features), in the order of `Flatten`.

    Raises:
        BadShape: no samples, or no axis of them.
        BadData: values that are no finite numbers.
    """
    try:
        array = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadData(f"{layer.label}.adapt: data must be an array of numbers (N, ...): {error}.") from error
    if array.ndim < 2 or array.size == 0:
        raise BadShape(f"{layer.label}.adapt: data have shape {array.shape}, must be (N, ...) and not empty.")
    if not np.isfinite(array).all():
        raise BadData(
            f"{layer.label}.adapt: data have NaN or infinite values; take these samples out, or replace them."
        )
    return array.reshape(len(array), -1)
