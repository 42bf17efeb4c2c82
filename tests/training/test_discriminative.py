"""Rates and starts of each weight: every optimizer as alone, what has not begun as it was."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from holdfast.core import BadShape, BadValue
from holdfast.runs.plan import describe
from holdfast.training import SGD, AdamW, CosineDecay, Discriminative, Optimizer, get_optimizer

NAMES = ["sgd", "rmsprop", "adam", "adamw", "adagrad", "adadelta", "nadam", "lion"]
MORE: list[dict[str, float]] = [{}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}, {"gradient_accumulation_steps": 2}]


def weights() -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=random) for shape in [(5, 4), (7,), (3, 3)]]


def trained(optimizer: Optimizer, steps: int = 6) -> list[list[Tensor]]:
    """The weights before each step and after the last."""
    random, found = torch.Generator().manual_seed(1), weights()
    slots, history = optimizer.slots(found), [weights()]
    for step in range(steps):
        gradients = [torch.randn(weight.shape, generator=random) for weight in found]
        optimizer.apply(found, gradients, slots, optimizer.numbers(slots, rate=0.1, step=step, share=step / steps))
        history.append([weight.clone() for weight in found])
    return history


def same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other)


@pytest.mark.parametrize("more", MORE, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_with_equal_rates_it_is_the_optimizer_itself(name: str, more: dict[str, float]) -> None:
    inner = replace(get_optimizer(name), **more)  # type: ignore[arg-type]  # of the fields' own types

    told = trained(Discriminative(optimizer=inner, rates=[1, 1, 1], starts=[0, 0, 0]))

    assert all(map(same, told[-1], trained(inner)[-1]))


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_that_has_not_begun_stays_to_the_bit_and_the_others_do_not_notice(name: str) -> None:
    alone = trained(get_optimizer(name))

    told = trained(Discriminative(optimizer=name, rates=[0.5, 1, 0.5], starts=[0.5, 0, 0.5]))

    assert same(told[3][0], told[0][0])
    assert not same(told[4][0], told[3][0])
    assert same(told[-1][1], alone[-1][1])


def test_the_rate_of_a_weight_is_a_share_of_the_optimizer_s() -> None:
    (half, whole, none), (_, before, _) = (
        trained(Discriminative(optimizer=SGD(), rates=[0.5, 1, 0], starts=[0, 0, 0]), 1)[-1],
        weights(),
    )
    random = torch.Generator().manual_seed(1)
    gradients = [torch.randn(weight.shape, generator=random) for weight in weights()]

    torch.testing.assert_close(half, weights()[0] - 0.05 * gradients[0])
    torch.testing.assert_close(whole, before - 0.1 * gradients[1])
    assert same(none, weights()[2])


def test_weight_decay_follows_the_rate() -> None:
    told = trained(Discriminative(optimizer=AdamW(weight_decay=0.1), rates=[1, 1, 1], starts=[0.5, 0, 0]), 1)

    assert same(told[1][0], told[0][0])


@pytest.mark.parametrize("inner", [AdamW(CosineDecay(0.01)), SGD(0.1, 0.9, clipnorm=1.0)], ids=str)
def test_it_goes_through_json(inner: Optimizer) -> None:
    made = Discriminative(optimizer=inner, rates=[0.5, 1], starts=[0.25, 0])

    assert get_optimizer(describe(made)) == made


def test_the_learning_rate_is_that_of_the_optimizer_unless_it_is_given() -> None:
    made = Discriminative(optimizer=SGD(0.3), rates=[1], starts=[0])

    assert made.learning_rate == 0.3
    assert replace(made, learning_rate=0.2).optimizer == SGD(0.2)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadValue, match="has 2 rates and 1 starts"):
        Discriminative(rates=[1, 1], starts=[0])
    with pytest.raises(BadValue, match=r"rates=\(-1.0,\)\): must be finite numbers of at least 0"):
        Discriminative(rates=[-1], starts=[0])
    with pytest.raises(BadValue, match=r"starts=\(1.0,\)\): must be at least 0 and less than 1"):
        Discriminative(rates=[1], starts=[1])
    with pytest.raises(BadValue, match="takes a plain optimizer"):
        Discriminative(optimizer=Discriminative())
    with pytest.raises(BadValue, match="give it to the optimizer inside"):
        Discriminative(weight_decay=0.1)
    with pytest.raises(BadShape, match="has rates of 1 weights, the model trains 3"):
        Discriminative(rates=[1], starts=[0]).slots(weights())
