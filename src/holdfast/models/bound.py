"""A layer as it stands in a model: its description together with its weights there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core import BadShape, UnknownName, suggestion
from ..layers import Layer, Source, Weight
from .lower import Lowered

Weights: TypeAlias = list[tuple[Weight, Tensor]]  # as torch has them, with their descriptions, in Keras's order


def once(weights: Iterable[tuple[Weight, Tensor]]) -> Weights:
    """Each weight at its first place only: a sub-model may be met in several ways."""
    return list({id(tensor): (weight, tensor) for weight, tensor in weights}.values())


def shapes_of(weights: Weights) -> list[tuple[int, ...]]:
    """In Keras's layout."""
    return [tuple(weight.to_keras(tensor).shape) for weight, tensor in weights]


def read(weights: Weights) -> list[NDArray[Any]]:  # Any: of the weights' own dtype
    """Copies, in Keras's layout."""
    return [np.array(weight.to_keras(tensor.detach()).cpu().numpy()) for weight, tensor in weights]


@torch.no_grad()
def write(weights: Weights, values: Sequence[Any], taker: str) -> None:  # Any: whatever NumPy can make arrays of
    """Takes over values in Keras's layout, all or none of them; `taker` is how messages begin.

    Raises:
        BadShape: too many, too few, or of other shapes.
    """
    got, wanted = [tuple(np.shape(value)) for value in values], shapes_of(weights)
    if got != wanted:
        raise BadShape(f"{taker} {wanted}, got {got}.")
    for (weight, tensor), value in zip(weights, values, strict=True):
        tensor.copy_(weight.to_torch(torch.as_tensor(np.asarray(value))))


@dataclass(frozen=True)
class BoundLayer:
    """A layer in a model.  Its weights are attributes under Keras's names and in Keras's layout: `.kernel`, `.bias`.

    Attributes:
        layer: the description.
        lowered: what the model was lowered to.
    """

    layer: Source
    lowered: Lowered

    @classmethod
    def find(cls, lowered: Lowered, layers: Sequence[Source], name: str | None, index: int | None) -> "BoundLayer":
        """By name, or by place among `layers`.

        Raises:
            UnknownName: no such layer; the message suggests the nearest names.
        """
        names = list(lowered.names.values())
        if name is None and index is not None and -len(layers) <= index < len(layers):
            name = lowered.names[layers[index]]
        for layer, known in lowered.names.items():
            if known == name:
                return cls(layer, lowered)
        asked = f"index {index}" if name is None else repr(name)
        raise UnknownName(f"the model has no layer {asked}{suggestion(name or '', names)}")

    @property
    def name(self) -> str:
        return self.lowered.names[self.layer]

    @property
    def module(self) -> nn.Module:
        """The torch module with the weights."""
        return self.lowered.mains[self.layer]

    def tensors(self) -> Weights:
        """The weights as torch has them."""
        if not isinstance(self.layer, Layer):
            inner: Lowered = self.layer.lowered  # type: ignore[attr-defined]  # a model, see lower.Submodel
            return once(pair for layer in inner.names for pair in BoundLayer(layer, inner).tensors())
        return self.layer.weights_in(self.module)

    def get_weights(self) -> list[NDArray[Any]]:  # Any: of the weights' own dtype
        """Copies, in Keras's order and layout."""
        return read(self.tensors())

    def set_weights(self, weights: Sequence[Any]) -> None:  # Any: whatever NumPy can make arrays of
        """Takes over weights in Keras's order and layout."""
        write(self.tensors(), weights, f"{self.name}: takes weights of shapes")

    def __getattr__(self, name: str) -> Tensor:
        for weight, tensor in self.tensors():
            if weight.name == name:
                return weight.to_keras(tensor.detach())
        known = ", ".join(weight.name for weight, _ in self.tensors()) or "none"
        raise AttributeError(f"{self.name} has no weight {name!r}; it has: {known}")
