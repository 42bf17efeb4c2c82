"""From what `fit` and `evaluate` are given to samples with targets and weights, checked against the model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..core import BadData, BadShape, BadValue, HoldfastError
from ..data import Batch, Dataset, Part
from ..training import (
    BinaryCrossentropy,
    Program,
)
from .arrays import (
    Arrays,
    are_words,
    as_inputs,
    as_labels,
    as_tensor,
    check_finite,
    check_number,
    kinds,
    several,
)

if TYPE_CHECKING:
    from .model import BaseModel

Classes: TypeAlias = tuple[str, ...] | None  # their names, where labels have any


def labelled(
    model: "BaseModel", x: Arrays, y: Arrays, sample_weight: Arrays = None, *, classes: Classes
) -> tuple[Batch, Classes]:
    """Inputs, targets and weights of all samples, checked against the model and its classes; and the classes.

    Of a Dataset it is the validation part.
    """
    if isinstance(x, Dataset):
        check_known(x, classes)
        x, classes = x.validation, x.classes
    if isinstance(x, Part):
        x, y = x.images, x.labels if y is None else y
    if y is None:
        raise BadValue("y is missing: every sample needs a target.")
    model.build_for(x)
    inputs = as_inputs(x, [symbol.shape for symbol in model.inputs], model.input_names)
    check_finite(inputs, "x")
    targets, given = [], several(y, model.output_names, "y")
    if sum(map(are_words, given)) > 1:
        raise BadData("y: labels with names are supported for one output; encode the others with data.encode_labels.")
    for value, symbol in zip(given, model.outputs, strict=True):
        target, classes = as_labels(value, classes, symbol.shape, "y")
        targets.append(target)
    pieces = [] if sample_weight is None else _weights(sample_weight, model.output_names)
    for name, tensors in (("y", targets), ("sample_weight", pieces)):
        check_finite(tensors, name)
        for tensor in tensors:
            if len(tensor) != len(inputs[0]):
                raise BadShape(f"x has {len(inputs[0])} samples, {name} has {len(tensor)}.")
    _check_weights(pieces)
    return Batch(inputs, tuple(targets), tuple(pieces)), classes


def check_known(data: Dataset, classes: Classes) -> None:
    """Raises BadData when a model that knows its classes meets data of others."""
    if classes not in (None, data.classes):
        raise BadData(
            f"the model tells {', '.join(classes or ())} apart, the data has {', '.join(data.classes)}; "
            "set model.classes = None to teach it others."
        )


def _check_weights(weights: Sequence[Tensor]) -> None:
    """Raises BadData for a sample that weighs less than nothing."""
    for weight in weights:
        wrong = torch.nonzero(weight < 0)
        if len(wrong):
            first = int(wrong[0])
            raise BadData(f"sample_weight[{first}] is {weight[first]:g}; weights are 0 or more.")


def _weights(sample_weight: Arrays, names: Sequence[str]) -> list[Tensor]:
    """(N,) for each output: its own from a dict or list, or the same for all."""
    first = sample_weight[0] if isinstance(sample_weight, (list, tuple)) and sample_weight else None
    each = isinstance(sample_weight, Mapping) or (first is not None and np.ndim(first) > 0)
    pieces = several(sample_weight, names, "sample_weight") if each else [sample_weight] * len(names)
    return [as_tensor(piece, "sample_weight").float().reshape(-1) for piece in pieces]


def class_weights(batch: Batch, weight: Mapping[Any, float], classes: Sequence[str], outputs: int) -> Batch:
    """The batch with each sample's weight multiplied by that of its class; classes that are not named weigh 1.

    Args:
        weight: by index or name.
        classes: names, if they are known.
        outputs: of the model; one output tells two classes apart.
    """
    labels = kinds(batch.targets[0]) if len(batch.targets) == 1 else None
    if labels is None:
        raise BadValue("class_weight: takes a model with one output, and classes to learn; else give sample_weight.")
    if not isinstance(weight, Mapping):
        raise BadValue(f"class_weight={weight!r}: must be a dict from classes to numbers, e.g. {{0: 1.0, 1: 2.5}}.")
    table = torch.ones(max(outputs, 2, int(labels.max()) + 1))
    for key, value in weight.items():
        place = classes.index(key) if isinstance(key, str) and key in classes else key
        if not isinstance(place, Integral) or not 0 <= int(place) < len(table):
            raise BadValue(f"class_weight names {key!r}; classes are {', '.join(classes) or f'0 to {len(table) - 1}'}.")
        check_number(f"class_weight={ {key: value} }", value, least=0, whole=False)
        table[int(place)] = value
    own = batch.weights[0] if batch.weights else None
    return replace(batch, weights=(table[labels] if own is None else own * table[labels],))


def check_varied(batch: Batch, outputs: Sequence[int], classes: Classes) -> None:
    """Raises BadData when all samples are of one class."""
    for target, several_classes in zip(batch.targets, outputs, strict=True):
        labels = kinds(target)
        if labels is None or (several_classes == 1 and target.is_floating_point()):
            continue
        if bool((labels == labels[0]).all()):
            only = classes[0] if classes and len(classes) == 1 else int(labels[0])
            raise BadData(f"y: all {len(labels)} labels are {only!r}; there is nothing to tell apart.")


def check_binary(program: Program, batch: Batch) -> None:
    """Raises BadData when a binary cross-entropy is to learn anything but 0, 1 and what lies between."""
    for head, target in zip(program.heads, batch.targets, strict=True):
        wrong = torch.nonzero(((target < 0) | (target > 1)).reshape(len(target), -1).any(1))
        if len(wrong) and isinstance(head.loss, BinaryCrossentropy):
            first = int(wrong[0, 0])
            raise BadData(f"y[{first}] is {target[first].tolist()}; binary cross-entropy takes targets from 0 to 1.")


def validation_samples(model: "BaseModel", data: Any, classes: Classes) -> Batch:  # Any: what `fit` documents
    given = (data, None) if isinstance(data, (Part, Dataset)) else data
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise BadValue(
            f"validation_data: takes (x, y), (x, y, sample_weight), a Part or a Dataset, got {type(data).__name__}."
        )
    try:
        return labelled(model, *given, classes=classes)[0]
    except HoldfastError as error:
        raise type(error)(f"validation_data: {error}") from error
