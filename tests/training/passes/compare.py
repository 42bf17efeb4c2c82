"""Fused modules beside plain ones: one step of each, in float64 the truth."""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, fx, nn

from holdfast.layers import RandomModule
from holdfast.models import BaseModel
from holdfast.training.passes import fused
from holdfast.training.passes.block import FirstBlock
from holdfast.training.passes.dropout import Dropout
from holdfast.training.passes.norm import NormRelu
from holdfast.training.passes.pool import ReluPool

KINDS = (FirstBlock, NormRelu, ReluPool, Dropout)

# Sums of some thousand float32 products in another order: errors of 6e-8 a product, growing with the root of their
# number.  Relative to the largest value of all gradients, as some of them cancel to 0 (a bias before a batch norm).
SUMS = 1e-6


def fused_kinds(module: nn.Module) -> Counter[str]:
    """How many modules of each kind the passes have put in for images and dropout, those of sub-models included."""
    assert isinstance(module, fx.GraphModule)
    return Counter(type(part).__name__ for part in called(module) if isinstance(part, KINDS))


def called(module: fx.GraphModule) -> Iterator[nn.Module]:
    """The modules that a graph calls, those of sub-models included, each call by itself."""
    for node in module.graph.nodes:
        if node.op == "call_module":
            child = module.get_submodule(str(node.target))
            yield from called(child) if isinstance(child, fx.GraphModule) else (child,)


def pictures(*shape: int, dtype: torch.dtype = torch.uint8, seed: int = 0) -> Tensor:
    """Random images; floats are normal, the others are pixels."""
    draw = torch.Generator().manual_seed(seed)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=draw, dtype=dtype)
    return torch.randint(0, 256, shape, generator=draw, dtype=dtype)


def step(owner: nn.Module, module: nn.Module, inputs: Sequence[Tensor], *, half: bool = False) -> dict[str, Tensor]:
    """What a training step gives: outputs, the gradient of every trainable parameter, and all buffers after it.

    Args:
        owner: holds the parameters and buffers.
        module: computes with them.
        half: in bfloat16, as training does.
    """
    for number, part in enumerate(part for part in owner.modules() if isinstance(part, RandomModule)):
        part.reseed(2**62 + number)
    owner.train()
    with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
        outputs = module(*inputs)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    draw = torch.Generator().manual_seed(1)
    total = sum((y.double() * torch.randn(y.shape, generator=draw, dtype=torch.float64)).sum() for y in several)
    assert isinstance(total, Tensor)
    named = {name: one for name, one in owner.named_parameters() if one.requires_grad}
    gradients = torch.autograd.grad(total, list(named.values()))
    found = {f"output {n}": y for n, y in enumerate(several)}
    found |= {f"gradient {name}": gradient for name, gradient in zip(named, gradients, strict=True)}
    found |= {f"buffer {name}": buffer for name, buffer in owner.named_buffers()}
    return {name: value.detach().double() for name, value in found.items()}


def steps(model: BaseModel, *inputs: Tensor, half: bool = False) -> tuple[dict[str, Tensor], ...]:
    """What the plain graph gives, the fused one, and the plain one in float64."""
    plain, doubles, owner = (copy.deepcopy(model.module) for _ in range(3))
    exact = [x.double() for x in inputs]
    fast = fused(owner)
    return (
        step(plain, plain, inputs, half=half),
        step(owner, fast, inputs, half=half),
        step(doubles.double(), doubles, exact),
    )


def sizes(found: dict[str, Tensor]) -> dict[str, float]:
    """The largest value of all outputs, gradients and buffers."""
    largest: dict[str, float] = {}
    for name, value in found.items():
        kind = name.split()[0]
        largest[kind] = max(largest.get(kind, 0.0), float(value.abs().max()) if value.numel() else 0.0)
    return largest


def errors(found: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, float]:
    """The largest error of each tensor, in shares of the largest value of its kind."""
    assert list(found) == list(truth)
    largest = sizes(truth)
    return {
        name: float((value - truth[name]).abs().max()) / largest[name.split()[0]]
        for name, value in found.items()
        if value.numel() and largest[name.split()[0]]
    }


def check(model: BaseModel, *inputs: Tensor, tolerance: float = SUMS) -> None:
    """Asserts that the fused graph gives what float64 gives, and the plain one with it."""
    plain, fast, truth = steps(model, *inputs)

    assert {name: value.shape for name, value in fast.items()} == {name: value.shape for name, value in plain.items()}
    off = {name: error for name, error in errors(fast, truth).items() if not error <= tolerance}
    assert not off, (off, errors(plain, truth))
