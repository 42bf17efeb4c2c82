"""Transformers of our own: statistics of samples, and the middle of an autoencoder."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holdfast.features import AutoencoderFeatures, SampleStatistics
from holdfast.layers import Statistics


@pytest.mark.parametrize("shape", [(6, 5, 3), (12, 2), (4, 4, 4, 1)], ids=["pictures", "series", "volumes"])
def test_statistics_are_those_of_the_layer(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)

    found = SampleStatistics(shape).fit_transform(values.reshape(4, -1))

    with torch.no_grad():
        wanted = Statistics().build(shape)(torch.from_numpy(values).movedim(-1, 1))
    np.testing.assert_array_equal(found, wanted.numpy())


def test_statistics_of_a_row_are_those_of_its_values() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 7))

    found = SampleStatistics().fit_transform(rows)

    np.testing.assert_allclose(found[:, 0], rows.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], rows.std(1), rtol=1e-5)


def test_a_shape_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"SampleStatistics\(shape=\(2, 3\)\): samples have 7 values"):
        SampleStatistics((2, 3)).fit(np.zeros((4, 7)))


def test_an_autoencoder_finds_what_rebuilds_its_samples() -> None:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(200, 2))
    values = np.tanh(hidden @ random.normal(size=(2, 12)))

    found = AutoencoderFeatures(2, steps=600).fit(values)

    assert found.transform(values).shape == (200, 2)
    assert found.loss_ < 0.2 * values.var()


def test_an_autoencoder_follows_from_its_seed_and_knows_only_what_it_was_fitted_to() -> None:
    values = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), AutoencoderFeatures(3, steps=10, seed=1))

    first = clone(pipeline).fit(values[:40]).transform(values)
    again = clone(pipeline).fit(values[:40]).transform(values)
    other = clone(pipeline).fit(values[20:]).transform(values)

    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
