"""Models: their arithmetic, their weights, and how they are put together."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.core import BadShape, BadValue, NotReady, UnknownName
from holdfast.layers import (
    L2,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
    InputLayer,
    MaxPooling2D,
)
from holdfast.models import Model, Sequential


def test_two_convolutions_have_172_parameters_and_the_dense_map_of_the_same_picture_10100() -> None:
    convolutions = Sequential([Input((10, 10, 1)), Conv2D(9, 3), Conv2D(1, 3)])
    dense = Sequential([Input((10, 10, 1)), Flatten(), Dense(10 * 10)])

    assert convolutions.count_params() == (3 * 3 * 1 * 9 + 9) + (3 * 3 * 9 * 1 + 1) == 172
    assert dense.count_params() == 100 * 100 + 100 == 10_100


def test_a_kernel_stands_in_keras_s_layout_height_width_in_out() -> None:
    model = Sequential([Input((5, 6, 2)), Conv2D(4, (3, 1), name="eye"), Flatten(), Dense(3, name="last")])

    assert model.get_layer("eye").kernel.shape == (3, 1, 2, 4)
    assert model.get_layer("eye").bias.shape == (4,)
    assert model.get_layer("last").kernel.shape == (3 * 6 * 4, 3)
    kernel = model.module.get_submodule("eye").get_parameter("weight")
    assert torch.equal(model.get_layer("eye").kernel, kernel.detach().permute(2, 3, 1, 0))


def test_get_layer_finds_by_name_and_by_place_without_the_input() -> None:
    model = Sequential([Input(3), Dense(4), Dense(5)])

    assert model.get_layer("dense_1").bias.shape == (5,)
    assert model.get_layer(index=0).name == "dense"
    assert model.get_layer(index=-1).name == "dense_1"
    with pytest.raises(UnknownName, match=r"^the model has no layer 'dens'; did you mean 'dense' or 'dense_1'\?$"):
        model.get_layer("dens")
    with pytest.raises(UnknownName, match=r"^the model has no layer index 2; known: dense, dense_1, input_layer$"):
        model.get_layer(index=2)


def test_a_bound_layer_knows_its_own_weights_only() -> None:
    bound = Sequential([Input(3), Dense(4, name="only")]).get_layer("only")

    bound.set_weights([np.ones((3, 4)), np.zeros(4)])

    assert bound.kernel.sum() == 12
    assert [weight.shape for weight in bound.get_weights()] == [(3, 4), (4,)]
    with pytest.raises(AttributeError, match=r"^only has no weight 'gamma'; it has: kernel, bias$"):
        _ = bound.gamma
    with pytest.raises(
        BadShape, match=r"^only: takes weights of shapes \[\(3, 4\), \(4,\)\], got \[\(4, 3\), \(4,\)\]\."
    ):
        bound.set_weights([np.ones((4, 3)), np.zeros(4)])


def test_a_layer_s_weights_are_seen_as_they_are_now() -> None:
    model = Sequential([Input(3), Dense(4)])
    bound = model.get_layer("dense")
    before = bound.kernel.clone()

    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 4)), verbose=0)

    assert not torch.equal(bound.kernel, before)
    assert not bound.kernel.requires_grad


def test_set_weights_takes_all_or_none() -> None:
    model = Sequential([Input(2), Dense(1), BatchNormalization()])
    before = model.get_weights()

    with pytest.raises(BadShape) as caught:
        model.set_weights([np.ones((2, 1)), np.ones(2)])

    assert str(caught.value) == (
        "set_weights: the model takes arrays of the shapes [(2, 1), (1,), (1,), (1,), (1,), (1,)], got [(2, 1), (2,)]."
    )
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_are_got_are_copies() -> None:
    model = Sequential([Input(2), Dense(1)])

    model.get_weights()[0][:] = 7
    model.get_layer("dense").get_weights()[0][:] = 7

    assert not (model.get_weights()[0] == 7).any()


def test_batch_norm_weights_come_in_keras_s_order() -> None:
    model = Sequential([Input(2), BatchNormalization(name="norm")])
    model.set_weights([np.full(2, value) for value in (1, 2, 3, 4)])

    norm = model.get_layer("norm")

    values = [float(norm.gamma[0]), float(norm.beta[0]), float(norm.moving_mean[0]), float(norm.moving_variance[0])]
    assert values == [1, 2, 3, 4]


def test_a_model_used_as_a_layer_keeps_and_shares_its_weights() -> None:
    inner = Sequential([Input(3), Dense(2)], name="inner")
    x = Input(3)
    outer = Model(x, Dense(1, name="top")(inner(x)))

    outer.get_layer("inner").set_weights([np.ones((3, 2)), np.zeros(2)])

    np.testing.assert_array_equal(inner.get_weights()[0], np.ones((3, 2)))
    np.testing.assert_array_equal(inner.predict([[1.0, 2.0, 3.0]]), [[6.0, 6.0]])
    assert outer.count_params() == 8 + 3
    outer.compile("sgd", "mse")
    outer.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    assert not (inner.get_weights()[0] == 1).all()


def test_a_submodel_that_is_met_in_two_ways_is_one() -> None:
    """Its weights used to be counted, listed and penalised twice."""
    encoder = Sequential([Input(3), Dense(2, kernel_regularizer=L2(0.5))], name="encoder")
    a, b = Input(3), Input(3)
    middle = Model(a, Dense(3, name="inside")(encoder(a)), name="middle")
    model = Model(b, Concatenate()([encoder(b), middle(b)]))

    model.compile("sgd", "mse")
    x = np.ones((1, 3), np.float32)

    assert model.count_params() == model.summary().parameters == 8 + 9
    assert [weight.shape for weight in model.get_weights()] == [(3, 2), (2,), (2, 3), (3,)]
    penalty = 0.5 * float((encoder.get_weights()[0] ** 2).sum())
    assert model.evaluate(x, model.predict(x)) == pytest.approx(penalty)


def test_training_a_submodel_alone_changes_the_model_that_uses_it() -> None:
    inner = Sequential([Input(3), Dense(2)])
    x = Input(3)
    outer = Model(x, inner(x))
    before = outer.predict(np.ones((1, 3)))

    inner.compile("sgd", "mse")
    inner.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)

    np.testing.assert_array_equal(outer.predict(np.ones((1, 3))), inner.predict(np.ones((1, 3))))
    assert not np.array_equal(outer.predict(np.ones((1, 3))), before)


def test_a_submodel_with_pictures_in_and_several_outputs() -> None:
    x = Input((4, 5, 1))
    inner = Model(x, [Conv2D(2, 3, name="c")(x), Flatten()(x)], name="inner")
    y = Input((4, 5, 1))
    picture, row = inner(y)
    model = Model(y, [row, MaxPooling2D((2, 3))(picture), picture])
    pixels = np.random.default_rng(0).normal(size=(2, 4, 5, 1)).astype(np.float32)

    found, inside = model.predict(pixels), inner.predict(pixels)

    np.testing.assert_array_equal(found[0], inside[1])
    np.testing.assert_array_equal(found[1], inside[0].max((1, 2), keepdims=True))
    np.testing.assert_array_equal(found[2], inside[0])
    assert model.output_names == ["inner", "max_pooling2d", "inner_1"]


def test_inputs_are_taken_by_order_or_by_name() -> None:
    a, b = Input(2, name="a"), Input(1, name="b")
    model = Model([a, b], Concatenate()([b, a]))

    for x in ([[[1.0, 2.0]], [[3.0]]], {"b": [[3.0]], "a": [[1.0, 2.0]]}):
        assert model.predict(x).tolist() == [[3.0, 1.0, 2.0]]


def test_several_outputs_come_as_a_list_in_their_order() -> None:
    x = Input(2)
    model = Model(x, [Activation("relu")(x), x, Activation("linear", name="same")(x)])

    found = model.predict([[1.0, -1.0]])

    assert [array.tolist() for array in found] == [[[1.0, 0.0]], [[1.0, -1.0]], [[1.0, -1.0]]]
    assert model.output_names == ["activation", "input_layer", "same"]


def test_a_sequential_grows_with_add() -> None:
    model = Sequential()
    for layer in (Input((6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(3)):
        model.add(layer)

    assert model.predict(np.zeros((1, 6, 6, 1))).shape == (1, 3)
    assert [type(layer).__name__ for layer in model.layers] == ["Conv2D", "Flatten", "Dense"]


def test_what_was_learned_stays_when_a_layer_is_added() -> None:
    model = Sequential([Input(3), Dense(4)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 4)), verbose=0)
    learned = model.get_weights()

    model.add(Dense(2))

    for one, other in zip(model.get_weights()[:2], learned, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.predict(np.ones((1, 3))).shape == (1, 2)
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


def test_weights_do_not_depend_on_when_the_model_was_first_looked_at() -> None:
    at_once, looked_at = Sequential([Input(3), Dense(4), Dense(2)], seed=1), Sequential([Input(3), Dense(4)], seed=1)
    looked_at.count_params()

    looked_at.add(Dense(2))

    for one, other in zip(at_once.get_weights(), looked_at.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_first_layer_may_say_the_input_s_shape() -> None:
    model = Sequential([Dense(2, input_shape=(3,)), Dense(1)])

    assert model.inputs[0].shape == (3,)
    assert model.count_params() == 8 + 3


def test_without_an_input_the_shape_is_that_of_the_first_data() -> None:
    model = Sequential([Flatten(), Dense(2)])
    with pytest.raises(NotReady) as caught:
        model.summary()
    assert str(caught.value) == (
        "Sequential: the shape of its input is not known yet; put Input(shape) in front, or call fit."
    )

    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 3, 2)), np.zeros((4, 2)), verbose=0)

    assert model.inputs[0].shape == (3, 2)
    assert model.count_params() == 14


def test_predict_also_tells_the_shape() -> None:
    assert Sequential([Dense(2)]).predict([[1.0, 2.0, 3.0]]).shape == (1, 2)
    assert Sequential([Dense(2)]).predict([1.0, 2.0, 3.0]).shape == (3, 2)


def test_a_model_without_a_shape_survives_data_that_does_not_fit() -> None:
    model = Sequential([Conv2D(2, 3), Flatten(), Dense(2)])
    with pytest.raises(BadShape, match=r"^Conv2D: takes \(H, W, C\), got \(28, 28\)\.$"):
        model.predict(np.zeros((1, 28, 28)))

    assert model.predict(np.zeros((1, 6, 6, 1))).shape == (1, 2)


def test_a_model_may_be_the_first_layer_of_another() -> None:
    model = Sequential([Sequential([Input(3), Dense(2)]), Dense(1)])

    assert model.inputs[0].shape == (3,)
    assert model.count_params() == 11


def test_what_is_wrong_with_a_sequential_is_said_at_once() -> None:
    dense, x = Dense(2), Input(3)
    two = Model(x, [x, Dense(2)(x)])
    wrong: list[tuple[list[Any], str]] = [  # Any: what a Sequential does not take
        ([Input(3), Input(3)], "Sequential: an Input comes first, before all layers."),
        ([Dense(2), Input(3)], "Sequential: an Input comes first, before all layers."),
        ([Input(3), "dense"], "Sequential: takes layers, got str 'dense'."),
        (
            [Input(2), dense, dense],
            "Sequential: Dense(units=2) stands in it already; to share a layer, make a Model of symbols.",
        ),
        (
            [dense, dense],
            "Sequential: Dense(units=2) stands in it already; to share a layer, make a Model of symbols.",
        ),
    ]
    for layers, text in wrong:
        with pytest.raises(BadValue) as caught:
            Sequential(layers)
        assert str(caught.value) == text
    with pytest.raises(BadValue, match=r"^Sequential: .* gives several outputs; only one can go on\.$"):
        Sequential([Input(3), two])


def test_what_is_wrong_with_a_model_is_said_at_once() -> None:
    x, inner = Input(3), Model(y := Input(4), y, name="inner")
    wrong: list[tuple[Any, Any, str]] = [  # Any: what a Model does not take
        (x, "y", "Model: takes symbols, got str; begin with x = Input(shape)."),
        (
            Dense(2)(x),
            Dense(2)(x),
            "Model: <Symbol (None, 2) from Dense> is no Input, or stands among the inputs twice.",
        ),
        ([x, x], x, "Model: <Symbol (None, 3) from InputLayer> is no Input, or stands among the inputs twice."),
        (x, [], "Model: has no outputs."),
    ]
    for inputs, outputs, text in wrong:
        with pytest.raises(BadValue) as caught:
            Model(inputs, outputs)
        assert str(caught.value) == text
    with pytest.raises(BadShape, match=r"^model 'inner' takes \(\(4,\),\), got \(\(3,\),\)\.$"):
        inner(x)


def test_a_model_called_on_arrays_gives_tensors_in_evaluation_mode() -> None:
    model = Sequential([Input(2), BatchNormalization(), Dense(1)])
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

    found = model(x)

    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), model.predict(x))
    assert not model.module.training


def test_a_stronger_hand_may_copy_the_module() -> None:
    model = Sequential([Input(2), Dense(1)])

    copied = copy.deepcopy(model.module)

    with torch.no_grad():
        copied.get_submodule("dense").get_parameter("weight").zero_()
    assert not (model.get_weights()[0] == 0).any()


def test_the_input_layer_is_no_layer_of_a_sequential_but_one_of_a_model() -> None:
    x = Input(2)

    assert not any(isinstance(layer, InputLayer) for layer in Sequential([Input(2), Dense(1)]).layers)
    assert isinstance(Model(x, Dense(1)(x)).layers[0], InputLayer)


def test_diamonds_add_up() -> None:
    x = Input(2)
    model = Model(x, Add()([x, x, Activation("relu")(x)]))

    assert model.predict([[1.0, -1.0]]).tolist() == [[3.0, -2.0]]


def test_models_on_the_same_symbols_share_weights() -> None:
    """An encoder beside its autoencoder used to begin anew, in silence."""
    x = Input(6)
    code = Dense(2, "tanh")(x)
    encoder, autoencoder = Model(x, code), Model(x, Dense(6)(code))
    data = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
    before = encoder.predict(data)

    autoencoder.compile("sgd", "mse").fit(data, data, epochs=3, verbose=0)

    after = encoder.predict(data)
    assert np.abs(after - before).max() > 0
    kernel, bias = autoencoder.get_weights()[:2]
    np.testing.assert_allclose(after, np.tanh(data @ kernel + bias), rtol=1e-5, atol=1e-6)


def test_models_of_one_kind_inside_another_begin_differently() -> None:
    """They used to begin alike, because each had the seed 0."""
    towers = [Sequential([Input(6), Dense(2)]) for _ in range(2)]
    seeded = Sequential([Input(6), Dense(2)], seed=5)
    x = Input(6)
    Model(x, Add()([tower(x) for tower in (*towers, seeded)])).count_params()

    one, other, given = (model.get_weights()[0] for model in (*towers, seeded))

    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(given, Sequential([Input(6), Dense(2)], seed=5).get_weights()[0])


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("trainable", "give the layers to freeze trainable=False"),
        ("stop_training", "a callback returns holdfast.training.Stop(reason)"),
        ("optimizer", "call compile(optimizer=...)"),
    ],
)
def test_an_attribute_of_keras_is_refused_which_used_to_be_taken_and_ignored(name: str, remedy: str) -> None:
    model = Sequential([Input(2), Dense(1)])

    with pytest.raises(BadValue) as caught:
        setattr(model, name, False)

    assert str(caught.value) == f"model.{name}: setting it does nothing here; {remedy}."


def net() -> Sequential:
    conv = Conv2D(8, 3, activation="relu")
    return Sequential([Input((12, 12, 1)), conv, MaxPooling2D(2), BatchNormalization(), Flatten(), Dense(3, "softmax")])


def test_predict_gives_what_the_plain_module_gives() -> None:
    """`predict` computes with fewer passes over memory; later weights count in it, as they do in a copy."""
    model, x = net(), np.random.default_rng(0).integers(0, 256, (70, 12, 12, 1), dtype=np.uint8)
    first = model.predict(x)

    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    second, of_copy = model.predict(x), copy.deepcopy(model).predict(x)

    with torch.no_grad():
        expected = model.module(torch.from_numpy(x)).numpy()
    assert np.abs(second - first).max() > 1e-3
    np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-6)  # sums in another order
    np.testing.assert_array_equal(of_copy, second)


def test_predict_calls_hooks_that_come_after_the_first_prediction() -> None:
    model, seen = net(), list[torch.Size]()
    model.predict(np.zeros((2, 12, 12, 1)))

    hook = model.module.get_submodule("conv2d").register_forward_hook(lambda _module, _x, y: seen.append(y.shape))
    model.predict(np.zeros((2, 12, 12, 1)))
    hook.remove()

    assert seen == [(2, 8, 10, 10)]


def test_predict_computes_with_modules_that_were_put_in_after_the_first_prediction() -> None:
    """It used to go on with those from before."""
    model, x = net(), np.random.default_rng(0).integers(0, 256, (5, 12, 12, 1), dtype=np.uint8)
    model.predict(x)
    conv = model.module.get_submodule("conv2d")

    model.module.conv2d = copy.deepcopy(conv)
    torch.nn.init.constant_(model.module.get_parameter("conv2d.weight"), 0.1)

    with torch.no_grad():
        expected = model.module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-6)  # sums in another order
