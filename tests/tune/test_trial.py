"""One trial: it ends as if nothing had interrupted it, and what goes wrong in it is told, not raised."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from PIL import Image

from holdfast import Sequential
from holdfast.core import BadFile, BadValue
from holdfast.data import Dataset, load
from holdfast.evaluate import Ledger
from holdfast.layers import Dense, Flatten, Input
from holdfast.runs.predictions import Predictions
from holdfast.runs.searched import ANSWERS
from holdfast.training import EpochEnd, Event, StepEnd
from holdfast.tune.candidate import Candidate
from holdfast.tune.study import Desk, all_told, ask, running
from holdfast.tune.task import Task, Told
from holdfast.tune.trial import CHECKPOINT, carry_out, read_for
from runs.small import Break, in_memory, with_dropout
from tune.searching import but_seconds, task_in


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after each epoch, however short."""
    monkeypatch.setattr("holdfast.tune.trial.LEAST_S", 0.0)


class Counting:
    """Hears how many epochs are trained."""

    def __init__(self) -> None:
        self.epochs = 0

    def __call__(self, event: Event) -> None:
        self.epochs += isinstance(event, EpochEnd)


def first(task: Task, **options: Any) -> Told:  # Any: of carry_out
    """Draws a trial and carries it out."""
    with Desk.open(task) as desk:
        number = ask(desk)
        assert number is not None
        return carry_out(task, number, desk=desk, **options)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def answers(task: Task, number: int = 0) -> Predictions:
    return Predictions.read(task.trial_folder(number) / ANSWERS)


def test_a_trial_tells_what_its_answers_are_worth(tmp_path: Path) -> None:
    task = task_in(tmp_path)

    told = first(task)

    said = answers(task)
    assert told.state == "complete"
    assert told.value == said.right.mean()
    assert said.fingerprint == task.data.validation.fingerprint
    assert told.epochs == 4
    assert not (task.trial_folder(0) / CHECKPOINT).exists()


def test_a_trial_that_has_ended_is_told_again_and_not_trained(tmp_path: Path) -> None:
    task, heard = task_in(tmp_path), Counting()
    told = first(task)

    assert carry_out(task, 0, hear=(heard,)) == told
    assert heard.epochs == 0


def test_trials_with_equal_values_are_equal_bit_by_bit(tmp_path: Path) -> None:
    one, other = task_in(tmp_path / "one"), task_in(tmp_path / "other")
    first(one)
    first(other)

    np.testing.assert_array_equal(answers(one).probabilities, answers(other).probabilities)


@pytest.mark.parametrize("patience", [None, 3], ids=["recipe", "patience"])
@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_trial_that_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(
    epoch: int, patience: int | None, tmp_path: Path
) -> None:
    how = {"epochs": 4, "patience": patience, "device": "cpu", "precision": "float32"}
    space = lambda trial: with_dropout()
    whole, parts = (task_in(tmp_path / name, space=space, how=how) for name in ("whole", "parts"))
    expected, lines, heard = first(whole), list[str](), Counting()
    late = epoch == 4
    break_off = Break(KeyboardInterrupt(), epoch=epoch, batch=0 if late else 1, at=EpochEnd if late else StepEnd)
    with pytest.raises(KeyboardInterrupt):
        first(parts, hear=(break_off,))
    (parts.trial_folder(0) / f".{ANSWERS}.123.tmp").touch()  # half-written by who was killed

    told = carry_out(parts, 0, lambda word, sentence: lines.append(f"{word} {sentence}"), hear=(heard,))

    assert but_seconds(told) == but_seconds(expected)
    assert [path.name for path in parts.trial_folder(0).iterdir()] == [ANSWERS]
    np.testing.assert_array_equal(answers(parts).probabilities, answers(whole).probabilities)
    kept = epoch if epoch < 4 else 3
    assert lines == [f"trial 0 goes on after epoch {kept} of 4"]
    assert heard.epochs == 4 - kept


def test_a_trial_killed_before_it_was_told_complete_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, heard = task_in(tmp_path), Counting()
    with monkeypatch.context() as patch:
        patch.setattr("optuna.storages._CachedStorage.set_trial_state_values", killed)
        with pytest.raises(KeyboardInterrupt):
            first(task)

    told = carry_out(task, 0, hear=(heard,))

    assert (told.state, heard.epochs) == ("complete", 0)
    with Desk.open(task) as desk:
        assert all_told(desk) == [told]
        assert running(desk) == []


def test_what_is_wrong_with_a_trial_is_told(tmp_path: Path) -> None:
    def wide(trial: Any) -> Sequential:  # Any: Optuna's trial
        return Sequential([Input((7, 7, 1)), Flatten(), Dense(3, activation="softmax")])

    told = first(task_in(tmp_path, space=wide))

    assert told.state == "failed"
    assert "(6, 6, 1)" in told.reason


@pytest.mark.parametrize("pruner", ["none", "asha"])
def test_a_trial_that_diverges_has_failed(pruner: str, tmp_path: Path) -> None:
    how = {"epochs": 9, "optimizer": "sgd", "learning_rate": 1e30, "patience": 100, "device": "cpu"}
    told = first(task_in(tmp_path, pruner=pruner, how=how, space=lambda trial: "dense"))

    assert told.state == "failed"
    assert "diverged" in told.reason


def test_a_disk_that_is_full_is_no_fault_of_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_in(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Predictions, "write", full)
        with pytest.raises(OSError, match="No space left"):
            first(task)

    assert carry_out(task, 0).state == "complete"


def test_a_trial_that_looks_worse_than_the_others_is_stopped(tmp_path: Path) -> None:
    task = task_in(tmp_path, pruner="asha", how={"epochs": 9, "device": "cpu", "precision": "float32"})
    with Desk.open(task) as desk:
        for _ in range(6):
            number = ask(desk)
            assert number is not None
            carry_out(task, number, desk=desk)
        told = all_told(desk)

    stopped = [one for one in told if one.state == "pruned"]
    assert stopped
    assert {one.epochs for one in stopped} <= {1, 3}
    assert {one.reason for one in stopped} == {"others looked better"}
    assert not any(task.trial_folder(one.number).exists() for one in stopped)


def test_a_trial_ends_when_the_time_is_over(tmp_path: Path) -> None:
    told = first(task_in(tmp_path), over=lambda: True)

    assert (told.state, told.epochs, told.reason) == ("pruned", 1, "out of time")
    assert told.value is not None


def test_every_look_at_validation_is_in_the_ledger(tmp_path: Path) -> None:
    task = task_in(tmp_path, how={"epochs": 9, "device": "cpu", "precision": "float32"})
    first(task)

    with Ledger.open(task.storage) as ledger:
        assert ledger.looks(task.data.validation.fingerprint) == 3  # after epochs 1 and 3, and at the end


def test_with_patience_each_epoch_is_a_look_and_is_told(tmp_path: Path) -> None:
    how = {"epochs": 4, "patience": 2, "device": "cpu", "precision": "float32"}
    task = task_in(tmp_path, how=how)
    told = first(task)

    with Ledger.open(task.storage) as ledger:
        assert ledger.looks(task.data.validation.fingerprint) == told.epochs + 1
    assert len(told.seen) == told.epochs


def test_on_folds_all_samples_of_the_pool_are_judged(tmp_path: Path) -> None:
    task = task_in(tmp_path, cv=3)
    told = first(task)

    said = answers(task)
    assert len(said.labels) == len(task.data.pool)
    assert told.value == said.right.mean()
    assert told.epochs == 12
    assert [path.name for path in task.trial_folder(0).iterdir()] == [ANSWERS]


def test_folds_that_were_done_are_not_trained_again(tmp_path: Path) -> None:
    whole, parts = task_in(tmp_path / "whole", cv=3), task_in(tmp_path / "parts", cv=3)
    expected, heard = first(whole), Counting()
    calls = iter([False, True])

    def over() -> bool:
        if next(calls):
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        first(parts, over=over)
    told = carry_out(parts, 0, hear=(heard,))

    assert but_seconds(told) == but_seconds(expected)
    assert heard.epochs == 4
    np.testing.assert_array_equal(answers(parts).probabilities, answers(whole).probabilities)


def test_folds_stop_a_trial_that_is_worse_than_the_best(tmp_path: Path) -> None:
    def units(trial: Any) -> Sequential:  # Any: Optuna's trial
        wide = trial.number == 0
        body = [Dense(16, activation="relu")] if wide else [Dense(1, activation="relu"), Dense(1, activation="relu")]
        return Sequential([Input((6, 6, 1)), Flatten(), *body, Dense(3, activation="softmax")])

    how = {"epochs": 20, "device": "cpu", "precision": "float32"}
    task = task_in(tmp_path, cv=3, space=units, pruner="wilcoxon", how=how)
    with Desk.open(task) as desk:
        for _ in range(2):
            number = ask(desk)
            assert number is not None
            carry_out(task, number, desk=desk)
        states = [(one.state, one.epochs) for one in all_told(desk)]

    assert states == [("complete", 60), ("pruned", 20)]


def test_no_trial_can_reach_the_test_part(tmp_path: Path) -> None:
    data = in_memory()
    task = task_in(tmp_path, data=data)

    assert len(data.test) > 0
    assert len(task.data.test) == 0
    assert task.data.validation is data.validation


def test_an_image_size_cannot_be_chosen_for_data_from_memory(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^image_size: cannot be chosen for data from memory"):
        read_for(in_memory(), Candidate("dense", {}, {"image_size": 12}))


def test_folds_that_are_trained_together_give_nearly_the_same_and_go_on_together(tmp_path: Path) -> None:
    alone, together, parts = (
        task_in(tmp_path / str(size), cv=4, together=min(size, 2), pruner="none") for size in (1, 2, 3)
    )
    first(alone)
    expected = first(together)
    with Desk.open(parts) as desk:
        ask(desk)
    heard, number = Counting(), iter([False, False])

    def over() -> bool:
        if next(number, True):
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        carry_out(parts, 0, over=over)
    (parts.trial_folder(0) / "fold-004-4.npz").unlink()  # killed between the answers of two folds
    told = carry_out(parts, 0, hear=(heard,))

    assert but_seconds(told) == but_seconds(expected)
    assert heard.epochs == 8
    np.testing.assert_array_equal(answers(parts).probabilities, answers(together).probabilities)
    np.testing.assert_allclose(answers(alone).probabilities, answers(together).probabilities, atol=1e-5)


def test_a_database_that_fails_says_nothing_about_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StorageInternalError("connection lost\nin many words")

    task = task_in(tmp_path, pruner="asha", how={"epochs": 4, "device": "cpu"})
    with monkeypatch.context() as patch:
        patch.setattr(RDBStorage, "set_trial_intermediate_value", broken)
        with pytest.raises(BadFile, match=r"ledger's database: connection lost; once it"):
            first(task)

    assert carry_out(task, 0).state == "complete"


def test_reading_again_does_not_bring_samples_back_that_were_left_out(tmp_path: Path) -> None:
    whole = folder_of_pictures(tmp_path)
    fewer = whole.with_parts(whole.train.take([0, 1, 2]), whole.validation)

    assert len(read_for(whole, Candidate("dense", {}, {"image_size": 4})).train) == len(whole.train)
    with pytest.raises(BadValue, match=r"^image_size: cannot be chosen, for reading again gives other samples"):
        read_for(fewer, Candidate("dense", {}, {"image_size": 4}))


def test_the_size_that_the_data_has_is_not_read_again(tmp_path: Path) -> None:
    data = folder_of_pictures(tmp_path)

    assert read_for(data, Candidate("dense", {}, {"image_size": 8})) is data


def folder_of_pictures(folder: Path) -> Dataset:
    chance = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            picture = Image.fromarray(chance.integers(0, 255, (8, 8), np.uint8))
            picture.save(folder / "pictures" / name / f"{number}.png")
    return load(folder / "pictures", image_size=8)
