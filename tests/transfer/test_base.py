"""Bases: whatever has learned is read, cut before its head, and takes bytes of 0..255."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import holdfast
from holdfast import Input, Model, Sequential
from holdfast.core import BadFile, BadShape, BadValue, UnknownName
from holdfast.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Normalization,
    RandomFlip,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    Source,
    Symbol,
    ZeroPadding2D,
)
from holdfast.models import convnet, dense
from holdfast.transfer import Preprocessing, load_base
from holdfast.transfer.base import BY_NAME, preprocessing_of

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data"))
MOBILENET = DATA / "mobilenet_v1_1.0_224_conv_pw_12"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype(np.uint8)


def net(name: str | None = "net", *, bias: bool = True) -> Sequential:
    """A small classifier that leaves what its pixels are to its user."""
    layers: list[Source | Symbol] = [
        Input((12, 12, 3)),
        ZeroPadding2D(1, name="pad"),
        Conv2D(4, 3, use_bias=bias, name="conv"),
        BatchNormalization(name="bn"),
        ReLU(name="relu"),
        MaxPooling2D(name="pool"),
        Conv2D(6, 3, name="last_conv", activation="relu"),
        GlobalAveragePooling2D(name="global"),
        Dropout(0.5, name="dropout"),
        Dense(5, activation="softmax", name="head"),
    ]
    return Sequential(layers, name, seed=1)


def test_a_classifier_is_cut_before_its_pooling_and_dense_layers() -> None:
    base = load_base(net(), preprocessing="none")

    assert base.outputs[0].shape == (4, 4, 6)
    assert base.output_names == ["last_conv"]


CUTS = [
    pytest.param([Flatten(), Dense(9, activation="relu"), Dropout(0.5), Dense(3, activation="softmax")], id="vgg"),
    pytest.param([GlobalAveragePooling2D(), Dense(3, name="logits"), Softmax()], id="softmax apart"),
    pytest.param([GlobalAveragePooling2D(), Dense(3, name="predictions")], id="logits by name"),
    pytest.param(
        [GlobalAveragePooling2D(keepdims=True), Conv2D(3, 1), Reshape((3,)), Activation("softmax")], id="mobilenet"
    ),
    pytest.param([GlobalAveragePooling2D(), Dense(3, activation="sigmoid")], id="several labels"),
]


@pytest.mark.parametrize("head", CUTS)
def test_every_usual_head_is_dropped(head: list[holdfast.layers.Layer]) -> None:
    model = Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Conv2D(4, 3, name="features"), *head])

    assert load_base(model).output_names == ["features"]


def test_of_a_dense_net_the_hidden_units_are_the_features() -> None:
    model = dense((8, 8, 1), 10)
    hidden = model.layers[-2]

    base = load_base(model)

    assert isinstance(hidden, Dense)
    assert base.outputs[0].shape == (hidden.units,)


@pytest.mark.parametrize(
    "end", [Conv2D(4, 3, name="end"), Dense(7, name="end")], ids=["maps", "a vector of any numbers"]
)
def test_an_encoder_is_taken_whole(end: holdfast.layers.Layer) -> None:
    model = Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Conv2D(4, 3), end])

    assert load_base(model).output_names == ["end"]


def test_until_cuts_after_a_layer() -> None:
    base = load_base(net(), until="relu", preprocessing="none")

    assert base.output_names == ["relu"]
    assert "last_conv" not in base.lowered.names.values()


def test_an_unknown_layer_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="the base has no layer 'rellu'; did you mean 'relu'"):
        load_base(net(), until="rellu", preprocessing="none")


def test_what_it_draws_at_random_in_training_is_left_out() -> None:
    model = Sequential([Input((8, 8, 3)), Rescaling(1 / 255), RandomFlip(), Conv2D(2, 3), Dropout(0.5)])

    assert [type(layer).__name__ for layer in load_base(model).layers] == ["InputLayer", "Rescaling", "Conv2D"]


def test_models_within_models_become_one() -> None:
    inner = Sequential([Input((6, 6, 2)), Conv2D(3, 3, name="conv")], "inner", seed=3)
    a = Input((6, 6, 2))
    model = Model(a, Dense(2, name="conv_2")(Flatten()(inner(Conv2D(2, 1, name="conv")(a)))), "outer")
    x = np.random.default_rng(0).random((2, 6, 6, 2), np.float32)

    base = load_base(model)

    assert list(base.lowered.names.values())[1:] == ["conv", "inner_conv", "flatten", "conv_2"]
    assert np.array_equal(base.predict(x), model.predict(x))


def test_a_layer_that_is_called_twice_is_still_one() -> None:
    a, shared = Input((4,)), Dense(4, name="shared")
    model = Model(a, shared(shared(a)))

    base = load_base(model)

    assert base.count_params() == 20
    assert np.array_equal(base.predict(np.eye(4)), model.predict(np.eye(4)))


def preprocess_input(x: np.ndarray, mode: str) -> np.ndarray:
    """keras.applications.imagenet_utils.preprocess_input, by its source."""
    x = x.astype(np.float64)
    if mode == "tf":
        return x / 127.5 - 1
    if mode == "torch":
        return (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    if mode == "caffe":
        return x[..., ::-1] - [103.939, 116.779, 123.68]
    return x / 255 if mode == "unit" else x


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe", "unit", "none"])
def test_bytes_are_prepared_as_keras_does(mode: Preprocessing) -> None:
    model = net()
    told = model.predict(preprocess_input(PIXELS, mode).astype(np.float32))

    base = load_base(model, until="head", preprocessing=mode)

    torch.testing.assert_close(base.predict(PIXELS), told, rtol=1e-4, atol=1e-5)  # float32 against float64 before it


NAMES = {
    "mobilenet_1.00_224": "tf",
    "mobilenetv2_1.00_224": "tf",
    "MobilenetV3small": "tf",
    "xception": "tf",
    "inception_v3": "tf",
    "inception_resnet_v2": "tf",
    "NASNet": "tf",
    "nasnet_mobile": "tf",
    "resnet50v2": "tf",
    "resnet50": "caffe",
    "resnet152": "caffe",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "densenet121": "torch",
}


@pytest.mark.parametrize("name", list(NAMES))
def test_models_of_keras_applications_are_known_by_name(name: str) -> None:
    assert preprocessing_of(net(name)) == NAMES[name]


@pytest.mark.parametrize("name", [None, "net", "efficientnetv2-s", "my_resnet50"])
def test_a_model_that_does_not_say_what_it_takes_must_be_told(name: str | None) -> None:
    with pytest.raises(BadValue, match=r"does not say what pixels it takes; say it with preprocessing= \(--prepro"):
        load_base(net(name))


@pytest.mark.parametrize("layer", [Rescaling(1 / 255), Normalization(mean=1.0, variance=2.0)], ids=str)
def test_a_model_that_scales_its_pixels_is_taken_as_it_is(layer: holdfast.layers.Layer) -> None:
    model = Sequential([Input((8, 8, 3)), layer, Conv2D(2, 3)], "resnet50")

    assert preprocessing_of(model) == "none"


def test_a_model_that_reads_pictures_is_taken_as_it_is() -> None:
    model = net("resnet50")
    model.reads = holdfast.models.Pictures.of(model)

    assert preprocessing_of(model) == "none"


def test_a_base_is_a_base_again() -> None:
    base = load_base(net(), preprocessing="tf")

    again = load_base(base)

    assert np.array_equal(again.predict(PIXELS), base.predict(PIXELS))


def test_caffe_s_order_needs_a_first_convolution() -> None:
    model = Sequential([Input((4, 4, 3)), Flatten(), Dense(3)])

    with pytest.raises(BadValue, match="preprocessing='caffe' turns round the channels of a first convolution"):
        load_base(model, preprocessing="caffe")


def test_imagenet_s_means_are_of_rgb() -> None:
    with pytest.raises(BadShape, match="'torch' is of RGB pictures; the base takes"):
        load_base(Sequential([Input((4, 4, 1)), Conv2D(2, 3)]), preprocessing="torch")


def test_unknown_words_are_told() -> None:
    with pytest.raises(BadValue, match=r"preprocessing='tff'\): must be one of 'tf', 'torch'"):
        load_base(net(), preprocessing="tff")  # type: ignore[arg-type]  # that is the test


def test_the_table_of_names_has_words_that_are_known() -> None:
    assert {word for _, word in BY_NAME} == {"tf", "torch", "caffe"}


@pytest.mark.parametrize("kind", ["file", "folder of a run", "tfjs"])
def test_files_and_folders_are_read(kind: str, tmp_path: Path) -> None:
    model = convnet((12, 12, 3), 4)
    place = tmp_path / "model.keras"
    if kind == "tfjs":
        place = tmp_path
        holdfast.export.export_tfjs(model, place)
    else:
        model.save(place)

    base = load_base(tmp_path if kind != "file" else place)

    assert np.abs(base.predict(PIXELS) - load_base(model).predict(PIXELS)).max() < 1e-5


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file or folder, and no name of a base; did you mean 'resnet18'"):
        load_base("resnet81")
    with pytest.raises(BadFile, match=r"without a model\.json"):
        load_base(tmp_path)
    (tmp_path / "no.keras").write_text("nothing")
    with pytest.raises(BadFile, match="is no model that holdfast reads"):
        load_base(tmp_path / "no.keras")
    with pytest.raises(BadFile, match=r"^base '': give the path of a model, or a name"):
        load_base("")
    with pytest.raises(BadValue, match=r"^load_base\(None\): takes a path, a name or a model"):
        load_base(None)  # type: ignore[arg-type]  # what is no place


def test_several_inputs_make_no_base() -> None:
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], holdfast.layers.Add()([a, b]))

    with pytest.raises(BadShape, match="the base has 2 inputs and 1 outputs"):
        load_base(model)


def test_the_real_mobilenet_needs_no_word() -> None:
    if not MOBILENET.is_dir():
        pytest.skip(f"no MobileNet at {MOBILENET}; HOLDFAST_DATA names the folder that holds it")
    raw = holdfast.load(MOBILENET)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.uint8)

    base = load_base(MOBILENET / "model.json")

    assert base.output_names == ["conv_pw_12_relu"]
    told = raw.predict(pixels / np.float32(127.5) - 1)
    torch.testing.assert_close(base.predict(pixels), told, rtol=1e-4, atol=1e-4)  # ReLU6 of float32 sums
