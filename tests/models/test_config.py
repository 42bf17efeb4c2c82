"""Models as Keras's configuration, and back."""

import json
from typing import Any

import numpy as np
import pytest

from holdfast.core import BadValue
from holdfast.layers import (
    L1,
    L1L2,
    Add,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Initializer,
    Input,
    Layer,
    MaxNorm,
    Normalization,
    Resizing,
    SpatialDropout2D,
    Torch,
)
from holdfast.layers.initializers import initializers
from holdfast.models import BaseModel, Model, Sequential, from_config, to_config
from holdfast.models.config import ROWS


def went_round(model: BaseModel) -> BaseModel:
    return from_config(json.loads(json.dumps(to_config(model))))


def every_layer(model: BaseModel) -> list[tuple[str, dict[str, Any]]]:  # Any: settings
    found: list[tuple[str, dict[str, Any]]] = []
    for layer in model.layers:
        if isinstance(layer, BaseModel):
            found += every_layer(layer)
        elif isinstance(layer, Layer):
            found.append((type(layer).__name__, layer.settings()))
    return found


def test_a_sequential_comes_back_with_its_names() -> None:
    model = Sequential([Input((6, 6, 1), name="picture"), Conv2D(2, 3), Conv2D(2, 3, name="eye"), Flatten()], "net")

    again = went_round(model)

    assert isinstance(again, Sequential)
    assert again.name == "net"
    assert list(again.lowered.names.values()) == ["picture", "conv2d", "eye", "flatten"]
    assert again.summary() == model.summary()


def graph() -> Model:
    a, b = Input((4, 4, 1), name="a"), Input((4, 4, 1), name="b")
    shared = Conv2D(2, 3, name="shared")
    inner = Model(x := Input((2, 2, 2)), [Flatten()(x), Add()([x, x])], name="inner")
    flat, summed = inner(Add()([shared(a), shared(b)]))
    again, _ = inner(summed)
    return Model([b, a], [Dense(2, "softmax", name="kind")(Concatenate()([flat, again])), summed], name="graph")


def test_a_graph_with_shared_layers_and_submodels_comes_back() -> None:
    model = graph()
    x = [np.random.default_rng(seed).normal(size=(3, 4, 4, 1)).astype(np.float32) for seed in (0, 1)]

    again = went_round(model)
    again.set_weights(model.get_weights())

    assert isinstance(again, Model)
    assert to_config(again) == to_config(model)
    assert (again.input_names, again.output_names) == (["b", "a"], ["kind", "inner"])
    for found, expected in zip(again.predict(x), model.predict(x), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again.predict(dict(zip("ba", x, strict=True)))[0], model.predict(x)[0])


@pytest.mark.parametrize("name", [name for name in initializers if name != "from_array"])
def test_every_initializer_comes_back(name: str) -> None:
    settings: dict[str, Any] = {"seed": 3} if "seed" in getattr(initializers[name], "__dataclass_fields__", {}) else {}
    model = Sequential([Input(3), Dense(4, kernel_initializer=initializers[name](**settings))])

    layer = went_round(model).layers[0]

    assert isinstance(layer, Dense)
    assert isinstance(layer.kernel_initializer, Initializer)
    assert layer.kernel_initializer == initializers[name](**settings)


def test_arrays_and_regularizers_come_back() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    layer = Dense(
        4, kernel_initializer=kernel, kernel_regularizer=L1L2(0.1, 0.2), activity_regularizer=L1(0.3), trainable=False
    )

    again = went_round(Sequential([Input(3), layer]))

    assert every_layer(again) == [("Dense", {**layer.settings(), "name": "dense"})]
    np.testing.assert_array_equal(again.get_weights()[0], kernel)


def test_constraints_come_back() -> None:
    layer = Dense(4, kernel_constraint=MaxNorm(1.5, axis=[0, 1]), bias_constraint="unitNorm")

    again = went_round(Sequential([Input(3), layer]))

    assert every_layer(again) == [("Dense", {**layer.settings(), "name": "dense"})]


def test_a_normalization_without_numbers_comes_back_as_one_that_changes_nothing() -> None:
    again = went_round(Sequential([Input(3), Normalization()]))

    np.testing.assert_array_equal(again.predict([[1.0, 2.0, 3.0]]), [[1.0, 2.0, 3.0]])


def test_every_public_layer_has_a_row() -> None:
    assert {row.layer for row in ROWS.values()} == {
        layer for layer in _concrete(Layer) - {Torch} if layer.__module__.startswith("holdfast.layers")
    }


def _concrete(base: Any) -> set[Any]:  # Any: a class, abstract or not
    below = {one for sub in base.__subclasses__() for one in _concrete(sub)}
    return below if getattr(base, "__abstractmethods__", None) else {base, *below}


def test_a_layer_that_keras_does_not_have_is_named() -> None:
    class Mine(SpatialDropout2D):
        """A layer of the user's own."""

    model = Sequential([Input((2, 2, 1)), Mine(0.5, name="special")])

    with pytest.raises(BadValue) as caught:
        to_config(model)

    assert str(caught.value) == (
        "layer 'special': the .keras format has no word for Mine; save its weights with save_weights."
    )


def config(**changes: Any) -> dict[str, Any]:  # Any: JSON values
    """The configuration of a small model, with changes to its dense layer."""
    made = json.loads(json.dumps(to_config(Sequential([Input(3), Dense(2, name="last"), Dropout(0.5)]))))
    row = made["config"]["layers"][1]
    row["class_name"] = changes.pop("class_name", "Dense")
    row["config"] |= changes
    result: dict[str, Any] = made
    return result


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"class_name": "Dens"}, "unknown layer 'Dens'; did you mean 'Dense'?"),
        ({"dtype": "float16"}, "Dense('last'): dtype 'float16' is not supported; it must be 'float32'."),
        (
            {"kernel_constraint": "non_negative"},
            "Dense(kernel_constraint='non_negative'): unknown constraint 'non_negative'; did you mean 'non_neg'?",
        ),
        ({"lora_rank": 4}, "Dense('last'): lora_rank=4 is not supported; it must be None."),
        ({"activatoin": "relu"}, "Dense('last'): has no setting 'activatoin'; did you mean 'activation'?"),
        (
            {"activation": "rely"},
            "Dense(activation='rely'): unknown activation 'rely'; did you mean 'relu' or 'relu6'?",
        ),
        ({"units": 0}, "Dense(units=0): must be positive."),
        ({"units": None}, "Dense(units=None): must be a whole number."),
    ],
    ids=str,
)
def test_what_holdfast_does_not_have_is_named_and_never_dropped(changed: dict[str, Any], text: str) -> None:  # JSON
    with pytest.raises((BadValue, LookupError)) as caught:
        from_config(config(**changed))

    assert str(caught.value) == text


def test_settings_of_keras_that_are_at_their_default_are_passed_over() -> None:
    model = from_config(config(kernel_constraint=None, quantization_config=None, dtype="float32", something_new=None))

    assert every_layer(model)[0][0] == "Dense"


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ({}, 'the model configuration has no "config" with "layers".'),
        (
            {"class_name": "Sequential", "config": {"layers": 3}},
            'the model configuration has no "config" with "layers".',
        ),
        (
            {"class_name": "Mine", "config": {"layers": []}},
            "the model configuration is of class 'Mine'; 'Sequential' and 'Functional' are known.",
        ),
    ],
    ids=["empty", "no list", "another class"],
)
def test_what_is_no_configuration_is_said_to_be_none(broken: dict[str, Any], text: str) -> None:  # Any: JSON values
    with pytest.raises(BadValue) as caught:
        from_config(broken)

    assert str(caught.value) == text


def test_a_graph_with_a_missing_layer_is_refused() -> None:
    made = json.loads(json.dumps(to_config(graph())))
    made["config"]["layers"] = [row for row in made["config"]["layers"] if row["name"] != "shared"]

    with pytest.raises(BadValue, match=r"^the model configuration has no way to reach the layer '.*'\.$"):
        from_config(made)


def test_a_call_in_another_way_is_refused() -> None:
    made = json.loads(json.dumps(to_config(Model(x := Input(3), Dropout(0.5)(x)))))
    made["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = {"training": True}

    with pytest.raises(BadValue) as caught:
        from_config(made)

    assert str(caught.value) == "the model configuration calls a layer with training=True, which is not supported."


def test_layers_that_are_the_same_in_training_may_be_called_as_in_training() -> None:
    # As Keras says of each Resizing; all but the nearest ones were once refused.
    made = json.loads(json.dumps(to_config(Model(x := Input((3, 3, 1)), Resizing(2, 4)(x)))))
    made["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = {"training": True}

    assert from_config(made).outputs[0].shape == (2, 4, 1)
