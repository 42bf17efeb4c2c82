"""The ready-made models: the convnet for any picture, and the dense twin of any model."""

import numpy as np
import pytest

from holdfast.core import BadShape, BadValue, UnknownName
from holdfast.layers import Conv2D, Dense, Input, MaxPooling2D, Normalization, Rescaling
from holdfast.models import BaseModel, Model, Sequential, convnet, dense, dense_twin, ready_made


def test_for_mnist_the_convnet_is_the_net_of_the_browser_examples() -> None:
    model = convnet((28, 28, 1), 10)

    assert [row.layer for row in model.summary().rows] == [
        *("InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "Flatten"),
        *("Dense", "Dense"),
    ]
    assert [layer.filters for layer in model.layers if isinstance(layer, Conv2D)] == [16, 32, 32]
    assert model.count_params() == 160 + 4_640 + 9_248 + (288 * 64 + 64) + 650 == 33_194


def test_its_dense_twin_has_33400_parameters() -> None:
    model = dense((28, 28, 1), 10)

    assert [layer.units for layer in model.layers if isinstance(layer, Dense)] == [42, 10]
    assert model.count_params() == 784 * 42 + 42 + 42 * 10 + 10 == 33_400
    assert isinstance(model.layers[0], Rescaling)
    assert model.name == "convnet_dense_twin"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [6, 7, 8, 9, 12, 15, 16, 17, 28, 31, 32, 48, 64, 95, 96, 97, 128, 224, 256])
def test_a_picture_of_any_size_is_taken_down_to_a_few_numbers(side: int, channels: int) -> None:
    summary = convnet((side, side, channels), 5).summary()

    shapes = [row.output_shape[0] for row in summary.rows if len(row.output_shape[0]) == 3]
    assert shapes[-1][:2] <= (7, 7)
    assert summary.parameters < 250_000
    assert summary.rows[-1].output_shape == ((5,),)


@pytest.mark.parametrize("shape", [(6, 100, 3), (100, 6, 3), (28, 224, 1), (400, 300, 3)], ids=str)
def test_pictures_need_not_be_square(shape: tuple[int, int, int]) -> None:
    model = convnet(shape, 3)

    found = model.predict(np.zeros((1, *shape), np.uint8))

    assert found.shape == (1, 3)
    assert found.sum() == pytest.approx(1)


def test_small_pictures_are_padded_and_large_ones_pooled_more_often() -> None:
    def pools(side: int) -> int:
        return sum(isinstance(layer, MaxPooling2D) for layer in convnet((side, side, 1), 10).layers)

    assert [pools(side) for side in (6, 8, 12, 28, 64)] == [1, 1, 1, 2, 4]
    first = convnet((8, 8, 1), 10).layers[1]
    assert isinstance(first, Conv2D)
    assert first.padding == "same"


def nearest(model: BaseModel, size: int, classes: int) -> int:
    counts = [hidden * (size + 1 + classes) + classes for hidden in range(1, 500)]
    return min(counts, key=lambda count: abs(count - model.count_params()))


@pytest.mark.parametrize(("side", "classes"), [(8, 10), (12, 2), (28, 10), (32, 100)])
def test_no_other_width_of_the_twin_would_be_nearer(side: int, classes: int) -> None:
    model = convnet((side, side, 1), classes)

    assert dense_twin(model).count_params() == nearest(model, side * side, classes)


def test_a_twin_sees_the_data_as_its_model_does() -> None:
    norm = Normalization(mean=0.5, variance=4.0)
    x = Input((8, 8, 1))
    model = Model(x, Sequential([Input((8, 8, 1)), *convnet((8, 8, 1), 3).layers[1:]])(norm(x)), "mine", seed=5)

    twin = dense_twin(model)

    assert twin.layers[0] is norm
    assert (twin.name, twin.seed) == ("mine_dense_twin", 5)


def test_the_smallest_twin_has_one_hidden_unit() -> None:
    x = Input(500)
    tiny = Model(x, Dense(2, use_bias=False)(Dense(1, use_bias=False)(x)))

    hidden = dense_twin(tiny).layers[1]

    assert isinstance(hidden, Dense)
    assert hidden.units == 1


def test_only_a_classifier_has_a_twin() -> None:
    model = Sequential([Input((8, 8, 1)), Conv2D(1, 8)], name="eye")

    with pytest.raises(BadValue) as caught:
        dense_twin(model)

    assert str(caught.value) == "dense_twin: takes a model with one input and one row of outputs, not 'eye'."


def test_models_are_found_by_name() -> None:
    assert ready_made["convnet"] is convnet
    assert ready_made["dense"] is dense
    with pytest.raises(UnknownName, match=r"^unknown model 'convent'; did you mean 'convnet'"):
        ready_made["convent"]


def test_the_seed_is_that_of_the_weights() -> None:
    one, same, other = (convnet((8, 8, 1), 3, seed=seed).get_weights()[0] for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_is_no_picture_or_no_choice_is_refused() -> None:
    with pytest.raises(BadShape, match=r"^convnet: takes pictures \(H, W, C\) of at least 6x6, got \(5, 28, 1\);"):
        convnet((5, 28, 1), 10)
    with pytest.raises(BadShape, match=r"^convnet: takes pictures \(H, W, C\) of at least 6x6, got \(28, 28\);"):
        convnet((28, 28), 10)
    with pytest.raises(BadValue, match=r"^classes=1: a classifier tells at least 2 apart\.$"):
        convnet((28, 28, 1), 1)
