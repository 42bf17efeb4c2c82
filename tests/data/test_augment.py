"""Shifts: what they do by hand, and that they follow from (seed, pass, sample) alone."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core import BadShape, BadValue
from holdfast.data import Batch, Batches, RandomShift

PICTURE = torch.arange(1, 10, dtype=torch.uint8).view(1, 3, 3, 1)  # 1 2 3 / 4 5 6 / 7 8 9
SHIFT = RandomShift(2)


def numbered(n: int, *, augment: RandomShift | None = SHIFT, **others: Any) -> Batches:
    """Pictures of 5x5 pixels and three channels, each with its own values."""
    images = torch.arange(n * 75).view(n, 5, 5, 3)
    return Batches(Batch((images,), (torch.arange(n),)), **{"batch_size": 4, "augment": augment, **others})


def of_sample(batches: Batches, epoch: int) -> dict[int, list[int]]:
    """The picture that each sample became in an epoch."""
    pairs = (zip(*batch.targets, *batch.inputs, strict=True) for batch in batches.epoch(epoch))
    return {int(number): image.flatten().tolist() for pair in pairs for number, image in pair}


@pytest.mark.parametrize(
    ("down", "right", "rows"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        (1, 0, [[1, 2, 3], [1, 2, 3], [4, 5, 6]]),
        (0, 1, [[1, 1, 2], [4, 4, 5], [7, 7, 8]]),
        (-1, -1, [[5, 6, 6], [8, 9, 9], [8, 9, 9]]),
        (2, -2, [[3, 3, 3], [3, 3, 3], [3, 3, 3]]),
    ],
)
def test_a_picture_moves_and_its_edge_is_repeated(down: int, right: int, rows: list[list[int]]) -> None:
    found = RandomShift(2).move(PICTURE, torch.tensor([[down, right]]))

    assert found.dtype == torch.uint8
    assert found[0, :, :, 0].tolist() == rows


@settings(deadline=None)  # other work on the machine is no failure
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    pixels=st.integers(1, 7),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
)
def test_each_pixel_is_that_at_the_clamped_place(
    shape: tuple[int, int, int, int], pixels: int, dtype: torch.dtype
) -> None:
    n, h, w, _ = shape
    images = torch.randint(0, 255, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    shift = RandomShift(pixels)
    shifts = shift.draw(n, 0, 0)

    found = shift.move(images, shifts)

    for sample, (down, right) in enumerate(shifts.tolist()):
        rows = (torch.arange(h) - down).clamp(0, h - 1)
        columns = (torch.arange(w) - right).clamp(0, w - 1)
        assert torch.equal(found[sample], images[sample][rows][:, columns])


def test_shifts_reach_as_far_as_they_may_and_no_further() -> None:
    drawn = RandomShift(2).draw(1000, 0, 0)

    assert set(drawn.flatten().tolist()) == {-2, -1, 0, 1, 2}
    assert drawn.shape == (1000, 2)


@pytest.mark.parametrize(
    "others", [{"batch_size": 3}, {"batch_size": 1}, {"shuffle": True}, {"shuffle": True, "batch_size": 16}]
)
def test_what_a_sample_becomes_depends_on_seed_epoch_and_sample_alone(others: dict[str, Any]) -> None:
    for epoch in (0, 5):
        assert of_sample(numbered(16, seed=3, **others), epoch) == of_sample(numbered(16, seed=3), epoch)


def test_other_seeds_and_epochs_move_otherwise() -> None:
    found = [str(of_sample(numbered(16, seed=seed), epoch)) for seed in (0, 1) for epoch in (0, 1)]

    assert len(set(found)) == 4


def test_an_epoch_that_is_taken_up_in_its_middle_goes_on_with_the_same_pictures() -> None:
    batches = numbered(16, shuffle=True)
    whole = list(batches.epoch(2))

    for start in range(5):
        rest = list(batches.epoch(2, start))
        assert len(rest) == 4 - start
        assert all(torch.equal(a.inputs[0], b.inputs[0]) for a, b in zip(rest, whole[start:], strict=True))


def test_an_epoch_of_two_passes_moves_each_otherwise() -> None:
    first, second, third, fourth = numbered(8, steps=4).epoch(0)

    assert torch.equal(first.targets[0], third.targets[0])
    assert not torch.equal(first.inputs[0], third.inputs[0])
    assert not torch.equal(second.inputs[0], fourth.inputs[0])


def test_the_data_itself_stays_and_is_judged_as_it_is() -> None:
    batches = numbered(8)
    before = batches.data.inputs[0].clone()

    list(batches.epoch(0))

    assert torch.equal(batches.data.inputs[0], before)
    assert of_sample(batches.in_order(), 0) == of_sample(numbered(8, augment=None), 0)


def test_torch_s_own_generator_is_left_alone() -> None:
    before = torch.get_rng_state()

    list(numbered(8).epoch(0))

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("pixels", [0, -1, 1.0, True])
def test_pixels_that_move_nothing_are_refused(pixels: int) -> None:
    with pytest.raises(BadValue, match=rf"^RandomShift\(pixels={pixels!r}\): must be a whole number of at least 1\.$"):
        RandomShift(pixels)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(
        BadShape, match=r"^RandomShift\(pixels=1\): moves pictures \(N, H, W, C\), the input has \(4, 2\)"
    ):
        Batches(Batch((torch.zeros(4, 2),)), batch_size=2, augment=RandomShift(1))
