"""`--config` of train and crossval: training by values that a search found."""

from pathlib import Path

import pytest

from holdfast.runs import Record
from holdfast.tune import write_values
from holdfast.tune.space import Value

from .conftest import Says

VALUES: dict[str, Value] = {
    "model": "dense",
    "units": 5,
    "learning_rate": 0.02,
    "epochs": 2,
    "batch_size": 8,
    "label_smoothing": 0.1,
}


def test_values_train_and_options_of_the_command_line_go_before(small: Path, says: Says, tmp_path: Path) -> None:
    write_values(tmp_path / "best.toml", {**VALUES, "weight_decay": 0.5, "seed": 3})

    code, out, err = says("train", small, "--config", tmp_path / "best.toml", "--epochs", 1, "--device", "cpu")

    assert (code, err) == (0, "")
    settings = Record.read(Path("runs/small-001")).settings
    assert (settings.epochs, settings.batch_size, settings.seed, settings.label_smoothing) == (1, 8, 3, 0.1)
    assert settings.optimizer["config"]["weight_decay"] == 0.5
    assert "2 dense" in out


@pytest.mark.parametrize(("options", "kept"), [(("--shift", 1), 1), ((), 0)], ids=["a shift", "nothing"])
def test_a_shift_goes_before_an_augmentation(
    options: tuple[object, ...], kept: int, small: Path, says: Says, tmp_path: Path
) -> None:
    write_values(tmp_path / "best.toml", {**VALUES, "augment": "light", "epochs": 1})

    code, _, err = says("train", small, "--config", tmp_path / "best.toml", *options, "--device", "cpu", "--quiet")

    assert (code, err) == (0, "")
    settings = Record.read(Path("runs/small-001")).settings
    assert (settings.shift, settings.augment) == (kept, "" if kept else "light")


def test_folds_train_by_values_too(small: Path, says: Says, tmp_path: Path) -> None:
    write_values(tmp_path / "best.toml", {**VALUES, "epochs": 1})

    code, out, err = says("crossval", small, "--folds", 2, "--config", tmp_path / "best.toml", "--device", "cpu")

    assert (code, err) == (0, "")
    assert Record.read(Path("runs/small-crossval-001")).settings.batch_size == 8
    assert "n=76" in out


WRONG = {
    "unknown": ("uits = 8", "uits: is nothing that can be chosen; did you mean 'units'?"),
    "a space": ("units = [8, 16]", "units: is to be chosen; give it a value, or this file to `holdfast tune --space`."),
    "of no optimizer": (
        "momentum = 0.9",
        "momentum: the default recipe has none to choose; choose an `optimizer`, too",
    ),
    "of no net": ("layers = 0", "layers=0: must be a whole number of at least 1."),
    "text": ('epochs = "ten"', 'epochs: takes a whole number, got "ten".'),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_one_line_with_the_file(case: str, small: Path, says: Says, tmp_path: Path) -> None:
    text, message = WRONG[case]
    (tmp_path / "best.toml").write_text(text)

    code, _, err = says("train", small, "--config", tmp_path / "best.toml")

    assert (code, err.count("\n")) == (2, 1)
    assert f"best.toml: {message}" in err
    assert not Path("runs").exists()
