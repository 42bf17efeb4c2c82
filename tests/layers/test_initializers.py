"""Initializers: what they draw, against real Keras and by definition, and that nothing else draws with them."""

import json
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.core import BadShape, BadValue, generator
from holdfast.layers import Conv2D, Dense, Dropout, FromArray, Initializer, Input, get_initializer
from holdfast.layers.initializers import initializers
from holdfast.models import Sequential
from layers.building import GOLDEN

DRAWS = 200_000
ENTRIES: list[dict[str, Any]] = json.loads((GOLDEN / "initializers.json").read_text())  # Any: JSON values


def named(entry: dict[str, Any]) -> str:  # Any: JSON values
    return f"{entry['class_name']}{entry['config'] or ''}{entry['shape']}"


def draws(initializer: Initializer, shape: tuple[int, ...]) -> torch.Tensor:
    kernels = range(math.ceil(DRAWS / math.prod(shape)))
    return torch.stack([initializer(shape, generator(number)) for number in kernels]).double()


@pytest.mark.parametrize("entry", ENTRIES, ids=named)
def test_draws_have_keras_s_mean_deviation_and_limits(entry: dict[str, Any]) -> None:  # Any: JSON values
    initializer = get_initializer({"class_name": entry["class_name"], "config": entry["config"]})
    exact, measured = entry["exact"], entry["measured"]

    values = draws(initializer, tuple(entry["shape"]))

    std = float(values.std(correction=0))
    assert std == pytest.approx(exact["std"], rel=0.01, abs=1e-7)  # 6 standard errors
    assert std == pytest.approx(measured["std"], rel=0.015, abs=1e-7)
    assert float(values.mean()) == pytest.approx(exact["mean"], rel=1e-6, abs=max(0.012 * exact["std"], 1e-7))
    for found, limit in ((float(values.min()), exact["min"]), (float(values.max()), exact["max"])):
        if limit is not None:
            slack = 1e-6 * abs(limit) + 1e-7
            assert exact["min"] - slack <= found <= exact["max"] + slack
            assert found == pytest.approx(limit, abs=0.01 * exact["std"] + slack)  # it is reached


def test_every_initializer_is_compared() -> None:
    compared = {initializers.canonical(entry["class_name"]) for entry in ENTRIES}

    assert compared == set(initializers) - {"from_array"}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("leCunNormal", "lecun_normal"),
        ("leCunUniform", "lecun_uniform"),
        ("glorotNormal", "glorot_normal"),
        ("glorotUniform", "glorot_uniform"),
        ("heNormal", "he_normal"),
        ("heUniform", "he_uniform"),
        ("randomNormal", "random_normal"),
        ("randomUniform", "random_uniform"),
        ("truncatedNormal", "truncated_normal"),
        ("varianceScaling", "variance_scaling"),
        ("LecunNormal", "lecun_normal"),
        ("HeUniform", "he_uniform"),
        ("zero", "zeros"),
        ("one", "ones"),
        ("normal", "random_normal"),
        ("uniform", "random_uniform"),
        ("Orthogonal", "orthogonal"),
    ],
)
def test_names_are_taken_in_the_spelling_of_keras_and_tfjs(spelling: str, name: str) -> None:
    assert get_initializer(spelling) == get_initializer(name) == initializers[name]()


def test_lecun_s_scale_is_a_standard_deviation() -> None:
    values = draws(get_initializer("leCunNormal"), (3, 3, 4, 8))

    assert float(values.std()) == pytest.approx(math.sqrt(1 / 36), rel=0.01)


ARRAYS: list[Callable[[Any], Any]] = [np.asarray, np.ndarray.tolist, torch.tensor]  # Any: an array in three forms


@pytest.mark.parametrize("form", ARRAYS, ids=["numpy", "list", "torch"])
def test_an_array_is_the_kernel_itself_in_keras_s_layout(form: Callable[[Any], Any]) -> None:  # Any: as above
    kernel = np.arange(12, dtype=np.float32).reshape(2, 1, 2, 3)
    model = Sequential([Input((4, 4, 2)), Conv2D(3, (2, 1), kernel_initializer=form(kernel))])

    found = model.get_weights()[0]

    np.testing.assert_array_equal(found, kernel)


def test_an_array_of_another_shape_is_refused() -> None:
    model = Sequential([Input(3), Dense(2, kernel_initializer=np.zeros((2, 3)))])

    with pytest.raises(BadShape, match=r"^the initial array has shape \(2, 3\), the weight takes \(3, 2\)\.$"):
        model.get_weights()


def test_an_array_is_copied_so_that_training_leaves_it_alone() -> None:
    array = np.ones((3, 2), np.float32)
    model = Sequential([Input(3), Dense(2, kernel_initializer=array)])

    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)

    assert (array == 1).all()
    assert not (model.get_weights()[0] == 1).all()


def test_arrays_are_equal_by_their_values() -> None:
    assert FromArray(torch.ones(2)) == FromArray(torch.ones(2)) != FromArray(torch.zeros(2))


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (3, 3, 2, 16), (3, 3, 2, 40)], ids=str)
def test_an_orthogonal_kernel_has_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    matrix = get_initializer("orthogonal")(shape, generator(0)).reshape(-1, shape[-1]).double()

    product = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T

    torch.testing.assert_close(product, torch.eye(len(product), dtype=torch.float64), rtol=0, atol=1e-5)


def test_an_orthogonal_kernel_has_two_axes() -> None:
    with pytest.raises(BadShape, match=r"^Orthogonal: takes a kernel of two or more axes, got \(3,\)\.$"):
        get_initializer("orthogonal")((3,), generator(0))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"scale": 0}, "VarianceScaling(scale=0): must be positive."),
        ({"mode": "fan"}, "VarianceScaling(mode='fan'): must be 'fan_in', 'fan_out' or 'fan_avg'."),
        (
            {"distribution": "cauchy"},
            "VarianceScaling(distribution='cauchy'): must be 'truncated_normal', 'untruncated_normal' or 'uniform'.",
        ),
    ],
    ids=["scale", "mode", "distribution"],
)
def test_variance_scaling_checks_its_settings(config: dict[str, object], text: str) -> None:
    with pytest.raises(BadValue) as caught:
        get_initializer({"class_name": "VarianceScaling", "config": config})

    assert str(caught.value) == text


def test_variance_scaling_takes_normal_for_truncated_normal() -> None:
    settings = {"class_name": "VarianceScaling", "config": {"distribution": "normal"}}

    assert get_initializer(settings) == get_initializer("variance_scaling")


def net(seed: int = 0) -> Sequential:
    return Sequential([Input(6), Dense(8, "tanh"), Dropout(0.5), Dense(8), Dense(3, "softmax")], seed=seed)


def test_a_model_s_weights_follow_from_its_seed() -> None:
    one, same, other = net(1).get_weights(), net(1).get_weights(), net(2).get_weights()

    for number in (0, 2, 4):
        np.testing.assert_array_equal(one[number], same[number])
        assert not np.isclose(one[number], other[number]).any()


def test_layers_of_one_shape_begin_differently() -> None:
    model = Sequential([Input(8), Dense(8), Dense(8), Dense(8, kernel_initializer="he_normal")])

    kernels = model.get_weights()[::2]

    assert not np.isclose(kernels[0], kernels[1]).any()
    assert not np.isclose(kernels[0] * np.std(kernels[2]), kernels[2] * np.std(kernels[0])).any()


def test_an_initializer_with_a_seed_of_its_own_does_not_heed_the_model_s() -> None:
    seeded = {"class_name": "GlorotUniform", "config": {"seed": 7}}

    one, other = (Sequential([Input(4), Dense(4, kernel_initializer=seeded)], seed=seed) for seed in (0, 1))

    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])


def test_nothing_draws_from_a_global_generator() -> None:
    x, y = np.zeros((20, 6), np.float32), np.arange(20) % 3
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # of a tuple

    net().fit(x, y, epochs=2, validation_split=0.25, verbose=0)

    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # type: ignore[index]  # of a tuple
    assert random.getstate() == before[2]


def test_a_global_seed_changes_nothing() -> None:
    torch.manual_seed(1)
    one = net().get_weights()
    torch.manual_seed(2)
    other = net().get_weights()

    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
