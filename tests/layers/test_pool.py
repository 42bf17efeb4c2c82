"""Pooling by hand, where real Keras on torch cannot be asked: uneven padding."""

import itertools

import numpy as np
import pytest

from holdfast.layers import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    Input,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from holdfast.layers.spatial import Window
from holdfast.models import Sequential
from layers.building import Array


def pooled(layer: Layer, image: list[list[float]]) -> list[list[float]]:
    """The one channel of an image, pooled."""
    pixels = np.array(image, np.float32)[None, :, :, None]
    found: list[list[float]] = Sequential([Input(pixels.shape[1:]), layer]).predict(pixels)[0, ..., 0].tolist()
    return found


NINE = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]


def test_padding_does_not_count_in_an_average() -> None:
    # One row and one column of padding at the end: the last windows hold two pixels, and the corner one.
    assert pooled(AveragePooling2D(2, padding="same"), NINE) == [[3.0, 4.5], [7.5, 9.0]]


def test_uneven_padding_of_a_wide_window_does_not_count_either() -> None:
    # Width 4, windows of 3 at steps of 2: no padding before, one after.  Keras on torch repeats the edge here.
    layer = AveragePooling2D((1, 3), strides=(1, 2), padding="same")

    assert pooled(layer, [[1.0, 2.0, 6.0, 10.0]]) == [[3.0, 8.0]]


def test_padding_on_both_sides_does_not_count() -> None:
    layer = AveragePooling2D(3, strides=1, padding="same")

    found = pooled(layer, NINE)

    assert found[0] == pytest.approx([3.0, 3.5, 4.0])  # of 4, 6 and 4 pixels
    assert found[1] == pytest.approx([4.5, 5.0, 5.5])  # of 6, 9 and 6


def test_an_average_of_ones_is_one_whatever_the_padding() -> None:
    for size in range(1, 8):
        for window in range(1, 6):
            for stride in range(1, 4):
                layer = AveragePooling2D(window, stride, "same")

                found = np.array(pooled(layer, [[1.0] * size] * size))

                np.testing.assert_allclose(found, 1, rtol=1e-6)


def test_padding_is_never_the_largest_value() -> None:
    negative = [[-value for value in row] for row in NINE]

    assert pooled(MaxPooling2D(2, padding="same"), negative) == [[-1.0, -3.0], [-7.0, -9.0]]


def test_strides_are_the_window_unless_they_are_given() -> None:
    assert MaxPooling2D((2, 3)).out_shape((12, 12, 5)) == (6, 4, 5)
    assert MaxPooling2D((2, 3), strides=1).out_shape((12, 12, 5)) == (11, 10, 5)


def test_what_does_not_fill_a_window_is_left_out() -> None:
    assert pooled(MaxPooling2D(2), NINE) == [[5.0]]
    assert pooled(AveragePooling2D(2), NINE) == [[3.0]]


def test_global_pooling_leaves_a_number_a_channel() -> None:
    image = np.stack([np.array(NINE), -np.array(NINE)], -1)[None]

    found = [Sequential([Input((3, 3, 2)), layer]) for layer in (GlobalAveragePooling2D(), GlobalMaxPooling2D())]

    assert found[0].predict(image).tolist() == [[5.0, -5.0]]
    assert found[1].predict(image).tolist() == [[9.0, -1.0]]


def test_keepdims_leaves_an_image_of_one_pixel() -> None:
    assert GlobalAveragePooling2D(keepdims=True).out_shape((4, 5, 3)) == (1, 1, 3)
    assert GlobalMaxPooling2D().out_shape((4, 5, 3)) == (3,)
    assert GlobalMaxPooling1D(keepdims=True).out_shape((4, 3)) == (1, 3)
    assert GlobalAveragePooling3D(keepdims=True).out_shape((4, 5, 6, 3)) == (1, 1, 1, 3)


def by_windows(values: Array, window: Window, *, largest: bool) -> Array:
    """The largest or the mean of those values of (..., C) that lie in each window, by definition."""
    starts = [
        [step * place - before for place in range(count)]
        for step, (before, _), count in zip(
            window.strides, window.pads(values.shape), window.places(MAXIMA[values.ndim - 2], values.shape), strict=True
        )
    ]
    found = []
    for corner in itertools.product(*starts):
        part = values[tuple(slice(max(at, 0), at + size) for at, size in zip(corner, window.size, strict=True))]
        inside = part.reshape(-1, values.shape[-1])
        found.append(inside.max(0) if largest else inside.mean(0))
    return np.array(found).reshape(*map(len, starts), values.shape[-1])


MAXIMA = (MaxPooling1D(), MaxPooling2D(), MaxPooling3D())
MEANS = (AveragePooling1D(), AveragePooling2D(), AveragePooling3D())
GRID = [
    (rank, size, window, stride, padding)
    for rank, size, window, stride in itertools.product((1, 2, 3), (3, 4, 5), (1, 2, 3), (1, 2, 3))
    for padding in ("valid", "same")
]


@pytest.mark.parametrize(("rank", "size", "window", "stride", "padding"), GRID)
def test_only_what_is_really_there_counts(rank: int, size: int, window: int, stride: int, padding: str) -> None:
    # Real Keras on torch repeats the edge in averages and is no judge of them; all values are below zero.
    values = -np.random.default_rng(rank).uniform(1, 2, (size,) * rank + (2,))
    for layers, largest in ((MAXIMA, True), (MEANS, False)):
        layer = type(layers[rank - 1])(window, stride, padding)  # type: ignore[arg-type]  # a word

        found = Sequential([Input(values.shape), layer]).predict(values[None])[0]

        np.testing.assert_allclose(found, by_windows(values, layer.window, largest=largest), rtol=1e-5)


def test_a_series_and_a_volume_are_pooled_as_a_whole() -> None:
    series, volume = np.arange(6.0).reshape(1, 3, 2), np.arange(24.0).reshape(1, 2, 3, 2, 2)

    assert Sequential([Input((3, 2)), GlobalAveragePooling1D()]).predict(series).tolist() == [[2, 3]]
    assert Sequential([Input((3, 2)), GlobalMaxPooling1D()]).predict(series).tolist() == [[4, 5]]
    assert Sequential([Input((2, 3, 2, 2)), GlobalAveragePooling3D()]).predict(volume).tolist() == [[11, 12]]
    assert Sequential([Input((2, 3, 2, 2)), GlobalMaxPooling3D()]).predict(volume).tolist() == [[22, 23]]
