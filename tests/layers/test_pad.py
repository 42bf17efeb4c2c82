"""Zero padding and cropping, by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from holdfast.core import BadShape, BadValue
from holdfast.layers import (
    Conv2D,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Input,
    MaxPooling2D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from holdfast.models import Sequential
from layers.building import Array


@pytest.mark.parametrize(
    ("padding", "sides"),
    [(1, ((1, 1), (1, 1))), ((1, 2), ((1, 1), (2, 2))), (((1, 2), (3, 4)), ((1, 2), (3, 4))), (0, ((0, 0), (0, 0)))],
    ids=str,
)
def test_zero_padding_takes_one_number_two_or_four(padding: int, sides: tuple[tuple[int, int], ...]) -> None:
    layer = ZeroPadding2D(padding)
    (top, bottom), (left, right) = sides

    assert layer.padding == sides
    assert layer.out_shape((5, 6, 2)) == (5 + top + bottom, 6 + left + right, 2)


def test_zero_padding_puts_top_and_left_first() -> None:
    found = Sequential([Input((1, 1, 1)), ZeroPadding2D(((1, 0), (2, 1)))]).predict(np.ones((1, 1, 1, 1)))

    assert found[0, :, :, 0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]


def test_padding_of_a_series_is_one_number_or_two() -> None:
    assert ZeroPadding1D().padding == (1, 1)
    assert ZeroPadding1D((0, 3)).padding == (0, 3)
    assert Sequential([Input((2, 1)), ZeroPadding1D((2, 1))]).predict([[[5.0], [6.0]]]).ravel().tolist() == [
        0,
        0,
        5,
        6,
        0,
    ]


def test_padding_of_a_volume_is_one_number_three_or_three_pairs() -> None:
    assert ZeroPadding3D(2).padding == ((2, 2),) * 3
    assert ZeroPadding3D((0, 1, 2)).out_shape((2, 3, 4, 1)) == (2, 5, 8, 1)
    assert ZeroPadding3D(((1, 0), (0, 2), (3, 4))).out_shape((2, 3, 4, 1)) == (3, 5, 11, 1)


def test_cropping_leaves_what_slices_leave() -> None:
    random = np.random.default_rng(0)
    series, image, volume = (random.normal(size=(2, *shape)).astype(np.float32) for shape in SHAPES)

    assert_cropped(Cropping1D((1, 2)), series, series[:, 1:-2])
    assert_cropped(Cropping1D(0), series, series)
    assert_cropped(Cropping2D(((0, 2), (1, 0))), image, image[:, :-2, 1:])
    assert_cropped(Cropping2D(), image, image)
    assert_cropped(Cropping3D(), volume, volume[:, 1:-1, 1:-1, 1:-1])
    assert_cropped(Cropping3D(((0, 1), (2, 0), (1, 1))), volume, volume[:, :-1, 2:, 1:-1])


SHAPES = ((6, 2), (5, 4, 3), (4, 5, 6, 2))


def assert_cropped(layer: Cropping1D | Cropping2D | Cropping3D, given: Array, expected: Array) -> None:
    found = Sequential([Input(given.shape[1:]), layer]).predict(given)

    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (lambda: ZeroPadding1D(-1), "ZeroPadding1D(padding=-1): must not be negative."),
        (lambda: ZeroPadding1D((1, 2, 3)), "ZeroPadding1D(padding=(1, 2, 3)): must be one number or two."),
        (
            lambda: ZeroPadding2D((1, 2, 3)),
            "ZeroPadding2D(padding=(1, 2, 3)): must be one number, two, or ((top, bottom), (left, right)).",
        ),
        (lambda: Cropping3D((1, 2)), "Cropping3D(cropping=(1, 2)): must be one number, three, or three pairs."),
        (lambda: Cropping2D(((0, 1), (-1, 0))), "Cropping2D(cropping=((0, 1), (-1, 0))): must not be negative."),
        (lambda: Cropping1D((2, 3)).out_shape((5, 1)), "Cropping1D: cropping=(2, 3) leaves nothing of (5, 1)."),
        (lambda: Cropping1D().out_shape((5,)), "Cropping1D: takes (T, C), got (5,)."),
        (lambda: ZeroPadding3D().out_shape((5, 4, 1)), "ZeroPadding3D: takes (D, H, W, C), got (5, 4, 1)."),
    ],
)
def test_what_does_not_fit_is_named(layer: Callable[[], object], text: str) -> None:
    with pytest.raises((BadShape, BadValue)) as caught:
        layer()

    assert str(caught.value) == text


def test_cropping_in_front_of_a_convolution_is_not_taken_for_padding() -> None:
    model = Sequential([Input((12, 12, 1)), Cropping2D(2), Conv2D(8, 3, activation="relu"), MaxPooling2D(), Flatten()])
    x = torch.rand(4, 12, 12, 1)

    torch.testing.assert_close(model.lowered.fastest(x), model.module(x))
