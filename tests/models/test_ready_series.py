"""Nets for series: padding does not count, fronts are chosen from the data, and dense nets do worse."""

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.core import BadShape
from holdfast.data import load
from holdfast.data.series import series_source
from holdfast.data.split import split
from holdfast.layers import Layer, Normalization, SeriesNormalization
from holdfast.models import BaseModel, ready_for, ready_made
from holdfast.models.ready_series import features_front, features_net, series_front, series_net

SHORT, LONG = 96, 120  # of which both are pooled twice
RANDOM = np.random.default_rng(0)


def masked_series(n: int = 60) -> tuple[Tensor, Tensor]:
    """(n, 96, 3): waves of two speeds in the first channel, of 40 to 96 steps, with a gap."""
    x, y = np.zeros((n, SHORT, 3), np.float32), np.arange(n) % 2
    for row, label in zip(x, y, strict=True):
        length = RANDOM.integers(40, SHORT + 1)
        row[:length, 0] = 7 + np.sin(np.arange(length) * (0.3 if label else 0.7) + RANDOM.uniform(0, 6))
        row[:length, 1] = RANDOM.normal(size=length)
        row[:length, 2] = 1
        row[20:24] = 0
    return torch.from_numpy(x), torch.from_numpy(y)


def trained(net: BaseModel, x: Tensor, y: Tensor) -> BaseModel:
    net.compile(loss="sparse_categorical_crossentropy")
    net.fit(x, y, epochs=3, verbose=0, measure_train="never")
    return net


@pytest.mark.parametrize("own", [False, True], ids=["one for all", "of its own"])
def test_what_stands_in_the_padding_does_not_count(own: bool) -> None:
    x, y = masked_series()
    front = SeriesNormalization(masked=True) if own else series_front(x, masked=True)
    net = trained(series_net((SHORT, 3), 2, front=front, masked=True), x, y)
    noisy = x.clone()
    noisy[..., :2] += 1000 * (x[..., 2:] == 0) * torch.randn_like(x[..., :2])

    np.testing.assert_allclose(net.predict(noisy), net.predict(x), atol=1e-5)


@pytest.mark.parametrize("own", [False, True], ids=["one for all", "of its own"])
def test_how_much_padding_there_is_does_not_count(own: bool) -> None:
    x, y = masked_series()

    def front() -> Layer:
        return SeriesNormalization(masked=True) if own else series_front(x, masked=True)

    net = trained(series_net((SHORT, 3), 2, front=front(), masked=True), x, y)
    longer = series_net((LONG, 3), 2, front=front(), masked=True)
    longer.set_weights(net.get_weights())
    padded = torch.nn.functional.pad(x, (0, 0, 0, LONG - SHORT))

    np.testing.assert_allclose(longer.predict(padded), net.predict(x), atol=1e-5)


def test_features_do_not_see_what_stands_in_the_padding() -> None:
    x, y = masked_series()
    net = trained(features_net((SHORT, 3), 2, front=features_front(x, masked=True), masked=True), x, y)
    noisy = x.clone()
    noisy[..., :2] += 1000 * (x[..., 2:] == 0) * torch.randn_like(x[..., :2])

    np.testing.assert_allclose(net.predict(noisy), net.predict(x), atol=1e-5)


def test_one_normalization_for_all_is_fitted_on_measured_steps() -> None:
    x, _ = masked_series()

    front = series_front(x, masked=True)

    assert isinstance(front, Normalization)
    measured = x[x[..., 2] > 0].double()
    np.testing.assert_allclose(front.mean, [*measured[:, :2].mean(0), 0], rtol=1e-6)  # type: ignore[arg-type]  # it has one
    np.testing.assert_allclose(front.variance, [*measured[:, :2].var(0, correction=0), 1], rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "scales", "own"),
    [(1.0, 1.0, False), (50.0, 1.0, True), (1.0, 100.0, True)],
    ids=["alike", "levels of their own", "scales of their own"],
)
def test_series_that_differ_in_level_or_scale_are_normalized_alone(levels: float, scales: float, own: bool) -> None:
    noise = torch.from_numpy(RANDOM.normal(size=(50, 30, 2)))
    level = levels * torch.from_numpy(RANDOM.normal(size=(50, 1, 2)))
    scale = torch.logspace(0, float(np.log10(scales)), 50)[:, None, None]

    front = series_front((noise * scale + level * scale).float())

    assert isinstance(front, SeriesNormalization) is own


def test_a_constant_feature_stays_small_in_new_data() -> None:
    front = features_front(torch.ones(8, 16, 1))

    assert isinstance(front.variance, tuple)
    assert min(front.variance) >= 1e-10


def test_the_model_fits_the_data() -> None:
    lengths = RANDOM.integers(20, 31, 60)
    values = [RANDOM.normal(size=(length, 2)) for length in lengths]
    source = series_source(values, np.arange(60) % 3, ("a", "b", "c"), [f"{n}" for n in range(60)], channels=("x", "y"))
    data = split(source, name="waves", validation=0.2, test=0.2, seed=0)

    for name in ("convnet", "dense", "features"):
        model = ready_for(name, data)

        assert model.inputs[0].shape == (30, 3)
        assert model.predict(data.train.images[:4]).shape == (4, 3)


def test_features_of_pictures_are_refused() -> None:
    with pytest.raises(BadShape, match=r"features: takes series \(T, C\) or sounds"):
        ready_made["features"]((28, 28, 1), 10)


@pytest.mark.slow
def test_on_demo_series_the_convnet_does_far_better_than_its_dense_twin() -> None:
    data = load("demo:series")

    def accuracy(name: str) -> float:
        model = ready_for(name, data)
        model.compile(loss="sparse_categorical_crossentropy")
        model.fit(data.train.images, data.train.labels, epochs=15, verbose=0, measure_train="never")
        return float((model.predict(data.validation.images[:]).argmax(1) == data.validation.labels.numpy()).mean())

    assert accuracy("convnet") > accuracy("dense") + 0.3
