"""Splits: disjoint, complete, stratified, and never through a group or a set of copies."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from holdfast.core import BadData, BadValue
from holdfast.data import Dataset, from_arrays
from holdfast.data.assign import assign
from holdfast.data.sealed import open_seal

SHARES = (0.7, 0.15, 0.15)


def pixels(count: int, start: int = 0) -> NDArray[np.float32]:
    """(count, 1, 1) samples that all differ: start, start + 1, ..."""
    return np.arange(start, start + count, dtype=np.float32).reshape(-1, 1, 1) + 0.5


def contents(data: Dataset) -> list[list[float]]:
    """The pixel of every sample of train, validation and test, for samples of one pixel."""
    return [part.images.flatten().tolist() for part in (data.train, data.validation, open_seal(data.test))]


def counts(parts: NDArray[np.int8], labels: Sequence[int]) -> list[tuple[int, ...]]:
    """For each class, how many samples are in train, validation and test."""
    return [
        tuple(int(((parts == part) & (np.array(labels) == label)).sum()) for part in range(3))
        for label in range(max(labels) + 1)
    ]


def test_each_class_is_shared_out_as_asked() -> None:
    labels = [0] * 100 + [1] * 20

    parts = assign(np.array(labels), np.arange(120), SHARES, seed=0)

    assert counts(parts, labels) == [(70, 15, 15), (14, 3, 3)]


def test_what_rounding_takes_from_one_class_the_next_one_gets() -> None:
    labels = [index % 10 for index in range(170)]  # 17 a class: 2.55 wanted

    parts = assign(np.array(labels), np.arange(170), SHARES, seed=0)

    assert {validation for _, validation, _ in counts(parts, labels)} == {2, 3}
    assert np.bincount(parts).tolist() == [120, 25, 25] or np.bincount(parts).tolist() == [118, 26, 26]


def test_three_samples_of_a_class_stand_in_three_parts() -> None:
    labels = [0] * 100 + [1] * 3

    parts = assign(np.array(labels), np.arange(103), SHARES, seed=0)

    assert counts(parts, labels)[1] == (1, 1, 1)


def test_three_contents_of_a_class_stand_in_three_parts_however_often_they_are_copied() -> None:
    labels = [0] * 100 + [1] * 6
    blocks = [*range(100), 100, 100, 101, 101, 102, 102]

    parts = assign(np.array(labels), np.array(blocks), SHARES, seed=0)

    assert counts(parts, labels)[1] == (2, 2, 2)


@pytest.mark.parametrize("speakers", [3, 4, 6, 20])
def test_speakers_who_say_every_word_stay_in_one_part_each(speakers: int) -> None:
    labels = [word for _ in range(speakers) for word in range(10) for _ in range(5)]
    blocks = [speaker for speaker in range(speakers) for _ in range(50)]

    parts = assign(np.array(labels), np.array(blocks), SHARES, seed=1)

    sizes = np.bincount(parts, minlength=3) / 50
    assert all(len({parts[i] for i in range(len(parts)) if blocks[i] == speaker}) == 1 for speaker in range(speakers))
    assert sizes.tolist() == {3: [1, 1, 1], 4: [2, 1, 1], 6: [4, 1, 1], 20: [14, 3, 3]}[speakers]


def test_a_large_group_goes_to_train() -> None:
    labels = [0, 1] * 50
    blocks = [0] * 60 + list(range(1, 41))

    for seed in range(10):
        parts = assign(np.array(labels), np.array(blocks), SHARES, seed=seed)

        assert np.bincount(parts).tolist() == [70, 15, 15]
        assert parts[0] == 0


@settings(max_examples=200, deadline=None)
@given(
    samples=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=200),
    validation=st.floats(0.05, 0.5),
    test=st.sampled_from([0.0, 0.1, 0.3, 0.45]),
    seed=st.integers(0, 2**31),
)
def test_every_sample_has_one_part_and_no_block_is_cut(
    samples: list[tuple[int, int]], validation: float, test: float, seed: int
) -> None:
    labels, blocks = (np.array(column) for column in zip(*samples, strict=True))
    labels = np.unique(labels, return_inverse=True)[1]

    parts = assign(labels, blocks, (1 - validation - test, validation, test), seed=seed)

    assert len(parts) == len(samples)
    assert set(parts.tolist()) <= ({0, 1, 2} if test else {0, 1})
    assert all(len(set(parts[blocks == block].tolist())) == 1 for block in np.unique(blocks))
    assert set(labels[parts == 0].tolist()) == set(labels.tolist())  # train knows every class


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=300, max_size=400),
    classes=st.integers(2, 5),
    validation=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
    seed=st.integers(0, 2**31),
)
def test_shares_are_within_two_points_where_groups_are_small(
    sizes: list[int], classes: int, validation: float, test: float, seed: int
) -> None:
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(seed).integers(0, classes, len(blocks))
    labels[:classes] = np.arange(classes)

    parts = assign(labels, blocks, (1 - validation - test, validation, test), seed=seed)

    assert abs((parts == 1).mean() - validation) < 0.02
    assert abs((parts == 2).mean() - test) < 0.02


@settings(max_examples=50, deadline=None)
@given(copies=st.lists(st.integers(0, 40), min_size=30, max_size=120), seed=st.integers(0, 1000))
def test_a_dataset_is_disjoint_and_complete_and_its_copies_are_on_one_side(copies: list[int], seed: int) -> None:
    values = np.concatenate([pixels(12), np.array(copies, np.float32).reshape(-1, 1, 1)])
    labels = [index % 3 for index in range(len(values))]

    data = from_arrays(values, labels, seed=seed)

    parts = contents(data)
    names = [*data.train.names, *data.validation.names, *open_seal(data.test).names]
    assert sorted(value for part in parts for value in part) == sorted(values.flatten().tolist())
    assert sorted(names, key=lambda name: int(name[7:-1])) == [f"images[{index}]" for index in range(len(values))]
    assert not set(parts[0]) & set(parts[1])
    assert not set(parts[0]) & set(parts[2])
    assert not set(parts[1]) & set(parts[2])


def test_seeds_differ_and_repeat() -> None:
    data = [from_arrays(pixels(60), [0, 1] * 30, seed=seed) for seed in (0, 0, 1)]

    assert contents(data[0]) == contents(data[1])
    assert data[0].split_fingerprint == data[1].split_fingerprint
    assert contents(data[0]) != contents(data[2])
    assert data[0].split_fingerprint != data[2].split_fingerprint
    assert data[0].fingerprint == data[2].fingerprint


def test_the_split_is_the_same_on_every_machine() -> None:
    data = from_arrays(pixels(20), [0, 1] * 10)

    assert contents(data)[1:] == [[5.5, 6.5, 16.5], [2.5, 11.5, 14.5]]  # as it was first


def test_labels_count_in_fingerprints() -> None:
    one, other = (from_arrays(pixels(60), [*labels] * 20) for labels in ([0, 1, 1], [1, 0, 0]))

    assert one.fingerprint != other.fingerprint


def test_no_test_part_leaves_an_empty_seal() -> None:
    data = from_arrays(pixels(20), [0, 1] * 10, test=0)

    assert (len(data.train), len(data.validation), len(data.test)) == (17, 3, 0)
    assert len(data.test.fingerprint) == 16


def test_groups_and_copies_that_touch_stay_together() -> None:
    values = pixels(40)
    values[1] = values[2]  # group 0 holds samples 0 and 1, group 1 holds 2 and 3: copies join them
    groups = ["a", "a", "b", "b", *(f"g{index}" for index in range(36))]

    for seed in range(20):
        data = from_arrays(values, [0, 1] * 20, groups=groups, seed=seed)

        sides = [
            {"images[0]", "images[1]", "images[2]", "images[3]"} & set(part.names)
            for part in (data.train, data.validation)
        ]
        assert all(len(side) in (0, 4) for side in sides)
        assert data.facts.groups == 38
        assert data.facts.duplicates == 1


def test_copies_of_given_test_samples_leave_train() -> None:
    test = np.concatenate([pixels(4), pixels(6, start=100)])

    data = from_arrays(pixels(30), [0, 1] * 15, test_images=test, test_labels=[0, 1] * 5)

    train, validation, judging = contents(data)
    assert judging == test.flatten().tolist()
    assert len(train) + len(validation) == 26
    assert not {0.5, 1.5, 2.5, 3.5} & {*train, *validation}
    assert data.facts.duplicates == data.facts.duplicates_removed == 4
    assert open_seal(data.test).names[0] == "test[0]"


def test_copies_under_different_labels_are_named() -> None:
    values = pixels(20)
    values[3] = values[6] = values[0]

    data = from_arrays(values, ["cat", "dog"] * 10)

    assert data.facts.duplicates == 2
    assert data.facts.conflicts == ("images[0] (cat) = images[3] (dog) = images[6] (cat)",)


def test_a_class_that_stands_in_one_group_is_learned_and_its_absence_noted() -> None:
    labels = [0, 1] * 20 + [2] * 4

    data = from_arrays(pixels(44), labels, groups=[*range(40), *[40] * 4])

    assert Counter(data.train.labels.tolist())[2] == 4
    assert data.facts.notes == ("no sample of 2 in the validation part", "no sample of 2 in the test part")


def test_images_are_those_that_belong_to_their_labels_and_names() -> None:
    labels = [index % 2 for index in range(20)]

    data = from_arrays(pixels(20), labels)

    for part in (data.train, data.validation, open_seal(data.test)):
        places = part.images.flatten().long()
        assert part.names == [f"images[{place}]" for place in places]
        assert torch.equal(part.labels, torch.tensor(labels)[places])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (
            {"test": 0.6, "validation": 0.5},
            r"^split\(test=0.6, validation=0.5\): the parts add up to 1.1 of the data; they must leave some for t",
        ),
        (
            {"validation": 0},
            r"split\(validation=0\): must be more than 0 and less than 1; without validation nothing can",
        ),
        ({"validation": float("nan")}, r"split\(validation=nan\): must be more than 0"),
        ({"test": 1}, r"split\(test=1\): must be at least 0 and less than 1"),
        ({"test": -0.1}, r"split\(test=-0.1\): must be at least 0"),
    ],
    ids=str,
)
def test_impossible_shares_are_refused(shares: dict[str, float], message: str) -> None:
    shares = {"validation": 0.15, "test": 0.15} | shares
    with pytest.raises(BadValue, match=message):
        from_arrays(pixels(20), [0, 1] * 10, validation=shares["validation"], test=shares["test"])


def test_one_class_is_refused() -> None:
    with pytest.raises(BadData, match=r"^arrays: all 20 samples are of class 'cat'; two classes are needed"):
        from_arrays(pixels(20), ["cat"] * 20)


def test_classes_with_too_few_different_samples_are_named() -> None:
    values = pixels(24)
    values[20] = values[21]

    with pytest.raises(BadData, match=r"^arrays: class 'b' has 2, 'c' has 1 distinct samples; at least 3 are needed"):
        from_arrays(values, ["a"] * 20 + ["b"] * 3 + ["c"])


def test_two_groups_cannot_fill_three_parts() -> None:
    with pytest.raises(BadData, match=r"^arrays: 2 groups are too few for train, validation and test"):
        from_arrays(pixels(20), [0, 1] * 10, groups=[0] * 10 + [1] * 10)


@settings(max_examples=150, deadline=None)
@given(
    samples=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 8)), min_size=1, max_size=30),
    grouped=st.booleans(),
    timed=st.booleans(),
    test=st.sampled_from([0.0, 0.15, 0.4]),
    given_test=st.integers(0, 3),
    seed=st.integers(0, 100),
)
def test_however_few_the_samples_they_are_split_or_refused_in_one_line(
    samples: list[tuple[int, int, int]], grouped: bool, timed: bool, test: float, given_test: int, seed: int
) -> None:
    labels, values, groups = (list(column) for column in zip(*samples, strict=True))
    options: dict[str, Any] = {"groups": groups} if grouped else {}
    options |= {"times": values[::-1]} if timed else {}
    if given_test:
        options |= {"test_images": np.arange(given_test).reshape(-1, 1, 1), "test_labels": labels[:1] * given_test}

    try:
        data = from_arrays(np.array(values).reshape(-1, 1, 1), labels, test=test, seed=seed, **options)
    except BadData as error:
        told = str(error)
    else:
        told = ""
    if told:
        assert told.startswith("arrays: ")
        assert "\n" not in told
        return

    parts = [data.train, data.validation, *([open_seal(data.test)] if len(data.test) else [])]
    assert all(len(part) for part in parts)
    assert len(data.test) > 0 or test == 0
    assert sum(map(len, parts)) + data.facts.duplicates_removed == len(samples) + given_test
    held = [set(part.images.flatten().tolist()) for part in parts]
    assert sum(map(len, held)) == len(set().union(*held))
    if parts[0].groups is not None:
        blocks = [set(part.groups.tolist()) for part in parts if part.groups is not None]
        assert sum(map(len, blocks)) == len(set().union(*blocks))
    assert timed or set(data.train.labels.tolist()) >= set(data.validation.labels.tolist())


@pytest.mark.parametrize(("few", "expected"), [(1, "refused"), (2, "refused"), (3, "split")], ids=str)
def test_classes_of_one_or_two_samples_are_refused_and_of_three_stand_in_every_part(few: int, expected: str) -> None:
    labels = ["a"] * 20 + ["rare"] * few

    if expected == "refused":
        with pytest.raises(BadData, match=rf"^arrays: class 'rare' has {few} distinct samples; at least 3 are needed"):
            from_arrays(pixels(20 + few), labels)
        return
    data = from_arrays(pixels(20 + few), labels)
    assert [int((part.labels == 1).sum()) for part in (data.train, data.validation, open_seal(data.test))] == [1, 1, 1]


def test_without_a_test_part_two_samples_are_enough() -> None:
    data = from_arrays(pixels(22), [0] * 20 + [1] * 2, test=0)

    assert [int((part.labels == 1).sum()) for part in (data.train, data.validation)] == [1, 1]
