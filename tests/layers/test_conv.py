"""Convolutions and their padding, by hand."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.layers import Conv2D, Input, ZeroPadding2D
from holdfast.layers.spatial import same_padding, windows
from holdfast.models import Sequential

GRID = list(itertools.product(range(1, 12), range(1, 6), range(1, 5), range(1, 4)))  # size, kernel, stride, dilation


def row(kernel: list[float], values: list[float], *, strides: int = 1, padding: str = "same") -> list[float]:
    """One row of pixels under one flat kernel."""
    weights = np.array(kernel).reshape(1, -1, 1, 1)
    layer = Conv2D(1, (1, len(kernel)), (1, strides), padding, kernel_initializer=weights)  # type: ignore[arg-type]  # a word
    model = Sequential([Input((1, len(values), 1)), layer])
    found: list[float] = model.predict(np.array(values, np.float32).reshape(1, 1, -1, 1)).ravel().tolist()
    return found


def test_a_kernel_slides_without_being_turned_round() -> None:
    assert row([1, 10, 100], [1, 2, 3, 4], padding="valid") == [321, 432]


def test_same_padding_adds_the_odd_pixel_at_the_end() -> None:
    assert row([1, 10], [1, 2, 3]) == [21, 32, 3]
    assert row([1, 10, 100, 1000], [1, 2, 3]) == [3210, 321, 32]
    assert row([1, 10, 100], [1, 2, 3, 4], strides=2) == [321, 43]


def test_even_same_padding_is_on_both_sides() -> None:
    assert row([1, 10, 100], [1, 2, 3]) == [210, 321, 32]
    assert row([1, 10, 100], [1, 2, 3], strides=2) == [210, 32]


def test_same_padding_never_takes_pixels_away() -> None:
    assert same_padding(5, kernel=1, stride=2) == (0, 0)
    assert row([1], [1, 2, 3, 4, 5, 6], strides=4) == [1, 5]


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_there_are_as_many_windows_as_fit(padding: str) -> None:
    for size, kernel, stride, dilation in GRID:
        pads = same_padding(size, kernel, stride, dilation) if padding == "same" else (0, 0)
        reach = (kernel - 1) * dilation + 1
        places = range(0, size + sum(pads) - reach + 1, stride)

        assert max(windows(size, kernel, stride, dilation, padding), 0) == len(places), (size, kernel, stride, dilation)


def test_groups_see_their_own_channels_only() -> None:
    kernel = np.array([1.0, 10.0]).reshape(1, 1, 1, 2)  # (H, W, channels of a group, filters)
    model = Sequential([Input((1, 1, 2)), Conv2D(2, 1, groups=2, kernel_initializer=kernel)])

    assert model.predict(np.array([[[[3.0, 5.0]]]])).ravel().tolist() == [3.0, 50.0]
    assert model.count_params() == 4


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [({}, 9 * 18 + 9), ({"use_bias": False}, 9 * 18), ({"kernel_size": (1, 5)}, 9 * 10 + 9)],
    ids=str,
)
def test_parameters_are_kernel_and_bias(settings: dict[str, object], parameters: int) -> None:
    layer = Conv2D(**{"filters": 9, "kernel_size": 3, **settings})  # type: ignore[arg-type]  # a table of settings

    assert Sequential([Input((9, 9, 2)), layer]).count_params() == parameters


def test_even_padding_is_left_to_torch_s_convolution() -> None:
    even, odd = (Conv2D(4, 3, stride, "same").build((8, 8, 1)) for stride in (1, 2))

    assert isinstance(even, nn.Conv2d)
    assert even.padding == (1, 1)
    assert [type(child) for child in odd.children()] == [nn.ZeroPad2d, nn.Conv2d]


def test_images_stay_channels_last_in_memory() -> None:
    module = Sequential([Input((6, 6, 4)), Conv2D(8, 3)]).module
    x = torch.zeros(2, 6, 6, 4)
    seen: list[torch.Tensor] = []
    hook = module.get_submodule("conv2d").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))

    module(x)
    hook.remove()

    assert seen[0].shape == (2, 4, 6, 6)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert seen[0].data_ptr() == x.data_ptr()


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
