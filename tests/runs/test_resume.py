"""Resuming: wherever a run was interrupted, it ends bit by bit as if it had not been."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import holdfast
from holdfast import Input, Sequential
from holdfast.callbacks import EarlyStopping, TargetReached
from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import RandomShift, load
from holdfast.layers import (
    AlphaDropout,
    Conv2D,
    Dense,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GroupNormalization,
    MaxNorm,
    MixUp,
    PReLU,
    RandomFlip,
    Rescaling,
    UnitNorm,
)
from holdfast.runs import Run, job
from holdfast.runs.watch import Checkpointing, alone
from holdfast.training import SGD, Callback, CosineDecay, End, EpochEnd, Event, StepEnd

from .small import CLASSES, Break, in_memory, npz, rows, same, train, with_dropout

CTRL_C = KeyboardInterrupt()
LAST = 8  # epoch of the run of `train` with seed 0, which stops early


def broken_off(out: Path, callback: Break, **changes: Any) -> Path:  # Any: what train takes
    """The folder of a run that `callback` interrupted."""
    given = changes.pop("callbacks", [])
    with pytest.raises(type(callback.error)):
        train(out, **changes, callbacks=[*given, callback])
    return out / "small-001"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = train(tmp_path_factory.mktemp("unbroken") / "runs")
    assert len(run.record.logs) == LAST
    return run


@pytest.mark.parametrize(
    "where",
    [
        Break(CTRL_C, epoch=0, batch=1, at=StepEnd),
        Break(CTRL_C, epoch=1),
        Break(CTRL_C, epoch=1, batch=2, at=StepEnd),
        Break(CTRL_C, epoch=4),
        Break(CTRL_C, epoch=LAST),  # after the epoch that ends it, before that was kept
        Break(CTRL_C, at=End),  # after that was kept
    ],
    ids=["in epoch 1", "after epoch 1", "in epoch 2", "after epoch 4", "after the last epoch", "at the end"],
)
def test_an_interrupted_run_ends_as_an_unbroken_one(tmp_path: Path, unbroken: Run, where: Break) -> None:
    folder = broken_off(tmp_path / "runs", where)
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert rows(folder.parent, "select status from runs") == [("interrupted",)]

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)
    assert run.validation.to_dict()["confusion"] == unbroken.validation.to_dict()["confusion"]
    assert run.record.status == "finished"
    assert rows(folder.parent, "select name, status from runs") == [("small-001", "finished")]
    assert list((folder / "checkpoints").iterdir()) == []


def held_and_noisy() -> Sequential:
    """A model with constraints, noise of all kinds, a regularizer of activities and more that training changes."""
    layers = [
        Rescaling(1 / 255),
        GaussianNoise(0.1),
        Conv2D(4, 3, kernel_constraint=UnitNorm(axis=(0, 1, 2)), activity_regularizer="l2"),
        GroupNormalization(2, gamma_constraint="non_neg"),
        PReLU(shared_axes=(1, 2)),
        Flatten(),
        AlphaDropout(0.1),
        Dense(16, kernel_constraint=MaxNorm(0.5)),
        GaussianDropout(0.2),
    ]
    return Sequential([Input((6, 6, 1)), *layers, Dense(CLASSES, activation="softmax")])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_constraints_and_noise_are_resumed_too(tmp_path: Path, precision: str) -> None:
    settings: dict[str, Any] = {"epochs": 3, "precision": precision}
    unbroken = train(tmp_path / "unbroken", model=held_and_noisy(), **settings)
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2), model=held_and_noisy(), **settings)

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)
    kernel = run.model.get_layer("conv2d").kernel
    torch.testing.assert_close(kernel.square().sum((0, 1, 2)), torch.ones(4), rtol=1e-5, atol=1e-5)


def test_a_run_may_be_interrupted_again_and_again(tmp_path: Path, unbroken: Run) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=1))
    for epoch in range(1, LAST):
        with pytest.raises(KeyboardInterrupt):
            holdfast.resume(folder, verbose=0, callbacks=[Break(CTRL_C, epoch=epoch, batch=1, at=StepEnd)])

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)


@pytest.mark.parametrize(("epoch", "batch"), [(0, 2), (3, 1), (LAST - 1, 2)])
def test_long_epochs_are_resumed_in_their_middle(
    tmp_path: Path, unbroken: Run, monkeypatch: pytest.MonkeyPatch, epoch: int, batch: int
) -> None:
    monkeypatch.setattr(job, "Checkpointing", functools.partial(Checkpointing, every_s=0.0))
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=epoch, batch=batch, at=StepEnd))
    steps: list[tuple[int, int]] = []

    def count(event: Event) -> None:
        if isinstance(event, StepEnd):
            steps.append((event.state.epoch, event.state.batch))

    run = holdfast.resume(folder, verbose=0, callbacks=[count])

    assert steps[0] == (epoch, batch)  # the step that was interrupted before it was kept; none before it
    assert same(run, unbroken)


def test_a_look_that_was_written_before_the_interruption_stays_counted(tmp_path: Path, unbroken: Run) -> None:
    in_the_middle = broken_off(tmp_path / "a", Break(CTRL_C, epoch=4, batch=1, at=StepEnd))
    after_a_look = broken_off(tmp_path / "b", Break(CTRL_C, epoch=4))

    first, second = (holdfast.resume(folder, verbose=0) for folder in (in_the_middle, after_a_look))

    assert first.validation.accuracy.looks == unbroken.validation.accuracy.looks == LAST
    assert second.validation.accuracy.looks == LAST + 1  # epoch 4 was trained and looked at twice


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "dense", "optimizer": "rmsprop"},
        {"optimizer": SGD(CosineDecay(0.1), momentum=0.9, nesterov=True), "learning_rate": None},
        {"optimizer": "nadam", "precision": "bfloat16"},
        {"batch_size": 7, "seed": 5, "epochs": 6, "patience": 0},
        {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 3, "augment": RandomShift(1)},
        {"epochs": 4, "augment": "strong"},
        {"epochs": 4, "augment": [RandomFlip("vertical"), MixUp(1.0)]},
    ],
    ids=str,
)
def test_every_setting_is_taken_up_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    unbroken = train(tmp_path / "a", **changes)
    folder = broken_off(tmp_path / "b", Break(CTRL_C, epoch=1, batch=1, at=StepEnd), **changes)

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)
    assert run.record.settings == unbroken.record.settings


def test_a_model_of_ones_own_is_resumed_with_its_weights_and_buffers(tmp_path: Path) -> None:
    unbroken = train(tmp_path / "a", model=with_dropout(seed=5), seed=3)
    folder = broken_off(tmp_path / "b", Break(CTRL_C, epoch=3), model=with_dropout(seed=5), seed=3)

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)


def test_a_model_of_ones_own_is_resumed_from_before_its_first_epoch(tmp_path: Path) -> None:
    def trained() -> Any:  # Any: a model
        model = with_dropout(seed=5)
        model.compile("adam").fit(in_memory(), epochs=1, verbose=0)
        return model

    unbroken = train(tmp_path / "a", model=trained())
    folder = broken_off(tmp_path / "b", Break(CTRL_C, epoch=0, batch=1, at=StepEnd), model=trained())

    run = holdfast.resume(folder, verbose=0)

    assert same(run, unbroken)


@pytest.mark.parametrize("part", ["judge", "facts"])
def test_a_failure_after_training_is_made_up_for_without_training(
    tmp_path: Path, unbroken: Run, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def disk_is_full(*_: object) -> None:
        raise OSError("no space left on device")

    name = "holdfast.runs.job.judge" if part == "judge" else "holdfast.runs.run.facts_of"
    with monkeypatch.context() as patch:
        patch.setattr(name, disk_is_full)
        with pytest.raises(OSError, match="no space left"):
            train(tmp_path / "runs")
    folder = tmp_path / "runs" / "small-001"
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"

    def nobody_trains(event: Event) -> None:
        assert not isinstance(event, (StepEnd, EpochEnd))

    run = holdfast.resume(folder, verbose=0, callbacks=[nobody_trains])

    assert same(run, unbroken)


def test_the_stop_of_a_further_callback_is_remembered(tmp_path: Path) -> None:
    def target() -> list[Callback]:
        return [TargetReached("accuracy", target=0.7)]

    unbroken = train(tmp_path / "a", callbacks=target())
    folder = broken_off(tmp_path / "b", Break(CTRL_C, at=End), callbacks=target())

    run = holdfast.resume(folder, verbose=0, callbacks=target())

    assert "accuracy" in run.record.stop
    assert same(run, unbroken)


def test_two_callbacks_of_one_kind_keep_their_own_memory(tmp_path: Path) -> None:
    def patient() -> EarlyStopping:
        return EarlyStopping("accuracy", patience=20, restore_best_weights=False)

    unbroken = train(tmp_path / "a", callbacks=[patient()])
    folder = broken_off(tmp_path / "b", Break(CTRL_C, epoch=LAST - 1), callbacks=[patient()])
    again = patient()

    run = holdfast.resume(folder, verbose=0, callbacks=[again])

    assert same(run, unbroken)
    assert again.best == max(log["accuracy"] or 0.0 for log in run.record.logs)


def test_data_from_memory_is_given_again(tmp_path: Path) -> None:
    unbroken = train(tmp_path / "a", in_memory())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", in_memory(), callbacks=[Break(CTRL_C, epoch=2)])
    folder = tmp_path / "b" / "arrays-001"

    with pytest.raises(
        BadValue, match=r"its data came from memory; give it in Python: holdfast\.resume\(folder, data\)"
    ):
        holdfast.resume(folder, verbose=0)
    with pytest.raises(BadData, match="arrays: the data has changed since arrays-001 was trained"):
        holdfast.resume(folder, in_memory(seed=1), verbose=0)

    assert same(holdfast.resume(folder, in_memory(), verbose=0), unbroken)


def test_data_that_has_changed_is_refused(tmp_path: Path) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    before = (folder / "run.json").read_bytes()
    npz(tmp_path / "small.npz", seed=1)

    with pytest.raises(BadData, match=r"^small: the data has changed since small-001 was trained, .* train anew\.$"):
        holdfast.resume(folder, verbose=0)

    assert (folder / "run.json").read_bytes() == before


def test_data_that_has_moved_is_found_from_then_on(tmp_path: Path, unbroken: Run) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    moved = (tmp_path / "small.npz").rename(tmp_path / "moved.npz")

    run = holdfast.resume(folder, load(moved), verbose=0)

    assert same(run, unbroken)
    assert holdfast.evaluate_run(folder).record.origin["path"] == str(moved)


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    remains = [folder / ".run.json.123.tmp", folder / "checkpoints" / ".last.safetensors.123.tmp"]
    for path in remains:
        path.write_text("half of")

    holdfast.resume(folder, verbose=0)

    assert not any(path.exists() for path in remains)


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)

    with pytest.raises(BadValue, match=r"small-001: this run has finished; there is nothing to resume\.$"):
        holdfast.resume(run.folder)


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadFile, match=r"is no run, it has no run\.json"):
            holdfast.resume(folder)


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_checkpoint_is_said(tmp_path: Path, damage: bytes | None) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    checkpoint = folder / "checkpoints" / "last.safetensors"
    checkpoint.unlink() if damage is None else checkpoint.write_bytes(damage)

    with pytest.raises(BadFile, match=r"last\.safetensors: cannot be read as a checkpoint"):
        holdfast.resume(folder, verbose=0)


def test_a_run_that_is_being_trained_cannot_be_resumed_beside(tmp_path: Path) -> None:
    refused: list[str] = []

    def try_it(event: Event) -> None:
        if isinstance(event, EpochEnd):
            folder = tmp_path / "runs" / "small-001"
            with pytest.raises(BadValue) as caught:
                holdfast.resume(folder, verbose=0)
            refused.append(str(caught.value))

    run = train(tmp_path / "runs", epochs=2, callbacks=[try_it])

    assert refused == [f"{run.folder}: another process is training this run; wait for it, or end it."] * 2
    with alone(run.folder):
        pass


def test_the_lock_goes_when_training_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone(tmp_path):
        raise RuntimeError

    with alone(tmp_path), pytest.raises(BadValue, match="another process is training this run"), alone(tmp_path):
        pass


def test_a_run_that_was_taken_from_its_ledger_is_refused(tmp_path: Path) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    moved = tmp_path / "elsewhere" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)

    with pytest.raises(BadFile, match=r"elsewhere: there is no ledger\.db, which every folder of runs has"):
        holdfast.resume(moved, verbose=0)
    assert [path.name for path in moved.parent.iterdir()] == [folder.name]  # no ledger was made on the way

    train(tmp_path / "elsewhere", in_memory(), epochs=1)
    with pytest.raises(BadFile, match=r"small-001: the ledger .*ledger\.db does not know this run; keep it beside the"):
        holdfast.resume(moved, verbose=0)


def test_what_is_printed_on_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = broken_off(tmp_path / "my runs", Break(CTRL_C, epoch=4), verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["stopped   interrupted", f"go on     holdfast train --resume '{folder}'"]

    holdfast.resume(folder)

    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert list(dict.fromkeys(words)) == [
        "data",
        "classes",
        "model",
        "resumed",
        "training",
        "stopped",
        "score",
        "verdict",
        "saved",
    ]


def test_the_seconds_of_all_sittings_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = broken_off(tmp_path / "runs", Break(CTRL_C, epoch=2))
    record = json.loads((folder / "run.json").read_text())
    assert 0 < record["seconds"] < 60
    record["seconds"] = 1000.0
    (folder / "run.json").write_text(json.dumps(record))

    run = holdfast.resume(folder, verbose=0)

    assert 1000 < run.record.seconds < 1060
