"""Layers that only arrange values anew: their order is Keras's, channels last."""

import numpy as np
import pytest

from holdfast.layers import Add, Concatenate, Dense, Flatten, Input, Reshape
from holdfast.models import Model, Sequential

PIXELS = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)


def test_flatten_reads_channels_first_then_columns_then_rows() -> None:
    assert Sequential([Input((2, 3, 2)), Flatten()]).predict(PIXELS).tolist() == [list(range(12))]


@pytest.mark.parametrize("target", [(12,), (3, 4), (3, 2, 2), (2, 3, 2), (-1, 6), (1, 2, 2, 3)], ids=str)
def test_reshape_keeps_the_order_of_the_values(target: tuple[int, ...]) -> None:
    found = Sequential([Input((2, 3, 2)), Reshape(target)]).predict(PIXELS)

    np.testing.assert_array_equal(found, PIXELS.reshape(1, *target))


def test_a_reshape_goes_there_and_back() -> None:
    model = Sequential([Input((2, 3, 2)), Reshape((4, 3)), Reshape(12), Reshape((2, 3, 2))])

    np.testing.assert_array_equal(model.predict(PIXELS), PIXELS)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_concatenate_counts_axes_as_keras_does(axis: int) -> None:
    inputs = [Input((2, 3, 2)), Input((2, 3, 2))]
    model = Model(inputs, Concatenate(axis=axis)(inputs))

    found = model.predict([PIXELS, -PIXELS])

    np.testing.assert_array_equal(found, np.concatenate([PIXELS, -PIXELS], axis))


def test_add_takes_any_number_of_inputs_and_one_of_them_twice() -> None:
    a, b = Input(2, name="a"), Input(2, name="b")
    model = Model([a, b], Add()([a, b, a, a]))

    assert model.predict([[[1.0, 2.0]], [[10.0, 20.0]]]).tolist() == [[13.0, 26.0]]


def test_a_dense_layer_on_images_works_on_their_channels() -> None:
    kernel = np.array([[1.0], [10.0]])
    model = Sequential([Input((2, 3, 2)), Dense(1, kernel_initializer=kernel)])

    np.testing.assert_array_equal(model.predict(PIXELS), PIXELS @ kernel.astype(np.float32))
