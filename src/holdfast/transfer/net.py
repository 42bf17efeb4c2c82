"""Layers of ours on tensors of torch's: what the converters of `transformers` and torchvision are written in.

Widths are those of the tensors, never those of a configuration: so no file can ask for more memory than it fills.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from ..core import BadFile, suggestion
from ..layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Layer,
    LayerNormalization,
    Multiply,
    Reshape,
    Symbol,
    ZeroPadding2D,
)
from ..models import BaseModel, Model
from ..models.bound import BoundLayer

Config: TypeAlias = Mapping[str, Any]  # Any: what json.loads gives
Sides: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))

ACTIVATIONS = {  # the words of `transformers` -> ours
    "gelu": "gelu",
    "linear": "linear",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
UNUSED = "num_batches_tracked"  # what torch counts, and no network needs


@dataclass
class Net:
    """A network in the making: tensors by name, and which of them each layer is to hold.

    Attributes:
        tensors: by their names in the file, without the model's own in front; each is taken once.
        filled: of each layer its parameters, as its torch module calls them.
    """

    tensors: dict[str, Tensor]
    filled: dict[Layer, dict[str, Tensor]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.tensors

    def take(self, name: str, rank: int = 1) -> Tensor:
        """The tensor of this name, in float32.

        Raises:
            BadFile: there is none, it has another rank, or holds what is no finite number.
        """
        if name not in self.tensors:
            near = suggestion(name, list(self.tensors)) if len(self.tensors) > 1 else ""
            raise BadFile(f"has no tensor {name!r}, which its configuration asks for{near.rstrip('?') or '.'}")
        tensor = self.tensors.pop(name)
        if tensor.dim() != rank or not tensor.is_floating_point():
            raise BadFile(f"its tensor {name!r} is {_told(tensor)}; {rank} axes of floating-point numbers are needed.")
        tensor = tensor.float()
        if not tensor.isfinite().all():
            raise BadFile(f"its tensor {name!r} holds NaN or infinite numbers.")
        return tensor

    def conv(
        self,
        x: Symbol,
        place: str,
        name: str,
        *,
        stride: int = 1,
        pad: Sides | Literal["same"] | None = None,
        dilation: int = 1,
        scale: Tensor | None = None,
    ) -> Symbol:
        """torch's Conv2d; depthwise, in groups, with a bias or without, as its tensors say.

        Args:
            x: (H, W, C).
            place: of `weight` and `bias` among the tensors.
            name: of the layer.
            pad: zeros at the sides; "same": as TensorFlow adds them; None: half of the kernel at each side.
            scale: (filters,) by which the outputs are multiplied: it goes into the weights.
        """
        weight, channels = self.take(f"{place}.weight", 4), x.shape[-1]
        filters, inputs, *kernel = weight.shape
        if not inputs or channels % inputs or min(weight.shape) < 1:
            raise BadFile(f"its tensor '{place}.weight' is {_told(weight)}; its input has {channels} channels.")
        bias = self.take(f"{place}.bias") if self.has(f"{place}.bias") else None
        if scale is not None:
            weight, bias = weight * scale[:, None, None, None], None if bias is None else bias * scale
        same = pad == "same" or (pad is None and stride == 1 and all(side % 2 for side in kernel))
        if not same:
            half = [dilation * (side // 2) for side in kernel]
            sides = ((half[0],) * 2, (half[1],) * 2) if pad is None or pad == "same" else pad
            if sides != ((0, 0), (0, 0)):
                x = ZeroPadding2D(sides, name=f"{name}_pad")(x)
        shared: dict[str, Any] = {  # Any: settings of both layers
            "strides": stride,
            "padding": "same" if same else "valid",
            "dilation_rate": dilation,
            "use_bias": bias is not None,
            "name": name,
        }
        layer: Layer = (
            DepthwiseConv2D(kernel, depth_multiplier=filters // channels, **shared)
            if inputs == 1 and channels > 1 and filters % channels == 0
            else Conv2D(filters, kernel, groups=channels // inputs, **shared)
        )
        return self.put(layer, x, weight=weight, bias=bias)

    def batch_norm(self, x: Symbol, place: str, name: str, epsilon: float = 1e-5) -> Symbol:
        """torch's BatchNorm2d."""
        words = ("weight", "bias", "running_mean", "running_var")
        given = {word: self.vector(f"{place}.{word}", x.shape[-1]) for word in words}
        self.tensors.pop(f"{place}.{UNUSED}", None)
        return self.put(BatchNormalization(epsilon=epsilon, name=name), x, **given)

    def layer_norm(self, x: Symbol, place: str, name: str, epsilon: float = 1e-6) -> Symbol:
        """torch's LayerNorm over the channels."""
        given = {word: self.vector(f"{place}.{word}", x.shape[-1]) for word in ("weight", "bias")}
        return self.put(LayerNormalization(epsilon=epsilon, name=name), x, **given)

    def pointwise(self, x: Symbol, place: str, name: str, scale: Tensor | None = None) -> Symbol:
        """torch's Linear at each place of a picture, as a convolution of one place."""
        weight = self.take(f"{place}.weight", 2)
        self.tensors[f"{place}.weight"] = weight[:, :, None, None]
        return self.conv(x, place, name, scale=scale)

    def dense(self, x: Symbol, place: str, name: str, activation: str = "linear") -> Symbol:
        """torch's Linear on a vector."""
        weight = self.take(f"{place}.weight", 2)
        if weight.shape[1] != x.shape[-1]:
            raise BadFile(f"its tensor '{place}.weight' is {_told(weight)}; its input has {x.shape[-1]} numbers.")
        bias = self.take(f"{place}.bias") if self.has(f"{place}.bias") else None
        layer = Dense(weight.shape[0], activation, bias is not None, name=name)
        return self.put(layer, x, weight=weight, bias=bias)

    def block(self, x: Symbol, conv: str, norm: str, name: str, act: str, epsilon: float, **settings: Any) -> Symbol:
        """A convolution, its batch normalization, and an activation unless it is "linear"; `settings` as in `conv`."""
        x = self.batch_norm(self.conv(x, conv, name, **settings), norm, f"{name}_bn", epsilon)
        return activated(x, act, f"{name}_act")

    def squeezed(self, x: Symbol, reduce: str, expand: str, name: str, act: str) -> Symbol:
        """Squeeze and excitation (Hu et al. 2018): each channel times what the means of all say of it."""
        means = GlobalAveragePooling2D(name=f"{name}_mean")(x)
        y = self.conv(Reshape((1, 1, x.shape[-1]), name=f"{name}_reshape")(means), reduce, f"{name}_reduce")
        y = self.conv(activated(y, act, f"{name}_reduce_act"), expand, f"{name}_expand")
        return Multiply(name=f"{name}_scale")([x, activated(y, "sigmoid", f"{name}_expand_act")])

    def vector(self, name: str, length: int) -> Tensor:
        """`take`, of one axis of that length."""
        tensor = self.take(name)
        if len(tensor) != length:
            raise BadFile(f"its tensor {name!r} has {len(tensor)} numbers; its input has {length} channels.")
        return tensor

    def put(self, layer: Layer, x: Symbol, **given: Tensor | None) -> Symbol:
        """A layer that is to hold these tensors, on a symbol."""
        self.filled[layer] = {parameter: tensor for parameter, tensor in given.items() if tensor is not None}
        return layer(x)

    @torch.no_grad()
    def model(self, inputs: Symbol, outputs: Symbol, name: str) -> BaseModel:
        """The network with its weights.

        Raises:
            BadFile: tensors are left over: it is another network than its configuration says.
        """
        left = [name for name in self.tensors if not name.endswith(UNUSED)]
        if left:
            raise BadFile(f"holds {len(left)} tensors that its configuration does not ask for, e.g. {left[0]!r}.")
        model = Model(inputs, outputs, name)
        lowered = model.settle(model.seed, draw=False)
        for layer, given in self.filled.items():
            for weight, tensor in BoundLayer(layer, lowered).tensors():
                if tensor.shape != given[weight.parameter].shape:
                    raise BadFile(f"{layer.name}: takes {_told(tensor)}, got {_told(given[weight.parameter])}.")
                tensor.copy_(given[weight.parameter])
        return model


def activated(x: Symbol, act: str, name: str) -> Symbol:
    """An activation behind a symbol; nothing for "linear"."""
    return x if act == "linear" else Activation(act, name=name)(x)


def activation_of(config: Config, default: str) -> str:
    """What a configuration of `transformers` calls `hidden_act`, in our words.

    Raises:
        BadFile: an activation that we do not have.
    """
    word = config.get("hidden_act", default)
    if word not in ACTIVATIONS:
        raise BadFile(f"its hidden_act {word!r} is none that is read; those are {', '.join(sorted(ACTIVATIONS))}.")
    return ACTIVATIONS[word]


def _told(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"
