"""Convolutions and their padding, by hand."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.core import BadShape, BadValue
from holdfast.layers import Conv1D, Conv2D, Conv3D, Input
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


def along(kernel: list[float], values: list[float], **settings: object) -> list[float]:
    """A series under one kernel."""
    weights = np.array(kernel).reshape(-1, 1, 1)
    layer = Conv1D(1, len(kernel), kernel_initializer=weights, **settings)  # type: ignore[arg-type]  # a table of settings
    found: list[float] = (
        Sequential([Input((len(values), 1)), layer]).predict(np.array([values])[..., None]).ravel().tolist()
    )
    return found


def test_a_causal_kernel_sees_nothing_that_comes_later() -> None:
    assert along([1, 10, 100], [1, 2, 3, 4], padding="causal") == [100, 210, 321, 432]
    assert along([1, 10], [1, 2, 3, 4], padding="causal", dilation_rate=2) == [10, 20, 31, 42]
    assert along([1, 10, 100], [1, 2, 3, 4, 5], padding="causal", strides=2) == [100, 321, 543]


def test_only_series_have_a_direction() -> None:
    with pytest.raises(BadValue) as caught:
        Conv2D(1, 3, padding="causal")  # type: ignore[arg-type]  # it is refused

    assert str(caught.value) == "Conv2D(padding='causal'): must be 'valid' or 'same'."


def test_a_kernel_of_ones_adds_up_each_cube_of_a_volume() -> None:
    values = np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3, 1)
    layer = Conv3D(1, (1, 2, 3), kernel_initializer="ones")

    found = Sequential([Input((3, 3, 3, 1)), layer]).predict(values)

    assert found.shape == (1, 3, 2, 1, 1)
    assert found[0, :, :, 0, 0].tolist() == [[values[0, d, h : h + 2].sum().item() for h in range(2)] for d in range(3)]


@pytest.mark.parametrize(("layer", "sides"), [(Conv1D(4, 5), (5,)), (Conv3D(4, (1, 2, 3)), (1, 2, 3))], ids=str)
def test_a_setting_has_a_number_for_each_axis(layer: Conv1D | Conv3D, sides: tuple[int, ...]) -> None:
    assert (layer.kernel_size, layer.strides) == (sides, (1,) * len(sides))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (lambda: Conv1D(1, (2, 3)), "Conv1D(kernel_size=(2, 3)): must be one number."),
        (lambda: Conv3D(1, (2, 3)), "Conv3D(kernel_size=(2, 3)): must be one number or three."),
        (lambda: Conv1D(1, 2, strides=0), "Conv1D(strides=0): must be positive."),
        (
            lambda: Conv3D(1, 2, strides=2, dilation_rate=2),
            "Conv3D: strides=(2, 2, 2) and dilation_rate=(2, 2, 2) cannot both exceed 1.",
        ),
        (lambda: Conv1D(1, 2).out_shape((5,)), "Conv1D: takes (T, C), got (5,)."),
        (lambda: Conv3D(1, 2).out_shape((5, 4, 1)), "Conv3D: takes (D, H, W, C), got (5, 4, 1)."),
        (
            lambda: Conv1D(1, 3, dilation_rate=2).out_shape((4, 1)),
            "Conv1D: a window of (5,) does not fit into (4, 1); "
            'take padding="same", a smaller window or fewer layers before it.',
        ),
    ],
)
def test_what_does_not_fit_is_named(layer: Callable[[], object], text: str) -> None:
    with pytest.raises((BadShape, BadValue)) as caught:
        layer()

    assert str(caught.value) == text


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_parameters_and_operations_follow_from_the_rank(rank: int) -> None:
    layer = (Conv1D, Conv2D, Conv3D)[rank - 1](4, 3, padding="same")

    summary = Sequential([Input((5,) * rank + (2,)), layer]).summary()

    assert summary.parameters == 3**rank * 2 * 4 + 4
    assert summary.flops == 5**rank * 4 * (2 * 3**rank * 2 + 1)


def test_a_padded_copy_counts_among_what_is_kept() -> None:
    assert Conv1D(4, 3, padding="same").kept((10, 2)) == 10 * 4  # torch pads both ends alike by itself
    assert Conv1D(4, 3, padding="causal").kept((10, 2)) == 10 * 4 + 12 * 2
