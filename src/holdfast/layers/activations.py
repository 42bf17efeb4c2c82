"""Activations: Keras's names and the torch modules that compute them on channels-first tensors."""

from collections.abc import Callable

import torch
from torch import nn

from ..core import BadValue, Registry

activations: Registry[Callable[[], nn.Module]] = Registry("activation")


class Exponential(nn.Module):
    """exp(x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp()


for _name, _module, *_aliases in (
    ("linear", nn.Identity, "identity"),
    ("relu", nn.ReLU),
    ("relu6", nn.ReLU6),
    ("leaky_relu", lambda: nn.LeakyReLU(0.2)),  # Keras's slope; torch's own default is 0.01
    ("elu", nn.ELU),
    ("selu", nn.SELU),
    ("gelu", nn.GELU),
    ("silu", nn.SiLU, "swish"),
    ("sigmoid", nn.Sigmoid),
    ("tanh", nn.Tanh),
    ("softmax", lambda: nn.Softmax(dim=1)),  # the channel axis
    ("softplus", nn.Softplus),
    ("softsign", nn.Softsign),
    ("exponential", Exponential, "exp"),
    ("hard_sigmoid", nn.Hardsigmoid),
):
    activations.add(_name, _module, *_aliases)


def activation_name(value: object) -> str:
    """The canonical name: "swish" -> "silu", None -> "linear"."""
    if value is None:
        return "linear"
    if not isinstance(value, str):
        raise BadValue(f"takes the name of an activation, got {type(value).__name__}.")
    if value == "hardSigmoid":
        raise BadValue(
            "is another function in TF.js, clip(0.2 x + 0.5, 0, 1), than in Keras 3, clip(x / 6 + 0.5, 0, 1); for that "
            "say 'hard_sigmoid', for TF.js's put Rescaling(0.2, 0.5) and ReLU(max_value=1) behind the layer."
        )
    return activations.canonical(value)


def activation_module(name: str) -> nn.Module | None:
    """The module for a canonical name; None for "linear", which computes nothing."""
    return None if name == "linear" else activations[name]()
