"""Small nets and trainings for the tests of training, and what real Keras made of the same numbers."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data import Batch, Batches
from holdfast.training import SGD, EpochEnd, Event, Head, MeanSquaredError, Optimizer, Program, State, train

GOLDEN = Path(__file__).parents[1] / "golden"
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "softmax": lambda: nn.Softmax(-1),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def golden_texts(name: str) -> Any:  # Any: JSON values
    """What a golden file's JSON says."""
    return json.loads((GOLDEN / f"{name}.json").read_text())


def golden_arrays(name: str) -> dict[str, Tensor]:
    """A golden file's arrays."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return {key: torch.tensor(arrays[key]) for key in arrays}


def dense(kernel: Tensor, bias: Tensor) -> nn.Linear:
    """A layer with weights in Keras's layout: kernel (inputs, outputs)."""
    layer = nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(kernel.T)
        layer.bias.copy_(bias)
    return layer


def dense_weights(model: nn.Module) -> list[Tensor]:
    """All weights of dense layers in Keras's layout and order."""
    return [parameter.detach().T if parameter.dim() == 2 else parameter.detach() for parameter in model.parameters()]


def scale(weight: float = 1.0) -> nn.Linear:
    """f(x) = weight * x, for inputs (N, 1)."""
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(weight)
    return layer


def column(*values: float) -> Tensor:
    """(N, 1)."""
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1)


def points(xs: Sequence[float], ys: Sequence[float], *, batch_size: int = 2, **settings: Any) -> Batches:  # of Batches
    """Batches of numbers for `scale`, in order unless told otherwise."""
    return Batches(Batch((column(*xs),), (column(*ys),)), batch_size=batch_size, **settings)


def squared(optimizer: Optimizer | None = None, **settings: Any) -> Program:  # Any: as Head takes them
    """Mean squared error, by default with a rate of 0: nothing moves."""
    return Program(optimizer or SGD(0.0), (Head(MeanSquaredError(), **settings),))


def events(state: State, program: Program, batches: Batches, *, epochs: int, **settings: Any) -> list[Event]:
    """All events of a training; Any: as `train` takes them."""
    return list(train(state, program, batches, epochs=epochs, **settings))


def logs(happened: Sequence[Event]) -> list[dict[str, float]]:
    """The logs of the epochs."""
    return [event.logs for event in happened if isinstance(event, EpochEnd)]
