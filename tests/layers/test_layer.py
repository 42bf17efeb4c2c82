"""What a layer is made with: conversion, checks with their exact words, repr, replace, calls."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from holdfast.core import BadShape, BadValue, HoldfastError, UnknownName
from holdfast.layers import (
    L2,
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    CenterCrop,
    Concatenate,
    Conv2D,
    Dense,
    Dot,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    GroupNormalization,
    Input,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    MelSpectrogram,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    Resizing,
    Shape,
    Softmax,
    SpatialDropout2D,
    Subtract,
    Symbol,
    UnitNormalization,
    ZeroPadding2D,
)
from holdfast.layers.layer import integer, positive, setting
from holdfast.models import Sequential

WRONG_VALUES: list[tuple[Callable[[], Any], str]] = [  # Any: a layer or a symbol, if only there were one
    (lambda: Conv2D(9, (0, 3)), "Conv2D(kernel_size=(0, 3)): must be positive."),
    (lambda: Conv2D(0, 3), "Conv2D(filters=0): must be positive."),
    (lambda: Conv2D(kernel_size=3), "Conv2D: filters is missing."),
    (lambda: Conv2D(9), "Conv2D: kernel_size is missing."),
    (lambda: Conv2D(9, [3]), "Conv2D(kernel_size=[3]): must be one number or two."),
    (lambda: Conv2D(9, 3.0), "Conv2D(kernel_size=3.0): must be a whole number."),  # type: ignore[arg-type]  # the point
    (lambda: Conv2D(9, 3, strides=(1, 0)), "Conv2D(strides=(1, 0)): must be positive."),
    (lambda: Conv2D(9, 3, padding="full"), "Conv2D(padding='full'): must be 'valid' or 'same'."),  # type: ignore[arg-type]  # the point
    (
        lambda: Conv2D(9, 3, strides=2, dilation_rate=2),
        "Conv2D: strides=(2, 2) and dilation_rate=(2, 2) cannot both exceed 1.",
    ),
    (lambda: Conv2D(9, 3, groups=2), "Conv2D: filters=9 must be a multiple of groups=2."),
    (lambda: Dense(True), "Dense(units=True): must be a whole number."),
    (lambda: Dense("4"), "Dense(units='4'): must be a whole number."),  # type: ignore[arg-type]  # the point
    (lambda: Dense(2, activation=3), "Dense(activation=3): takes the name of an activation, got int."),  # type: ignore[arg-type]  # the point
    (lambda: Dense(2, name="a/b"), "Dense(name='a/b'): must be text without '/'."),
    (lambda: Dense(2, name=""), "Dense(name=''): must be text without '/'."),
    (
        lambda: Dense(2, input_shape=(0,)),
        "Dense(input_shape=(0,)): every side must be positive, without the batch axis.",
    ),
    (
        lambda: Dense(2, kernel_initializer=3),
        "Dense(kernel_initializer=3): initializer: takes a name or an Initializer, got int 3",
    ),
    (
        lambda: Dense(2, kernel_regularizer=0.01),
        "Dense(kernel_regularizer=0.01): regularizer: takes a name or a Regularizer, got float 0.01",
    ),
    (lambda: Activation(), "Activation: activation is missing."),
    (lambda: Dropout(1.0), "Dropout(rate=1.0): must be at least 0 and less than 1."),
    (lambda: Dropout(-0.1), "Dropout(rate=-0.1): must be at least 0 and less than 1."),
    (lambda: Dropout(float("nan")), "Dropout(rate=nan): must be at least 0 and less than 1."),
    (lambda: Dropout(0.5, seed=1.5), "Dropout(seed=1.5): must be a whole number."),  # type: ignore[arg-type]  # the point
    (lambda: MaxPooling2D(0), "MaxPooling2D(pool_size=0): must be positive."),
    (lambda: AveragePooling2D(strides=0), "AveragePooling2D(strides=0): must be positive."),
    (
        lambda: Reshape((-1, -1)),
        "Reshape(target_shape=(-1, -1)): sides must be positive; one of them may be -1.",
    ),
    (lambda: Reshape(()), "Reshape(target_shape=()): sides must be positive; one of them may be -1."),
    (lambda: ReLU(-1), "ReLU(max_value=-1): must not be negative."),
    (lambda: ReLU(threshold=-1), "ReLU(threshold=-1): must not be negative."),
    (lambda: BatchNormalization(momentum=2), "BatchNormalization(momentum=2): must be between 0 and 1."),
    (lambda: LayerNormalization(epsilon=0), "LayerNormalization(epsilon=0): must be positive."),
    (lambda: Normalization(mean=1), "Normalization: give mean and variance together, or neither."),
    (
        lambda: Normalization(mean=[1, 2], variance=3),
        "Normalization: mean=(1.0, 2.0) and variance=3.0 must be of one length.",
    ),
    (lambda: Rescaling("a"), "Rescaling(scale='a'): could not convert string to float: 'a'."),
    (
        lambda: ZeroPadding2D((1, 2, 3)),
        "ZeroPadding2D(padding=(1, 2, 3)): must be one number, two, or ((top, bottom), (left, right)).",
    ),
    (lambda: ZeroPadding2D(-1), "ZeroPadding2D(padding=-1): must not be negative."),
    (lambda: Input((None, 3)), "InputLayer(shape=(None, 3)): must be a whole number."),  # type: ignore[arg-type]  # the point
    (lambda: Input(()), "InputLayer(shape=()): every side must be positive, without the batch axis."),
    (lambda: Dot((1, 2, 3)), "Dot(axes=(1, 2, 3)): must be one axis, or one for each of the two inputs."),
    (lambda: Permute((1, 3)), "Permute(dims=(1, 3)): must have every axis from 1 on, once."),
    (
        lambda: GroupNormalization(0),
        "GroupNormalization(groups=0): must be positive, or -1 for as many as there are channels.",
    ),
    (
        lambda: Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        "Resizing: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other.",
    ),
    (
        lambda: Resizing(3, 3, "cubic"),  # type: ignore[arg-type]  # the point
        "Resizing(interpolation='cubic'): must be 'nearest' or 'bilinear' or 'bicubic'.",
    ),
    (
        lambda: MelSpectrogram(fft_length=64, sequence_length=65),
        "MelSpectrogram: sequence_length=65 must not exceed fft_length=64.",
    ),
]

WRONG_SHAPES: list[tuple[Callable[[], Symbol], str]] = [
    (
        lambda: Conv2D(4, 5, name="eye")(Input((3, 3, 1))),
        "Conv2D('eye'): a window of (5, 5) does not fit into (3, 3, 1); "
        'take padding="same", a smaller window or fewer layers before it.',
    ),
    (
        lambda: Conv2D(4, 3, dilation_rate=3)(Input((6, 9, 1))),
        "Conv2D: a window of (7, 7) does not fit into (6, 9, 1); "
        'take padding="same", a smaller window or fewer layers before it.',
    ),
    (
        lambda: MaxPooling2D(4)(Input((3, 8, 1))),
        "MaxPooling2D: a window of (4, 4) does not fit into (3, 8, 1); "
        'take padding="same", a smaller window or fewer layers before it.',
    ),
    (lambda: Conv2D(4, 3)(Input((5, 5))), "Conv2D: takes (H, W, C), got (5, 5)."),
    (
        lambda: Conv2D(4, 3, groups=2)(Input((5, 5, 3))),
        "Conv2D: the input's 3 channels are no multiple of groups=2.",
    ),
    (lambda: GlobalMaxPooling2D()(Input(3)), "GlobalMaxPooling2D: takes (H, W, C), got (3,)."),
    (lambda: SpatialDropout2D(0.5)(Input(3)), "SpatialDropout2D: takes (H, W, C), got (3,)."),
    (lambda: ZeroPadding2D()(Input(3)), "ZeroPadding2D: takes (H, W, C), got (3,)."),
    (lambda: Dense(2)([Input(3), Input(3)]), "Dense: takes one input, got 2."),
    (lambda: Add()([Input(3)]), "Add: takes at least 2 inputs, got 1."),
    (
        lambda: Add()([Input(3), Input(4)]),
        "Add: takes inputs of one shape, in which sides may be 1, got (3,) and (4,).",
    ),
    (lambda: Subtract()([Input(3)] * 3), "Subtract: takes two inputs, got 3."),
    (lambda: Dot(1)([Input((3, 4)), Input((4, 3))]), "Dot: vectors of 3 and 4 numbers, of (3, 4) and (4, 3)."),
    (lambda: Dot(0)([Input(3), Input(3)]), "Dot: axis 0 is not one of the axes 1 to 1 of an input (3,)."),
    (lambda: Permute((2, 1))(Input(3)), "Permute: dims=(2, 1) orders 2 axes, got (3,)."),
    (lambda: RepeatVector(2)(Input((3, 4))), "RepeatVector: takes (C,), got (3, 4)."),
    (lambda: PReLU(shared_axes=3)(Input((3, 4))), "PReLU: shared axis 3 is not one of the axes 1 to 2 of (3, 4)."),
    (
        lambda: GroupNormalization(4)(Input((3, 6))),
        "GroupNormalization: the input's 6 channels are no multiple of groups=4.",
    ),
    (
        lambda: UnitNormalization(axis=(1, 3))(Input((3, 6))),
        "UnitNormalization: axis 3 is not one of the axes 1 to 2 of an input (3, 6).",
    ),
    (
        lambda: UnitNormalization(axis=(1, -2))(Input((3, 6))),
        "UnitNormalization: axis=(1, -2) names an axis of the input (3, 6) twice.",
    ),
    (lambda: CenterCrop(3, 3)(Input((3, 6))), "CenterCrop: takes (H, W, C), got (3, 6)."),
    (
        lambda: MelSpectrogram()(Input(1000)),
        "MelSpectrogram: 1000 samples are too few for fft_length=2048; it takes at least 1025.",
    ),
    (
        lambda: Concatenate()([Input((3, 4)), Input((2, 4))]),
        "Concatenate: inputs may differ along axis -1 only, got (3, 4) and (2, 4).",
    ),
    (
        lambda: Concatenate()([Input((3, 4)), Input(4)]),
        "Concatenate: inputs may differ along axis -1 only, got (3, 4) and (4,).",
    ),
    (
        lambda: Concatenate(axis=0)([Input((3, 4)), Input((3, 4))]),
        "Concatenate: axis 0 is not one of the axes 1 to 2 of an input (3, 4).",
    ),
    (lambda: Softmax(axis=3)(Input((3, 4))), "Softmax: axis 3 is not one of the axes 1 to 2 of an input (3, 4)."),
    (lambda: Reshape(5)(Input(4)), "Reshape: 4 values of (4,) do not fit into (5,)."),
    (lambda: Reshape((3, -1))(Input(4)), "Reshape: 4 values of (4,) do not fit into (3, -1)."),
    (
        lambda: BatchNormalization(axis=1)(Input((3, 3, 1))),
        "BatchNormalization: axis=1 is not supported for an input (3, 3, 1); it must be -1, the channels.",
    ),
    (lambda: Rescaling([1, 2])(Input(3)), "Rescaling: has 2 numbers, the input (3,) has 3 channels."),
    (
        lambda: Normalization(mean=[1, 2], variance=[1, 2])(Input(3)),
        "Normalization: has 2 numbers, the input (3,) has 3 channels.",
    ),
]


@pytest.mark.parametrize(("make", "text"), WRONG_VALUES, ids=[text for _, text in WRONG_VALUES])
def test_a_wrong_setting_is_refused_in_one_sentence(make: Callable[[], object], text: str) -> None:
    with pytest.raises(BadValue) as caught:
        make()

    assert str(caught.value) == text


@pytest.mark.parametrize(("make", "text"), WRONG_SHAPES, ids=[text for _, text in WRONG_SHAPES])
def test_an_input_that_does_not_fit_is_refused_in_one_sentence(make: Callable[[], object], text: str) -> None:
    with pytest.raises(BadShape) as caught:
        make()

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Dense(2, "rely"),
            "Dense(activation='rely'): unknown activation 'rely'; did you mean 'relu' or 'relu6'?",
        ),
        (
            lambda: Activation("softmx"),
            "Activation(activation='softmx'): unknown activation 'softmx'; did you mean 'softmax'?",
        ),
        (
            lambda: Dense(2, kernel_initializer="glorot"),
            "Dense(kernel_initializer='glorot'): unknown initializer 'glorot'; "
            "did you mean 'glorot_normal' or 'glorot_uniform'?",
        ),
        (
            lambda: Conv2D(2, 3, bias_regularizer="l3"),
            "Conv2D(bias_regularizer='l3'): unknown regularizer 'l3'; known: l1, l1_l2, l2",
        ),
    ],
    ids=["activation", "activation layer", "initializer", "regularizer"],
)
def test_an_unknown_name_is_met_with_the_nearest(make: Callable[[], object], text: str) -> None:
    with pytest.raises(UnknownName) as caught:
        make()

    assert str(caught.value) == text


def test_settings_are_brought_into_one_form() -> None:
    four: Any = np.int64(4)  # Any: as it comes out of an array
    layer = Conv2D(four, [3, 2], padding="same", activation="swish", kernel_regularizer="l2", name="eye")

    assert layer.kernel_size == (3, 2)
    assert layer.strides == (1, 1)
    assert layer.filters == 4
    assert type(layer.filters) is int
    assert layer.activation == "silu"
    assert layer.kernel_regularizer == L2(0.01)
    assert layer.trainable is True


def test_settings_stand_in_keras_s_order() -> None:
    assert Conv2D(4, 3, 2, "same").strides == (2, 2)
    assert MaxPooling2D(3, 2, "same").settings() == MaxPooling2D(pool_size=3, strides=2, padding="same").settings()
    assert Dense(4, "relu", False).use_bias is False
    assert Rescaling(2.0, 1.0).offset == 1.0
    assert ReLU(6.0, 0.1, 0.5).threshold == 0.5
    assert BatchNormalization(-1, 0.9, 1e-5).momentum == 0.9


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Flatten(), "Flatten()"),
        (Conv2D(9, 3), "Conv2D(filters=9, kernel_size=(3, 3))"),
        (MaxPooling2D(2, padding="same"), "MaxPooling2D(padding='same')"),
        (Dense(4, activation=None, kernel_initializer="glorotUniform"), "Dense(units=4)"),
        (
            Dense(4, "relu", kernel_regularizer="l2", name="last", trainable=False),
            "Dense(units=4, activation='relu', kernel_regularizer=L2(l2=0.01), name='last', trainable=False)",
        ),
        (Dense(1, kernel_initializer=[[1.0], [2.0]]), "Dense(units=1, kernel_initializer=FromArray(<(2, 1) values>))"),
        (Normalization(mean=[1, 2], variance=[4, 9]), "Normalization(mean=(1.0, 2.0), variance=(4.0, 9.0))"),
        (Input((3, 2), name="x").call.layer, "InputLayer(shape=(3, 2), name='x')"),
    ],
    ids=str,
)
def test_repr_shows_only_what_differs_from_the_defaults(layer: Layer, text: str) -> None:
    assert repr(layer) == text


def test_replace_changes_one_setting_and_checks_it() -> None:
    layer = Conv2D(9, 3, activation="relu", kernel_initializer=np.ones((3, 3, 1, 9)), name="eye")

    wider = replace(layer, filters=64)

    assert wider.settings() == {**layer.settings(), "filters": 64}
    assert layer.filters == 9
    with pytest.raises(BadValue, match=r"^Conv2D\(filters=-1\): must be positive\.$"):
        replace(layer, filters=-1)


@pytest.mark.parametrize("layer", [Normalization(mean=1, variance=2), BatchNormalization(), Dropout(0.5)], ids=str)
def test_a_replaced_name_leaves_everything_else(layer: Layer) -> None:
    assert replace(layer, name="b").settings() == {**layer.settings(), "name": "b"}


def test_a_layer_cannot_be_changed() -> None:
    layer = Dense(4)

    with pytest.raises(FrozenInstanceError):
        layer.units = 5  # type: ignore[misc]  # the point


def test_equal_settings_do_not_make_two_layers_one() -> None:
    assert Dense(4) != Dense(4)
    assert len({Dense(4), Dense(4)}) == 2


def test_a_layer_called_on_a_symbol_gives_a_symbol_of_its_shape() -> None:
    x = Input((28, 28, 1), name="picture")

    y = Conv2D(9, 3)(x)

    assert y.shape == (26, 26, 9)
    assert y.call.inputs == (x,)
    assert repr(x) == "<Symbol (None, 28, 28, 1) from picture>"
    assert repr(y) == "<Symbol (None, 26, 26, 9) from Conv2D>"


def test_a_layer_of_one_s_own_is_a_dataclass_with_a_shape_and_a_module() -> None:
    @dataclass(frozen=True, eq=False)
    class Repeat(Layer):
        """Each channel so many times."""

        times: int = setting(2, convert=integer, check=positive)

        def out_shape(self, *shapes: Shape) -> Shape:
            return (*shapes[0][:-1], self.times * shapes[0][-1])

        def build(self, *shapes: Shape) -> nn.Module:
            return nn.ZeroPad1d((0, (self.times - 1) * shapes[0][-1]))  # zeros will do

    model = Sequential([Input(2), Repeat(3, name="mine"), Dense(1, kernel_initializer="ones")])

    assert model.predict([[1.0, 2.0]]).tolist() == [[3.0]]
    assert repr(model.layers[0]) == "Repeat(times=3, name='mine')"
    with pytest.raises(BadValue, match=r"^Repeat\(times=0\): must be positive\.$"):
        Repeat(0)


def test_arrays_are_for_models() -> None:
    with pytest.raises(HoldfastError) as caught:
        Dense(2, name="last")(np.zeros((2, 2)))  # type: ignore[call-overload]  # the point

    assert str(caught.value) == (
        "Dense('last'): takes symbols, got ndarray; begin with x = Input(shape), and give arrays to model.predict."
    )


@pytest.mark.parametrize(
    ("layer", "shapes", "flops"),
    [
        # 26 * 26 places, 9 filters, 3 * 3 * 2 products and as many sums, the bias among them
        (Conv2D(9, 3), [(28, 28, 2)], 26 * 26 * 9 * (2 * 18 + 1)),
        (Conv2D(9, 3, use_bias=False, strides=2), [(28, 28, 2)], 13 * 13 * 9 * 36),
        (Conv2D(4, 3, groups=2), [(5, 5, 6)], 3 * 3 * 4 * (2 * 27 + 1)),
        (Dense(10), [(64,)], 10 * 129),
        (Dense(10, use_bias=False), [(3, 64)], 3 * 10 * 128),
        (MaxPooling2D(3, strides=2), [(7, 7, 2)], 9 * 3 * 3 * 2),
        (Add(), [(3, 4), (3, 4)], 12),
        (Flatten(), [(3, 4)], 0),
    ],
    ids=str,
)
def test_operations_are_those_counted_by_hand(layer: Layer, shapes: list[tuple[int, ...]], flops: int) -> None:
    assert layer.flops(*shapes) == flops


def test_data_format_may_say_what_is_so() -> None:
    said = Conv2D(3, 3, data_format="channels_last")

    assert repr(said) == "Conv2D(filters=3, kernel_size=(3, 3))"
    assert replace(said, filters=4).filters == 4


@pytest.mark.parametrize(
    "made",
    [
        lambda: Conv2D(3, 3, data_format="channels_first"),
        lambda: MaxPooling2D(data_format="channels_first"),
        lambda: Flatten(data_format="channels_first"),
        lambda: SpatialDropout2D(0.5, data_format="channels_first"),
        lambda: CenterCrop(2, 2, data_format="channels_first"),
    ],
)
def test_channels_first_is_refused_with_what_to_do(made: Callable[[], Layer]) -> None:
    with pytest.raises(
        BadValue, match=r"\(data_format='channels_first'\): must be 'channels_last'; of such data np.move"
    ):
        made()
