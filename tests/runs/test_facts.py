"""What a report tells of a run: the command and the Python lines make it again."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import holdfast
from holdfast.cli import main
from holdfast.data import RandomShift, load
from holdfast.models import to_config
from holdfast.runs import Run
from holdfast.runs.again import command_of, python_of
from holdfast.runs.facts import SHOWN, facts_of
from holdfast.training import SGD, CosineDecay, RMSprop

from .small import in_memory, npz, same, train, with_dropout


def photos(root: Path) -> Path:
    """Two classes of pictures of several sizes, and a file that is no picture."""
    random = np.random.default_rng(0)
    for name, light in (("dark", 0), ("light", 120)):
        (root / name).mkdir(parents=True)
        for number in range(20):
            side = int(random.integers(9, 14))
            pixels = random.integers(light, light + 130, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    (root / "dark" / "notes.txt").write_text("no picture")
    return root


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model": "dense", "optimizer": "rmsprop", "batch_size": 11},
        {"seed": 7, "patience": 1, "epochs": 4, "learning_rate": None, "optimizer": RMSprop()},
        {"precision": "bfloat16", "optimizer": "SGD", "learning_rate": 0.3},
        {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 3, "augment": RandomShift(2)},
        {"optimizer": None, "learning_rate": 0.03, "patience": 1, "epochs": 3},
    ],
    ids=str,
)
def test_the_command_makes_the_run_again(tmp_path: Path, settings: dict[str, Any]) -> None:
    data = load(npz(tmp_path / "große Daten.npz"), seed=settings.get("seed", 0), validation=0.2, test=0.1)
    run = train(tmp_path / "runs", data, **settings)

    command = shlex.split(command_of(run.record))

    assert command[:2] == ["holdfast", "train"]
    assert main([*command[1:], "--quiet", "--out", str(tmp_path / "again")]) == 0
    assert same(Run.load(tmp_path / "again" / "große-Daten-001"), run)


def test_the_command_makes_a_run_on_pictures_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(photos(tmp_path / "my photos"), skip_bad=True, image_size=10, test=0.2)
    model = tmp_path / "net.json"
    model.write_text(json.dumps(to_config(holdfast.convnet((10, 10, 3), 2))))
    run = train(tmp_path / "runs", data, model=model, epochs=2)
    monkeypatch.chdir("/")  # it names files in full

    command = shlex.split(command_of(run.record))

    assert "--skip-bad" in command
    assert main([*command[1:], "--quiet", "--out", str(tmp_path / "again")]) == 0
    assert same(Run.load(tmp_path / "again" / "my-photos-001"), run)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": SGD(momentum=0.9)},
        {"optimizer": SGD(CosineDecay(0.1)), "learning_rate": None},
        {"optimizer": RMSprop(clipnorm=1.0)},
        {"model": with_dropout()},
        {"seed": 1},  # another than that of the split
    ],
    ids=["momentum", "schedule", "clipnorm", "own model", "two seeds"],
)
def test_what_no_command_can_say_is_not_given_as_one(tmp_path: Path, settings: dict[str, Any]) -> None:
    run = train(tmp_path / "runs", epochs=1, **settings)

    assert command_of(run.record) == "# made in Python, see below"


def test_arrays_from_memory_have_no_command(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", in_memory(), epochs=1)

    assert command_of(run.record) == "# made in Python, see below"
    assert "data = ...  # your arrays" in python_of(run.record)


def test_pictures_of_a_given_height_and_width_have_no_command(tmp_path: Path) -> None:
    data = load(photos(tmp_path / "photos"), skip_bad=True, image_size=(10, 8))

    assert command_of(train(tmp_path / "runs", data, epochs=1).record) == "# made in Python, see below"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": SGD(CosineDecay(0.1), momentum=0.9), "learning_rate": None, "seed": 2, "precision": "bfloat16"},
        {"optimizer": None, "learning_rate": None, "patience": None, "epochs": 3, "augment": RandomShift(2)},
    ],
    ids=["adam", "all kinds", "recipe"],
)
def test_the_python_lines_make_the_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    run = train(tmp_path / "runs", **settings)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    exec(python_of(run.record), names)

    assert same(names["run"], run)


def test_mistakes_come_worst_first_and_samples_follow_from_the_seed(tmp_path: Path) -> None:
    data = in_memory()
    run = train(tmp_path / "runs", data, epochs=1)
    shares = run.predict(data.validation.images.numpy())

    facts = facts_of(run, data, shares)

    wrong = int((shares.argmax(1) != data.validation.labels.numpy()).sum())
    assert len(facts.mistakes) == wrong > 1
    sure = [picture.probability for picture in facts.mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(picture.truth != picture.predicted for picture in facts.mistakes)
    assert len(facts.samples) == min(SHOWN, 18)
    assert [p.name for p in facts.samples] == [p.name for p in facts_of(run, data, shares).samples]
    other = replace(run, record=run.record.model_copy(deep=True))
    other.record.settings.seed = 9
    assert [p.name for p in facts.samples] != [p.name for p in facts_of(other, data, shares).samples]


def test_the_test_part_is_told_without_its_classes(tmp_path: Path) -> None:
    data = in_memory()
    run = train(tmp_path / "runs", data, epochs=1)

    parts = facts_of(run, data, run.predict(data.validation.images.numpy())).data.parts

    assert [(part.name, part.n) for part in parts] == [("train", 84), ("validation", 18), ("test", 18)]
    assert parts[0].counts is not None
    assert sum(parts[0].counts) == 84
    assert parts[2].counts is None
