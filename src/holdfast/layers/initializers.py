"""Initializers: how weights begin.  They draw in Keras's layout, whose last two axes are inputs and outputs.

Formulas: Glorot & Bengio 2010, He et al. 2015, LeCun et al. 1998, Saxe et al. 2014, as in Keras 3.  Note that a scale
belongs to the *standard deviation* sqrt(scale / fan), not to the variance, and that truncated normal draws (within two
deviations) are divided by 0.87962566 so that they keep it.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..core import BadShape, BadValue, Registry

TRUNCATED_STD = 0.87962566103423978  # standard deviation of a unit normal cut off at two deviations


@dataclass(frozen=True)
class Initializer(ABC):
    """Base of all initializers: `initializer(shape, generator)` gives a float32 tensor in Keras's layout."""

    @abstractmethod
    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor: ...


initializers: Registry[type[Initializer]] = Registry("initializer")


def get_initializer(value: Any) -> Initializer:  # Any: a name, Keras's JSON form, an array or an Initializer
    """The initializer that `value` describes; arrays stand for themselves."""
    if isinstance(value, (np.ndarray, Tensor, list)):
        return FromArray(torch.as_tensor(value, dtype=torch.float32))
    return initializers.make(value, Initializer)  # type: ignore[type-abstract]  # only asked about


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan in, fan out) of a kernel in Keras's layout: the receptive field times inputs, and times outputs."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field_size = math.prod(shape[:-2])
    return field_size * shape[-2], field_size * shape[-1]


def normal(shape: tuple[int, ...], mean: float, std: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape, dtype=torch.float32).normal_(mean, std, generator=generator)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape, dtype=torch.float32).uniform_(low, high, generator=generator)


def truncated_normal(shape: tuple[int, ...], mean: float, std: float, generator: torch.Generator) -> Tensor:
    """Draws within two `std` of `mean`, by inverting the distribution function."""
    edge = math.erf(2 / math.sqrt(2))
    draws = torch.empty(shape, dtype=torch.float64).uniform_(-edge, edge, generator=generator)
    return (torch.erfinv(draws) * math.sqrt(2) * std + mean).float()


@initializers.register("zeros", "zero")
@dataclass(frozen=True)
class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32)


@initializers.register("ones", "one")
@dataclass(frozen=True)
class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.ones(shape, dtype=torch.float32)


@initializers.register("constant")
@dataclass(frozen=True)
class Constant(Initializer):
    """All `value`."""

    value: float = 0.0

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.full(shape, float(self.value), dtype=torch.float32)


@initializers.register("random_normal", "normal")
@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal draws."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return normal(shape, self.mean, self.stddev, _own(self.seed, generator))


@initializers.register("random_uniform", "uniform")
@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform draws in [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return uniform(shape, self.minval, self.maxval, _own(self.seed, generator))


@initializers.register("truncated_normal")
@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal draws within two standard deviations.  As in Keras, `stddev` is that of the uncut normal."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return truncated_normal(shape, self.mean, self.stddev, _own(self.seed, generator))


@initializers.register("variance_scaling")
@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Draws of standard deviation sqrt(scale / n), n being the fan in, the fan out or their mean."""

    scale: float = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise BadValue(f"VarianceScaling(scale={self.scale}): must be positive.")
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise BadValue(f"VarianceScaling(mode={self.mode!r}): must be 'fan_in', 'fan_out' or 'fan_avg'.")
        if self.distribution == "normal":
            object.__setattr__(self, "distribution", "truncated_normal")
        if self.distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise BadValue(
                f"VarianceScaling(distribution={self.distribution!r}): "
                "must be 'truncated_normal', 'untruncated_normal' or 'uniform'."
            )

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return _scaled(shape, self.scale, self.mode, self.distribution, _own(self.seed, generator))


def _scaled(shape: tuple[int, ...], scale: float, mode: str, distribution: str, generator: torch.Generator) -> Tensor:
    fan_in, fan_out = fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = math.sqrt(scale / max(1.0, fan))
    if distribution == "uniform":
        return uniform(shape, -math.sqrt(3) * std, math.sqrt(3) * std, generator)
    if distribution == "untruncated_normal":
        return normal(shape, 0.0, std, generator)
    return truncated_normal(shape, 0.0, std / TRUNCATED_STD, generator)


def _own(seed: int | None, generator: torch.Generator) -> torch.Generator:
    """The given generator, or one of the initializer's own when it was made with a seed."""
    return generator if seed is None else torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Named(Initializer):
    """Base of the named cases of variance scaling; `kind` is (scale, mode, distribution)."""

    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return _scaled(shape, *self.kind(), _own(self.seed, generator))

    @abstractmethod
    def kind(self) -> tuple[float, str, str]: ...


@initializers.register("glorot_normal", "xavier_normal")
@dataclass(frozen=True)
class GlorotNormal(Named):
    """Truncated normal, standard deviation sqrt(2 / (fan in + fan out))."""

    def kind(self) -> tuple[float, str, str]:
        return 1.0, "fan_avg", "truncated_normal"


@initializers.register("glorot_uniform", "xavier_uniform")
@dataclass(frozen=True)
class GlorotUniform(Named):
    """Uniform within sqrt(6 / (fan in + fan out))."""

    def kind(self) -> tuple[float, str, str]:
        return 1.0, "fan_avg", "uniform"


@initializers.register("he_normal", "kaiming_normal")
@dataclass(frozen=True)
class HeNormal(Named):
    """Truncated normal, standard deviation sqrt(2 / fan in)."""

    def kind(self) -> tuple[float, str, str]:
        return 2.0, "fan_in", "truncated_normal"


@initializers.register("he_uniform", "kaiming_uniform")
@dataclass(frozen=True)
class HeUniform(Named):
    """Uniform within sqrt(6 / fan in)."""

    def kind(self) -> tuple[float, str, str]:
        return 2.0, "fan_in", "uniform"


@initializers.register("lecun_normal")
@dataclass(frozen=True)
class LecunNormal(Named):
    """Truncated normal, standard deviation sqrt(1 / fan in)."""

    def kind(self) -> tuple[float, str, str]:
        return 1.0, "fan_in", "truncated_normal"


@initializers.register("lecun_uniform")
@dataclass(frozen=True)
class LecunUniform(Named):
    """Uniform within sqrt(3 / fan in)."""

    def kind(self) -> tuple[float, str, str]:
        return 1.0, "fan_in", "uniform"


@initializers.register("orthogonal")
@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Orthogonal rows or columns of the kernel seen as (everything else, outputs), times `gain`."""

    gain: float = 1.0
    seed: int | None = None

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        if len(shape) < 2:
            raise BadShape(f"Orthogonal: takes a kernel of two or more axes, got {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        draws = normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, _own(self.seed, generator))
        q, r = torch.linalg.qr(draws)
        q = q * r.diagonal().sign()  # makes the distribution uniform (Mezzadri 2007)
        kernel: Tensor = self.gain * (q.T if rows < columns else q)
        return kernel.reshape(shape)


@initializers.register("from_array")
@dataclass(frozen=True)
class FromArray(Initializer):
    """These very values, in Keras's layout."""

    value: Tensor = field(default_factory=lambda: torch.zeros(()))

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", torch.as_tensor(self.value, dtype=torch.float32))

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        if tuple(self.value.shape) != shape:
            raise BadShape(f"the initial array has shape {tuple(self.value.shape)}, the weight takes {shape}.")
        return self.value.clone()

    def __repr__(self) -> str:
        return f"FromArray(<{tuple(self.value.shape)} values>)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromArray) and torch.equal(self.value, other.value)

    __hash__ = object.__hash__
