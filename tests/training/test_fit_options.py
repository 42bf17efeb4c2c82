"""Whole small fits against real Keras: tests/golden/fit_options.npz, told in the words of `Program` and `Batches`.

What `fit` itself makes of its arguments (splits, class weights, names) is tested with the models.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.data import Batch, Batches
from holdfast.metrics import get
from holdfast.training import SGD, Head, Program, State, get_loss
from training.nets import dense, dense_weights, events, golden_arrays, golden_texts, logs

Case = dict[str, Any]  # Any: JSON values

# The model's part, or where we differ: a list as validation_freq; more steps than the data has, which Keras stops at
# and we begin again from the front.
NOT_HERE = {"validation_freq_list", "steps_per_epoch_uneven", "steps_per_epoch_too_many", "initial_epoch_at_end"}
CASES: list[Case] = [
    case
    for case in golden_texts("fit_options")
    if "error" not in case and case["name"] not in NOT_HERE and "validation_split" not in case["fit"]
]


class TwoHeads(nn.Module):
    """A hidden layer with a class and a size on it."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.hidden, self.kind, self.size = (dense(*weights[n : n + 2]) for n in (0, 2, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.hidden(x).tanh()
        return self.kind(hidden).softmax(-1), self.size(hidden)


class OneHead(nn.Module):
    """A hidden layer, whose activations are kept, and a class."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.hidden, self.kind = (dense(*weights[n : n + 2]) for n in (0, 2))
        self.activations = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        self.activations = self.hidden(x).tanh()
        shares: Tensor = self.kind(self.activations).softmax(-1)
        return shares


def penalty(model: nn.Module) -> Tensor:
    """L2 of 0.02 on the first kernel; L1 of 0.01 on the first layer's activations, a sample."""
    assert isinstance(model, OneHead)
    squares = 0.02 * model.hidden.weight.square().sum()
    return squares + 0.01 * model.activations.abs().sum() / len(model.activations)


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return golden_arrays("fit_options")


def program(case: Case) -> Program:
    names = ["kind", "size"] if case["model"].startswith("outputs") else ["kind"]

    def of_output(key: str, number: int) -> Any:  # Any: JSON values
        """A setting of `compile` for one output: from a dict by name, a list in order, or the only one."""
        value = case["compile"].get(key)
        if value is None or len(names) == 1:
            return value
        return value.get(names[number]) if isinstance(value, dict) else value[number]

    heads = tuple(
        Head(
            get_loss(of_output("loss", number)),
            name,
            of_output("loss_weights", number) or 1.0,
            tuple(map(get, of_output("metrics", number) or [])),
            tuple(map(get, of_output("weighted_metrics", number) or [])),
        )
        for number, name in enumerate(names)
    )
    return Program(SGD(0.1), heads, penalty=penalty if case["model"] == "penalised" else None)


def batch(golden: dict[str, Tensor], x: str, y: Any, weight: Any = None, by_class: Any = None) -> Batch:  # Any: JSON
    """The data that is meant by "@x" and so on."""

    def named(value: Any) -> tuple[Tensor, ...]:  # Any: JSON values
        several = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        return tuple(golden[f"data/{one[1:]}"] for one in several)

    targets = named(y)
    weights = () if weight is None else named(weight)
    if len(weights) == 1:
        weights *= len(targets)
    if by_class is not None:
        labels = targets[0].argmax(-1) if targets[0].dim() == 2 else targets[0]
        weights = (torch.tensor([by_class.get(str(label), 1.0) for label in range(3)])[labels],)
    return Batch(named(x), targets, weights)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_histories_and_weights_are_keras_s(case: Case, golden: dict[str, Tensor]) -> None:
    fit, name = case["fit"], case["name"]
    first = [golden[f"{case['model']}/weight_{n}"] for n in range(6 if case["model"].startswith("outputs") else 4)]
    model = TwoHeads(first) if case["model"].startswith("outputs") else OneHead(first)
    what = program(case)
    data = batch(golden, fit["x"], fit["y"], fit.get("sample_weight"), fit.get("class_weight"))
    batches = Batches(data, batch_size=fit["batch_size"] or 32, steps=fit.get("steps_per_epoch"))
    judged = None
    if "validation_data" in fit:
        held = batch(golden, *fit["validation_data"])
        size = fit.get("validation_batch_size") or fit["batch_size"]
        judged = Batches(held, batch_size=size, steps=fit.get("validation_steps"))

    happened = events(
        State.start(model, what),
        what,
        batches,
        epochs=fit["epochs"],
        first=fit.get("initial_epoch", 0),
        validation=judged,
        validation_freq=fit.get("validation_freq", 1),
    )

    found = logs(happened)
    assert {key for log in found for key in log} - {"learning_rate"} == set(case["keys"])
    for key in case["keys"]:
        values = torch.tensor([log[key] for log in found if key in log])
        torch.testing.assert_close(values, golden[f"{name}/history/{key}"], rtol=1e-4, atol=1e-6)
    for number, weight in enumerate(dense_weights(model)):
        torch.testing.assert_close(weight, golden[f"{name}/final/weight_{number}"], rtol=1e-4, atol=1e-6)


def test_nearly_all_of_keras_s_cases_are_compared() -> None:
    assert len(CASES) >= 26
