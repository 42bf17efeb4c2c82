"""Normalization: training of batch norms, and what `adapt` finds, against real Keras and by hand."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from holdfast.core import BadData, BadShape, NotReady
from holdfast.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GroupNormalization,
    Input,
    LayerNormalization,
    Normalization,
    Rescaling,
    UnitNormalization,
)
from holdfast.models import Model, Sequential, load_keras
from layers.building import golden, part

ADAPTED = sorted({key.split("/")[0] for key in golden("layers_adapt")})


@pytest.mark.parametrize("name", ADAPTED)
def test_adapt_finds_keras_s_mean_and_variance(name: str) -> None:
    numbers = part("layers_adapt", name)
    layer = Normalization(axis=None if name == "scalar" else -1)

    assert layer.adapt(numbers["data"]) is layer

    np.testing.assert_allclose(layer.mean, numbers["weight_0"], rtol=1e-5)  # type: ignore[arg-type]  # numbers
    np.testing.assert_allclose(layer.variance, numbers["weight_1"], rtol=1e-5)  # type: ignore[arg-type]  # numbers
    model = Sequential([Input(numbers["data"].shape[1:]), layer])
    np.testing.assert_allclose(model.predict(numbers["data"]), numbers["output"], rtol=1e-4, atol=1e-5)


def test_adapted_pictures_have_mean_0_and_variance_1() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3), np.uint8)
    model = Sequential([Input((4, 4, 3)), Normalization().adapt(pixels)])

    found = model.predict(pixels).astype(np.float64)

    np.testing.assert_allclose(found.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.var((0, 1, 2)), 1, rtol=1e-5)


def test_adapt_comes_before_the_first_use() -> None:
    layer = Normalization()
    Sequential([Input(3), layer]).get_weights()
    assert layer.mean is None

    model = Sequential([Input(3), layer])
    model.predict(np.zeros((1, 3)))
    with pytest.raises(NotReady) as caught:
        layer.adapt(np.ones((4, 3)))

    assert str(caught.value) == (
        "Normalization: adapt comes before the model is first used; make the model anew after it."
    )


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    model = Sequential([Input(2), Normalization().adapt([[3.0, 1.0], [3.0, 2.0]])])

    found = model.predict([[3.0, 1.0]])

    assert found.tolist() == [[0.0, -1.0]]


def test_invert_undoes_it() -> None:
    x = np.random.default_rng(0).normal(3, 2, (20, 4, 4, 2)).astype(np.float32)
    there, back = Normalization().adapt(x), Normalization(invert=True).adapt(x)

    found = Sequential([Input((4, 4, 2)), there, back]).predict(x)

    np.testing.assert_allclose(found, x, rtol=1e-5, atol=1e-5)


def test_without_numbers_it_hands_its_input_on() -> None:
    x = np.ones((2, 3), np.float32)

    np.testing.assert_array_equal(Sequential([Input(3), Normalization()]).predict(x), x)


def test_rescaling_takes_a_number_a_channel() -> None:
    model = Sequential([Input((1, 1, 2)), Rescaling([1 / 2, 1 / 4], offset=[0, 1])])

    assert model.predict(np.full((1, 1, 1, 2), 8.0)).ravel().tolist() == [4.0, 3.0]
    assert model.count_params() == 0


def test_layer_normalization_is_of_each_sample_s_last_axis() -> None:
    model = Sequential([Input((2, 2)), LayerNormalization(epsilon=1e-12)])

    found = model.predict([[[1.0, 3.0], [5.0, 5.0]]])

    np.testing.assert_allclose(found, [[[-1, 1], [0, 0]]], atol=1e-5)


X = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]], np.float32)  # means 3 and 20, plain variances 8/3 and 200


def train(model: Model | Sequential, x: np.ndarray[tuple[int, ...], np.dtype[np.float32]], steps: int = 1) -> None:
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((len(x), *model.outputs[0].shape)), epochs=steps, batch_size=len(x), verbose=0)


def test_moving_statistics_follow_the_batch_s_plain_mean_and_variance() -> None:
    model = Sequential([Input(2), BatchNormalization(momentum=0.75)])

    train(model, X)

    norm = model.get_layer("batch_normalization")
    torch.testing.assert_close(norm.moving_mean, torch.tensor([0.75, 5.0]))
    torch.testing.assert_close(norm.moving_variance, torch.tensor([0.75 + 2 / 3, 50.75]))


def test_a_batch_of_one_value_a_channel_leaves_no_nan() -> None:
    model = Sequential([Input(2), BatchNormalization(momentum=0.5)])

    train(model, X[:1])

    norm = model.get_layer("batch_normalization")
    torch.testing.assert_close(norm.moving_mean, torch.tensor([0.5, 5.0]))
    torch.testing.assert_close(norm.moving_variance, torch.tensor([0.5, 0.5]))


def test_a_frozen_batch_norm_uses_its_moving_statistics_in_training_and_leaves_them_alone() -> None:
    model = Sequential([Input(2), BatchNormalization(trainable=False), Dense(1)])
    before = model.get_weights()
    expected = model.predict(X)

    model.compile("sgd", "mse")
    logs = model.fit(X, np.zeros((3, 1)), verbose=0).history

    assert logs["loss"][0] == pytest.approx(float((expected**2).mean()), rel=1e-6)
    for one, other in zip(model.get_weights()[:4], before, strict=False):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(model.get_weights()[4], before[4])


def test_a_shared_batch_norm_is_trained_at_each_call() -> None:
    norm = BatchNormalization(momentum=0.5, name="norm")
    x = Input(2)
    model = Model(x, Add()([norm(x), norm(Rescaling(2.0)(x))]))

    train(model, X)  # torch used to refuse it: its statistics had changed before the backward pass

    torch.testing.assert_close(model.get_layer("norm").moving_mean, torch.tensor([0.5 * 1.5 + 3.0, 0.5 * 10 + 20.0]))


def test_evaluation_uses_what_training_found() -> None:
    model = Sequential([Input(2), BatchNormalization(momentum=0.0, epsilon=1e-9, trainable=True)])
    model.compile("sgd", "mse", metrics=None)

    train(model, X)
    found = model.predict(X)

    gamma, beta, _, _ = model.get_weights()
    expected = (X - [3, 20]) / np.sqrt([8 / 3, 200]) * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [True, False])
def test_gradients_in_training_are_those_of_finite_differences(scale: bool) -> None:
    x = Input((2, 2, 2))
    layers = [BatchNormalization(scale=scale), Conv2D(2, 2), BatchNormalization(center=scale)]
    module = Sequential([x, *layers]).module.double().train()
    leaf = torch.randn(3, 2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    assert torch.autograd.gradcheck(module, (leaf,))


def test_given_numbers_survive_a_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(3, 2, (20, 2)).astype(np.float32)
    model = Sequential([Input(2), Normalization().adapt(x)])

    model.save(tmp_path / "m.keras")

    np.testing.assert_array_equal(load_keras(tmp_path / "m.keras").predict(x), model.predict(x))


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        ([[1.0, float("nan")]], BadData, r"data have NaN or infinite values; take these samples out"),
        (np.zeros((0, 3)), BadShape, r"data have shape \(0, 3\), must be \(N, \.\.\., C\) and not empty\.$"),
        (3.0, BadShape, r"data have shape \(\), must be"),
        ([["a", "b"]], BadData, r"data must be an array of numbers \(N, \.\.\., C\): could not convert string"),
        ([[1.0], [1.0, 2.0]], BadData, r"data must be an array of numbers"),
    ],
    ids=["NaN", "no rows", "a number", "text", "ragged"],
)
def test_adapt_refuses_what_has_no_mean(data: object, kind: type[Exception], text: str) -> None:
    """NaN and no rows used to give NaN statistics in silence, text a bare ValueError of NumPy's."""
    layer = Normalization()

    with pytest.raises(kind, match=rf"^Normalization\.adapt: {text}"):
        layer.adapt(data)

    assert layer.mean is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_groups_learn_behind_what_does_not(
    center: bool, scale: bool, precision: Literal["float32", "bfloat16"]
) -> None:
    """Here torch's own backward pass used to end the process."""
    frozen = Conv2D(4, 3, trainable=False)
    model = Sequential(
        [Input((5, 5, 2)), frozen, GroupNormalization(2, center=center, scale=scale), Flatten(), Dense(1)]
    )
    before = model.get_weights()
    model.compile("sgd", "mse", precision=precision)
    x = np.random.default_rng(0).normal(size=(8, 5, 5, 2)).astype(np.float32)

    model.fit(x, x[:, 0, 0, :1], verbose=0)

    changed = [bool((one != other).any()) for one, other in zip(model.get_weights(), before, strict=True)]
    assert changed == [False, False, *[True] * (center + scale + 2)]


def test_one_sample_whose_groups_have_one_number_each_is_normalized_to_zero() -> None:
    # torch's own function refuses it.
    found = Sequential([Input(3), GroupNormalization(3)]).predict(np.ones((1, 3), np.float32))

    np.testing.assert_array_equal(found, np.zeros((1, 3)))


def test_the_gradient_of_a_group_s_scale_alone_is_that_of_arithmetic() -> None:
    module = Sequential([Input((3, 3, 4)), GroupNormalization(2)]).module.double()
    x = torch.randn(2, 3, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    gamma = next(module.parameters())
    groups = x.detach().reshape(2, 3, 3, 2, 2)
    mean = groups.mean((1, 2, 4), keepdim=True)
    variance = groups.var((1, 2, 4), correction=0, keepdim=True)

    (found,) = torch.autograd.grad(module(x).square().sum(), gamma)

    normal = ((groups - mean) / (variance + 1e-3).sqrt()).flatten(3)
    torch.testing.assert_close(found, 2 * normal.square().sum((0, 1, 2)))


def test_of_nothing_the_unit_is_nothing() -> None:
    found = Sequential([Input(3), UnitNormalization()]).predict(np.array([[0, 0, 0], [0, 3, 4]]))

    np.testing.assert_allclose(found, [[0.0, 0.0, 0.0], [0.0, 0.6, 0.8]], rtol=1e-6)
