"""Statistics of samples and the normalization of each series, against NumPy and SciPy in float64."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import periodogram
from scipy.stats import linregress

from holdfast.core import BadData, BadShape, BadValue, NotReady
from holdfast.layers import Dense, Input, Layer, SeriesNormalization, Statistics
from holdfast.models import Sequential, from_config, load_keras, to_config

RANDOM = np.random.default_rng(0)
SERIES = (RANDOM.normal(size=(4, 101, 2)).cumsum(1) * [1, 20] + [0, 300]).astype(np.float32)
LAYER = Statistics()


def given(layer: Layer, x: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float32] = Sequential([Input(x.shape[1:]), layer]).predict(x)
    return found.astype(np.float64)


def features(x: NDArray[np.float32], layer: Statistics = LAYER) -> NDArray[np.float64]:
    """(N, C, features)."""
    return given(layer, x).reshape(len(x), -1, len(layer.names))


def picked(name: str) -> NDArray[np.float64]:
    return features(SERIES)[..., LAYER.names.index(name)]


def close(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """To 1e-5 of the largest value of each channel: float32 has 7 digits of the numbers themselves."""
    scale = np.abs(SERIES).max((0, 1)).astype(np.float64)
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


def test_moments_and_quantiles_are_numpy_s() -> None:
    x = SERIES.astype(np.float64)

    close(picked("mean"), x.mean(1))
    close(picked("median"), np.median(x, axis=1))
    close(picked("std"), x.std(1))
    close(picked("min"), x.min(1))
    close(picked("max"), x.max(1))
    for share in (0.05, 0.25, 0.75, 0.95):
        close(picked(f"quantile_{share:g}"), np.quantile(x, share, axis=1))


def test_slopes_are_those_of_least_squares() -> None:
    x, steps = SERIES.astype(np.float64), np.arange(101)
    pieces = [steps, *(steps[steps * 4 // 101 == piece] for piece in range(4))]

    for name, piece in zip(("slope", *(f"slope_{number}_of_4" for number in range(1, 5))), pieces, strict=True):
        expected = [[linregress(piece, one[piece]).slope * 100 for one in series.T] for series in x]
        close(picked(name) / 10, np.array(expected) / 10)  # as steep as that over all 100 steps, it rises beyond x


def test_bands_share_out_the_variance() -> None:
    x = SERIES.astype(np.float64)
    swings, powers = periodogram(x - x.mean(1, keepdims=True), axis=1)
    total = powers.sum(1)

    for band in range(1, 5):
        inside = (swings > 0.5 ** (band + 1)) & (swings <= 0.5**band)
        np.testing.assert_allclose(picked(f"band_{band}_of_5"), powers[:, inside].sum(1) / total, atol=1e-5)
    np.testing.assert_allclose(features(SERIES)[..., -5:].sum(-1), 1, atol=1e-6)


def test_a_sound_has_features_too() -> None:
    sound = np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)[np.newaxis].astype(np.float32)

    found = features(sound)[0, 0]

    assert found[LAYER.names.index("std")] == pytest.approx(np.sqrt(0.5), rel=1e-5)
    assert found[LAYER.names.index("band_5_of_5")] == pytest.approx(1, abs=1e-5)  # below 500 Hz


@pytest.mark.parametrize("level", [0.0, 3.3, 1e6])
def test_a_constant_series_has_no_trend_and_no_bands(level: float) -> None:
    found = features(np.full((1, 50, 1), level, np.float32))[0, 0]

    assert np.isfinite(found).all()
    assert found[LAYER.names.index("std")] == pytest.approx(0, abs=1e-6 * max(level, 1))
    np.testing.assert_allclose(found[9:], 0, atol=1e-6 * max(level, 1))


def test_only_measured_steps_count() -> None:
    there = np.zeros((4, 130, 1), np.float32)
    there[:, :101] = 1
    x = np.concatenate([SERIES, np.full((4, 29, 2), 1e4, np.float32)], 1)
    layer = Statistics(masked=True, bands=0)

    found = features(np.concatenate([x, there], 2), layer)

    expected = features(SERIES, Statistics(bands=0))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_series_without_measured_steps_has_none_but_zeros() -> None:
    assert (given(Statistics(masked=True), np.zeros((1, 30, 2), np.float32)) == 0).all()


def test_each_series_gets_mean_0_and_deviation_1() -> None:
    found = given(SeriesNormalization(), SERIES)

    np.testing.assert_allclose(found.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(1), 1, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 3.3, 1e6])
def test_a_constant_series_becomes_0(level: float) -> None:
    assert (given(SeriesNormalization(), np.full((1, 100, 1), level, np.float32)) == 0).all()


def test_a_mask_is_handed_on_and_all_besides_it_is_0() -> None:
    x = np.concatenate([SERIES, np.ones((4, 101, 1), np.float32)], 2)
    x[:, 60:, 2] = 0

    found = given(SeriesNormalization(masked=True), x)

    np.testing.assert_array_equal(found[..., 2], x[..., 2])
    assert (found[:, 60:] == 0).all()
    np.testing.assert_allclose(found[:, :60, :2], given(SeriesNormalization(), SERIES[:, :60]), atol=1e-5)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadValue, match=r"Statistics\(quantiles=\(0.5, 1.5\)\): must be between 0 and 1"):
        Statistics(quantiles=(0.5, 1.5))
    with pytest.raises(BadShape, match=r"with masked=True the last channel is the mask, \(9, 1\) has no other"):
        Statistics(masked=True)(Input((9, 1)))
    with pytest.raises(BadShape, match=r"takes series \(T, C\)"):
        SeriesNormalization()(Input((9,)))


def test_of_pictures_each_channel_says_what_needs_no_order() -> None:
    x = RANDOM.integers(0, 256, (3, 6, 5, 2), np.uint8)

    found = given(LAYER, x.astype(np.float32)).reshape(3, 2, len(LAYER.level_names))

    places = x.reshape(3, 30, 2).astype(np.float64)
    np.testing.assert_allclose(found[..., LAYER.names.index("mean")], places.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found[..., LAYER.names.index("std")], places.std(1), rtol=1e-5)
    np.testing.assert_allclose(found[..., LAYER.names.index("quantile_0.95")], np.quantile(places, 0.95, 1), rtol=1e-5)
    np.testing.assert_array_equal(found[..., LAYER.names.index("max")], places.max(1))


@pytest.mark.parametrize("x", [SERIES, RANDOM.normal(size=(9, 5, 5, 3)).astype(np.float32)], ids=["series", "pictures"])
def test_adapted_statistics_have_mean_0_and_variance_1(x: NDArray[np.float32]) -> None:
    layer = Statistics()

    assert layer.adapt(x) is layer

    found = given(layer, x)
    np.testing.assert_allclose(found.mean(0), 0, atol=2e-3)  # float32 beside a mean of 300
    np.testing.assert_allclose(found.std(0), 1, atol=2e-3)


def test_a_statistic_that_is_the_same_in_all_samples_becomes_0() -> None:
    assert (np.abs(given(Statistics().adapt(np.ones((5, 20, 1))), np.ones((2, 20, 1), np.float32))) < 1e-6).all()


def test_adapted_numbers_travel_in_the_file(tmp_path: Path) -> None:
    model = Sequential([Input(SERIES.shape[1:]), Statistics(pieces=2).adapt(SERIES), Dense(2)])

    model.save(tmp_path / "m.keras")

    np.testing.assert_array_equal(load_keras(tmp_path / "m.keras").predict(SERIES), model.predict(SERIES))


def test_files_that_call_it_statistical_features_are_read() -> None:
    config = to_config(Sequential([Input((20, 2)), Statistics(bands=2)]))
    config["config"]["layers"][1]["class_name"] = "StatisticalFeatures"
    for setting in ("mean", "variance"):
        del config["config"]["layers"][1]["config"][setting]

    (layer,) = from_config(config).layers

    assert isinstance(layer, Statistics)
    assert layer.bands == 2


def test_what_adapt_cannot_take_is_told() -> None:
    used = Statistics()
    given(used, SERIES)

    with pytest.raises(NotReady, match="Statistics: adapt comes before the model is first used"):
        used.adapt(SERIES)
    with pytest.raises(BadData, match=r"Statistics\.adapt: data have NaN or infinite values"):
        Statistics().adapt(np.full((3, 9), np.nan))
    with pytest.raises(BadShape, match=r"Statistics\.adapt: data have shape \(0, 9\), must be"):
        Statistics().adapt(np.zeros((0, 9)))
    with pytest.raises(BadShape, match="Statistics: was adapted to 2 statistics, the input"):
        Statistics(mean=[0.0, 1.0], variance=[1.0, 1.0])(Input((9, 1)))
    with pytest.raises(BadValue, match="Statistics: give mean and variance together and of one length, or neither"):
        Statistics(mean=[0.0])
