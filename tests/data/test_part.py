"""Parts and datasets: taking samples, joining parts, and other samples for the same data."""

import numpy as np
import torch

from holdfast.data import Dataset, from_arrays
from holdfast.data.sealed import open_seal


def numbers() -> Dataset:
    return from_arrays(np.arange(40).reshape(40, 1) * 7, [0, 1] * 20, groups=np.arange(40) // 2, times=range(40))


def test_take_gives_samples_in_the_order_asked_for() -> None:
    part = numbers().train

    taken = part.take([5, 0, 5])

    assert taken.names == [part.names[5], part.names[0], part.names[5]]
    assert torch.equal(taken.images, part.images[[5, 0, 5]])
    assert torch.equal(taken.labels, part.labels[[5, 0, 5]])
    assert part.groups is not None
    assert part.times is not None
    assert taken.groups is not None
    assert taken.times is not None
    assert taken.groups.tolist() == part.groups[[5, 0, 5]].tolist()
    assert taken.times.tolist() == part.times[[5, 0, 5]].tolist()
    assert len(part.take([])) == 0
    assert part.take(torch.arange(len(part))).fingerprint == part.fingerprint


def test_what_is_taken_is_a_copy() -> None:
    part = numbers().train
    before = part.fingerprint

    part.take([0]).images.fill_(1)

    assert numbers().train.fingerprint == before == part.take(np.arange(len(part))).fingerprint


def test_the_pool_is_train_and_then_validation() -> None:
    data = numbers()

    assert data.pool.names == [*data.train.names, *data.validation.names]
    assert len(data.pool) == 34
    assert data.pool.groups is not None
    assert len(data.pool.groups) == 34


def test_other_parts_of_the_same_data_have_no_test_part() -> None:
    data = numbers()
    pool = data.pool

    fold = data.with_parts(pool.take(range(20)), pool.take(range(20, 34)))

    assert (len(fold.train), len(fold.validation), len(fold.test)) == (20, 14, 0)
    assert (fold.name, fold.classes, fold.facts, fold.fingerprint) == (
        data.name,
        data.classes,
        data.facts,
        data.fingerprint,
    )
    assert fold.split_fingerprint != data.split_fingerprint
    assert data.with_parts(data.train, data.validation).split_fingerprint != data.split_fingerprint


def test_groups_have_one_number_in_all_parts_and_names() -> None:
    values = np.arange(40).reshape(40, 1)
    values[1] = values[2]
    words = [f"p{index // 2}" for index in range(40)]

    data = from_arrays(values, [0, 1] * 20, groups=words)

    named = {}
    for part in (data.train, data.validation, open_seal(data.test)):
        assert part.groups is not None
        for name, group in zip(part.names, part.groups.tolist(), strict=True):
            named[int(name[7:-1])] = data.group_names[group]
    assert [named[index] for index in range(40)] == ["p0+p1"] * 4 + words[4:]


def test_samples_that_stand_alone_have_no_groups() -> None:
    alone = from_arrays(np.arange(40).reshape(40, 1), [0, 1] * 20)
    copied = from_arrays(np.arange(40).reshape(40, 1) // 2, [0, 1] * 20)

    assert (alone.train.groups, alone.train.times) == (None, None)
    assert (alone.group_names, copied.group_names) == ({}, {})
    assert copied.train.groups is not None


def test_the_test_part_tells_how_many_of_each_class() -> None:
    data = from_arrays(np.arange(40).reshape(40, 1), [0, 1] * 20)

    assert data.facts.test_counts == (3, 3)
