"""Noise: how much of it there is, and from which seed."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.core import BadValue
from holdfast.layers import AlphaDropout, Dense, GaussianDropout, GaussianNoise, Input, Layer, RandomModule
from holdfast.models import Sequential

LAYERS = [GaussianNoise(0.5), GaussianDropout(0.2), AlphaDropout(0.3)]


def disturbed(layer: Layer, x: Tensor, seed: int = 0) -> Tensor:
    """What the layer makes of a channels-first tensor in training."""
    module = layer.build(tuple(x.shape[1:])).train()
    assert isinstance(module, RandomModule)
    module.reseed(seed)
    result: Tensor = module(x)
    return result


def test_gaussian_noise_has_the_deviation_asked_for() -> None:
    noise = disturbed(GaussianNoise(0.5), torch.full((1000, 100), 2.0)).double() - 2

    assert float(noise.mean()) == pytest.approx(0, abs=5 * 0.5 / math.sqrt(1e5))
    assert float(noise.std()) == pytest.approx(0.5, rel=0.02)
    assert float((noise.abs() > 1).double().mean()) == pytest.approx(0.0455, abs=0.004)  # beyond two deviations


def test_gaussian_dropout_spreads_as_dropout_does() -> None:
    factor = disturbed(GaussianDropout(0.2), torch.full((1000, 100), 3.0)).double() / 3

    assert float(factor.mean()) == pytest.approx(1, abs=0.01)
    assert float(factor.std()) == pytest.approx(math.sqrt(0.2 / 0.8), rel=0.02)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = torch.randn(1000, 100, generator=torch.Generator().manual_seed(1))

    y = disturbed(AlphaDropout(0.3), x)

    assert float(y.mean()) == pytest.approx(0, abs=0.02)
    assert float(y.std()) == pytest.approx(1, abs=0.02)
    values, counts = torch.unique(y, return_counts=True)
    assert float(counts.max()) / y.numel() == pytest.approx(0.3, abs=0.01)  # all that is dropped becomes one value
    assert float(values[counts.argmax()]) < -1


@pytest.mark.parametrize("layer", [*LAYERS, GaussianNoise(0), GaussianDropout(0), AlphaDropout(0)], ids=str)
def test_nothing_happens_in_evaluation(layer: Layer) -> None:
    x = torch.ones(4, 3, 2, 2)

    assert layer.build((3, 2, 2)).eval()(x) is x


@pytest.mark.parametrize("layer", [GaussianNoise(0), GaussianDropout(0), AlphaDropout(0)], ids=str)
def test_none_of_it_is_none_in_training(layer: Layer) -> None:
    x = torch.ones(4, 5)

    assert disturbed(layer, x) is x


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_seed_decides_all_that_follows(layer: Layer) -> None:
    x = torch.ones(20, 20)
    module = layer.build((20,)).train()
    assert isinstance(module, RandomModule)

    module.reseed(5)
    first, second = module(x), module(x)
    module.reseed(5)
    again = module(x), module(x)
    module.reseed(6)

    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert not torch.equal(first, second)
    assert not torch.equal(first, module(x))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_noise_of_a_sample_is_the_same_in_any_batch(layer: Layer) -> None:
    x = torch.ones(6, 3, 4, 4)

    torch.testing.assert_close(disturbed(layer, x)[:2], disturbed(layer, x[:2]), rtol=0, atol=0)


@pytest.mark.parametrize("layer", [GaussianNoise(0.5), GaussianDropout(0.5), AlphaDropout(0.5)], ids=str)
def test_a_layer_s_own_seed_changes_its_draws(layer: GaussianNoise | GaussianDropout | AlphaDropout) -> None:
    x = torch.ones(20, 20)

    plain, own, same = (disturbed(replace(layer, seed=seed), x) for seed in (None, 1, 1))

    assert torch.equal(own, same)
    assert not torch.equal(own, plain)


def trained(seed: int) -> list[float]:
    model = Sequential(
        [Input(6), GaussianNoise(0.5), Dense(8), AlphaDropout(0.5), GaussianDropout(0.3), Dense(1)], seed=seed
    )
    model.set_weights(Sequential([Input(6), Dense(8), Dense(1)], seed=0).get_weights())
    x = np.linspace(-1, 1, 120, dtype=np.float32).reshape(20, 6)
    model.compile("sgd", "mse")
    return model.fit(x, x[:, :1], epochs=2, batch_size=5, shuffle=False, verbose=0).history["loss"]


def test_training_with_noise_follows_from_the_model_s_seed() -> None:
    assert trained(1) == trained(1) != trained(2)


def test_a_deviation_beyond_one_is_refused_as_in_keras() -> None:
    with pytest.raises(BadValue, match=r"GaussianNoise\(stddev=1.5\): must be between 0 and 1."):
        GaussianNoise(1.5)
