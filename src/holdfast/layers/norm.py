"""Normalization: of a batch, of a layer, and of the data as it comes in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..core import BadData, BadShape, BadValue, NotReady
from .constraints import get_constraint
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ConstraintSetting,
    InitializerSetting,
    Layer,
    M,
    RegularizerSetting,
    Setting,
    Shape,
    Weight,
    axis_of,
    chain,
    integer,
    last,
    optional,
    positive,
    setting,
)
from .regularizers import get_regularizer
from .series import Standardised
from .synchronised import Synchronised

Numbers: TypeAlias = float | tuple[float, ...]
NumbersSetting: TypeAlias = Setting[object, Numbers]  # a number, or whatever NumPy can make an array of


def _momentum(value: float) -> str | None:
    return None if 0 <= value <= 1 else "must be between 0 and 1"


@dataclass(frozen=True, eq=False)
class BatchNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, a channel at a time.

    In training, mean and variance are the batch's, and the moving ones follow them:
    moving * momentum + batch * (1 - momentum).  Otherwise they are the moving ones.  The batch's variance is the plain
    one (divided by n), as in Keras.
    """

    axis: int = setting(-1, convert=integer)
    momentum: float = setting(0.99, convert=float, check=_momentum)
    epsilon: float = setting(1e-3, convert=float, check=positive)
    center: bool = setting(True, convert=bool)
    scale: bool = setting(True, convert=bool)
    beta_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    gamma_initializer: InitializerSetting = setting("ones", convert=get_initializer)
    moving_mean_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    moving_variance_initializer: InitializerSetting = setting("ones", convert=get_initializer)
    beta_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    gamma_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    beta_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    gamma_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    def out_shape(self, *shapes: Shape) -> Shape:
        _last_axis_only(self, self.axis, shapes[0])
        return shapes[0]

    def weights(self) -> tuple[Weight, ...]:
        mean = Weight("moving_mean", "running_mean", "", self.moving_mean_initializer)
        variance = Weight("moving_variance", "running_var", "", self.moving_variance_initializer)
        return (*gamma_and_beta(self), mean, variance)

    def build(self, *shapes: Shape) -> nn.Module:
        module = BatchNorm(shapes[0][-1], epsilon=self.epsilon, momentum=1 - self.momentum, frozen=not self.trainable)
        return without_unused(self, module)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


class BatchNorm(nn.BatchNorm2d):
    """torch's batch norm for any rank; the moving variance takes the plain variance, without torch's n / (n - 1).

    Frozen, it uses the moving statistics in training, too, and leaves them alone, as in Keras.

    Attributes:
        add_up: adds a tensor up, in place, over the processes that train together, whose batches are then normalized as
            one; None: this process trains alone.
    """

    add_up: Callable[[Tensor], None] | None = None

    def __init__(self, channels: int, *, epsilon: float, momentum: float, frozen: bool) -> None:
        super().__init__(channels, eps=epsilon, momentum=momentum, dtype=torch.float32)
        self.frozen = frozen

    def train(self, mode: bool = True) -> "BatchNorm":
        return super().train(mode and not self.frozen)

    def _check_input_dim(self, input: Tensor) -> None:
        return

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        if self.add_up is not None:
            normed, *moments = Synchronised.apply(input, self.weight, self.bias, self.eps, self.add_up)  # type: ignore[no-untyped-call]  # torch's own lack
            self.follow(*moments)
            return normed  # type: ignore[no-any-return]  # as above
        # The moving ones stay out: the backward pass refuses what has changed since, as a shared layer changes them.
        y, mean, inverse = torch.native_batch_norm(input, self.weight, self.bias, None, None, True, 0.0, self.eps)
        self.follow(mean.detach(), (inverse.detach().square().reciprocal() - self.eps).clamp(min=0))
        return y

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the moving statistics towards a batch's mean and plain variance, (C,)."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


@dataclass(frozen=True, eq=False)
class LayerNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta over the last axis of each sample.

    Without gamma and beta also over the steps of a series (T, C): axis=1, which is an unmasked `SeriesNormalization`.
    """

    axis: int = setting(-1, convert=integer)
    epsilon: float = setting(1e-3, convert=float, check=positive)
    center: bool = setting(True, convert=bool)
    scale: bool = setting(True, convert=bool)
    beta_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    gamma_initializer: InitializerSetting = setting("ones", convert=get_initializer)
    beta_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    gamma_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    beta_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    gamma_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    def _over_steps(self, shape: Shape) -> bool:
        return self.axis == 1 and len(shape) == 2 and not self.center and not self.scale

    def out_shape(self, *shapes: Shape) -> Shape:
        if not self._over_steps(shapes[0]):
            _last_axis_only(self, self.axis, shapes[0])
        return shapes[0]

    def weights(self) -> tuple[Weight, ...]:
        return gamma_and_beta(self)

    def build(self, *shapes: Shape) -> nn.Module:
        if self._over_steps(shapes[0]):
            return Standardised(False, self.epsilon)
        module = nn.LayerNorm(shapes[0][-1], eps=self.epsilon, dtype=torch.float32)
        return chain(**last(without_unused(self, module), shapes[0]))

    def flops(self, *shapes: Shape) -> int:
        return 7 * math.prod(shapes[0])


def _groups(value: int) -> str | None:
    return None if value > 0 or value == -1 else "must be positive, or -1 for as many as there are channels"


@dataclass(frozen=True, eq=False)
class GroupNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta; mean and variance of each group of channels of a sample.

    Args:
        groups: how many; -1 gives each channel its own.
    """

    groups: int = setting(32, convert=integer, check=_groups)
    axis: int = setting(-1, convert=integer)
    epsilon: float = setting(1e-3, convert=float, check=positive)
    center: bool = setting(True, convert=bool)
    scale: bool = setting(True, convert=bool)
    beta_initializer: InitializerSetting = setting("zeros", convert=get_initializer)
    gamma_initializer: InitializerSetting = setting("ones", convert=get_initializer)
    beta_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    gamma_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    beta_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    gamma_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))

    def out_shape(self, *shapes: Shape) -> Shape:
        _last_axis_only(self, self.axis, shapes[0])
        if shapes[0][-1] % self.groups:
            raise BadShape(
                f"{self.label}: the input's {shapes[0][-1]} channels are no multiple of groups={self.groups}."
            )
        return shapes[0]

    def weights(self) -> tuple[Weight, ...]:
        return gamma_and_beta(self)

    def build(self, *shapes: Shape) -> nn.Module:
        channels = shapes[0][-1]
        groups = channels if self.groups == -1 else self.groups
        module = GroupNorm(groups, channels, eps=self.epsilon, dtype=torch.float32)
        return without_unused(self, module)

    def flops(self, *shapes: Shape) -> int:
        return 7 * math.prod(shapes[0])


class GroupNorm(nn.GroupNorm):
    """torch's group norm; on a CPU with a backward pass that does not crash."""

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_exporting():
            # Not F.group_norm, which refuses a single sample whose groups have one number each.
            return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
        weight = torch.ones_like(self.bias) if self.weight is None and self.bias is not None else self.weight
        y: Tensor = GroupNormed.apply(input, weight, self.bias, self.num_groups, self.eps)[0]  # type: ignore[no-untyped-call]  # torch's own lack
        return y


class GroupNormed(torch.autograd.Function):
    """torch's group norm of x (N, C, ...), of which all gradients are computed, whether they are asked for or not.

    With fewer of them torch 2.13 reads memory that is not there, where x is channels-last or has a bias and no weight.
    """

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """y, and the mean and 1 / deviation of each group."""
        return torch.native_group_norm(_compact(x), weight, bias, *_sizes(x), groups, epsilon)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # Any: torch's own lack
        x, weight, bias, ctx.groups, _ = inputs
        ctx.has_bias = bias is not None
        ctx.save_for_backward(x, weight, *output[1:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # Any: torch's own lack
        x, weight, mean, inverse = ctx.saved_tensors
        x, wanted = _compact(x), [True, weight is not None, ctx.has_bias]
        gradient = gradient.contiguous(memory_format=_format(x))
        found = torch.ops.aten.native_group_norm_backward(
            gradient, x, mean, inverse, weight, *_sizes(x), ctx.groups, wanted
        )
        return (*found, None, None)


def _format(x: Tensor) -> torch.memory_format:
    """How a picture lies in memory."""
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _compact(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=_format(x))


def _sizes(x: Tensor) -> tuple[int, int, int]:
    """Samples, channels, and places in each."""
    return len(x), x.shape[1], math.prod(x.shape[2:])


def _axes(value: object) -> int | tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        return integer(value)
    if not value:
        raise ValueError("must be one axis or several")
    return tuple(map(integer, value))


@dataclass(frozen=True, eq=False)
class UnitNormalization(Layer):
    """x divided by its length along `axis`.

    Args:
        axis: one or several, counted as in Keras with the batch axis as 0.
    """

    axis: Setting[int | Sequence[int], int | tuple[int, ...]] = setting(-1, convert=_axes)

    def _places(self, shape: Shape) -> tuple[int, ...]:
        return tuple(axis_of(self, axis, shape) for axis in ((self.axis,) if isinstance(self.axis, int) else self.axis))

    def out_shape(self, *shapes: Shape) -> Shape:
        places = self._places(shapes[0])
        if len(set(places)) < len(places):
            raise BadShape(f"{self.label}: axis={self.axis} names an axis of the input {shapes[0]} twice.")
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return UnitLength(self._places(shapes[0]))

    def flops(self, *shapes: Shape) -> int:
        return 3 * math.prod(shapes[0])


class UnitLength(nn.Module):
    """x / |x|, or next to it where |x| is 0."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(x, dim=self.dims, keepdim=True)
        return x / length.clamp(min=1e-12)


Scaling: TypeAlias = BatchNormalization | LayerNormalization | GroupNormalization


def gamma_and_beta(layer: Scaling) -> tuple[Weight, ...]:
    """Of these two weights, those that the layer has."""
    gamma = Weight("gamma", "weight", "", layer.gamma_initializer, layer.gamma_regularizer, layer.gamma_constraint)
    beta = Weight("beta", "bias", "", layer.beta_initializer, layer.beta_regularizer, layer.beta_constraint)
    return (*((gamma,) if layer.scale else ()), *((beta,) if layer.center else ()))


def without_unused(layer: Scaling, module: M) -> M:
    """A module of torch's without the weights that the layer does not have."""
    if not layer.scale:
        module.register_parameter("weight", None)
    if not layer.center:
        module.register_parameter("bias", None)
    return module


def _last_axis_only(layer: Layer, axis: int, shape: Shape) -> None:
    if axis not in (-1, len(shape)):
        raise BadShape(
            f"{layer.label}: axis={axis} is not supported for an input {shape}; it must be -1, the channels."
        )


def numbers(value: Any) -> Numbers:  # Any: a number, or whatever NumPy can make an array of
    """A number as it is, several as a tuple."""
    array = np.asarray(value, dtype=np.float64)
    return float(array) if array.ndim == 0 else tuple(array.ravel().tolist())


def _measurable(data: Any) -> NDArray[np.float64]:  # Any: whatever NumPy can make an array of
    """Data of which a mean can be taken.  Raises BadShape or BadData."""
    try:
        array = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadData(f"Normalization.adapt: data must be an array of numbers (N, ..., C): {error}.") from error
    if array.ndim == 0 or array.size == 0:
        raise BadShape(f"Normalization.adapt: data have shape {array.shape}, must be (N, ..., C) and not empty.")
    if not np.isfinite(array).all():
        raise BadData("Normalization.adapt: data have NaN or infinite values; take these samples out, or replace them.")
    return array


def _per_channel(value: Numbers, shape: Shape) -> Tensor:
    """A tensor that broadcasts over the channels of a channels-first batch of `shape`."""
    tensor = torch.tensor(value, dtype=torch.float32)
    return tensor if tensor.dim() == 0 else tensor.reshape(-1, *[1] * (len(shape) - 1))


def _check_channels(layer: Layer, value: Numbers | None, shape: Shape) -> None:
    if isinstance(value, tuple) and len(value) not in (1, shape[-1]):
        raise BadShape(f"{layer.label}: has {len(value)} numbers, the input {shape} has {shape[-1]} channels.")


class Affine(nn.Module):
    """x * scale + offset, with constants that follow from the layer, hence are not part of the weights."""

    scale: Tensor
    offset: Tensor

    def __init__(self, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.offset


@dataclass(frozen=True, eq=False)
class Rescaling(Layer):
    """x * scale + offset; numbers, or one for each channel.  `Rescaling(1/255)` takes pictures to [0, 1]."""

    scale: NumbersSetting = setting(REQUIRED, convert=numbers)
    offset: NumbersSetting = setting(0.0, convert=numbers)

    def out_shape(self, *shapes: Shape) -> Shape:
        _check_channels(self, self.scale, shapes[0])
        _check_channels(self, self.offset, shapes[0])
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Affine(_per_channel(self.scale, shapes[0]), _per_channel(self.offset, shapes[0]))

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])


@dataclass(frozen=True, eq=False)
class Normalization(Layer):
    """(x - mean) / sqrt(variance), per channel (axis -1) or over all (axis None).

    Mean and variance are given, or found by `adapt`; with neither they are 0 and 1.  `invert` undoes it.
    """

    axis: int | None = setting(-1, convert=optional(integer))
    mean: Setting[object, Numbers | None] = setting(None, convert=optional(numbers))
    variance: Setting[object, Numbers | None] = setting(None, convert=optional(numbers))
    invert: bool = setting(False, convert=bool)
    used: list[bool] = field(default_factory=list, init=False, repr=False)  # filled by the first `build`

    def validate(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise BadValue("Normalization: give mean and variance together, or neither.")
        if np.shape(self.mean) != np.shape(self.variance):  # type: ignore[arg-type]  # None has a shape, too
            raise BadValue(f"Normalization: mean={self.mean} and variance={self.variance} must be of one length.")
        if self.axis is None and isinstance(self.mean, tuple):
            raise BadValue(f"Normalization(axis=None): takes one mean, got {len(self.mean)}.")

    def adapt(self, data: Any) -> "Normalization":  # Any: whatever NumPy can make an array of
        """Takes mean and variance from `data` (N, ..., C), training data only; to be called before the first use.

        Raises:
            NotReady: a model was already built with this layer; it would not see the change.
            BadShape: no samples, or no axis of them.
            BadData: values that are no finite numbers.
        """
        if self.used:
            raise NotReady("Normalization: adapt comes before the model is first used; make the model anew after it.")
        array = _measurable(data)
        axes = None if self.axis is None else tuple(range(array.ndim - 1))
        return self.take(array.mean(axes), array.var(axes))

    def take(self, mean: object, variance: object) -> "Normalization":
        """Takes mean and variance that are known already; the one way in which a description changes, as in Keras."""
        object.__setattr__(self, "mean", numbers(mean))
        object.__setattr__(self, "variance", numbers(variance))
        return self

    def out_shape(self, *shapes: Shape) -> Shape:
        if self.axis is not None:
            _last_axis_only(self, self.axis, shapes[0])
        _check_channels(self, self.mean, shapes[0])
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        self.used.append(True)
        mean = _per_channel(0.0 if self.mean is None else self.mean, shapes[0])
        variance = _per_channel(1.0 if self.variance is None else self.variance, shapes[0])
        deviation = variance.sqrt().clamp(min=1e-7)  # Keras's guard against constant channels
        if self.invert:
            return Affine(deviation, mean)
        return Affine(1 / deviation, -mean / deviation)

    def flops(self, *shapes: Shape) -> int:
        return 2 * math.prod(shapes[0])
