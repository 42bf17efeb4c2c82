"""What all makers share: Keras on torch, numbers that follow from a name, and the taking of training steps.

The one place that imports Keras, so that the backend is chosen before.
"""

import os
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

os.environ["KERAS_BACKEND"] = "torch"

import keras  # type: ignore[import-not-found]  # it lives in .venv-keras
import torch

__all__ = [
    "Array",
    "Arrays",
    "Model",
    "generator",
    "get_weights",
    "keras",
    "listed",
    "set_weights",
    "steps",
    "tensor",
    "torch",
]

Array: TypeAlias = npt.NDArray[Any]  # Any: float32, int64 or uint8, as each file's maker says
Arrays: TypeAlias = dict[str, Array]  # what one .npz holds
Model: TypeAlias = Any  # Any: a keras.Model; Keras is not installed where types are checked

SEED = 20261


def generator(name: str) -> np.random.Generator:
    """Random numbers that follow from a name alone, so that a new case leaves the others as they were."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def listed(name: str, arrays: Sequence[Array]) -> Arrays:
    """`{"name_0": ..., "name_1": ...}`."""
    return {f"{name}_{index}": array for index, array in enumerate(arrays)}


def tensor(array: Array, *, gradient: bool = False) -> torch.Tensor:
    """A torch tensor of its own, on the CPU."""
    return torch.tensor(array, requires_grad=gradient)


def get_weights(model: Model) -> list[Array]:
    """Copies: Keras hands out views of the live weights."""
    return [np.array(weight) for weight in model.get_weights()]


def set_weights(model: Model, weights: Sequence[Array]) -> None:
    """Sets all weights, and proves that they were taken as they are."""
    model.set_weights(list(weights))
    for given, taken in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(given, taken)


def steps(model: Model, batch: Callable[[int], dict[str, Any]], count: int = 10) -> Arrays:  # Any: as train_on_batch
    """Takes training steps and keeps the first and the last loss and the weights after the first and the last step.

    Args:
        model: compiled, with its first weights.
        batch: the keyword arguments of `train_on_batch` for a step's number.
        count: how many steps.

    Returns:
        "loss_0" and "loss_9" (each taken before its own step's update), "after_1/weight_i" and "after_10/weight_i".
    """
    found: Arrays = {}
    for step in range(count):
        loss = model.train_on_batch(**batch(step))
        if step in (0, count - 1):
            found[f"loss_{step}"] = np.array(loss[0] if isinstance(loss, list) else loss, np.float32)
            found |= listed(f"after_{step + 1}/weight", get_weights(model))
    return found
