"""Batches: their order is a function of (seed, epoch), and each is found without those before it."""

from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core import BadData, BadShape, BadValue
from holdfast.data import Batch, Batches, order


def numbered(n: int, **others: object) -> Batches:
    """Samples 0 ... n-1."""
    return Batches(Batch((torch.arange(n),)), **{"batch_size": 4, **others})  # type: ignore[arg-type]  # of Batches


def numbers(batches: Batches, epoch: int, start: int = 0) -> list[list[int]]:
    """The samples of each batch of an epoch."""
    return [batch.inputs[0].tolist() for batch in batches.epoch(epoch, start)]


@settings(deadline=None)  # other work on the machine is no failure
@given(n=st.integers(1, 50), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 1000))
def test_an_order_is_a_permutation_that_follows_from_seed_and_epoch(n: int, seed: int, epoch: int) -> None:
    found = order(n, seed, epoch)

    assert sorted(found.tolist()) == list(range(n))
    assert torch.equal(found, order(n, seed, epoch))


def test_other_seeds_and_epochs_have_other_orders() -> None:
    orders = {tuple(order(20, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}

    assert len(orders) == 25


def test_an_order_leaves_torch_s_own_generator_alone() -> None:
    before = torch.get_rng_state()

    order(10, 0, 0)

    assert torch.equal(torch.get_rng_state(), before)


def test_without_shuffling_batches_come_as_the_samples_lie() -> None:
    assert numbers(numbered(10), 0) == numbers(numbered(10), 7) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_shuffled_batches_follow_the_order() -> None:
    batches = numbered(10, shuffle=True, seed=5)

    for epoch in range(3):
        assert list(chain(*numbers(batches, epoch))) == order(10, 5, epoch).tolist()


@settings(deadline=None)  # other work on the machine is no failure
@given(
    n=st.integers(1, 20),
    batch_size=st.integers(1, 25),
    steps=st.none() | st.integers(1, 12),
    shuffle=st.booleans(),
    epoch=st.integers(0, 4),
    data=st.data(),
)
def test_an_epoch_can_begin_at_any_batch(
    n: int, batch_size: int, steps: int | None, shuffle: bool, epoch: int, data: st.DataObject
) -> None:
    batches = numbered(n, batch_size=batch_size, steps=steps, shuffle=shuffle)
    start = data.draw(st.integers(0, len(batches)))

    whole = numbers(batches, epoch)

    assert numbers(batches, epoch, start) == whole[start:]
    assert len(whole) == len(batches)
    assert batches.count(epoch, start) == sum(map(len, whole[:start]))


@settings(deadline=None)  # other work on the machine is no failure
@given(n=st.integers(1, 20), batch_size=st.integers(1, 25), steps=st.none() | st.integers(1, 12), shuffle=st.booleans())
def test_each_pass_sees_every_sample_once_however_epochs_cut_it(
    n: int, batch_size: int, steps: int | None, shuffle: bool
) -> None:
    batches = numbered(n, batch_size=batch_size, steps=steps, shuffle=shuffle)
    passes = 3

    stream: list[int] = []
    epoch = 0
    while len(stream) < passes * n:
        stream += chain(*numbers(batches, epoch))
        epoch += 1

    for number in range(passes):
        assert sorted(stream[number * n : (number + 1) * n]) == list(range(n))


def test_fewer_steps_than_a_pass_go_on_where_the_epoch_before_ended() -> None:
    batches = numbered(10, steps=2)

    assert [numbers(batches, epoch) for epoch in range(3)] == [
        [[0, 1, 2, 3], [4, 5, 6, 7]],
        [[8, 9], [0, 1, 2, 3]],
        [[4, 5, 6, 7], [8, 9]],
    ]


def test_more_steps_than_a_pass_begin_again() -> None:
    assert numbers(numbered(6, steps=3), 0) == [[0, 1, 2, 3], [4, 5], [0, 1, 2, 3]]


def test_samples_are_those_of_the_first_epoch() -> None:
    assert numbered(10).samples == 10
    assert numbered(10, steps=2).samples == 8
    assert numbered(10, steps=4).samples == 14


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    assert numbers(numbered(3, batch_size=100), 0) == [[0, 1, 2]]


def test_inputs_targets_and_weights_stay_together() -> None:
    n = torch.arange(10)
    data = Batch((n, 10 * n), (2 * n,), (3.0 * n, None))

    for batch in Batches(data, batch_size=3, shuffle=True).epoch(0):
        (first, second), (target,), (weight, nothing) = batch.inputs, batch.targets, batch.weights
        assert torch.equal(second, 10 * first)
        assert torch.equal(target, 2 * first)
        assert weight is not None
        assert torch.equal(weight, 3.0 * first)
        assert nothing is None


@pytest.mark.parametrize("shape", [(5,), (5, 4, 4, 3)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shuffling_keeps_dtype_and_shape_of_a_sample(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = torch.arange(5).repeat_interleave(torch.Size(shape[1:]).numel()).reshape(shape).to(dtype)
    batches = Batches(Batch((images,)), batch_size=2, shuffle=True)

    (*_, last) = batches.epoch(0)

    assert last.inputs[0].dtype == dtype
    assert last.inputs[0].shape == (1, *shape[1:])
    assert (last.inputs[0] == order(5, 0, 0)[-1]).all()


def test_in_order_is_one_pass_over_all_as_they_lie() -> None:
    batches = numbered(5, batch_size=2, shuffle=True, steps=1).in_order()

    assert numbers(batches, 0) == numbers(batches, 1) == [[0, 1], [2, 3], [4]]


def test_unshuffled_batches_cost_no_copy() -> None:
    batches = numbered(10)

    second = list(batches.epoch(0))[1]

    assert second.inputs[0].data_ptr() == batches.data.inputs[0][4:].data_ptr()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"batch_size": 0}, r"^batch_size=0: must be positive\.$"),
        ({"batch_size": -3}, r"^batch_size=-3: must be positive\.$"),
        ({"steps": 0}, r"^steps=0: must be positive\.$"),
    ],
)
def test_settings_that_make_no_sense_are_named(wrong: dict[str, int], text: str) -> None:
    with pytest.raises(BadValue, match=text):
        numbered(3, **wrong)


def test_no_samples_make_no_batches() -> None:
    with pytest.raises(BadData, match=r"^there are no samples to make batches of\.$"):
        numbered(0)


def test_tensors_of_different_lengths_are_refused() -> None:
    text = r"^inputs, targets and weights have \[3, 4\] samples; they must have as many\.$"

    with pytest.raises(BadShape, match=text):
        Batches(Batch((torch.zeros(4),), (torch.zeros(4),), (torch.zeros(3),)), batch_size=2)
