"""Batch normalization, sum and ReLU in one pass: outputs, gradients and moving statistics."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, fx

from holdfast.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, Input, Layer, ReLU, Symbol
from holdfast.layers.norm import BatchNorm
from holdfast.models import Model, Sequential
from holdfast.training.native import View
from holdfast.training.passes import fused
from holdfast.training.passes.norm import NormRelu
from training.passes.compare import called, check, errors, fused_kinds, pictures, steps

RANDOM = {"gamma_initializer": "random_normal", "beta_initializer": "random_normal"}


def norm(**settings: object) -> BatchNormalization:
    return BatchNormalization(**{"momentum": 0.7, **RANDOM, **settings})  # type: ignore[arg-type]  # settings of its own


def chain(channels: int, *layers: Layer) -> Model:
    return Sequential([Input((5, 7, 2)), Conv2D(channels, 3), *layers, Flatten(), Dense(3)], seed=1)  # type: ignore[return-value]


@pytest.mark.parametrize("channels", [8, 16, 24, 32, 48])
@pytest.mark.parametrize("relu", [True, False], ids=["relu", "linear"])
def test_norm_and_relu_are_the_layers(channels: int, relu: bool, kernels: list[str]) -> None:
    model = chain(channels, norm(), *([ReLU()] if relu else []))
    assert fused_kinds(fused(model.module)) == {"NormRelu": 1}

    check(model, pictures(4, 5, 7, 2, dtype=torch.float32))

    assert ("norm_sums" in kernels) == (channels % 16 == 0)


@pytest.mark.parametrize(
    "settings",
    [{"center": False}, {"scale": False}, {"center": False, "scale": False}, {"epsilon": 0.5}, {"trainable": False}],
    ids=str,
)
def test_every_setting_is_the_layer_s(settings: dict[str, object], kernels: list[str]) -> None:
    model = chain(16, norm(**settings), ReLU())
    assert fused_kinds(fused(model.module)) == {"NormRelu": 1}

    check(model, pictures(4, 5, 7, 2, dtype=torch.float32))

    assert bool(kernels) == settings.get("trainable", True)  # frozen: the moving statistics, as torch takes them


def residual(x: Symbol, *, relu: bool = True, both: bool = False) -> Symbol:
    y = norm()(Conv2D(16, 3, padding="same")(x))
    x = norm()(Conv2D(16, 1)(x)) if both else x
    y = Add()([y, x])
    return ReLU()(y) if relu else y


def twice(x: Symbol) -> Symbol:
    y = norm()(x)
    return Add()([y, y])


def three(x: Symbol) -> Symbol:
    return ReLU()(Add()([norm()(x), x, x]))


def shared(x: Symbol) -> Symbol:
    one = norm()
    return ReLU()(Add()([one(x), one(Conv2D(16, 1)(x))]))


def seen(x: Symbol) -> Symbol:
    """What is normalized goes on past the ReLU, too."""
    y = norm()(x)
    return Add()([ReLU()(y), Conv2D(16, 1)(y)])


GRAPHS: list[tuple[Callable[[Symbol], Symbol], int]] = [
    (residual, 1),
    (lambda x: residual(x, relu=False), 1),
    (lambda x: residual(x, both=True), 2),
    (lambda x: residual(residual(x)), 2),
    (twice, 1),
    (three, 1),
    (shared, 0),
    (seen, 1),
]


@pytest.mark.parametrize(
    ("graph", "count"), GRAPHS, ids=["sum", "no relu", "two norms", "two blocks", "itself", "three", "shared", "seen"]
)
def test_sums_are_the_graph_s(graph: Callable[[Symbol], Symbol], count: int) -> None:
    image = Input((6, 5, 2))
    model = Model(image, Dense(3)(Flatten()(graph(Conv2D(16, 3, padding="same")(image)))), seed=2)
    assert fused_kinds(fused(model.module)) == ({"NormRelu": count} if count else {})

    check(model, pictures(4, 6, 5, 2, dtype=torch.float32))


def halved(x: Symbol) -> Symbol:
    """A residual stage that halves the picture, as ResNets have them."""
    x = ReLU()(norm()(x))
    y = Conv2D(16, 3, strides=2, padding="same")(x)
    return Add()([y, Conv2D(16, 1, strides=2)(x)])


def padded(x: Symbol) -> Symbol:
    return Conv2D(16, 3, strides=2, padding="same")(norm()(x))


def thinned(x: Symbol) -> Symbol:
    return Conv2D(16, 1, strides=3)(norm()(x))


def unlike_strides(x: Symbol) -> Symbol:
    return Conv2D(16, 1, strides=(2, 1))(norm()(x))


def identity(x: Symbol) -> Symbol:
    return residual(ReLU()(norm()(x)))


READ: list[tuple[Callable[[Symbol], Symbol], set[str]]] = [
    (halved, {"ZeroPad2d", "Conv2d 1x1"}),
    (padded, {"ZeroPad2d"}),
    (thinned, {"Conv2d 1x1"}),
    (unlike_strides, set()),
    (identity, set()),
]


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("size", [(6, 6), (7, 5), (4, 1)], ids=str)
@pytest.mark.parametrize(("graph", "gone"), READ, ids=["halved", "padded", "thinned", "unlike", "identity"])
def test_readers_get_what_they_read(
    graph: Callable[[Symbol], Symbol], gone: set[str], size: tuple[int, int], half: bool, kernels: list[str]
) -> None:
    image = Input((*size, 2))
    model = Model(image, Dense(3)(Flatten()(graph(Conv2D(16, 3, padding="same")(image)))), seed=2)
    x = pictures(4, *size, 2, dtype=torch.float32)

    if half:
        plain, fast, truth = steps(model, x, half=True)
        worst = max(errors(plain, truth).values())
        assert max(errors(fast, truth).values()) <= 1.5 * worst + 1e-6
    else:
        check(model, x)

    assert "norm_sums" in kernels
    module = fused(model.module)
    assert isinstance(module, fx.GraphModule)
    names = {type(part).__name__ for part in called(module)}
    names |= {
        "Conv2d 1x1"
        for part in called(module)
        if isinstance(part, torch.nn.Conv2d) and part.kernel_size == (1, 1) and part.stride != (2, 1)
    }
    assert not names & gone


def test_readers_whose_gradient_is_not_wanted_give_none() -> None:
    one = NormRelu(BatchNorm(16, epsilon=1e-3, momentum=0.5, frozen=False).train(), relu=True)
    one.views = (View(), View(step=2))
    x = pictures(2, 16, 5, 4, dtype=torch.float32).requires_grad_()

    whole, thin = one(x)
    (found,) = torch.autograd.grad(thin.square().sum(), x)

    one.views = ()
    (expected,) = torch.autograd.grad(one(x)[:, :, ::2, ::2].square().sum(), x)
    assert whole.shape == x.shape
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # sums of 40


def test_weights_that_lie_apart_in_memory_are_taken() -> None:
    x = pictures(2, 16, 3, 3, dtype=torch.float32)
    found = []
    for apart in (True, False):
        one = BatchNorm(16, epsilon=1e-3, momentum=0.5, frozen=False).train()
        weight = torch.arange(32.0).view(16, 2)[:, 0]
        one.weight = torch.nn.Parameter(weight if apart else weight.contiguous())
        found.append(NormRelu(one, relu=True)(x))

    assert torch.equal(*found)


def test_the_sum_and_the_relu_are_in_it() -> None:
    image = Input((6, 5, 16))
    module = fused(Model(image, residual(image)).module)

    assert [name for name, _ in module.named_children() if "add" in name or "re_lu" in name] == []
    (one,) = [part for part in module.modules() if isinstance(part, NormRelu)]
    assert one.relu


def test_one_image_of_one_pixel_has_no_variance() -> None:
    model = Sequential([Input((1, 1, 16)), norm(), ReLU(), Flatten()])

    # x / sqrt(epsilon) - mean / sqrt(epsilon) cancels: 6e-8 of some 60.
    check(model, pictures(1, 1, 1, 16, dtype=torch.float32), tolerance=5e-6)


def test_a_norm_of_vectors_is_torch_s(kernels: list[str]) -> None:
    model = Sequential([Input(16), Dense(16), norm(), ReLU(), Dense(2)])

    check(model, pictures(8, 16, dtype=torch.float32))

    assert not kernels


def test_a_mean_far_from_zero_leaves_the_variance_its_digits() -> None:
    x = pictures(64, 16, 6, 6, dtype=torch.float32) * 0.1 + 1000
    one = BatchNorm(16, epsilon=1e-3, momentum=1.0, frozen=False).train()

    NormRelu(one, relu=False)(x)

    # The numbers that float32 has near 1000 are 6e-5 apart, which is in `expected`, too; what is left are sums.
    expected = x.double().var((0, 2, 3), correction=0)
    assert one.running_var is not None
    torch.testing.assert_close(one.running_var.double(), expected, rtol=1e-5, atol=0)


def both(x: Tensor, *, relu: bool = True, other: Tensor | None = None) -> list[list[Tensor]]:
    """Output, gradients and moving statistics of the pass and of the modules one by one."""
    found = []
    for fast in (True, False):
        one = BatchNorm(x.shape[1], epsilon=1e-3, momentum=0.5, frozen=False).train()
        given = [x.clone().requires_grad_(), *([other.clone().requires_grad_()] if other is not None else [])]
        if fast:
            y = NormRelu(one, relu)(*given)
        else:
            y = one(given[0]) + (given[1] if other is not None else 0)
            y = y.relu() if relu else y
        y.sum().backward()
        assert one.running_mean is not None
        assert one.running_var is not None
        gradients = [tensor.grad for tensor in (*given, one.weight, one.bias)]
        assert all(gradient is not None for gradient in gradients)
        found.append([y.detach(), *[g for g in gradients if g is not None], one.running_mean, one.running_var])
    return found


@pytest.mark.parametrize("summed", [False, True], ids=["alone", "with a sum"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_what_is_no_number_spoils_the_same_results(value: float, summed: bool) -> None:
    """The moving variance used to be 0, and gradients too, so that a training went on as if nothing had happened."""
    x = pictures(4, 16, 3, 3, dtype=torch.float32)
    other = pictures(4, 16, 3, 3, dtype=torch.float32, seed=1) if summed else None
    x[1, 5, 2, 0] = value

    found, expected = both(x, other=other)

    for one, plain in zip(found, expected, strict=True):
        assert torch.equal(one.isfinite(), plain.isfinite())
        torch.testing.assert_close(
            one.nan_to_num(0, 0, 0), plain.nan_to_num(0, 0, 0), rtol=1e-5, atol=1e-5
        )  # sums of 36


def test_equal_zeros_pass_no_gradient_through_the_relu() -> None:
    x = torch.zeros(2, 16, 2, 2)

    found, expected = both(x)

    for one, plain in zip(found, expected, strict=True):
        assert torch.equal(one, plain)


def test_images_of_another_type_than_the_sum_are_torch_s(kernels: list[str]) -> None:
    one = BatchNorm(16, epsilon=1e-3, momentum=0.5, frozen=False).train()
    x = pictures(2, 16, 3, 3, dtype=torch.float32)

    y = NormRelu(one, relu=True)(x, x.bfloat16())

    assert y.dtype == torch.float32
    assert not kernels


def test_in_evaluation_the_moving_statistics_are_taken_and_left(kernels: list[str]) -> None:
    model = chain(16, norm(moving_mean_initializer="random_normal"), ReLU())
    module = fused(model.module).eval()
    before = [buffer.clone() for buffer in model.module.buffers()]
    x = pictures(4, 5, 7, 2, dtype=torch.float32)

    y = module(x)

    np.testing.assert_allclose(y.detach(), model.module(x).detach(), rtol=1e-5, atol=1e-6)  # sums of some 100
    assert all(torch.equal(one, two) for one, two in zip(before, model.module.buffers(), strict=True))
    assert not kernels
