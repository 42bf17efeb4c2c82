"""Where a model puts samples before its last layer decides."""

import numpy as np

from holdfast import Input, Model, Sequential
from holdfast.data import from_arrays
from holdfast.layers import Activation, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Rescaling
from holdfast.runs.embedded import embedded_of, features_of

from .small import arrays, with_dropout

DATA = from_arrays(*arrays(240))


def test_the_features_are_what_goes_into_the_last_dense_layer() -> None:
    model = with_dropout()

    symbol = features_of(model)

    assert symbol is not None
    assert symbol.shape == (16,)


def test_an_activation_behind_the_last_layer_is_passed() -> None:
    x = Input((6, 6, 1))
    hidden = Dense(5, activation="relu")(Flatten()(x))

    symbol = features_of(Model(x, Activation("softmax")(Dense(3)(hidden))))

    assert symbol is hidden


def test_a_model_without_a_layer_before_its_decision_has_no_features() -> None:
    linear = Sequential([Input((4,)), Dense(3, activation="softmax")])
    without = Sequential([Input((6, 6, 1)), Conv2D(3, 3), GlobalAveragePooling2D(), Activation("softmax")])

    assert features_of(linear) is None
    assert features_of(without) is None


def test_samples_of_validation_become_points() -> None:
    model = with_dropout()
    probabilities = model.predict(DATA.validation)

    found = embedded_of(model, DATA, probabilities, 0)

    assert found is not None
    assert found.total == len(found.labels) == len(DATA.validation) == 36
    assert [plane.points.shape for plane in found.planes] == [(36, 2)] * 3
    assert (found.features, found.values) == (16, 36)
    np.testing.assert_array_equal(found.said, probabilities.argmax(1))
    np.testing.assert_array_equal(found.labels, DATA.validation.labels.numpy())


def test_the_model_is_left_as_it_was() -> None:
    model = with_dropout()
    before = model.predict(DATA.validation)

    embedded_of(model, DATA, before, 0)

    np.testing.assert_array_equal(model.predict(DATA.validation), before)
    assert not model.module.training


def test_of_few_samples_nothing_is_drawn() -> None:
    data = from_arrays(*arrays(60))
    model = with_dropout()

    assert embedded_of(model, data, model.predict(data.validation), 0) is None


def test_a_model_that_sends_all_to_one_point_is_not_drawn() -> None:
    model = Sequential([Input((6, 6, 1)), Rescaling(0.0), Flatten(), Dense(4), Dense(3, activation="softmax")])

    assert embedded_of(model, DATA, model.predict(DATA.validation), 0) is None
