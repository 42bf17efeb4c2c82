"""Keras 2's configurations: there and back for every layer, and what differs in each."""

import json
from typing import Any

import pytest

from cases import CASES, Case
from holdfast.core import BadValue
from holdfast.layers import Activation, Add, Conv2D, Dense, Input, LeakyReLU, Resizing, UpSampling2D
from holdfast.models import Model, Sequential, from_config, from_keras2, to_config, to_keras2
from holdfast.models.config import OURS
from holdfast.models.keras2 import check_tfjs
from layers.building import layer_of, one_or_all


def layers_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers in Keras 2's configuration."""
    found: list[dict[str, Any]] = config["config"]["layers"]
    return found


def plain(value: Any) -> Any:  # Any: JSON
    """JSON in which L1 and L2 are written as the L1L2 that Keras 2 makes of them, without what only holdfast reads."""
    if isinstance(value, dict) and value.get("class_name") in ("L1", "L2"):
        return {**value, "class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0} | value["config"]}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != OURS}
    return [plain(item) for item in value] if isinstance(value, list) else value


def has_hard_sigmoid(config: dict[str, Any]) -> bool:
    return "hard_sigmoid" in json.dumps(config)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer_goes_there_and_back(case: Case) -> None:
    own = [Input(shape, name=f"input_{number}") for number, shape in enumerate(case.shapes)]
    config = to_config(Model(own, layer_of(case, name=case.name)(one_or_all(own))))
    if has_hard_sigmoid(config):
        pytest.skip("refused, see below")

    old = json.loads(json.dumps(to_keras2(config)))

    assert plain(to_config(from_config(from_keras2(old)))) == plain(config)


def test_a_model_looks_as_keras_2_wrote_it() -> None:
    x = Input((4, 4, 1), name="image")
    y = LeakyReLU(0.3, name="leaky")(Conv2D(2, 3, activation="silu", kernel_regularizer="l2", name="conv")(x))

    old = to_keras2(to_config(Model(x, y, name="net")))

    first, conv, leaky = layers_of(old)
    assert old["class_name"] == "Model"
    assert first["config"]["batch_input_shape"] == [None, 4, 4, 1]
    assert conv["inbound_nodes"] == [[["image", 0, 0, {}]]]
    assert conv["config"]["activation"] == "swish"
    assert conv["config"]["kernel_regularizer"] == {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}}
    assert leaky["config"]["alpha"] == 0.3
    assert (old["config"]["input_layers"], old["config"]["output_layers"]) == ([["image", 0, 0]], [["leaky", 0, 0]])


def test_calls_of_models_inside_are_counted_from_one_as_keras_2_did() -> None:
    inner = Model(x := Input(3), Dense(3, name="inside")(x), name="inner")
    a, b = Input(3, name="a"), Input(3, name="b")
    config = to_config(Model([a, b], [Add(name="sum")([inner(a), inner(b)]), inner(a)], name="outer"))

    old = to_keras2(config)

    assert next(row for row in layers_of(old) if row["name"] == "sum")["inbound_nodes"] == [
        [["inner", 1, 0, {}], ["inner", 2, 0, {}]]
    ]
    assert old["config"]["output_layers"] == [["sum", 0, 0], ["inner", 3, 0]]
    assert to_config(from_config(from_keras2(old))) == config


def test_the_list_of_layers_of_early_keras_2_gets_the_shape_of_its_first() -> None:
    dense = {"name": "dense_1", "units": 2, "batch_input_shape": [None, 4], "dtype": "float32"}
    model = from_config(from_keras2({"class_name": "Sequential", "config": [{"class_name": "Dense", "config": dense}]}))

    assert isinstance(model, Sequential)
    assert model.inputs[0].shape == (4,)
    assert model.count_params() == 10


SAME = [
    ("BatchNormalizationV1", {"axis": [3], "fused": True}, "BatchNormalization"),
    ("DepthwiseConv2D", {"kernel_size": 3, "groups": 1, "kernel_initializer": "zeros"}, "DepthwiseConv2D"),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "groups": 1}, "Conv2DTranspose"),
    ("ThresholdedReLU", {"theta": 0.5}, "ReLU"),
    ("Activation", {"activation": "softmax_v2"}, "Activation"),
    (
        "Conv2D",
        {
            "filters": 2,
            "kernel_size": 3,
            "kernel_initializer": {
                "class_name": "VarianceScaling",
                "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "normal", "seed": None, "dtype": "float32"},
            },
        },
        "Conv2D",
    ),
]


@pytest.mark.parametrize(("kind", "settings", "expected"), SAME, ids=[kind for kind, *_ in SAME])
def test_what_keras_2_said_in_other_words_is_understood(kind: str, settings: dict[str, Any], expected: str) -> None:
    layer = {"class_name": kind, "config": {"name": "it", "batch_input_shape": [None, 5, 5, 2], **settings}}

    model = from_config(from_keras2({"class_name": "Sequential", "config": {"name": "net", "layers": [layer]}}))

    assert type(model.layers[0]).__name__ == expected
    assert model.lowered.names[model.layers[0]] == "it"


def test_hard_sigmoid_is_refused_both_ways_for_it_was_another_function() -> None:
    config = to_config(Sequential([Input(4), Dense(2, "hard_sigmoid", name="gate")]))
    old = to_keras2(to_config(Sequential([Input(4), Dense(2, name="gate")])))
    layers_of(old)[1]["config"]["activation"] = "hard_sigmoid"

    with pytest.raises(BadValue, match=r"^Dense\('gate'\): activation='hard_sigmoid' .*Rescaling\(1 / 6, 0\.5\) and "):
        to_keras2(config)
    with pytest.raises(BadValue, match=r"^Dense\('gate'\): activation='hard_sigmoid' .*Rescaling\(0\.2, 0\.5\) and "):
        from_keras2(old)
    assert from_config(from_keras2(old, by_keras_3=True)).count_params() == 10


def test_a_setting_that_means_something_else_is_named() -> None:
    layer = {"class_name": "Conv2DTranspose", "config": {"name": "up", "filters": 2, "kernel_size": 3, "groups": 2}}

    with pytest.raises(BadValue, match=r"^Conv2DTranspose\('up'\): groups=2 is not supported; it must be 1\.$"):
        from_keras2({"class_name": "Sequential", "config": {"name": "net", "layers": [layer]}})


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Resizing(2, 2, name="small"), r"^Resizing\('small'\): TF\.js takes the corners "),
        (UpSampling2D(interpolation="bilinear", name="up"), r"^UpSampling2D\('up'\): interpolation='bilinear' begins "),
    ],
    ids=["Resizing", "UpSampling2D"],
)
def test_what_is_another_function_in_tfjs_is_named(layer: Any, text: str) -> None:
    old = to_keras2(to_config(Sequential([Input((4, 4, 1)), layer])))

    with pytest.raises(BadValue, match=text):
        check_tfjs(old)
    check_tfjs(to_keras2(to_config(Sequential([Input((4, 4, 1)), UpSampling2D(), Activation("relu")]))))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"class_name": "Sequential", "config": {"layers": [1]}},
        {"class_name": "Model", "config": {"layers": [{"class_name": "Dense", "config": {}}]}},
        {"class_name": "Model", "config": {"layers": []}},
        {
            "class_name": "Model",
            "config": {"layers": [{"class_name": "Dense", "config": {"name": "a"}, "inbound_nodes": [["b"]]}]},
        },
    ],
    ids=["empty", "no layer", "no name", "no ends", "no node"],
)
def test_a_malformed_configuration_is_one_line(config: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match=r"^the model configuration "):
        from_keras2(config)
