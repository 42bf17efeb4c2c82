"""Losses against real Keras (tests/golden/losses.npz) and by hand."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.core import BadShape, BadValue, UnknownName
from holdfast.data import Batch, Batches
from holdfast.training import (
    SGD,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Head,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanSquaredError,
    Program,
    SparseCategoricalCrossentropy,
    State,
    get_loss,
)
from holdfast.training.losses import losses
from training.nets import ACTIVATIONS, dense, dense_weights, events, golden_arrays, golden_texts, logs

CASES: list[dict[str, Any]] = golden_texts("losses")  # Any: JSON values
LABELS = torch.tensor([0, 2, 1, 2])
ONE_HOT = torch.eye(3)[LABELS]
LOGITS = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5], [-2.0, 1.0, 1.0], [0.1, 0.2, 0.3]])


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return golden_arrays("losses")


def same(found: Tensor | float, expected: Tensor | float) -> None:
    """To what float32 on both sides allows."""
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def of(case: dict[str, Any]) -> Loss:
    return get_loss({"class_name": case["loss"], "config": case["kwargs"]})


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_value_and_gradient_are_keras_s(case: dict[str, Any], weighted: bool, golden: dict[str, Tensor]) -> None:
    name, loss = case["name"], of(case)
    targets, outputs = golden[f"{name}/y_true"], golden[f"{name}/y_pred"].requires_grad_()
    place = f"{name}/weighted" if weighted else name

    values = loss(targets, outputs)
    value = (values * golden[f"{name}/sample_weight"]).mean() if weighted else values.mean()
    (gradient,) = torch.autograd.grad(value, outputs)

    same(values.detach(), golden[f"{name}/values"])
    same(value.detach(), golden[f"{place}/value"])
    same(gradient, golden[f"{place}/gradient"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_one_and_ten_steps_are_keras_s(case: dict[str, Any], golden: dict[str, Tensor]) -> None:
    name = f"{case['name']}/train"
    layer = dense(golden[f"{name}/weight_0"], golden[f"{name}/weight_1"])
    model = nn.Sequential(layer, ACTIVATIONS[case["activation"]]())
    program = Program(SGD(0.1), (Head(of(case)),))
    batches = Batches(Batch((golden[f"{name}/x"],), (golden[f"{name}/y"],)), batch_size=8)
    state = State.start(model, program)

    seen = logs(events(state, program, batches, epochs=1))
    after_1 = [weight.clone() for weight in dense_weights(model)]
    seen += logs(events(state, program, batches, epochs=10))

    same(seen[0]["loss"], float(golden[f"{name}/loss_0"]))
    same(seen[9]["loss"], float(golden[f"{name}/loss_9"]))
    for number in range(2):
        same(after_1[number], golden[f"{name}/after_1/weight_{number}"])
        same(dense_weights(model)[number], golden[f"{name}/after_10/weight_{number}"])


def test_every_loss_has_a_golden_case() -> None:
    assert {losses.canonical(case["loss"]) for case in CASES} == set(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("targets", [LABELS, ONE_HOT], ids=["integers", "one-hot"])
def test_cross_entropy_of_logits_is_that_of_their_softmax(targets: Tensor, smoothing: float) -> None:
    outputs = LOGITS.clone().requires_grad_()

    fused = CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)(targets, outputs)
    plain = CategoricalCrossentropy(label_smoothing=smoothing)(targets, outputs.softmax(-1))

    same(fused, plain)
    one, other = (torch.autograd.grad(values.sum(), outputs)[0] for values in (fused, plain))
    same(one, other)


def test_binary_cross_entropy_of_logits_is_that_of_their_sigmoid() -> None:
    outputs = LOGITS.clone().requires_grad_()

    fused = BinaryCrossentropy(from_logits=True)(ONE_HOT, outputs)
    plain = BinaryCrossentropy()(ONE_HOT, outputs.sigmoid())

    same(fused, plain)
    one, other = (torch.autograd.grad(values.sum(), outputs)[0] for values in (fused, plain))
    same(one, other)


def test_from_logits_the_loss_is_exact_where_probabilities_round_to_zero() -> None:
    logits = torch.tensor([[200.0, 0.0]])
    target = torch.tensor([1])

    assert SparseCategoricalCrossentropy(from_logits=True)(target, logits).tolist() == [200.0]
    assert SparseCategoricalCrossentropy()(target, logits.softmax(-1)).item() == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize("loss", [CategoricalCrossentropy(True), SparseCategoricalCrossentropy(True, 0.1)], ids=repr)
def test_integer_and_one_hot_targets_are_the_same(loss: Loss) -> None:
    expected = loss(ONE_HOT, LOGITS)

    same(loss(LABELS, LOGITS), expected)
    same(loss(LABELS[:, None], LOGITS), expected)
    same(loss(LABELS.to(torch.uint8), LOGITS), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_class_for_each_pixel_counts_as_the_mean_over_the_pixels(smoothing: float) -> None:
    loss = SparseCategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    outputs, targets = LOGITS.reshape(2, 2, 1, 3), LABELS.reshape(2, 2, 1)

    values = loss(targets, outputs)

    same(values, loss(LABELS, LOGITS).reshape(2, 2).mean(1))


def test_label_smoothing_spreads_a_share_of_the_target_over_all_classes() -> None:
    outputs = torch.tensor([[0.5, 0.25, 0.25]])

    value = CategoricalCrossentropy(label_smoothing=0.3)(torch.tensor([[1.0, 0.0, 0.0]]), outputs)

    assert value.item() == pytest.approx(0.8 * math.log(2) + 0.2 * math.log(4))  # the target is (0.8, 0.1, 0.1)


def test_smoothed_binary_targets_are_drawn_towards_one_half() -> None:
    value = BinaryCrossentropy(label_smoothing=0.2)(torch.tensor([[1.0]]), torch.tensor([[0.25]]))

    assert value.item() == pytest.approx(-0.9 * math.log(0.25) - 0.1 * math.log(0.75))


def test_targets_in_a_row_fit_outputs_in_a_column() -> None:
    assert MeanSquaredError()(torch.tensor([1, 3]), torch.tensor([[2.0], [0.0]])).tolist() == [1, 9]


def test_hinge_reads_zero_and_one_as_minus_one_and_one() -> None:
    outputs = torch.tensor([[0.5, -2.0], [3.0, 0.0]])
    signs = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])

    assert Hinge()(signs, outputs).tolist() == Hinge()((signs + 1) / 2, outputs).tolist() == [0.75, 0.5]


def test_huber_is_quadratic_within_delta_and_linear_beyond() -> None:
    assert Huber(delta=2.0)(torch.zeros(3), torch.tensor([1.0, 2.0, 5.0])).tolist() == [0.5, 2.0, 8.0]


def test_a_divergence_from_itself_is_nothing() -> None:
    shares = LOGITS.softmax(-1)

    assert KLDivergence()(shares, shares).abs().max() == 0


def test_losses_agree_with_torch_s_own() -> None:
    same(
        SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(LABELS, LOGITS),
        F.cross_entropy(LOGITS, LABELS, reduction="none", label_smoothing=0.1),
    )


@pytest.mark.parametrize("loss", [losses[name]() for name in losses], ids=lambda loss: type(loss).__name__)
def test_targets_that_do_not_fit_are_named_with_both_shapes(loss: Loss) -> None:
    text = rf"^{type(loss).__name__}: targets have shape \(4, 2\), the model gives \(4, 3\)[.,]"

    with pytest.raises(BadShape, match=text):
        loss(torch.zeros(4, 2), torch.full((4, 3), 0.5))


def test_a_batch_of_other_length_does_not_fit() -> None:
    with pytest.raises(BadShape, match=r"MeanSquaredError: targets have shape \(6,\), the model gives \(3, 2\)\."):
        MeanSquaredError()(torch.zeros(6), torch.zeros(3, 2))


@pytest.mark.parametrize(
    "name", ["mse", "mean_squared_error", "MeanSquaredError", "meanSquaredError", {"class_name": "MeanSquaredError"}]
)
def test_losses_are_found_by_the_names_of_keras_and_tf_js(name: Any) -> None:
    assert get_loss(name) == MeanSquaredError()


def test_an_unknown_loss_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(
        UnknownName, match=r"^unknown loss 'categorical_crossentorpy'; did you mean 'categorical_crossentropy'"
    ):
        get_loss("categorical_crossentorpy")


def test_what_is_no_loss_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^loss: takes a name or a Loss, got int 3$"):
        get_loss(3)


@pytest.mark.parametrize("share", [-0.1, 1.0])
@pytest.mark.parametrize("loss", [CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy])
def test_label_smoothing_is_a_share(
    loss: type[CategoricalCrossentropy | SparseCategoricalCrossentropy | BinaryCrossentropy], share: float
) -> None:
    text = rf"^{loss.__name__}\(label_smoothing={share}\): must be at least 0 and less than 1\.$"

    with pytest.raises(BadValue, match=text):
        loss(label_smoothing=share)


def test_targets_of_another_shape_and_as_many_numbers_are_refused() -> None:
    """They used to be reshaped, which scrambled them in silence."""
    with pytest.raises(BadShape, match=r"targets have shape \(2, 2, 3\), the model gives \(2, 3, 2\)"):
        MeanSquaredError()(torch.zeros(2, 2, 3), torch.zeros(2, 3, 2))


def test_a_missing_last_axis_of_one_is_forgiven() -> None:
    assert MeanSquaredError()(torch.tensor([1.0, 2.0]), torch.tensor([[1.0], [0.0]])).tolist() == [0.0, 4.0]


@pytest.mark.parametrize("loss", [CategoricalCrossentropy(), SparseCategoricalCrossentropy(from_logits=True)])
def test_a_categorical_loss_of_one_output_is_refused(loss: Loss) -> None:
    """It used to be torch's "Target 1 is out of bounds"."""
    with pytest.raises(BadShape, match=r"Crossentropy: the model gives one output, .* loss='binary_crossentropy'"):
        loss(torch.tensor([[0], [1]]), torch.tensor([[0.2], [0.7]]))


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("bce", "binary_crossentropy"),
        ("cosineProximity", "cosine_similarity"),
        ("cosine_proximity", "cosine_similarity"),
        ("squared_hinge", "squared_hinge"),
        ("kld", "kl_divergence"),
        ("meanSquaredError", "mean_squared_error"),
        ("categoricalCrossentropy", "categorical_crossentropy"),
        ("binaryCrossentropy", "binary_crossentropy"),
    ],
)
def test_short_and_old_spellings_of_losses_are_found(name: str, canonical: str) -> None:
    assert losses.canonical(name) == canonical


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_logits_has_second_derivatives(smoothing: float) -> None:
    """A penalty on gradients used to count for nothing: the kernel's gradient passed for a constant."""
    loss = SparseCategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    found = []

    for dtype in (torch.float32, torch.float64):  # the second is torch's own arithmetic
        logits = LOGITS.to(dtype).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(LABELS, logits).square().sum(), logits, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), logits)[0])

    torch.testing.assert_close(found[0], found[1].float(), atol=1e-5, rtol=1e-5)  # digits of float32
