"""Dropout: what it drops, how often, and from which seed."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.core import BadShape
from holdfast.layers import (
    Dense,
    Dropout,
    Input,
    Layer,
    RandomModule,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from holdfast.models import Sequential

RATE = 0.3


def dropped(layer: Layer, x: Tensor, seed: int = 0) -> Tensor:
    """What the layer makes of a channels-first tensor in training."""
    module = layer.build(tuple(x.shape[1:])).train()
    assert isinstance(module, RandomModule)
    module.reseed(seed)
    result: Tensor = module(x)
    return result


def test_the_share_that_is_dropped_is_the_rate_and_the_rest_is_scaled_up() -> None:
    y = dropped(Dropout(RATE), torch.ones(1000, 200))

    zeros = float((y == 0).double().mean())
    assert zeros == pytest.approx(RATE, abs=5 * math.sqrt(RATE * (1 - RATE) / y.numel()))
    torch.testing.assert_close(y[y != 0], torch.tensor(1 / (1 - RATE)).expand(int((y != 0).sum())))
    assert float(y.double().mean()) == pytest.approx(1, abs=0.01)


def test_values_are_dropped_one_by_one() -> None:
    zeros = (dropped(Dropout(RATE), torch.ones(1000, 200)) == 0).double()

    expected = math.sqrt(RATE * (1 - RATE))
    assert float(zeros.mean(0).std()) == pytest.approx(expected / math.sqrt(1000), rel=0.2)
    assert float(zeros.mean(1).std()) == pytest.approx(expected / math.sqrt(200), rel=0.2)


@pytest.mark.parametrize(
    ("layer", "sides"),
    [(SpatialDropout1D(RATE), (6,)), (SpatialDropout2D(RATE), (3, 4)), (SpatialDropout3D(RATE), (2, 3, 2))],
    ids=str,
)
def test_spatial_dropout_drops_whole_channels(layer: Layer, sides: tuple[int, ...]) -> None:
    y = dropped(layer, torch.ones(200, 50, *sides))

    channels = y.flatten(2)
    assert bool((channels == channels[:, :, :1]).all())
    assert float((channels[:, :, 0] == 0).double().mean()) == pytest.approx(RATE, abs=5 * math.sqrt(0.21 / 10_000))


def test_spatial_dropout_takes_the_rank_of_its_name() -> None:
    with pytest.raises(BadShape) as caught:
        SpatialDropout1D(RATE).out_shape((4, 4, 2))

    assert str(caught.value) == "SpatialDropout1D: takes (T, C), got (4, 4, 2)."


@pytest.mark.parametrize("layer", [Dropout(RATE), SpatialDropout2D(RATE), Dropout(0), Dropout(RATE, seed=3)], ids=str)
def test_nothing_is_dropped_in_evaluation(layer: Layer) -> None:
    x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))

    assert layer.build((3, 2, 2)).eval()(x) is x


def test_a_rate_of_zero_drops_nothing_in_training() -> None:
    x = torch.ones(4, 5)

    assert dropped(Dropout(0), x) is x


def test_a_seed_decides_all_that_follows() -> None:
    x = torch.ones(20, 20)
    module = Dropout(RATE).build((20,)).train()
    assert isinstance(module, RandomModule)

    module.reseed(5)
    first, second = module(x), module(x)
    module.reseed(5)
    again = module(x), module(x)
    module.reseed(6)
    other = module(x)

    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_layer_s_own_seed_changes_its_draws() -> None:
    x = torch.ones(20, 20)

    plain, own, same, other = (dropped(Dropout(RATE, seed=seed), x) for seed in (None, 1, 1, 2))

    assert torch.equal(own, same)
    assert not torch.equal(own, plain)
    assert not torch.equal(own, other)


def test_dropped_values_have_no_gradient() -> None:
    x = torch.ones(10, 10, requires_grad=True)

    y = dropped(Dropout(RATE), x)
    (gradient,) = torch.autograd.grad(y.sum(), x)

    assert torch.equal(gradient, y.detach())


def trained(seed: int, own: int | None = None) -> list[float]:
    model = Sequential([Input(6), Dropout(0.5, seed=own), Dense(8, "tanh"), Dropout(0.5), Dense(1)], seed=seed)
    first = Sequential([Input(6), Dense(8), Dense(1)], seed=0).get_weights()
    model.set_weights(first)
    x = np.linspace(-1, 1, 120, dtype=np.float32).reshape(20, 6)
    model.compile("sgd", "mse")
    return model.fit(x, x[:, :1], epochs=2, batch_size=5, shuffle=False, verbose=0).history["loss"]


def test_training_with_dropout_follows_from_the_model_s_seed() -> None:
    assert trained(1) == trained(1) != trained(2)
    assert trained(1, own=7) == trained(1, own=7) != trained(1)


def test_two_dropouts_of_a_model_draw_apart_and_anew_at_each_step() -> None:
    model = Sequential([Input(400), Dropout(0.5), Dropout(0.5), Dense(1, kernel_initializer="ones")])
    x = np.ones((1, 400), np.float32)
    model.compile("sgd", "mse")  # of a target of 0, so that the loss is the squared sum

    losses = model.fit(x, [[0.0]], epochs=8, verbose=0).history["loss"]

    # With the same draws 200 values would be kept and be worth 4 each: 800.  Apart, 100 are: 400.
    assert math.sqrt(losses[0]) == pytest.approx(400, abs=150)
    assert len(set(losses)) == 8
