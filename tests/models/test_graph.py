"""The order of calls, and the names of layers."""

import pytest

from holdfast.core import BadValue
from holdfast.layers import Add, Concatenate, Conv2D, Dense, Flatten, Input, MaxPooling2D
from holdfast.models import Model, Sequential
from holdfast.models.graph import calls_of, layers_of, names_of


def test_names_are_the_class_in_snake_case_numbered_from_the_second_on() -> None:
    layers = [Conv2D(1, 1), MaxPooling2D(), Conv2D(1, 1), Conv2D(1, 1), Dense(1)]

    assert list(names_of(layers).values()) == ["conv2d", "max_pooling2d", "conv2d_1", "conv2d_2", "dense"]


def test_a_given_name_is_never_given_twice() -> None:
    layers = [Dense(1), Dense(1, name="dense"), Dense(1), Dense(1, name="dense_2"), Dense(1)]

    assert list(names_of(layers).values()) == ["dense_1", "dense", "dense_3", "dense_2", "dense_4"]


def test_two_layers_of_one_name_are_refused() -> None:
    model = Sequential([Input(3), Dense(2, name="same"), Dense(2, name="same")])

    with pytest.raises(BadValue, match=r"^two layers are called 'same'; names must be unique in a model\.$"):
        model.get_weights()


def test_a_submodel_is_called_by_its_name_or_its_class() -> None:
    x = Input(3)
    inner = [Sequential([Input(3), Dense(3)], name=name) for name in ("head", None)]
    model = Model(x, inner[1](inner[0](x)))

    assert list(model.lowered.names.values()) == ["input_layer", "head", "sequential"]


def test_a_call_comes_after_all_that_it_needs() -> None:
    a, b = Input(3, name="a"), Input(3, name="b")
    shared = Dense(3, name="shared")
    late = shared(Dense(3)(shared(a)))
    calls = calls_of([a, b], [Concatenate()([late, Add()([a, b])])])

    for place, call in enumerate(calls):
        assert all(symbol.call in calls[:place] for symbol in call.inputs)
    assert len(calls) == 7
    assert [layer.name for layer in layers_of(calls)].count("shared") == 1


def test_an_input_that_nothing_uses_belongs_to_the_model_all_the_same() -> None:
    a, b = Input(3, name="a"), Input(4, name="b")
    model = Model([a, b], Dense(2)(a))

    assert model.input_names == ["a", "b"]
    assert model.predict([[[1.0, 2.0, 3.0]], [[0.0] * 4]]).shape == (1, 2)


def test_an_output_that_needs_another_input_is_refused() -> None:
    a, b = Input(3, name="a"), Input(3, name="b")

    with pytest.raises(BadValue, match=r"^the outputs depend on b, which is no input of the model\.$"):
        Model(a, Add()([a, b])).get_weights()


def test_layers_stand_in_keras_s_order_by_distance_from_the_outputs() -> None:
    x = Input((4, 4, 1), name="x")
    near = Dense(2, name="near")(Flatten(name="flat")(x))
    far = Conv2D(2, 3, name="far")(Conv2D(2, 1, name="farther")(x))
    model = Model(x, Concatenate(name="end")([near, Flatten(name="flat_far")(far)]))

    assert [layer.name for layer in model.layers] == ["x", "farther", "flat", "far", "near", "flat_far", "end"]
