"""The first block in one pass: what is taken, and that it computes what the layers do."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from holdfast.layers import (
    Activation,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    Normalization,
    ReLU,
    Rescaling,
    ZeroPadding2D,
)
from holdfast.models import Model, Sequential
from holdfast.training.passes import fused
from training.passes.compare import check, fused_kinds, pictures


@dataclass(frozen=True)
class Case:
    """Layers behind the input, and the type of the pictures."""

    name: str
    layers: tuple[Layer, ...]
    size: tuple[int, int] = (12, 10)
    dtype: torch.dtype = torch.uint8
    batch: int = 3
    channels: int = 1

    def __str__(self) -> str:
        return self.name

    def model(self) -> Sequential:
        return Sequential([Input((*self.size, self.channels)), *self.layers, Flatten(), Dense(5)], seed=3)

    def images(self) -> torch.Tensor:
        return pictures(self.batch, *self.size, self.channels, dtype=self.dtype)


def conv(filters: int = 8, kernel: int = 3, **settings: Any) -> Conv2D:  # Any: as Conv2D takes them
    return Conv2D(filters, kernel, activation="relu", bias_initializer="glorot_uniform", **settings)


SCALE, POOL = Rescaling(1 / 255, -0.5), MaxPooling2D()

TAKEN = [
    Case("bytes", (SCALE, conv(), POOL)),
    Case("no rescaling", (conv(), POOL)),
    Case("floats", (conv(16), POOL), dtype=torch.float32),
    Case("integers", (SCALE, conv(16), POOL), dtype=torch.int64),
    Case("normalization", (Normalization(mean=100.0, variance=900.0), conv(), POOL)),
    Case("normalization of a channel", (Normalization(mean=[100.0], variance=[900.0]), conv(), POOL)),
    Case("5x5", (SCALE, conv(16, 5), POOL)),
    Case("5x5 same", (SCALE, conv(24, 5, padding="same"), POOL)),
    Case("3x3 same", (SCALE, conv(32, padding="same"), POOL)),
    Case("no bias", (SCALE, Conv2D(24, 3, use_bias=False, activation="relu"), POOL)),
    Case("no bias 5x5", (SCALE, Conv2D(8, 5, use_bias=False, activation="relu"), POOL), dtype=torch.float32),
    Case("lopsided zeros", (SCALE, ZeroPadding2D(((1, 2), (0, 3))), conv(), POOL)),
    Case("zeros twice", (SCALE, ZeroPadding2D(((2, 0), (1, 0))), conv(padding="same"), POOL)),
    Case("pixels that no window covers", (SCALE, conv(16), POOL), size=(13, 11)),
    Case("windows of 3 x 2", (SCALE, conv(16), MaxPooling2D((3, 2))), size=(14, 21)),
    Case("windows of 1", (SCALE, conv(), MaxPooling2D(1))),
    Case("one window", (SCALE, conv(16), MaxPooling2D((10, 8)))),
    Case("narrow", (SCALE, conv(16), POOL), size=(9, 5)),
    Case("wide", (SCALE, conv(8, 5), POOL), size=(6, 47)),
    Case("one image", (SCALE, conv(40), POOL), batch=1),
    Case("relu as a layer", (SCALE, Conv2D(8, 3), Activation("relu"), POOL)),
    Case("frozen", (SCALE, conv(trainable=False), POOL)),
]


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_the_first_block_is_the_layers(case: Case, kernels: list[str]) -> None:
    model = case.model()
    assert fused_kinds(fused(model.module)) == {"FirstBlock": 1}

    check(model, case.images())

    assert ("block_forward" in kernels) == (case.dtype is not torch.int64)
    assert ("block_backward" in kernels) == (case.dtype is not torch.int64 and case.name != "frozen")


LEFT = [
    Case("even kernel", (SCALE, conv(8, 4, padding="same"), POOL)),
    Case("1x1", (SCALE, conv(8, 1), POOL)),
    Case("lopsided kernel", (SCALE, Conv2D(8, (3, 5), activation="relu"), POOL)),
    Case("12 filters", (SCALE, conv(12), POOL)),
    Case("strides", (SCALE, conv(strides=2), POOL)),
    Case("dilation", (SCALE, conv(dilation_rate=2), POOL)),
    Case("3 channels", (SCALE, conv(), POOL), channels=3),
    Case("rescaled twice", (SCALE, Normalization(mean=0.1, variance=2.0), conv(), POOL)),
    Case("rescaled behind zeros", (ZeroPadding2D(1), SCALE, conv(), POOL)),
]


@pytest.mark.parametrize("case", LEFT, ids=str)
def test_other_convolutions_are_torch_s(case: Case) -> None:
    model = case.model()
    assert fused_kinds(fused(model.module)) == {"ReluPool": 1}

    check(model, case.images())


UNPOOLED = [
    Case("overlapping windows", (SCALE, conv(), MaxPooling2D(3, 2))),
    Case("gaps between windows", (SCALE, conv(), MaxPooling2D(2, 3))),
    Case("padded windows", (SCALE, conv(), MaxPooling2D(2, padding="same")), size=(11, 11)),
    Case("windows that one byte cannot count", (SCALE, conv(padding="same"), MaxPooling2D(16)), size=(16, 16)),
    Case("another activation", (SCALE, Conv2D(8, 3, activation="tanh"), POOL)),
    Case("relu with a limit", (SCALE, Conv2D(8, 3), ReLU(max_value=1.0), POOL)),
    Case("no pooling", (SCALE, conv())),
]


@pytest.mark.parametrize("case", UNPOOLED, ids=str)
def test_what_no_pass_knows_is_left_alone(case: Case) -> None:
    model = case.model()
    assert not fused_kinds(fused(model.module))

    check(model, case.images())


def test_what_others_take_too_is_not_swallowed() -> None:
    image = Input((8, 8, 1))
    hidden = Conv2D(8, 3, name="conv")(image)
    once = Model(image, [MaxPooling2D()(Activation("relu")(hidden)), hidden])
    pixels = Input((8, 8, 1))
    twice = Model(pixels, [MaxPooling2D()(Conv2D(8, 3, activation="relu")(pixels)), Flatten()(pixels)])

    assert fused_kinds(fused(once.module)) == fused_kinds(fused(twice.module)) == {"ReluPool": 1}
    check(once, pictures(2, 8, 8, 1, dtype=torch.float32))
    check(twice, pictures(2, 8, 8, 1, dtype=torch.float32))


def test_pictures_that_ask_for_a_gradient_get_it() -> None:
    model = TAKEN[2].model()
    images, expected = (TAKEN[2].images().requires_grad_() for _ in range(2))

    fused(model.module)(images).sum().backward()
    model.module(expected).sum().backward()

    assert images.grad is not None
    torch.testing.assert_close(images.grad, expected.grad, rtol=1e-5, atol=1e-6)  # gradients of some 1


def test_a_model_in_float64_is_computed_in_float64() -> None:
    model = TAKEN[0].model()
    module = model.module.double()
    images = TAKEN[0].images().double()

    torch.testing.assert_close(fused(module)(images), module(images), rtol=1e-12, atol=1e-12)


def test_the_default_dtype_does_not_matter(kernels: list[str]) -> None:
    """The kernel took zeros of the default dtype for a bias of float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        check(TAKEN[9].model(), TAKEN[9].images())
    finally:
        torch.set_default_dtype(before)

    assert {"block_forward", "block_backward"} <= set(kernels)


def pair(layers: tuple[Layer, ...], images: torch.Tensor) -> list[list[torch.Tensor]]:
    """Output and gradients of the fused module and of the plain one, with weights that are small whole numbers."""
    model = Sequential([Input(tuple(images.shape[1:])), *layers])
    draw = torch.Generator().manual_seed(0)
    for parameter in model.module.parameters():
        parameter.data.copy_(torch.randint(-2, 3, parameter.shape, generator=draw))
    found = []
    for module in (fused(model.module), model.module):
        y = module(images)
        gradient = torch.arange(1.0, y.numel() + 1).reshape(y.shape) % 8
        found.append([y.detach(), *torch.autograd.grad((y * gradient).sum(), list(model.module.parameters()))])
    return found


@pytest.mark.parametrize("filters", [8, 16])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("most", [1, 2], ids=["all equal", "zeros and ones"])
def test_of_equal_values_the_first_gets_the_gradient(filters: int, kernel: int, most: int, kernels: list[str]) -> None:
    """Whole numbers, of which every sum is exact: to the last bit."""
    images = torch.randint(0, most, (3, 13, 12, 1), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)

    found, expected = pair((conv(filters, kernel), POOL), images)

    assert kernels == ["block_forward", "block_backward"]
    for one, plain in zip(found, expected, strict=True):
        assert torch.equal(one, plain)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_what_is_no_number_spoils_the_same_outputs(value: float, kernels: list[str]) -> None:
    images = pictures(2, 12, 12, 1, dtype=torch.float32)
    images[1, 5, 6] = value

    found, expected = pair((conv(16), POOL), images)

    assert "block_backward" in kernels
    assert int(expected[0].isnan().sum() + expected[0].isinf().sum()) > 0
    torch.testing.assert_close(found[0], expected[0], rtol=1e-6, atol=1e-5, equal_nan=True)  # sums of 9, up to 30
    for one, plain in zip(found[1:], expected[1:], strict=True):
        assert torch.equal(one.isfinite(), plain.isfinite())
