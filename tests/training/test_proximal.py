"""L1 by soft thresholds: scikit-learn's Lasso is the judge of where weights settle; zeros are exact."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Lasso

from holdfast.core import BadValue
from holdfast.data import Batch, Batches
from holdfast.layers import L1, Conv2D, Dense, Flatten, Input, MaxNorm, get_regularizer
from holdfast.models import Sequential, from_config, sparsity, to_config
from holdfast.training import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    CosineDecay,
    Discriminative,
    Lion,
    Nadam,
    Optimizer,
    Program,
    RMSprop,
    State,
    load_checkpoint,
    save_checkpoint,
    train,
)

N, FEATURES, ALPHA = 64, 20, 0.1
RANDOM = np.random.default_rng(0)
X: NDArray[np.float64] = RANDOM.normal(size=(N, FEATURES))
Y = X[:, 2] * 1.5 - X[:, 5] * 2 + X[:, 11] * 0.7 + 0.3 + RANDOM.normal(size=N) * 0.3
LASSO = Lasso(alpha=ALPHA, tol=1e-10, max_iter=100_000).fit(X, Y)  # (1 / 2n) |y - Xw - b|² + alpha |w|


def linear(factor: float = 2 * ALPHA, *, proximal: bool = True) -> Sequential:
    """Twice Lasso's alpha, since the mean squared error has no 1/2 before it."""
    return Sequential([Input(FEATURES), Dense(1, kernel_regularizer=L1(factor, proximal=proximal))])


def learned(optimizer: Optimizer, epochs: int, model: Sequential | None = None) -> Sequential:
    model = model or linear()
    model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=N, epochs=epochs, verbose=0, measure_train="never")
    return model


SETTLED = [
    ("sgd", SGD(0.1), 120),
    ("momentum", SGD(0.02, momentum=0.9), 250),
    ("nesterov", SGD(0.02, momentum=0.9, nesterov=True), 250),
    ("accumulated", SGD(0.1, gradient_accumulation_steps=2), 240),
    ("adam", Adam(0.03), 500),
    ("amsgrad", Adam(0.03, amsgrad=True), 500),
    ("adamw without decay", AdamW(0.03, weight_decay=0.0), 500),
    ("rmsprop", RMSprop(CosineDecay(0.01)), 700),
    ("adagrad", Adagrad(0.3), 300),
    ("discriminative", Discriminative(0.1, optimizer="sgd", rates=(1.0, 0.5), starts=(0.0, 0.1)), 200),
]


@pytest.mark.parametrize(("optimizer", "epochs"), [case[1:] for case in SETTLED], ids=[name for name, *_ in SETTLED])
def test_weights_settle_where_lasso_s_do(optimizer: Optimizer, epochs: int) -> None:
    model = learned(optimizer, epochs)

    kernel, bias = model.get_weights()

    np.testing.assert_allclose(kernel[:, 0], LASSO.coef_, atol=1e-3)
    np.testing.assert_allclose(bias, LASSO.intercept_, atol=2e-3)
    np.testing.assert_array_equal(kernel[:, 0] == 0, LASSO.coef_ == 0)  # the same support, by exact zeros


def test_the_loss_that_is_told_is_lasso_s_objective() -> None:
    model = learned(SGD(0.1), 120)
    least = np.square(Y - LASSO.predict(X)).mean() + 2 * ALPHA * np.abs(LASSO.coef_).sum()

    assert model.evaluate(X, Y) == pytest.approx(least, rel=1e-5)
    assert model.history is not None
    assert model.history.history["loss"][-1] == pytest.approx(least, rel=1e-5)


def test_a_penalty_alone_leaves_no_zeros_and_the_threshold_seventeen() -> None:
    plain, proximal = (learned(SGD(0.05), 100, linear(proximal=one)) for one in (False, True))

    assert sparsity(plain).total.zeros == 0
    assert sparsity(proximal).total.zeros == 17


def test_the_share_of_zeros_is_told_each_epoch_and_in_the_summary() -> None:
    model = learned(SGD(0.1), 60)

    assert model.history is not None
    assert model.history.history["sparsity"][-1] == 0.85
    assert str(model.summary()).endswith(
        "dense: 17 of 21 weights are 0 (81.0 %)\nmodel: 17 of 21 weights are 0 (81.0 %)"
    )
    assert linear(proximal=False).summary().sparsity is None


def test_a_step_by_hand() -> None:
    model = Sequential([Input(3), Dense(1, use_bias=False, kernel_regularizer=L1(0.5, proximal=True))])
    model.set_weights([[[1.0], [0.04], [-0.3]]])
    model.compile(SGD(0.1), "mse")

    model.fit(np.zeros((4, 3)), np.zeros(4), batch_size=4, verbose=0)  # without a gradient, 0.1 * 0.5 is taken off

    np.testing.assert_allclose(model.get_weights()[0][:, 0], [0.95, 0.0, -0.25], atol=1e-7)


@pytest.mark.parametrize("optimizer", [SGD(0.05, momentum=0.9), Adam(0.01)], ids=["momentum", "adam"])
def test_bfloat16_leaves_exact_zeros_too(optimizer: Optimizer) -> None:
    x = np.random.default_rng(3).normal(size=(64, 6, 6, 1))
    net = [Conv2D(4, 3, activation="relu"), Flatten(), Dense(2, "softmax", kernel_regularizer=L1(0.2, proximal=True))]
    model = Sequential([Input((6, 6, 1)), *net], seed=1)
    model.compile(optimizer, precision="bfloat16")

    model.fit(x, (x.mean((1, 2, 3)) > 0).astype(int), epochs=15, verbose=0)

    assert model.get_weights()[0].all()
    assert sparsity(model).rows[1].share > 0.5


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1, momentum=0.5), Adam(0.1), RMSprop(0.1), Adagrad(0.1)], ids=lambda one: type(one).__name__
)
def test_numbers_on_the_device_give_the_same_threshold(optimizer: Optimizer) -> None:
    """As a CUDA graph has them: tensors that it reads anew each time."""
    weights = [torch.tensor([1.0, -0.2, 0.001])]
    slots = optimizer.slots(weights)
    numbers = optimizer.numbers(slots, rate=0.1, step=0)
    optimizer.apply(weights, [torch.tensor([0.5, 0.1, 0.0])], slots, numbers)

    found, expected = (
        torch.as_tensor(optimizer.reach(slots, given, 0)) for given in ([*map(torch.tensor, numbers)], numbers)
    )

    torch.testing.assert_close(found, expected)


def test_a_constraint_comes_after_the_threshold() -> None:
    layer = Dense(1, kernel_regularizer=L1(2 * ALPHA, proximal=True), kernel_constraint=MaxNorm(1.0))

    kernel, _ = learned(SGD(0.1), 60, Sequential([Input(FEATURES), layer])).get_weights()

    assert np.linalg.norm(kernel) == pytest.approx(1, abs=1e-5)
    assert (kernel == 0).sum() > 5


@pytest.mark.parametrize("optimizer", [Adam(0.1), SGD(0.01, momentum=0.9)], ids=["adam", "momentum"])
def test_a_resumed_training_is_equal_to_the_bit(optimizer: Optimizer, tmp_path: Path) -> None:
    def begun() -> tuple[State, Program]:
        model = linear()
        model.compile(optimizer, "mse")
        return model.training_state([targets])

    inputs, targets = torch.tensor(X, dtype=torch.float32), torch.tensor(Y[:, None], dtype=torch.float32)
    batches = Batches(Batch((inputs,), (targets,)), batch_size=16, shuffle=True)
    (whole, program), (broken, other_program), (resumed, its_program) = begun(), begun(), begun()
    for _ in train(whole, program, batches, epochs=4):
        pass
    for event in islice(train(broken, other_program, batches, epochs=4), 9):
        save_checkpoint(tmp_path / "c.safetensors", event.state)

    load_checkpoint(tmp_path / "c.safetensors", resumed, its_program)
    for _ in train(resumed, its_program, batches, epochs=4):
        pass

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (whole.parameters()[0] == 0).any()


def test_a_frozen_layer_keeps_its_weights() -> None:
    frozen = Dense(4, kernel_regularizer=L1(0.5, proximal=True), trainable=False)
    model = Sequential([Input(FEATURES), frozen, Dense(1)])
    before = model.get_weights()[0]

    learned(SGD(0.01), 3, model)

    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize("optimizer", [Nadam(), Lion(), Adadelta()], ids=["nadam", "lion", "adadelta"])
def test_optimizers_without_such_a_step_are_refused(optimizer: Optimizer) -> None:
    name = type(optimizer).__name__
    words = rf"{name}: has no step for L1\(proximal=True\); take SGD or RMSprop or Adam or AdamW or Adagrad\."
    with pytest.raises(BadValue, match=words):
        learned(optimizer, 1)


def test_files_say_it_to_holdfast_and_plain_l1_to_keras() -> None:
    config = to_config(linear())

    written = config["config"]["layers"][1]["config"]["kernel_regularizer"]

    assert (written["class_name"], written["config"]) == ("L1", {"l1": 0.2})
    layer = from_config(config).layers[0]
    assert isinstance(layer, Dense)
    assert layer.kernel_regularizer == L1(0.2, proximal=True)
    assert get_regularizer("l1") == L1() != L1(proximal=True)
    assert (repr(L1(0.2)), repr(L1(0.2, proximal=True))) == ("L1(l1=0.2)", "L1(l1=0.2, proximal=True)")


def test_activations_take_no_steps() -> None:
    with pytest.raises(BadValue, match=r"activity_regularizer=L1\(.*\): activations take no steps; leave proximal out"):
        Sequential([Input(2), Dense(1, activity_regularizer=L1(0.1, proximal=True))]).get_weights()
