"""ReLU and max-pooling in one pass: which of equal values wins, what NaN does, and which windows are taken."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from holdfast.layers import Conv2D, Flatten, Input, Layer, MaxPooling2D, ReLU
from holdfast.models import Sequential
from holdfast.training.passes import fused
from holdfast.training.passes.pool import ReluPool, separate
from training.passes.compare import check, fused_kinds, pictures

DTYPES = [torch.float32, torch.bfloat16]


def both(x: Tensor, size: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Outputs and gradients of the pass and of torch's own modules; the gradient that comes in is 1, 2, 3, ..."""
    relu, pool = nn.ReLU(), nn.MaxPool2d(size)
    found = []
    for module in (ReluPool(relu, pool, size), nn.Sequential(relu, pool)):
        given = x.clone().requires_grad_()
        y = module(given)
        y.backward(torch.arange(1.0, y.numel() + 1).reshape(y.shape).to(y.dtype))
        assert given.grad is not None
        found.append((y.detach(), given.grad))
    return found


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [8, 16, 24, 48])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 4)], ids=str)
def test_outputs_and_gradients_are_torch_s(
    dtype: torch.dtype, channels: int, size: tuple[int, int], kernels: list[str]
) -> None:
    """To the last bit: nothing is computed.  9 x 11 pixels: some are in no window."""
    x = pictures(3, channels, 9, 11, dtype=torch.float32).to(dtype)

    (y, gradient), (expected, plain) = both(x, size)

    assert torch.equal(y, expected)
    assert torch.equal(gradient, plain)
    assert (kernels == ["pool_forward", "pool_backward"]) == (channels % 16 == 0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [8, 16])  # 8: without the kernel
@pytest.mark.parametrize(
    "values",
    [
        [1, 1, 1, 1],
        [0, 2, 2, 1],
        [-1, -2, -3, -1],
        [0, 0, 0, 0],
        [-0.0, 0, -0.0, 0],
        [-1, -0.0, 0, -2],
        [1, math.nan, 2, 3],
        [math.nan, 1, math.nan, 3],
        [-1, -2, math.nan, -3],
        [math.inf, 1, math.inf, 2],
        [-math.inf, -math.inf, -math.inf, -math.inf],
        [-math.inf, 3, math.inf, math.nan],
        [1e-40, 2e-40, 0, 1e-45],
    ],
    ids=str,
)
def test_equal_values_zeros_nan_and_infinity_are_torch_s(
    values: Sequence[float], channels: int, dtype: torch.dtype
) -> None:
    window = torch.tensor(values, dtype=dtype).reshape(1, 1, 2, 2)
    x = window.repeat(2, channels, 2, 3)

    (y, gradient), (expected, plain) = both(x, (2, 2))

    assert torch.equal(y.nan_to_num(nan=7), expected.nan_to_num(nan=7))
    assert torch.equal(gradient, plain)


def test_images_in_any_memory_are_taken(kernels: list[str]) -> None:
    x = pictures(2, 16, 6, 12, dtype=torch.float32)
    flipped = x.transpose(2, 3).flip(0)[:, :, ::2]

    (y, gradient), (expected, plain) = both(flipped, (2, 2))

    assert torch.equal(y, expected)
    assert torch.equal(gradient, plain)
    assert kernels


@pytest.mark.parametrize("layers", [[Conv2D(16, 3, activation="relu")], [Conv2D(24, 3), ReLU()]], ids=["16", "24"])
@pytest.mark.parametrize("size", [(8, 8), (9, 12)], ids=str)
def test_a_model_with_it_is_the_plain_model(layers: list[Layer], size: tuple[int, int]) -> None:
    model = Sequential([Input((*size, 3)), *layers, MaxPooling2D(2), Conv2D(4, 2), Flatten()])
    assert fused_kinds(fused(model.module)) == {"ReluPool": 1}

    check(model, pictures(3, *size, 3, dtype=torch.float32))


@pytest.mark.parametrize(
    ("pool", "size"),
    [
        (nn.MaxPool2d(2), (2, 2)),
        (nn.MaxPool2d((2, 3), (2, 3)), (2, 3)),
        (nn.MaxPool2d(3, 2), None),
        (nn.MaxPool2d(2, 3), None),
        (nn.MaxPool2d(2, padding=1), None),
        (nn.MaxPool2d(2, dilation=2), None),
        (nn.MaxPool2d(2, ceil_mode=True), None),
        (nn.MaxPool2d((2, 127)), (2, 127)),
        (nn.MaxPool2d((5, 51)), None),  # 255 stands for nobody
    ],
    ids=str,
)
def test_windows_lie_side_by_side(pool: nn.MaxPool2d, size: tuple[int, int] | None) -> None:
    assert separate(pool) == size


def test_the_last_place_in_a_window_can_win() -> None:
    x = torch.zeros(1, 16, 2, 127)
    x[..., 1, 126] = 1

    (y, gradient), _ = both(x, (2, 127))

    assert bool((y == 1).all())
    assert float(gradient[0, 0, 1, 126]) == 1
    assert int(gradient.count_nonzero()) == 16
