"""Upsampling, by NumPy's repeat."""

from collections.abc import Callable

import numpy as np
import pytest

from holdfast.core import BadShape, BadValue
from holdfast.layers import Input, UpSampling1D, UpSampling2D, UpSampling3D
from holdfast.models import Sequential


def test_every_step_is_repeated_whatever_the_factor() -> None:
    # Some factors have a reciprocal that float32 rounds down: 41, 47, 55 and 61 are the first of them.
    series = np.random.default_rng(0).normal(size=(1, 9, 2)).astype(np.float32)
    for factor in range(1, 70):
        found = Sequential([Input((9, 2)), UpSampling1D(factor)]).predict(series)

        np.testing.assert_array_equal(found, series.repeat(factor, 1))


def test_images_and_volumes_are_repeated_along_each_axis() -> None:
    random = np.random.default_rng(0)
    image = random.normal(size=(2, 3, 4, 2)).astype(np.float32)
    volume = random.normal(size=(2, 2, 3, 2, 2)).astype(np.float32)

    flat = Sequential([Input((3, 4, 2)), UpSampling2D((3, 2))]).predict(image)
    solid = Sequential([Input((2, 3, 2, 2)), UpSampling3D((1, 2, 3))]).predict(volume)

    np.testing.assert_array_equal(flat, image.repeat(3, 1).repeat(2, 2))
    np.testing.assert_array_equal(solid, volume.repeat(2, 2).repeat(3, 3))


def test_between_two_pixels_lie_those_in_between() -> None:
    row = np.array([0.0, 4.0]).reshape(1, 1, 2, 1)

    found = Sequential([Input((1, 2, 1)), UpSampling2D((1, 2), interpolation="bilinear")]).predict(row)

    assert found.ravel().tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (lambda: UpSampling1D((2,)), "UpSampling1D(size=(2,)): must be a whole number."),
        (lambda: UpSampling2D((1, 2, 3)), "UpSampling2D(size=(1, 2, 3)): must be one number or two."),
        (lambda: UpSampling3D(0), "UpSampling3D(size=0): must be positive."),
        (
            lambda: UpSampling2D(interpolation="lanczos3"),  # type: ignore[arg-type]  # it is refused
            "UpSampling2D(interpolation='lanczos3'): must be 'nearest' or 'bilinear' or 'bicubic'.",
        ),
        (lambda: UpSampling1D().out_shape((3, 3, 1)), "UpSampling1D: takes (T, C), got (3, 3, 1)."),
    ],
)
def test_what_does_not_fit_is_named(layer: Callable[[], object], text: str) -> None:
    with pytest.raises((BadShape, BadValue)) as caught:
        layer()

    assert str(caught.value) == text
