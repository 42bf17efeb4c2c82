"""ModelCheckpoint, CSVLogger and TensorBoard: what they write, and that it is whole and closed."""

import csv
import gc
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from callbacks.moments import Moments
from holdfast.callbacks import CSVLogger, ModelCheckpoint, TensorBoard
from holdfast.core import BadFile, BadValue, MissingExtra, UnknownName
from holdfast.training import State


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_checkpoint_an_epoch_is_named_as_keras_names_it(tmp_path: Path) -> None:
    moments, callback = Moments(), ModelCheckpoint(tmp_path / "in" / "{epoch:02d}-{val_loss:.2f}.safetensors")

    moments.play(callback, "val_loss", [0.256, 0.5])

    assert files(tmp_path) == ["01-0.26.safetensors", "02-0.50.safetensors"]
    assert load_file(tmp_path / "in" / "02-0.50.safetensors")["weight"].item() == 2


def test_save_best_only_keeps_the_best(tmp_path: Path) -> None:
    moments = Moments()
    callback = ModelCheckpoint(str(tmp_path / "best.safetensors"), monitor="val_accuracy", save_best_only=True)

    moments.play(callback, "val_accuracy", [0.5, 0.75, 0.7, 0.75])

    assert load_file(tmp_path / "best.safetensors")["weight"].item() == 2
    assert callback.best == 0.75


def test_a_resumed_training_does_not_replace_a_better_file(tmp_path: Path) -> None:
    moments, path = Moments(), tmp_path / "best.safetensors"
    first, second = (ModelCheckpoint(path, save_best_only=True) for _ in range(2))
    moments.play(first, "val_loss", [1.0])

    second.load_state_dict(first.state_dict())
    moments.play(second, "val_loss", [2.0], start=1)

    assert load_file(path)["weight"].item() == 1


def test_tied_and_channels_last_weights_are_written(tmp_path: Path) -> None:
    moments, callback = Moments(), ModelCheckpoint(tmp_path / "w.safetensors")
    shared = torch.nn.Conv2d(3, 3, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = State(torch.nn.Sequential(shared, shared), 0.1)
    callback(moments.begin())
    moments.state.epoch = 1
    event = moments.epoch_end(0, loss=1.0)
    object.__setattr__(event, "state", state)

    callback(event)

    assert torch.equal(load_file(tmp_path / "w.safetensors")["1.weight"], shared.weight)


def test_a_given_function_writes_the_file(tmp_path: Path) -> None:
    moments = Moments()
    callback = ModelCheckpoint(tmp_path / "m.keras", save=lambda state, path: path.write_text(str(state.epoch)))

    moments.play(callback, "loss", [1.0, 1.0])

    assert (tmp_path / "m.keras").read_text() == "2"


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    def fail(state: State, path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("no more")

    moments, callback = Moments(), ModelCheckpoint(tmp_path / "m.keras", save=fail)
    (tmp_path / "m.keras").write_text("whole")
    callback(moments.begin())

    with pytest.raises(RuntimeError, match="no more"):
        callback(moments.epoch_end(0, loss=1.0))

    assert files(tmp_path) == ["m.keras"]
    assert (tmp_path / "m.keras").read_text() == "whole"


def test_an_ending_that_nobody_can_write_is_told_at_the_beginning() -> None:
    callback = ModelCheckpoint("best.keras")

    assert callback.save is None
    with pytest.raises(BadValue, match=r"ModelCheckpoint\('best.keras'\): only \*.safetensors .* or pass save="):
        callback(Moments().begin())


def test_a_key_in_the_path_that_the_logs_do_not_have_is_named(tmp_path: Path) -> None:
    moments, callback = Moments(), ModelCheckpoint(tmp_path / "{val_los:.2f}.safetensors")

    with pytest.raises(UnknownName, match=r"no value 'val_los', only epoch, loss, val_loss"):
        moments.play(callback, "val_loss", [1.0])


@pytest.mark.parametrize("name", ["{epoch:q}.safetensors", "{epoch.safetensors"])
def test_a_path_that_is_no_format_is_named(name: str) -> None:
    with pytest.raises(BadValue, match=r"ModelCheckpoint\('\{epoch"):
        Moments().play(ModelCheckpoint(name), "loss", [1.0])


def test_a_file_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").mkdir()

    with pytest.raises(BadFile, match=r"cannot write .*w.safetensors: Is a directory"):
        Moments().play(ModelCheckpoint(tmp_path / "w.safetensors"), "loss", [1.0])


def test_each_epoch_is_a_row_at_once(tmp_path: Path) -> None:
    moments, callback = Moments(), CSVLogger(tmp_path / "new" / "log.csv")
    callback(moments.begin())

    callback(moments.epoch_end(0, loss=0.5, val_loss=0.25))

    assert (tmp_path / "new" / "log.csv").read_text() == "epoch,loss,val_loss\n0,0.5,0.25\n"
    callback(moments.end())


def test_missing_values_are_na_and_validation_has_columns_from_the_beginning(tmp_path: Path) -> None:
    moments, callback = Moments(), CSVLogger(tmp_path / "log.csv", separator=";")
    callback(moments.begin())
    callback(moments.epoch_end(0, loss=0.5, learning_rate=0.1))
    callback(moments.epoch_end(1, loss=0.5, val_loss=0.25, learning_rate=0.1))
    callback(moments.end())

    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))

    assert rows == [
        ["epoch", "loss", "learning_rate", "val_loss"],
        ["0", "0.5", "0.1", "NA"],
        ["1", "0.5", "0.1", "0.25"],
    ]


def test_a_file_is_replaced_or_gone_on_with(tmp_path: Path) -> None:
    path, moments = tmp_path / "log.csv", Moments()
    path.write_text("old\n")
    moments.play(CSVLogger(path), "accuracy", [0.5])

    moments.play(CSVLogger(path, append=True), "accuracy", [0.75], start=1)

    assert path.read_text() == "epoch,loss,accuracy,val_loss,val_accuracy\n0,1.0,0.5,NA,NA\n1,1.0,0.75,NA,NA\n"


def test_appending_to_no_file_makes_one(tmp_path: Path) -> None:
    Moments().play(CSVLogger(tmp_path / "log.csv", append=True), "val_loss", [0.5])

    assert (tmp_path / "log.csv").read_text() == "epoch,loss,val_loss\n0,1.0,0.5\n"


def test_a_log_that_cannot_be_written_is_told_at_the_beginning(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"cannot write .*: Is a directory"):
        CSVLogger(tmp_path)(Moments().begin())


def test_the_log_is_closed_at_the_end(tmp_path: Path) -> None:
    moments, callback = Moments(), CSVLogger(tmp_path / "log.csv")

    moments.play(callback, "val_loss", [0.5])

    del callback
    gc.collect()  # an open file would warn here, and warnings are errors
    moments.play(CSVLogger(tmp_path / "log.csv"), "val_loss", [0.5])


@pytest.mark.slow
def test_tensorboard_has_the_scalars_under_keras_s_names(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    moments, callback, threads = Moments(), TensorBoard(tmp_path), threading.active_count()

    moments.play(callback, "val_loss", [0.5, 0.25])

    values = {}
    for part in ("train", "validation"):
        reader = EventAccumulator(str(tmp_path / part))
        reader.Reload()
        values[part] = [(scalar.step, scalar.value) for scalar in reader.Scalars("epoch_loss")]
    assert values == {"train": [(0, 1.0), (1, 1.0)], "validation": [(0, 0.5), (1, 0.25)]}
    assert threading.active_count() == threads


def test_tensorboard_that_is_not_installed_is_told_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # what importing a missing module looks like

    with pytest.raises(MissingExtra, match=r"tensorboard is not installed; run: pip install 'holdfast\[tensorboard\]'"):
        TensorBoard()(Moments().begin())


def test_a_resumed_training_goes_on_with_its_table(tmp_path: Path) -> None:
    """It used to begin the file anew, so that the earlier epochs were lost."""
    moments, path = Moments(), tmp_path / "log.csv"
    first, second = CSVLogger(path), CSVLogger(path)
    moments.play(first, "loss", [1.0])

    second.load_state_dict(first.state_dict())
    moments.play(second, "loss", [0.5], start=1)

    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["epoch"], row["loss"]) for row in rows] == [("0", "1.0"), ("1", "0.5")]


@pytest.mark.slow  # for it imports tensorboard
def test_a_folder_of_tensorboard_s_that_cannot_be_written_is_told_at_the_beginning(tmp_path: Path) -> None:
    """It used to be a bare NotADirectoryError after the first epoch."""
    (tmp_path / "file").write_text("")

    with pytest.raises(BadFile, match=r"^TensorBoard: cannot write .*file.logs: (Not a directory|File exists)$"):
        TensorBoard(tmp_path / "file" / "logs")(Moments().begin())
