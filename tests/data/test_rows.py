"""Samples that are fetched when they are needed: the order of their passes, and what `Batches` makes of them."""

import math
import pickle
import threading
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.core import BadFile
from holdfast.data import Batch, Batches, RandomShift, Rows
from holdfast.data import batches as batches_module
from holdfast.data.rows import BUFFER_BLOCKS, Mapped, joined, some


class Held:
    """A store over a tensor, in blocks of so many samples, that counts what is fetched."""

    def __init__(self, samples: Tensor, block: int | None = None) -> None:
        self.samples, self.fetched, self.fails = samples, list[int](), False
        self.shape, self.dtype = tuple(samples.shape[1:]), samples.dtype
        self.blocks: NDArray[np.int64] | None = None if block is None else np.arange(len(samples)) // block

    def __len__(self) -> int:
        return len(self.samples)

    def fetch(self, places: NDArray[np.int64]) -> Tensor:
        if self.fails:
            raise BadFile("the disk is gone")
        self.fetched.append(len(places))
        return self.samples[places]


def held(n: int, block: int | None = None) -> tuple[Held, Rows]:
    samples = torch.arange(n * 48, dtype=torch.int64).remainder(251).to(torch.uint8).view(n, 4, 4, 3)
    store = Held(samples, block)
    return store, Rows(store, np.arange(n))


def listed(batches: Batches, epoch: int = 0, start: int = 0) -> list[list[int]]:
    return [batch.targets[0].tolist() for batch in batches.epoch(epoch, start)]


def lazy(rows: Rows, **settings: object) -> Batches:
    return Batches(Batch((rows,), (torch.arange(len(rows)),)), **settings)  # type: ignore[arg-type]  # as tensors are


@pytest.mark.parametrize("augment", [None, RandomShift(1)], ids=["plain", "moved"])
def test_batches_of_rows_are_those_of_a_tensor(augment: RandomShift | None) -> None:
    store, rows = held(23)
    whole = Batches(
        Batch((store.samples,), (torch.arange(23),)), batch_size=5, shuffle=True, seed=3, augment=augment, steps=7
    )

    fetched = lazy(rows, batch_size=5, shuffle=True, seed=3, augment=augment, steps=7)

    for one, other in zip(fetched.epoch(1), whole.epoch(1), strict=True):
        assert torch.equal(one.targets[0], other.targets[0])
        assert torch.equal(one.inputs[0], other.inputs[0])


def test_an_epoch_goes_on_in_the_middle_as_if_it_had_not_stopped() -> None:
    batches = lazy(held(40, block=4)[1], batch_size=3, shuffle=True)

    assert listed(batches, 2)[5:] == listed(batches, 2, start=5)


def test_every_pass_has_every_sample_once_in_an_order_of_its_own() -> None:
    batches = lazy(held(200, block=10)[1], batch_size=16, shuffle=True)

    first, second, again = (list(chain(*listed(batches, number))) for number in (0, 1, 0))

    assert sorted(first) == sorted(second) == list(range(200))
    assert first != second
    assert first == again


def test_another_seed_is_another_order() -> None:
    _, rows = held(200, block=10)

    assert not torch.equal(rows.order(0, 0), rows.order(1, 0))


def test_few_blocks_are_open_at_once() -> None:
    _, rows = held(4000, block=100)
    places = rows.order(0, 0).numpy() // 100

    window = 100 * BUFFER_BLOCKS
    assert max(len(np.unique(places[start : start + window])) for start in range(0, 4000, window)) == BUFFER_BLOCKS


def test_samples_of_a_buffer_are_mixed_as_by_a_permutation() -> None:
    """Of neighbours in the order as many come from one block as chance gives: 1 in 8, within 4 standard deviations."""
    n, block = 32_000, 500
    _, rows = held(n, block=block)
    places = rows.order(0, 0).numpy() // block

    together = (places[1:] == places[:-1]).mean()

    expected = 1 / BUFFER_BLOCKS
    assert abs(together - expected) < 4 * math.sqrt(expected * (1 - expected) / n)


def test_classes_in_batches_vary_as_by_a_permutation_once_shards_are_shuffled() -> None:
    """The chi-squared statistic of 10 classes in batches of 50, over its degrees of freedom, is near 1."""
    n, block = 32_000, 500
    _, rows = held(n, block=block)
    labels = np.random.default_rng(0).integers(0, 10, n)  # as the writer shuffles them over the shards

    batches = labels[rows.order(0, 0).numpy()].reshape(-1, 50)

    counts = np.stack([(batches == label).sum(1) for label in range(10)], 1)
    statistic = (((counts - 5) ** 2) / 5).sum() / (9 * len(batches))
    assert abs(statistic - 1) < 4 * math.sqrt(2 / (9 * len(batches)))


def test_samples_of_a_batch_lie_together_by_their_blocks() -> None:
    """So that workers that share a batch open one or two shards a step each, not eight."""
    _, rows = held(4000, block=100)
    plain, by_batch = rows.order(0, 0).reshape(-1, 50), rows.order(0, 0, 50).reshape(-1, 50)

    assert torch.equal(plain.sort(1).values, by_batch.sort(1).values)
    assert all((torch.diff(batch // 100) != 0).sum() < 8 for batch in by_batch)


def test_parts_have_an_order_of_their_own_samples() -> None:
    store, _ = held(300, block=10)
    places = np.random.default_rng(0).permutation(300)[:70]

    order = Rows(store, places).order(0, 0)

    assert sorted(order.tolist()) == list(range(70))


def test_only_a_few_batches_are_fetched_ahead() -> None:
    store, rows = held(1000)
    batches = lazy(rows, batch_size=10).epoch(0)

    next(batches)

    assert len(store.fetched) <= batches_module.AHEAD + 2
    batches.close()  # type: ignore[attr-defined]  # a generator


def test_large_batches_are_not_held_in_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "AHEAD_BYTES", 10 * 48)
    store, rows = held(1000)
    batches = lazy(rows, batch_size=10).epoch(0)

    next(batches)

    assert len(store.fetched) <= 2
    batches.close()  # type: ignore[attr-defined]  # a generator


def test_all_epochs_share_two_threads_also_those_that_break_off() -> None:
    """Threads of their own took an arena of the C library each, which kept what was freed in it."""
    _, rows = held(1000)
    batches = lazy(rows, batch_size=10)

    for _ in range(3):
        next(batches.epoch(0))
        list(batches.epoch(0))

    assert len([thread for thread in threading.enumerate() if thread.name.startswith("holdfast-fetch")]) == 2


def test_an_error_of_the_store_reaches_who_asks() -> None:
    store, rows = held(100)
    store.fails = True

    with pytest.raises(BadFile, match="the disk is gone"):
        list(lazy(rows, batch_size=10).epoch(0))


def test_a_memory_map_is_a_store() -> None:
    array = np.arange(60, dtype=np.uint8).reshape(5, 4, 3, 1)

    rows = Rows(Mapped(array), np.array([4, 0]))

    assert rows[:].tolist() == array[[4, 0]].tolist()
    assert (len(rows), rows.shape, rows.dtype, rows.dim()) == (2, torch.Size((2, 4, 3, 1)), torch.uint8, 4)


def test_other_processes_map_the_same_file(tmp_path: Path) -> None:
    """The whole array was pickled, which is larger than memory."""
    array = np.memmap(tmp_path / "pictures", np.uint8, "w+", shape=(1000, 40, 40, 3))
    array[:] = 7

    sent = pickle.dumps(Rows(Mapped(array), np.array([4, 0])))

    assert len(sent) < 1000
    assert pickle.loads(sent)[0].unique().tolist() == [7]


def test_what_lies_in_no_file_is_sent(tmp_path: Path) -> None:
    array = np.memmap(tmp_path / "pictures", np.uint8, "w+", shape=(10, 2, 2, 3))
    array[:] = np.arange(10).reshape(10, 1, 1, 1)

    for part in (array[5:], np.asarray(array[5:])):
        assert pickle.loads(pickle.dumps(Mapped(part))).fetch(np.array([0])).unique().tolist() == [5]


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    place = tmp_path / "pictures"
    sent = pickle.dumps(Mapped(np.memmap(place, np.uint8, "w+", shape=(10, 2, 2, 3))))
    place.unlink()

    with pytest.raises(BadFile, match="pictures: this process does not see it"):
        pickle.loads(sent)


def test_parts_of_one_store_are_joined_without_fetching() -> None:
    store, _ = held(10)

    both = joined(Rows(store, np.array([1, 2])), Rows(store, np.array([7])))

    assert isinstance(both, Rows)
    assert both.places.tolist() == [1, 2, 7]
    assert store.fetched == []


def test_some_samples_are_spread_evenly_and_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    store, rows = held(100)

    assert len(some(rows, 11)) == 11
    monkeypatch.setattr("holdfast.data.rows.SOME_BYTES", 48 * 5)

    assert torch.equal(some(rows), store.samples[[0, 25, 50, 74, 99]])
