"""Transposed convolutions: their length by Keras's rules, their values by definition."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from holdfast.core import BadShape, BadValue
from holdfast.layers import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, Input
from holdfast.layers.transpose import cut_off
from holdfast.models import Sequential

GRID = [
    (size, kernel, stride, dilation, padding, extra)
    for size, kernel, stride, dilation in itertools.product((1, 2, 5), (1, 2, 3, 4, 5), (1, 2, 3), (1, 2))
    for padding in ("valid", "same")
    for extra in (None, *range(stride))
    if stride == 1 or dilation == 1
]


def length(size: int, kernel: int, stride: int, padding: str, extra: int | None) -> int:
    """Keras's rule for one axis, in its own words; `kernel` with dilation."""
    if padding == "valid":
        return (size - 1) * stride + kernel + (max(kernel, stride) - kernel if extra is None else extra)
    return size * stride if extra is None else (size - 1) * stride + kernel % 2 + extra


def test_lengths_follow_keras_s_rules() -> None:
    for size, kernel, stride, dilation, padding, extra in GRID:
        layer = Conv1DTranspose(3, kernel, stride, padding, extra, dilation)  # type: ignore[arg-type]  # a word
        expected = length(size, (kernel - 1) * dilation + 1, stride, padding, extra)
        if expected < 1:
            with pytest.raises(BadShape):
                layer.out_shape((size, 2))
        else:
            assert layer.out_shape((size, 2)) == (expected, 3), layer


def test_kernels_that_are_put_down_side_by_side_add_up() -> None:
    random = np.random.default_rng(0)
    for size, kernel, stride, dilation, padding, extra in GRID:
        reach = (kernel - 1) * dilation + 1
        if length(size, reach, stride, padding, extra) < 1:
            continue
        layer = Conv1DTranspose(3, kernel, stride, padding, extra, dilation)  # type: ignore[arg-type]  # a word
        model = Sequential([Input((size, 2)), layer])
        weights, bias, x = random.normal(size=(kernel, 3, 2)), random.normal(size=3), random.normal(size=(size, 2))
        model.set_weights([weights, bias])

        found = model.predict(x[None])[0]

        before, after = cut_off(reach, stride, padding, extra)
        whole = np.zeros(((size - 1) * stride + reach + max(-after, 0), 3))
        for place, step in itertools.product(range(size), range(kernel)):
            whole[place * stride + step * dilation] += weights[step] @ x[place]
        np.testing.assert_allclose(found, whole[before : len(whole) - max(after, 0)] + bias, rtol=1e-4, atol=1e-5)


def test_an_image_and_a_volume_grow_along_each_axis() -> None:
    assert Conv2DTranspose(3, 3, (2, 3), "same").out_shape((4, 5, 2)) == (8, 15, 3)
    assert Conv2DTranspose(3, (3, 1), (2, 3), "valid").out_shape((4, 5, 2)) == (9, 15, 3)
    assert Conv3DTranspose(3, 2, (1, 2, 3), "same").out_shape((4, 5, 6, 2)) == (4, 10, 18, 3)
    assert Conv2DTranspose(3, 3, 2, "same", output_padding=(0, 1)).out_shape((4, 5, 2)) == (7, 10, 3)


def test_a_pixel_becomes_the_kernel() -> None:
    kernel = np.arange(6.0).reshape(2, 3, 1, 1)
    layer = Conv2DTranspose(1, (2, 3), kernel_initializer=kernel)

    found = Sequential([Input((1, 1, 1)), layer]).predict(np.ones((1, 1, 1, 1)))

    np.testing.assert_array_equal(found[0], kernel[..., 0])


def test_operations_are_those_of_every_value_that_comes_in() -> None:
    layer = Conv2DTranspose(3, (3, 2), 2, "same")

    assert layer.flops((4, 5, 2)) == 4 * 5 * 2 * 6 * 3 * 2 + 8 * 10 * 3


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            lambda: Conv1DTranspose(1, 3, 2, output_padding=2),
            "Conv1DTranspose: output_padding=(2,) must be less than strides=(2,).",
        ),
        (
            lambda: Conv2DTranspose(1, 3, output_padding=(0, -1)),
            "Conv2DTranspose(output_padding=(0, -1)): must not be negative.",
        ),
        (
            lambda: Conv2DTranspose(1, 3, strides=2, dilation_rate=2),
            "Conv2DTranspose: strides=(2, 2) and dilation_rate=(2, 2) cannot both exceed 1.",
        ),
        (
            lambda: Conv1DTranspose(1, 2, 2, "same", output_padding=0).out_shape((1, 1)),
            "Conv1DTranspose: of (1, 1) it makes sides (0,); take a larger output_padding.",
        ),
        (lambda: Conv3DTranspose(1, 3).out_shape((4, 4, 1)), "Conv3DTranspose: takes (D, H, W, C), got (4, 4, 1)."),
    ],
)
def test_what_does_not_fit_is_named(layer: Callable[[], object], text: str) -> None:
    with pytest.raises((BadShape, BadValue)) as caught:
        layer()

    assert str(caught.value) == text
