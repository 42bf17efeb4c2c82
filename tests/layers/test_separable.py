"""Depthwise and separable convolutions, by convolutions of groups and by hand."""

import numpy as np
import pytest
import torch

from holdfast.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    SeparableConv1D,
    SeparableConv2D,
)
from holdfast.models import Sequential

RANDOM = np.random.default_rng(0)


def test_each_channel_sees_its_own_kernels_only() -> None:
    kernel = np.array([[[1.0, 10.0], [100.0, 1000.0]]])  # (1 step, 2 channels, 2 kernels)
    model = Sequential([Input((1, 2)), DepthwiseConv1D(1, depth_multiplier=2, depthwise_initializer=kernel)])

    assert model.predict([[[3.0, 5.0]]]).ravel().tolist() == [3, 30, 500, 5000]


def test_a_depthwise_convolution_is_one_of_as_many_groups_as_channels() -> None:
    depthwise = Sequential([Input((7, 6, 3)), DepthwiseConv2D(3, 2, "same", depth_multiplier=2)])
    grouped = Sequential([Input((7, 6, 3)), Conv2D(6, 3, 2, "same", groups=3)])
    kernel, bias = RANDOM.normal(size=(3, 3, 3, 2)), RANDOM.normal(size=6)
    x = RANDOM.normal(size=(2, 7, 6, 3))

    depthwise.set_weights([kernel, bias])
    grouped.set_weights([kernel.reshape(3, 3, 1, 6), bias])

    np.testing.assert_array_equal(depthwise.predict(x), grouped.predict(x))


def test_a_separable_convolution_is_a_depthwise_one_and_one_of_a_pixel() -> None:
    one = Sequential([Input((7, 6, 3)), SeparableConv2D(4, (3, 2), padding="same", depth_multiplier=2)])
    two = Sequential(
        [Input((7, 6, 3)), DepthwiseConv2D((3, 2), padding="same", depth_multiplier=2, use_bias=False), Conv2D(4, 1)]
    )
    weights = [RANDOM.normal(size=weight.shape) for weight in one.get_weights()]
    x = RANDOM.normal(size=(2, 7, 6, 3))

    one.set_weights(weights)
    two.set_weights(weights)

    assert [weight.shape for weight in weights] == [(3, 2, 3, 2), (1, 1, 6, 4), (4,)]
    np.testing.assert_array_equal(one.predict(x), two.predict(x))
    assert one.summary().flops == two.summary().flops
    assert one.summary().activations == two.summary().activations
    assert one.count_params() == two.count_params() == 36 + 24 + 4


def test_weights_have_keras_s_names_and_layout() -> None:
    layer = Sequential([Input((8, 3)), SeparableConv1D(5, 4, depth_multiplier=2)]).get_layer("separable_conv1d")

    shapes = [tuple(weight.shape) for weight in (layer.depthwise_kernel, layer.pointwise_kernel, layer.bias)]

    assert shapes == [(4, 3, 2), (1, 6, 5), (5,)]


def test_the_first_values_have_the_spread_that_keras_gives_them() -> None:
    # Keras takes (kernel, channels, multiplier) as (..., fan in, fan out), though each kernel sees one channel only.
    model = Sequential([Input((40, 40, 64)), DepthwiseConv2D(5, depth_multiplier=4, use_bias=False)])

    (kernel,) = model.get_weights()

    limit = np.sqrt(6 / (25 * 64 + 25 * 4))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)


def test_strides_and_dilation_go_together_in_a_depthwise_convolution_as_in_keras() -> None:
    assert DepthwiseConv2D(3, strides=2, dilation_rate=2).out_shape((9, 9, 2)) == (3, 3, 2)
    assert SeparableConv2D(4, 3, strides=2, dilation_rate=2, padding="same").out_shape((9, 8, 2)) == (5, 4, 4)


def test_without_biases_there_are_none() -> None:
    assert [len(Sequential([Input((5, 2)), layer]).get_weights()) for layer in BARE] == [1, 2]


BARE = (DepthwiseConv1D(3, use_bias=False), SeparableConv1D(4, 3, use_bias=False))


@pytest.mark.parametrize(
    "layers",
    [
        [Rescaling(0.1), DepthwiseConv2D(3, depth_multiplier=8, activation="relu"), MaxPooling2D()],
        [Conv2D(16, 3), BatchNormalization(), ReLU(), DepthwiseConv2D(1, strides=2)],
        [Conv2D(16, 3), BatchNormalization(), ReLU(), DepthwiseConv2D(3, padding="same"), BatchNormalization(), ReLU()],
        [Conv2D(16, 3), BatchNormalization(), ReLU(), SeparableConv2D(16, 3, 2, "same"), MaxPooling2D()],
    ],
    ids=["first block", "pixels", "mobile", "separable"],
)
def test_training_in_fewer_passes_is_the_same(layers: list[Layer]) -> None:
    model = Sequential([Input((12, 12, 1)), *layers, Flatten(), Dense(2)])
    x = torch.rand(4, 12, 12, 1, generator=torch.Generator().manual_seed(0))
    plain, fused = model.module.train(), model.lowered.fastest.train()

    gradients = [torch.autograd.grad(net(x).square().sum(), list(plain.parameters())) for net in (plain, fused)]

    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
