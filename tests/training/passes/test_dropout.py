"""Dropout with its draws made where they are used: the same draws as the layer's own."""

import copy

import pytest
import torch
from torch import Tensor

from holdfast.layers import Conv2D, Dense, Dropout, Flatten, Input, Layer, RandomModule, Reshape, SpatialDropout2D
from holdfast.layers.dropout import DropoutModule
from holdfast.models import Sequential
from holdfast.training.passes import fused
from holdfast.training.passes.dropout import Dropout as FusedDropout
from training.passes.compare import check, fused_kinds, pictures


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(16,), (4, 12), (3, 5, 16), (2, 3, 4, 6), (2, 16, 5, 3), (3, 5), (1, 1)], ids=str)
def test_the_pass_draws_what_the_layer_draws(shape: tuple[int, ...], dtype: torch.dtype, kernels: list[str]) -> None:
    x = pictures(*shape, dtype=torch.float32).to(dtype)
    plain = DropoutModule(0.3).train()
    fast = FusedDropout(copy.deepcopy(plain))
    found: list[list[Tensor]] = []

    for module in (plain, fast):
        for part in module.modules():
            if isinstance(part, RandomModule):
                part.reseed(2**63 - 5)
        given = x.clone().requires_grad_()
        first, second = module(given), module(given)
        (gradient,) = torch.autograd.grad((first + 2 * second).sum(), given)
        found.append([first, second, gradient])

    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)
        assert one.dtype == dtype
    assert ("dropout" in kernels) == (len(shape) > 1 and x.numel() % 16 == 0 and dtype is not torch.float64)


LAYERS: list[tuple[str, list[Layer], int]] = [
    ("images", [Conv2D(8, 3), Dropout(0.4), Flatten(), Dense(3)], 1),
    ("vectors", [Flatten(), Dense(16), Dropout(0.4), Dense(16), Dropout(0.5, seed=3), Dense(3)], 2),
    ("sequences", [Flatten(), Reshape((9, 8)), Dropout(0.4), Flatten(), Dense(3)], 1),
    ("no multiple of 16", [Flatten(), Dense(3), Dropout(0.4), Dense(3)], 1),
    ("nothing dropped", [Dropout(0.0), Flatten(), Dense(3)], 1),
    ("whole channels", [Conv2D(16, 3), SpatialDropout2D(0.4), Flatten(), Dense(3)], 0),
]


@pytest.mark.parametrize(("name", "layers", "count"), LAYERS, ids=[case[0] for case in LAYERS])
def test_a_model_with_it_is_the_plain_model(name: str, layers: list[Layer], count: int) -> None:
    model = Sequential([Input((6, 6, 2)), *layers], seed=1)
    assert fused_kinds(fused(model.module)) == ({"Dropout": count} if count else {})

    check(model, pictures(4, 6, 6, 2, dtype=torch.float32))


def test_in_evaluation_nothing_is_dropped() -> None:
    x = pictures(4, 16, dtype=torch.float32)

    assert FusedDropout(DropoutModule(0.5)).eval()(x) is x
