"""Weights in HDF5 files: where Keras 3 keeps them, and where Keras 2 kept them.

All shapes are held against the model's before the first number is read.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadFile, BadValue, snake_case, whole_file
from ..layers import Layer, Normalization, Source, Weight
from ..layers.fitted import Fitted
from .bound import BoundLayer, Weights, shapes_of, write
from .graph import calls_of, layers_of, names_of
from .hdf5 import Group
from .lower import Lowered
from .model import BaseModel, Model

FORMER = {"kernel": "depthwise_kernel"}  # what Keras 2 and TF.js call a weight of a depthwise convolution
NUMBERS = ("mean", "variance", "count")  # of a Normalization, which Keras keeps among the weights


class Stored(Protocol):
    """An array in a file, not read yet."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def read(self) -> NDArray[Any]: ...  # Any: of any number


@dataclass(frozen=True)
class Fill:
    """A layer's weights, and the arrays that are to fill them, in the same order."""

    name: str
    weights: Weights
    arrays: Sequence[Stored]


@dataclass(frozen=True)
class Slot:
    """A place for an array: a weight of a layer, or one of the numbers of a Normalization.

    Attributes:
        path: names of the models around the layer, and of the layer.
        layer: whose it is.
        name: of the weight.
    """

    path: tuple[str, ...]
    layer: Layer
    name: str

    @property
    def fixed(self) -> bool:
        """Whether training leaves it alone."""
        return not self.layer.trainable or self.name.startswith("moving_") or isinstance(self.layer, Normalization)

    @property
    def words(self) -> tuple[str, ...]:
        """What the weight is called: here and in Keras 3, or formerly."""
        former = type(self.layer).__name__.startswith("Depthwise") and FORMER.get(self.name)
        return (former, self.name) if former else (self.name,)


Pairs: TypeAlias = list[tuple[Slot, Stored]]


def layers_in(model: BaseModel) -> dict[Source, str]:
    """The layers of a model, which may not be lowered yet, in Keras's order, with their names."""
    return names_of(layers_of(calls_of(model.inputs, model.outputs)))


def fill(fills: Sequence[Fill]) -> None:
    """Reads the arrays into the weights, all or, where one does not fit, none.

    Raises:
        BadFile: too many, too few, or of other shapes; or damaged.
    """
    for one in fills:
        got, wanted = [tuple(array.shape) for array in one.arrays], shapes_of(one.weights)
        if got != wanted:
            raise BadFile(f"its weights do not fit the model: {one.name}: takes weights of shapes {wanted}, got {got}.")
    for one in fills:
        for weight, array in zip(one.weights, one.arrays, strict=True):
            write([weight], [array.read()], f"{one.name}: takes weights of shapes")


# Keras 3: layers/<class in snake case>[_number]/vars/<number>, and models in models the same way below.


def save_weights(model: BaseModel, path: Path | str) -> None:
    """Writes the weights of a model as Keras 3 does, to a path that ends in .weights.h5.

    Raises:
        BadValue: another ending.
    """
    if not str(path).endswith(".weights.h5"):
        raise BadValue(f"save_weights({str(path)!r}): takes a path that ends in .weights.h5, as in Keras.")
    with whole_file(path) as temporary:
        temporary.write_bytes(to_h5(model.lowered))


def to_h5(lowered: Lowered) -> bytes:
    """Keras 3's model.weights.h5, as bytes."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("vars").attrs["name"] = "model"
        _write(lowered, file.create_group("layers"))
    return buffer.getvalue()


def _write(lowered: Lowered, group: Any) -> None:  # Any: h5py is not annotated
    shapes = {step.layer: step.inputs for step in lowered.steps}
    for place, layer in _places(lowered.names):
        bound = BoundLayer(layer, lowered)
        if isinstance(layer, BaseModel):
            _write(layer.lowered, group.create_group(f"{place}/layers"))
        variables = group.create_group(f"{place}/vars")
        variables.attrs["name"] = bound.name
        if isinstance(layer, Layer):
            arrays = layer.arrays(shapes[layer][0][-1]) if isinstance(layer, Fitted) else bound.get_weights()
            for number, array in enumerate(arrays):
                variables[str(number)] = array


def _places(layers: Iterable[Source]) -> Iterator[tuple[str, Source]]:
    """Where Keras keeps each layer's weights: under its class in snake case, numbered a class at a time."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = "functional" if isinstance(layer, Model) else snake_case(type(layer).__name__)
        kind = "dense" if isinstance(layer, Fitted) else kind
        number = counts[kind] = counts.get(kind, -1) + 1
        yield (f"{kind}_{number}" if number else kind), layer


def _parts(model: BaseModel, group: Group) -> Iterator[tuple[Source, Group | None]]:
    """Each layer of a model with its part of the file; None for none.

    Parts go by their names where all are the model's, and by their places, as in Keras, where some are another's: of
    "dense_1" and "dense_2" the first is for a model's "dense".
    """
    parts = {place: part for place, part in group.items() if isinstance(part, Group)}
    by_name = {part.group("vars").attributes.get("name"): part for part in parts.values() if "vars" in part}
    names = layers_in(model)
    named = bool(by_name) and by_name.keys() <= set(names.values())
    for place, layer in _places(names):
        yield layer, by_name.get(names[layer]) if named else parts.get(place)


def adapt3(model: BaseModel, group: Group) -> None:
    """Gives every adapted layer the numbers that Keras keeps as weights: a Normalization its mean and variance.

    Args:
        group: "layers" of a file by Keras 3.
    """
    for layer, part in _parts(model, group):
        if part is not None and isinstance(layer, BaseModel):
            adapt3(layer, part.group("layers"))
        elif part is not None and isinstance(layer, Normalization) and "vars" in part:
            found = [part.array(f"vars/{number}") for number in (0, 1) if str(number) in part.group("vars")]
            if found:
                _take(layer, found)
        elif part is not None and isinstance(layer, Fitted) and "vars" in part:
            _take_fitted(layer, [part.array(f"vars/{key}") for key in sorted(part.group("vars"), key=int)])


def fills3(model: BaseModel, group: Group) -> list[Fill]:
    """What fills a model from "layers" of a file by Keras 3."""
    found: list[Fill] = []
    for layer, part in _parts(model, group):
        bound = BoundLayer(layer, model.lowered)
        if isinstance(layer, BaseModel):
            if part is None:
                raise BadFile(f"it has no weights for the layer {bound.name!r}.")
            found += fills3(layer, part.group("layers"))
        elif bound.tensors():
            variables = Group("", {}, {}) if part is None or "vars" not in part else part.group("vars")
            arrays = [variables.array(key) for key in sorted(variables, key=int)]
            found.append(Fill(bound.name, bound.tensors(), arrays))
    return found


def _take(layer: Normalization, arrays: Sequence[Stored]) -> None:
    """Gives a Normalization without numbers its mean and variance."""
    mean, variance = (array.read() for array in arrays[:2])
    if layer.mean is None and not layer.used:
        layer.take(mean, variance)
        return
    own = [np.asarray(value, np.float32).reshape(-1) for value in (layer.mean or 0.0, layer.variance or 1.0)]
    for one, other in zip(own, (mean, variance), strict=True):
        if not np.array_equal(np.broadcast_to(one, other.size), other.reshape(-1).astype(np.float32)):
            raise BadValue(
                f"{layer.label}: has other numbers in the file, and those that it has are built in; "
                "read the whole model with holdfast.load."
            )


def _take_fitted(layer: Fitted, stored: Sequence[Stored]) -> None:
    """Gives a fitted layer without numbers those of a file; of one that has them, they are the same."""
    arrays = [one.read() for one in stored]
    if not layer.adapted:
        layer.take(arrays)
        return
    fits = bool(arrays) and arrays[0].shape[1:] == (layer.dense().units,)
    own = layer.arrays(len(arrays[0])) if fits else []
    if len(own) != len(arrays) or not all(map(np.array_equal, own, arrays)):
        raise BadValue(
            f"{layer.label}: was fitted to other data than in the file, and what it has is built in; "
            "read the whole model with holdfast.load."
        )


# Keras 2: a group a layer, whose attribute weight_names says where in it the arrays are and in which order.


def pairs2(model: BaseModel, group: Group) -> Pairs:
    """Which array of a file by Keras 2 goes where; the model may not be lowered yet.

    Args:
        group: "model_weights" of an h5 file, or the root of a file of weights.

    Raises:
        BadFile: layers or arrays that are too many or too few.
    """
    stored: dict[str, list[tuple[str, Stored]]] = {}
    for name in group.words("layer_names"):
        part = group.group(name)
        if words := part.words("weight_names"):
            stored[name] = [(word, part.array(word)) for word in words]
    layers = {layer: name for layer, name in layers_in(model).items() if slots_of(layer, (name,), numbers=True)}
    found: Pairs = []
    for (layer, own), (name, arrays) in zip(layers.items(), _in_turn(layers, stored), strict=True):
        ways = [slots_of(layer, (own,), numbers=numbers) for numbers in (None, True, False)]
        slots = next((way for way in ways if len(way) == len(arrays)), None)
        if slots is None:
            raise BadFile(f"its weights do not fit the model: {name}: takes {len(ways[0])} arrays, got {len(arrays)}.")
        numbers = match(slots, [word for word, _ in arrays]) if isinstance(layer, BaseModel) else []
        order = [number for number in numbers if number is not None]
        order = order if len(order) == len(slots) else list(range(len(slots)))
        found += [(slot, arrays[number][1]) for slot, number in zip(slots, order, strict=True)]
    return found


def _in_turn(
    layers: Mapping[Source, str], stored: Mapping[str, list[tuple[str, Stored]]]
) -> list[tuple[str, list[tuple[str, Stored]]]]:
    """The arrays of each layer: those under its name or, in a file by a model with other names, those of its turn."""
    names = set(layers.values())
    may_lack = {name for layer, name in layers.items() if isinstance(layer, Normalization)}
    if names - may_lack <= stored.keys() <= names:
        return [(name, stored.get(name, [])) for name in layers.values()]
    if len(stored) == len(layers):
        return list(stored.items())
    theirs, ours = (", ".join(list(some)[:3]) for some in (stored, layers.values()))
    raise BadFile(
        f"its weights do not fit the model: they are of {len(stored)} layers ({theirs}, ...), the model has "
        f"{len(layers)} with weights ({ours}, ...)."
    )


def slots_of(layer: Source, path: tuple[str, ...], *, numbers: bool | None = None) -> list[Slot]:
    """The places for a layer's arrays in Keras's order: those that training changes, then the others.

    Args:
        path: names of the models around it, and its own.
        numbers: whether the numbers of a Normalization are among them; None: where it has none yet.
    """
    if isinstance(layer, BaseModel):
        inside = layers_in(layer).items()
        found = [slot for one, name in inside for slot in slots_of(one, (*path, name), numbers=numbers)]
        return sorted(found, key=lambda slot: slot.fixed)
    assert isinstance(layer, Layer)
    if isinstance(layer, Normalization):
        return [Slot(path, layer, name) for name in NUMBERS if (layer.mean is None if numbers is None else numbers)]
    return [Slot(path, layer, weight.name) for weight in layer.weights()]


def match(slots: Sequence[Slot], names: Sequence[str]) -> list[int | None]:
    """For each place the number of the array that is called like it; None where it has not one of its own.

    So are called "conv1/kernel:0", "outer/conv1/kernel", and by TF.js "conv1_Conv2D1/kernel_1".
    """
    known: dict[tuple[str, str], list[int]] = {}
    for number, name in enumerate(names):
        *places, word = name.removesuffix(":0").split("/")
        for place in set(places):
            plain = re.sub(r"_[A-Z][A-Za-z0-9]*$", "", place)
            for key in {
                (place, word),
                (plain, word),
                (place, re.sub(r"_\d+$", "", word)),
                (plain, re.sub(r"_\d+$", "", word)),
            }:
                known.setdefault(key, []).append(number)
    taken: set[int] = set()
    order: list[int | None] = []
    for slot in slots:
        numbers = next((known[slot.path[-1], word] for word in slot.words if (slot.path[-1], word) in known), [])
        for around in reversed(slot.path[:-1]):  # of several, those inside the same models
            numbers = [number for number in numbers if around in names[number].split("/")] or numbers
        order.append(numbers[0] if len(numbers) == 1 and numbers[0] not in taken else None)
        taken.update(numbers[:1])
    return order


def adapt(pairs: Pairs) -> None:
    """As `adapt3`, from pairs of places and arrays."""
    numbers: dict[Normalization, list[Stored]] = {}
    for slot, array in pairs:
        if isinstance(slot.layer, Normalization):
            numbers.setdefault(slot.layer, []).append(array)
    for layer, arrays in numbers.items():
        _take(layer, arrays)


def fills(model: BaseModel, pairs: Pairs) -> list[Fill]:
    """What fills a model, once it is lowered, from pairs of places and arrays."""
    tensors = {(path, weight.name): (weight, tensor) for path, weight, tensor in _tensors(model, ())}
    return [
        Fill("/".join(slot.path), [tensors[slot.path, slot.name]], [array])
        for slot, array in pairs
        if not isinstance(slot.layer, Normalization)
    ]


def _tensors(model: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Weight, torch.Tensor]]:
    for layer, name in model.lowered.names.items():
        if isinstance(layer, BaseModel):
            yield from _tensors(layer, (*path, name))
        else:
            for weight, tensor in BoundLayer(layer, model.lowered).tensors():
                yield (*path, name), weight, tensor
