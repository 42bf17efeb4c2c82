from pathlib import Path

import numpy as np
import pytest

import holdfast
from holdfast.core import BadValue
from holdfast.models import together
from holdfast.runs import Record

from .small import Break, in_memory, rows, train


def test_each_seed_is_the_run_that_seed_would_have_made(tmp_path: Path) -> None:
    data = in_memory()

    run = train(tmp_path / "several", data, seeds=3, seed=4)

    said = Record.read(run.folder).scores["seeds"]
    alone = [train(tmp_path / "alone", data, seed=seed) for seed in (4, 5, 6)]
    assert said["seeds"] == [4, 5, 6]
    assert said["accuracies"] == [other.validation.accuracy.naive for other in alone]
    assert said["mean"] == pytest.approx(np.mean(said["accuracies"]))
    answers = np.stack([other.model.predict(data.validation).argmax(1) for other in alone])
    pairs = [(answers[a] == answers[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert said["agreement"]["value"] == pytest.approx(np.mean(pairs))
    assert run.record.logs == alone[0].record.logs  # the run itself is the first


def test_seeds_that_are_trained_together_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, sizes = in_memory(), list[int]()
    alone = train(tmp_path / "alone", data, seeds=4)

    def all_at_once(_: object, count: int) -> int:
        sizes.append(count)
        return count

    monkeypatch.setattr(together, "at_once", all_at_once)

    run = train(tmp_path / "together", data, seeds=4)

    assert run.record.scores["seeds"] == alone.record.scores["seeds"]
    assert sizes == [3]  # the run's own is trained by itself


def test_every_seed_is_a_look(tmp_path: Path) -> None:
    run = train(tmp_path, in_memory(), seeds=3, patience=5, epochs=2)

    looks = rows(tmp_path, "select purpose, count(distinct number) from looks group by purpose order by purpose")
    assert looks == [("early stopping", 6), ("report", 3)]  # of three seeds, the first judged as the run
    assert run.validation.accuracy.looks == 6 + 2


def test_seeds_without_patience_look_once_each(tmp_path: Path) -> None:
    run = train(tmp_path, in_memory(), seeds=3, optimizer=None, patience=None, epochs=2)

    assert run.validation.accuracy.looks == len(run.record.logs) + 2


def test_a_resumed_run_trains_its_seeds_too(tmp_path: Path) -> None:
    data = in_memory()
    whole = train(tmp_path / "whole", data, seeds=2)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", data, seeds=2, callbacks=[Break(KeyboardInterrupt(), epoch=2)])

    resumed = holdfast.resume(tmp_path / "cut" / "arrays-001", data, verbose=0)

    assert resumed.record.scores["seeds"] == whole.record.scores["seeds"]


def test_judging_again_keeps_what_the_seeds_told(tmp_path: Path) -> None:
    data = in_memory()
    run = train(tmp_path, data, seeds=2)

    before = Record.read(run.folder).scores["seeds"]

    holdfast.evaluate_run(run.folder, data)

    assert Record.read(run.folder).scores["seeds"] == before


@pytest.mark.parametrize("seeds", [0, 1.5, True])
def test_seeds_are_a_positive_number(tmp_path: Path, seeds: int) -> None:
    with pytest.raises(BadValue, match=r"train\(seeds=.*must be a positive whole number"):
        train(tmp_path, in_memory(), seeds=seeds)
    assert not list(tmp_path.glob("arrays-*"))
