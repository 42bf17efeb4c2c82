"""Runs whose samples are augmented: what they keep of it, and how they are made again."""

import shlex
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.core import BadValue
from holdfast.data import Batch, RandomShift
from holdfast.layers import MixUp, RandomFlip
from holdfast.runs.again import command_of, python_of
from holdfast.runs.lines import recipe_line
from runs.small import arrays, train

BY_RECIPE: dict[str, Any] = {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 2}


@pytest.mark.parametrize(
    ("augment", "kept", "option", "python", "line"),
    [
        ("light", (0, "light"), "--augment light", "augment='light'", "light augmentation"),
        ("strong", (0, "strong"), "--augment strong", "augment='strong'", "strong augmentation"),
        ("none", (0, ""), "--shift 0", "augment=None", "label smoothing 0.05"),
        (None, (0, ""), "--shift 0", "augment=None", "label smoothing 0.05"),
        (
            RandomShift(2),
            (2, ""),
            "--shift 2",
            "augment=holdfast.data.RandomShift(2)",
            "pictures moved by up to 2 pixels",
        ),
    ],
    ids=["light", "strong", "none", "None", "shift"],
)
def test_a_run_keeps_it_and_says_how_to_make_it_again(
    tmp_path: Path, augment: Any, kept: tuple[int, str], option: str, python: str, line: str
) -> None:
    record = train(tmp_path / "runs", augment=augment, **BY_RECIPE).record

    assert (record.settings.shift, record.settings.augment) == kept
    assert option in command_of(record)
    assert ("--shift" in command_of(record)) != ("--augment" in command_of(record))
    assert python in python_of(record)
    assert recipe_line(record.settings).endswith(line)
    assert shlex.split(command_of(record))[:2] == ["holdfast", "train"]


def test_layers_are_kept_one_by_one_and_said_in_python(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", augment=[RandomFlip("vertical", seed=4), MixUp(0.4)], **BY_RECIPE)

    assert [row["class_name"] for row in run.record.settings.augment if isinstance(row, dict)] == [
        "RandomFlip",
        "MixUp",
    ]
    assert command_of(run.record) == "# made in Python, see below"
    expected = "augment=[holdfast.layers.RandomFlip(mode='vertical', seed=4), holdfast.layers.MixUp(alpha=0.4)]"
    assert expected in python_of(run.record)
    assert recipe_line(run.record.settings).endswith("augmentation by RandomFlip, MixUp")


def test_the_optimizer_that_was_given_trains_with_it_too(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", augment="light", epochs=2)

    assert recipe_line(run.record.settings) == "Adam, learning rate 0.01, light augmentation"


def test_what_no_run_can_keep_is_refused_before_any_folder(tmp_path: Path) -> None:
    def own(batch: Batch, samples: Any, seed: int, number: int) -> Batch:
        return batch

    with pytest.raises(BadValue, match=r"a run is kept so that it can be made again, and code is not"):
        train(tmp_path / "runs", augment=own)
    with pytest.raises(BadValue, match=r"train\(augment='big'\): must be 'auto', 'none', 'light', 'strong'"):
        train(tmp_path / "runs", augment="big")
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/run.json"))


def test_a_cross_validation_takes_it(tmp_path: Path) -> None:
    data = holdfast.data.from_arrays(*arrays(), test=0.2)

    found = holdfast.cross_validate("dense", data, cv=2, epochs=1, augment="light", out=tmp_path, verbose=0)

    assert found.record.settings.augment == "light"
