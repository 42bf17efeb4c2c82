"""Optimizers against real Keras (tests/golden/optimizers.npz) and by hand."""

import math
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast.core import BadValue, UnknownName
from holdfast.data import Batch, Batches
from holdfast.training import (
    SGD,
    Adam,
    AdamW,
    CosineDecay,
    Discriminative,
    Head,
    MeanSquaredError,
    Optimizer,
    Program,
    RMSprop,
    State,
    get_optimizer,
)
from holdfast.training.optimizers import ACCEPTED, optimizers
from training.nets import dense, dense_weights, events, golden_arrays, golden_texts, logs, points, scale, squared

CASES: list[dict[str, Any]] = golden_texts("optimizers")["optimizers"]  # Any: JSON values


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return golden_arrays("optimizers")


def of(case: dict[str, Any]) -> Optimizer:
    return get_optimizer({"class_name": case["optimizer"], "config": case["kwargs"]})


def same(found: Tensor, expected: Tensor) -> None:
    """To 1e-4 of the largest weight of a row, i.e. of one feature: some are near 1, some near 1e-6.

    Keras's own float32 is further off than ours: its bias correction of Adam is off by 3e-5 in the first steps.
    """
    assert found.shape == expected.shape
    assert ((found - expected).abs().amax(-1) <= 1e-4 * expected.abs().amax(-1)).all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_ten_steps_are_keras_s(case: dict[str, Any], golden: dict[str, Tensor]) -> None:
    name, taking_turns = case["name"], case["batches"]
    first = [golden[f"weight_{number}"] for number in range(4)]
    model = nn.Sequential(dense(*first[:2]), nn.Tanh(), dense(*first[2:]))
    program = Program(of(case), (Head(MeanSquaredError()),))
    data = Batch((golden["x"][:taking_turns].flatten(0, 1),), (golden["y"][:taking_turns].flatten(0, 1),))
    batches = Batches(data, batch_size=8, steps=1)
    state = State.start(model, program)

    seen = logs(events(state, program, batches, epochs=1))
    after_1 = [weight.clone() for weight in dense_weights(model)]
    seen += logs(events(state, program, batches, epochs=10))

    assert seen[0]["loss"] == pytest.approx(float(golden[f"{name}/loss_0"]), rel=1e-4)
    assert seen[9]["loss"] == pytest.approx(float(golden[f"{name}/loss_9"]), rel=1e-4)
    for number in range(4):
        for found, steps in ((after_1, 1), (dense_weights(model), 10)):
            same(found[number], golden[f"{name}/after_{steps}/weight_{number}"])


def test_every_optimizer_of_keras_has_a_golden_case() -> None:
    assert {optimizers.canonical(case["optimizer"]) for case in CASES} == set(optimizers) - {"Discriminative"}


def test_each_clip_has_a_golden_case() -> None:
    settings = {key for case in CASES for key in case["kwargs"]}

    assert {"clipnorm", "clipvalue", "global_clipnorm", "weight_decay", "gradient_accumulation_steps"} <= settings


def test_accumulation_updates_every_other_step_with_the_mean_gradient() -> None:
    model = scale(0.0)
    program = squared(SGD(0.5, gradient_accumulation_steps=2))
    state = State.start(model, program)
    # f = w x, so the gradient of (f - y)² is -2 x y at w = 0: -2 and -6; their mean is -4, and w becomes 0.5 * 4.
    steps = events(state, program, points([1, 1], [1, 3], batch_size=1, steps=1), epochs=1)
    halfway = model.weight.item()

    steps += events(state, program, points([1, 1], [1, 3], batch_size=1, steps=1), epochs=2)

    assert (halfway, model.weight.item()) == (0.0, 2.0)
    assert not state.slots["accumulated"][0].any()


def test_weight_decay_takes_its_share_before_the_update() -> None:
    weights, gradients = [torch.tensor([1.0])], [torch.tensor([2.0])]
    optimizer = SGD(0.1, weight_decay=0.5)

    optimizer.step(weights, gradients, optimizer.slots(weights), rate=0.1, step=0)

    assert weights[0].item() == pytest.approx(1 * (1 - 0.1 * 0.5) - 0.1 * 2)


def test_clipping_leaves_the_gradients_that_were_given() -> None:
    weights, gradients = [torch.zeros(2)], [torch.tensor([3.0, 4.0])]
    optimizer = SGD(1.0, clipnorm=1.0)

    optimizer.step(weights, gradients, optimizer.slots(weights), rate=1.0, step=0)

    assert gradients[0].tolist() == [3, 4]
    torch.testing.assert_close(weights[0], torch.tensor([-0.6, -0.8]))


@pytest.mark.parametrize("name", list(optimizers))
def test_the_memory_format_of_weights_does_not_count(name: str) -> None:
    optimizer = Discriminative(rates=[0.5], starts=[0]) if name == "Discriminative" else optimizers[name]()
    draw = torch.Generator().manual_seed(0)
    first = torch.randn(4, 3, 3, 3, generator=draw)
    gradients = [torch.randn(4, 3, 3, 3, generator=draw) for _ in range(3)]
    plain, channels_last = first.clone(), first.clone(memory_format=torch.channels_last)
    slots, others = optimizer.slots([plain]), optimizer.slots([channels_last])

    for step, gradient in enumerate(gradients):
        optimizer.step([plain], [gradient], slots, rate=0.1, step=step)
        optimizer.step([channels_last], [gradient], others, rate=0.1, step=step)

    torch.testing.assert_close(channels_last, plain)
    assert channels_last.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_numbers_in_tensors_give_the_same_updates(case: dict[str, Any]) -> None:
    """What a CUDA graph repeats: its numbers lie on the device, and each step brings new ones."""
    optimizer, draw = of(case), torch.Generator().manual_seed(0)
    first = [torch.randn(4, 3, generator=draw), torch.randn(3, generator=draw)]
    plain, recorded = ([tensor.clone() for tensor in first] for _ in range(2))
    slots, others = optimizer.slots(plain), optimizer.slots(recorded)

    for step in range(4):
        gradients = [torch.randn(tensor.shape, generator=draw) for tensor in first]
        optimizer.step(plain, gradients, slots, rate=0.1 / (step + 1), step=step)
        numbers = optimizer.numbers(others, rate=0.1 / (step + 1), step=step)
        optimizer.apply(recorded, gradients, others, [torch.tensor(number) for number in numbers])

    assert not plain[0].equal(first[0])
    for found, expected in zip(recorded, plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # the numbers are float32, and not float64


@pytest.mark.parametrize("name", ["rmsprop", "RMSprop", "rmsProp", "RMSProp"])
def test_optimizers_are_found_by_the_names_of_keras_and_tf_js(name: str) -> None:
    assert get_optimizer(name) == RMSprop()


def test_an_optimizer_takes_a_schedule_in_keras_s_json_form() -> None:
    rate = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 5}}

    assert get_optimizer({"class_name": "Adam", "config": {"learning_rate": rate}}) == Adam(CosineDecay(0.1, 5))


def test_adamw_is_adam_with_a_decay() -> None:
    assert AdamW().weight_decay == 0.004
    assert Adam().weight_decay is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"learning_rate": -1}, r"^SGD\(learning_rate=-1\): must be a finite number of at least 0, or a schedule\.$"),
        ({"learning_rate": float("nan")}, r"^SGD\(learning_rate=nan\): must be a finite number of at least 0"),
        ({"learning_rate": "fast"}, r"^SGD\(learning_rate='fast'\): must be a finite number of at least 0"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, r"^SGD: clipnorm and clipvalue exclude each other; give one\.$"),
        (
            {"gradient_accumulation_steps": 1},
            r"\(gradient_accumulation_steps=1\): must be a whole number of at least 2, or None\.$",
        ),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(BadValue, match=text):
        SGD(**settings)


def test_an_unknown_optimizer_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"^unknown optimizer 'adamm'; did you mean 'adam'"):
        get_optimizer("adamm")


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(BadValue, match=r"^optimizer 'SGD': .*unexpected keyword argument 'speed'"):
        get_optimizer({"class_name": "SGD", "config": {"speed": 1}})


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("adam", "beta_1", 1.0),  # ZeroDivisionError in the first step
        ("adam", "epsilon", None),  # TypeError in the first step
        ("adam", "clipvalue", "a"),
        ("sgd", "clipnorm", 0),  # learned nothing
        ("sgd", "gradient_accumulation_steps", 2.5),
        ("sgd", "momentum", 9),
        ("sgd", "weight_decay", -1),
        ("sgd", "learning_rate", math.inf),
        ("sgd", "learning_rate", True),
        ("rmsprop", "rho", 1),
        ("adagrad", "initial_accumulator_value", -0.1),
    ],
)
def test_numbers_out_of_range_are_refused_when_the_optimizer_is_made(name: str, setting: str, value: object) -> None:
    """They used to be taken, and to fail in the first step, or to learn nothing."""
    expected = rf"\({setting}={re.escape(repr(value))}\): must be a .*number"

    with pytest.raises(BadValue, match=expected):
        get_optimizer({"class_name": name, "config": {setting: value}})


def test_every_number_of_an_optimizer_is_checked() -> None:
    flags = {"nesterov", "centered", "amsgrad"}
    several = {"optimizer", "rates", "starts"}  # of a Discriminative, whose own tests hold them

    assert {item.name for kind in optimizers for item in fields(optimizers[kind])} - flags - several == set(ACCEPTED)


def test_numpy_s_numbers_are_taken() -> None:
    """np.float32(0.1) used to be refused as a learning rate."""
    sgd = SGD(np.float32(0.5), gradient_accumulation_steps=np.int64(2))  # type: ignore[arg-type]  # float, to users

    assert sgd == SGD(0.5, gradient_accumulation_steps=2)
    assert type(sgd.learning_rate) is float
    assert type(sgd.gradient_accumulation_steps) is int


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), RMSprop(), Adam()], ids=str)
def test_a_graph_from_before_a_step_is_refused(optimizer: Optimizer) -> None:
    """The kernels used to change weights behind torch's back; gradients through them were silently wrong."""
    weights = torch.ones(3, requires_grad=True)
    loss = weights.square().sum()

    optimizer.step([weights], [torch.ones(3)], optimizer.slots([weights]), rate=0.1, step=0)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, weights)
