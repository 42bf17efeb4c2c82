"""From what users hand over to tensors, and the holding out of samples."""

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.models.arrays import as_inputs, as_labels, as_tensor, hold_out, kinds


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.zeros(3, np.uint8), torch.uint8),
        (np.zeros(3, np.int16), torch.int16),
        (np.zeros(3, np.uint16), torch.int64),
        (np.zeros(3, bool), torch.int64),
        (np.zeros(3, np.float16), torch.float32),
        (np.zeros(3, np.float64), torch.float32),
        (np.zeros(3, ">f4"), torch.float32),
        (np.zeros(3, ">i2"), torch.int16),
        ([1, 2, 3], torch.int64),
        ([1, 2.5, 3], torch.float32),
        ((1.0, 2.0), torch.float32),
        (torch.zeros(3, dtype=torch.float64), torch.float32),
        (torch.zeros(3, dtype=torch.bool), torch.int64),
        (np.zeros((3, 4))[::-1, ::2], torch.float32),
        (np.broadcast_to(np.float32(1), (3, 4)), torch.float32),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_numbers_of_any_kind_become_tensors(value: Any, dtype: torch.dtype) -> None:  # Any: what the test is about
    tensor = as_tensor(value, "x")

    assert tensor.dtype == dtype
    assert tensor.tolist() == np.asarray(value).tolist()


def test_an_array_that_cannot_be_written_to_is_taken_without_a_warning() -> None:
    array = np.ones(3, np.float32)
    array.flags.writeable = False

    assert as_tensor(array, "x").tolist() == [1, 1, 1]


def test_arrays_are_not_copied_without_need() -> None:
    array = np.ones((3, 2), np.float32)

    assert as_tensor(array, "x").data_ptr() == array.ctypes.data


def test_a_missing_channel_axis_is_forgiven() -> None:
    (tensor,) = as_inputs(np.zeros((5, 28, 28), np.uint8), [(28, 28, 1)], ["x"])

    assert tensor.shape == (5, 28, 28, 1)


LABELS: list[tuple[Any, tuple[int, ...], list[Any]]] = [  # Any: labels and what they become
    ([2, 0, 1], (3,), [2, 0, 1]),
    ([[2], [0], [1]], (3,), [2, 0, 1]),
    ([2.0, 0.0, 1.0], (3,), [2, 0, 1]),
    (np.array([2, 0, 1], np.uint8), (3,), [2, 0, 1]),
    (torch.tensor([2, 0, 1], dtype=torch.int32), (3,), [2, 0, 1]),
    ([[1, 0], [0, 1]], (2,), [[1, 0], [0, 1]]),
    ([True, False], (1,), [1, 0]),
    ([0.0, 1.0], (1,), [0.0, 1.0]),
    ([[0.5], [1.5]], (1,), [[0.5], [1.5]]),
    ([[[0, 1], [1, 0]]], (2, 2, 3), [[[0, 1], [1, 0]]]),
    ([[[[0], [1]], [[1], [0]]]], (2, 2, 3), [[[0, 1], [1, 0]]]),
]


@pytest.mark.parametrize(("y", "shape", "expected"), LABELS, ids=str)
def test_labels_take_the_form_that_losses_want(y: Any, shape: tuple[int, ...], expected: list[Any]) -> None:  # as above
    labels, classes = as_labels(y, None, shape, "y")

    assert labels.tolist() == expected
    assert classes is None


def test_strings_become_places_in_the_sorted_classes() -> None:
    labels, classes = as_labels(["dog", "cat", "dog"], None, (2,), "y")
    later, same = as_labels(np.array(["dog"], object), classes, (2,), "y")

    assert (labels.tolist(), classes) == ([1, 0, 1], ("cat", "dog"))
    assert (later.tolist(), same) == ([1], ("cat", "dog"))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([3, 1, 2], [3, 1, 2]),
        ([[3], [1]], [3, 1]),
        ([0.0, 1.0, 1.0], [0, 1, 1]),
        ([[0.0], [1.0]], [0, 1]),
        ([[0, 1, 0], [1, 0, 0]], [1, 0]),
        ([[0.0, 1.0], [1.0, 0.0]], [1, 0]),
        ([0.5, 1.0], None),
        ([[1.0, 1.0], [1.0, 0.0]], None),
        ([[0.9, 0.1], [0.1, 0.9]], None),
    ],
    ids=str,
)
def test_classes_are_seen_in_labels_flags_and_one_hot_rows(targets: list[Any], expected: list[int] | None) -> None:
    found = kinds(torch.tensor(targets))

    assert (None if found is None else found.tolist()) == expected


SHARES = [0.1, 0.2, 0.25, 0.5, 0.9]


@pytest.mark.parametrize("form", ["integers", "one-hot", "values"])
@pytest.mark.parametrize("share", SHARES)
def test_the_two_parts_are_disjoint_and_complete_and_of_the_right_size(share: float, form: str) -> None:
    labels = torch.arange(97) % 7
    targets = {"integers": labels, "one-hot": torch.eye(7)[labels], "values": labels / 10}[form]

    kept, held = hold_out(targets, share, seed=0, order="shuffled")

    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(97))
    assert len(kept) == int(97 * (1 - share))


@pytest.mark.parametrize("form", ["integers", "column", "one-hot", "flags"])
def test_every_class_is_held_out_in_proportion(form: str) -> None:
    counts = [200, 100, 40, 10, 3] if form != "flags" else [300, 53]
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    targets = {
        "integers": labels,
        "column": labels[:, None],
        "one-hot": torch.eye(len(counts))[labels],
        "flags": labels.float(),
    }[form]

    _, held = hold_out(targets, 0.2, seed=3, order="shuffled")

    for label, count in enumerate(counts):
        assert abs(int((labels[held] == label).sum()) - 0.2 * count) <= 1


def test_who_is_held_out_follows_from_the_seed() -> None:
    labels = torch.arange(60) % 3

    one, same, other = (hold_out(labels, 0.2, seed=seed, order="shuffled")[1].tolist() for seed in (1, 1, 2))

    assert one == same != other
    assert one != list(range(48, 60))


def test_within_a_class_chance_decides() -> None:
    picks = torch.zeros(40)
    for seed in range(300):
        picks[hold_out(torch.arange(40) // 20, 0.25, seed=seed, order="shuffled")[1]] += 1

    assert 40 < picks.min() <= picks.max() < 115  # 75 on average, deviation 7.5


def test_the_tail_is_what_keras_holds_out() -> None:
    kept, held = hold_out(torch.arange(10), 0.25, seed=0, order="tail")

    assert kept.tolist() == list(range(7))
    assert held.tolist() == [7, 8, 9]
