"""A temperature, folded into the weights: every export then answers with calibrated probabilities."""

import math
from typing import TYPE_CHECKING

import torch

from ..core import BadValue
from ..layers import Activation, Dense, Softmax
from .bound import BoundLayer
from .graph import calls_of

if TYPE_CHECKING:
    from .model import BaseModel


def fold_temperature(model: "BaseModel", temperature: float) -> bool:
    """Divides the logits of a classifier by a temperature: kernel and bias of the Dense layer before its softmax.

    Probabilities become softmax(logits / temperature); the most probable class stays what it was.

    Args:
        model: with one output.
        temperature: of `evaluate.fit_temperature`.

    Returns:
        Whether it was done.  A model that does not end in a Dense layer of its own and a softmax stays as it is.

    Raises:
        BadValue: a temperature that is not positive.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise BadValue(f"fold_temperature(temperature={temperature}): must be positive.")
    layer = _before_softmax(model)
    if layer is None:
        return False
    with torch.no_grad():
        for _, tensor in BoundLayer(layer, model.lowered).tensors():
            tensor.div_(temperature)
    return True


def _before_softmax(model: "BaseModel") -> Dense | None:
    """The layer that gives the logits, and nothing else."""
    if len(model.outputs) != 1:
        return None
    last = model.outputs[0].call
    inner = last.inputs[0].call.layer if last.inputs else None
    if isinstance(last.layer, Dense) and last.layer.activation == "softmax":
        found = last.layer
    elif _softmax(last.layer, len(last.inputs[0].shape)) and isinstance(inner, Dense) and inner.activation == "linear":
        found = inner
    else:
        return None
    uses = sum(call.layer is found for call in calls_of(model.inputs, model.outputs))
    return found if uses == 1 else None


def _softmax(layer: object, rank: int) -> bool:
    """Whether it is a softmax over the last axis; Keras counts the batch axis, too."""
    if isinstance(layer, Softmax):
        return layer.axis in (-1, rank)
    return isinstance(layer, Activation) and layer.activation == "softmax"
