"""One module in the place of several of a kind, each with its own samples.

Sample n of model s is sample s * N + n of one batch, so whatever has no weights takes all models as one; dense layers
become one product of stacked matrices, on a GPU convolutions one with groups; all other modules compute model by model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from ...core import BadValue
from ...layers import RandomModule
from ...layers.regularizers import ActivityPenalty
from ..native import Dropped
from .chains import calls
from .dropout import Dropout
from .narrow import Narrow

CONVOLUTIONS = {nn.Conv1d: F.conv1d, nn.Conv2d: F.conv2d, nn.Conv3d: F.conv3d}
OWN = (nn.modules.batchnorm._NormBase, ActivityPenalty, RandomModule)  # remember, draw, or see the whole batch
INTERNAL = frozenset(vars(nn.Module()))
KNOWN = ("holdfast", "torch")  # whose modules without weights compute sample by sample, but for those above


@dataclass
class Turn:
    """Which of the models compute, by their places."""

    places: list[int] = field(default_factory=list)


def as_one(parts: Sequence[nn.Module], turn: Turn, *, grouped: bool) -> nn.Module:
    """What computes several modules of one kind, of which those take part whose turn it is.

    Args:
        grouped: whether convolutions become one with groups, as GPUs like it.

    Raises:
        BadValue: graphs that differ.
    """
    first = parts[0]
    if isinstance(first, fx.GraphModule):
        return _graphs([part for part in parts if isinstance(part, fx.GraphModule)], turn, grouped=grouped)
    if type(first) is nn.Linear:
        return Denses(parts, turn)
    if isinstance(first, Narrow):
        linears = Denses([part.linear for part in parts if isinstance(part, Narrow)], turn)
        return linears if first.relu is None else nn.Sequential(linears, first.relu)
    if isinstance(first, Dropout):
        return Dropouts([part for part in parts if isinstance(part, Dropout)], turn)
    if grouped and type(first) in CONVOLUTIONS and first.padding_mode == "zeros":
        return Convolutions(parts, turn)
    return first if interchangeable(parts) else Apart(parts, turn)


def _graphs(parts: Sequence[fx.GraphModule], turn: Turn, *, grouped: bool) -> fx.GraphModule:
    """One graph that calls what computes all of its modules."""
    if len({part.code for part in parts}) > 1:
        raise BadValue("these models cannot be trained as one: they compute different things.")
    graph = fx.Graph()
    graph.output(graph.graph_copy(parts[0].graph, {}))
    whole = fx.GraphModule(parts[0], graph, class_name="Stacked")
    for target in dict.fromkeys(str(node.target) for node in calls(whole)):
        whole.set_submodule(target, as_one([part.get_submodule(target) for part in parts], turn, grouped=grouped))
    whole.graph.owning_module = None  # or the weights would wait for Python's garbage collector
    return whole


def interchangeable(parts: Sequence[nn.Module]) -> bool:
    """Whether each of these computes what the others do, sample by sample: one of them will do for all."""
    first, *others = ([*part.modules()] for part in parts)
    if any(isinstance(module, OWN) or module._parameters for module in first):
        return False
    if any(type(module).__module__.partition(".")[0] not in KNOWN for module in first):
        return False
    return all(len(one) == len(first) and all(map(_equal, first, one)) for one in others)


def _equal(a: nn.Module, b: nn.Module) -> bool:
    """Whether two modules without weights have equal settings and constants."""
    mine, yours = ({name: value for name, value in vars(one).items() if name not in INTERNAL} for one in (a, b))
    if type(a) is not type(b) or bool(mine != yours) or a._buffers.keys() != b._buffers.keys():
        return False
    pairs = ((value, b._buffers[name]) for name, value in a._buffers.items())
    return all(x is y or (x is not None and y is not None and torch.equal(x, y)) for x, y in pairs)


class Denses(nn.Module):
    """Dense layers: each of its own samples, all in one product."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, x: Tensor) -> Tensor:
        chosen: list[Any] = [self.parts[place] for place in self.turn.places]  # Any: nn.Linear
        weights, biases = [part.weight for part in chosen], [part.bias for part in chosen]
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weights = x.to(dtype), [weight.to(dtype) for weight in weights]
            biases = [bias if bias is None else bias.to(dtype) for bias in biases]
        return Products.apply(x, *weights, *biases)  # type: ignore[no-untyped-call,no-any-return]


class Products(torch.autograd.Function):
    """x @ weight.T + bias for several models: first their samples in a row, (S * N, ..., K), then weights, then biases.

    Gradients of weights come as the weights lie, which saves the optimizer a copy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *given: Tensor | None) -> Tensor:
        models = len(given) // 2
        rows = x.reshape(models, -1, x.shape[-1])
        weight = torch.stack([one for one in given[:models] if one is not None])
        ctx.save_for_backward(rows, weight)
        ctx.shape, ctx.biased = x.shape, given[-1] is not None
        if ctx.biased:
            bias = torch.stack([one for one in given[models:] if one is not None])[:, None]
            return torch.baddbmm(bias, rows, weight.mT).view(*x.shape[:-1], -1)
        return torch.bmm(rows, weight.mT).view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        models, wanted = len(weight), ctx.needs_input_grad
        g = gradient.reshape(models, -1, gradient.shape[-1])
        dx = torch.bmm(g, weight).view(ctx.shape) if wanted[0] else None
        weights = torch.bmm(g.mT, rows).unbind() if any(wanted[1 : models + 1]) else [None] * models
        biases = g.sum(1).unbind() if ctx.biased and any(wanted[models + 1 :]) else [None] * models
        return dx, *weights, *biases


class Convolutions(nn.Module):
    """Convolutions: each of its own samples, all as one with groups."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, x: Tensor) -> Tensor:
        chosen: list[Any] = [self.parts[place] for place in self.turn.places]  # Any: nn.Conv1d and so on
        first, count = chosen[0], len(chosen)
        weight = torch.cat([part.weight for part in chosen])
        bias = None if first.bias is None else torch.cat([part.bias for part in chosen])
        side_by_side = x.reshape(count, -1, *x.shape[1:]).transpose(0, 1).flatten(1, 2)  # (N, S * C, ...)
        convolve: Callable[..., Tensor] = CONVOLUTIONS[type(first)]
        how = first.stride, first.padding, first.dilation, first.groups * count
        y: Tensor = convolve(side_by_side, weight, bias, *how)
        return y.reshape(len(y), count, -1, *y.shape[2:]).transpose(0, 1).flatten(0, 1)


class Dropouts(nn.Module):
    """Dropouts, each with its own draws."""

    def __init__(self, parts: Sequence[Dropout], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn, self.apart = parts, turn, Apart(parts, turn)

    def forward(self, x: Tensor) -> Tensor:
        chosen = [self.parts[place] for place in self.turn.places]
        each, first, modules = x.numel() // len(chosen), chosen[0], [part.module for part in chosen]
        if not first.drops(x, each) or any(module.rate != first.module.rate for module in modules):
            return self.apart(x)  # type: ignore[no-any-return]  # torch's own lack
        seeds = [module.take(each) for module in modules]
        return Dropped.apply(x, seeds, first.module.least, first.module.scale)  # type: ignore[no-untyped-call,no-any-return]


class Apart(nn.Module):
    """Modules that compute one after another, each its own samples."""

    def __init__(self, parts: Sequence[nn.Module], turn: Turn) -> None:
        super().__init__()
        self.parts, self.turn = parts, turn

    def forward(self, *xs: Tensor) -> Any:  # Any: a tensor, or several in a tuple
        count = len(self.turn.places)
        own = zip(*(x.chunk(count) for x in xs), strict=True)
        given = [self.parts[place](*some) for place, some in zip(self.turn.places, own, strict=True)]
        if isinstance(given[0], tuple):
            return tuple(torch.cat(several) for several in zip(*given, strict=True))
        return torch.cat(given)
