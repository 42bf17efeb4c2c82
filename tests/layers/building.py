"""What the tests of layers and models share: the table's cases as models, and the numbers real Keras made of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from cases import FILES, Case
from holdfast import layers
from holdfast.layers import Input, Layer, Symbol
from holdfast.models import BaseModel, Model

Array: TypeAlias = NDArray[Any]  # Any: float32, int64 or uint8
GOLDEN = Path(__file__).parents[1] / "golden"


@cache
def golden(name: str) -> Mapping[str, Array]:
    """All arrays of a golden file; "layers" stands for all that have layers of the table."""
    files = [np.load(GOLDEN / f"{one}.npz", allow_pickle=False) for one in (FILES if name == "layers" else [name])]
    return {key: file[key] for file in files for key in file.files}


@cache
def part(name: str, prefix: str) -> Mapping[str, Array]:
    """Those arrays of a golden file whose keys begin with `prefix/`, without it."""
    start = f"{prefix}/"
    return {key.removeprefix(start): value for key, value in golden(name).items() if key.startswith(start)}


def listed(arrays: Mapping[str, Array], name: str) -> list[Array]:
    """`NAME_0`, `NAME_1`, ... as far as they go."""
    found: list[Array] = []
    while f"{name}_{len(found)}" in arrays:
        found.append(arrays[f"{name}_{len(found)}"])
    return found


def one_or_all(arrays: list[Any]) -> Any:  # Any: arrays, tensors or symbols
    """As Keras wants them: a single one is not a list."""
    return arrays if len(arrays) > 1 else arrays[0]


def layer_of(case: Case, **more: Any) -> Layer:  # Any: settings
    """The layer of a case."""
    made: Layer = getattr(layers, case.layer)(**case.settings, **more)
    return made


def model_of(case: Case, *, seed: int = 0, name: str | None = None) -> Model:
    """A model of this layer alone."""
    inputs: list[Symbol] = [Input(shape) for shape in case.shapes]
    return Model(inputs, layer_of(case, name=name)(one_or_all(inputs)), seed=seed)


def golden_model(case: Case) -> Model:
    """A model of this layer alone, with the weights that Keras had; a Normalization has none."""
    model = model_of(case)
    model.set_weights(listed(part("layers", case.name), "weight") if case.layer != "Normalization" else [])
    return model


def within_constraints(model: BaseModel) -> BaseModel:
    """The model as its weights are after a step of training."""
    for module, weight in model.lowered.constrained:
        tensor = getattr(module, weight.parameter)
        assert weight.constraint is not None
        with torch.no_grad():
            tensor.copy_(weight.to_torch(weight.constraint(weight.to_keras(tensor))))
    return model
