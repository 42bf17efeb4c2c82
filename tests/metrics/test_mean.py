"""Means of values that are known already."""

import pytest
import torch

from holdfast.core import BadShape
from holdfast.metrics import Mean


def test_the_mean_weighs_samples() -> None:
    mean = Mean("loss")

    mean.update(torch.tensor([1.0, 2.0]))
    mean.update(torch.tensor([10.0]), torch.tensor([2.0]))

    assert mean.name == "loss"
    assert mean.compute().item() == 23 / 4


def test_a_batch_can_come_as_its_mean_and_its_size() -> None:
    mean = Mean()

    mean.update(torch.tensor(1.5), torch.tensor(2))
    mean.update(torch.tensor(4.5))

    assert mean.compute().item() == 2.5


def test_several_values_a_sample_count_by_their_mean() -> None:
    mean = Mean()

    mean.update(torch.tensor([[1.0, 3.0], [4.0, 8.0]]), torch.tensor([3.0, 1.0]))

    assert mean.compute().item() == 3


def test_the_mean_keeps_no_graph() -> None:
    mean = Mean()

    mean.update(torch.tensor([1.0, 2.0], requires_grad=True) * 2)

    assert not mean.compute().requires_grad


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadShape, match=r"^mean: 3 weights for 2 values.$"):
        Mean().update(torch.ones(2), torch.ones(3))
