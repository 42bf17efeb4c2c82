"""What a report tells of a run: the command and the Python lines make it again."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import holdfast
from holdfast.cli import main
from holdfast.data import RandomShift, from_arrays, load
from holdfast.data.reads import Reads
from holdfast.data.series import Series
from holdfast.data.sounds import Sounds
from holdfast.data.volumes import Volumes
from holdfast.models import to_config
from holdfast.runs import Run
from holdfast.runs.again import command_of, crossval_command, crossval_python, python_of
from holdfast.runs.facts import SHOWN, data_facts, facts_of, shown
from holdfast.runs.predictions import Predictions
from holdfast.training import SGD, CosineDecay, RMSprop

from .small import arrays, in_memory, npz, same, train, with_dropout


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


def grouped(root: Path) -> Path:
    """Two classes of pictures by six photographers, whose letter the file's name begins with."""
    random = np.random.default_rng(0)
    for name, light in (("dark", 0), ("light", 120)):
        (root / name).mkdir(parents=True)
        for who in "abcdef":
            for number in range(4):
                pixels = random.integers(light, light + 130, (9, 9), np.uint8)
                Image.fromarray(pixels).save(root / name / f"{who}_{number}.png")
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


def test_the_command_makes_a_run_of_several_seeds_again(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", seeds=2, epochs=1, coverage=0.9)

    command = shlex.split(command_of(run.record))

    assert main([*command[1:], "--quiet", "--out", str(tmp_path / "again")]) == 0
    assert (
        Run.load(tmp_path / "again" / "small-001").record.scores["seeds"]
        == (Run.load(run.folder).record.scores["seeds"])
    )
    assert "seeds=2" in python_of(run.record)


@pytest.mark.parametrize("cv", [3, "groups"])
def test_the_command_and_the_python_make_a_cross_validation_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cv: Any
) -> None:
    data = load(grouped(tmp_path / "photos"), group_by=r"/(\w)_", seed=0)
    found = holdfast.cross_validate("dense", data, cv=cv, epochs=1, device="cpu", out=tmp_path / "runs", verbose=0)
    how: dict[str, Any] = {"cv": cv, "repeats": 1, "refit": False}
    command = shlex.split(crossval_command(found.record, **how))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    assert main([*command[1:], "--quiet", "--out", str(tmp_path / "again")]) == 0
    exec(crossval_python(found.record, **how), names)

    again = Predictions.read(tmp_path / "again" / found.folder.name / "out-of-fold.npz")
    assert np.array_equal(again.probabilities, found.probabilities)
    assert np.array_equal(names["found"].probabilities, found.probabilities)


def test_folds_of_ones_own_have_no_command(tmp_path: Path) -> None:
    data = load(npz(tmp_path / "small.npz"))
    half = np.array_split(np.arange(len(data.pool)), 2)
    found = holdfast.cross_validate(
        "dense", data, cv=[(half[0], half[1]), (half[1], half[0])], epochs=1, device="cpu", out=tmp_path, verbose=0
    )

    page = (found.folder / "report.html").read_text(encoding="utf-8")

    assert "# made in Python, see below" in page
    assert "cv=..., repeats=1, refit=False" in page


def test_the_page_of_a_cross_validation_tells_what_was_found(tmp_path: Path) -> None:
    found = holdfast.cross_validate(
        "dense", in_memory(), cv=3, repeats=2, epochs=1, device="cpu", out=tmp_path, refit=True, verbose=0
    )

    page = (found.folder / "report.html").read_text(encoding="utf-8")

    assert str(found.score) in page
    assert page.count("<th>fold 2") == 2
    assert all(f"{fold.accuracy}" in page for fold in found.folds)
    assert "model.keras, trained on all of these" in page
    assert f"Of {int((found.probabilities.argmax(1) != found.labels).sum())} out of fold" in page


def test_groups_are_told_by_the_part_that_they_stand_in(tmp_path: Path) -> None:
    data = load(grouped(tmp_path / "photos"), group_by=r"/(\w)_")

    train_part, validation, test = data_facts(data).parts

    named = [set(part.groups) for part in (train_part, validation, test)]
    assert set.union(*named) == set("abcdef")
    assert sum(map(len, named)) == 6
    assert sum(n or 0 for n in train_part.groups.values()) == train_part.n
    assert set(test.groups.values()) == {None}


def test_times_are_told_of_the_parts_that_are_open(tmp_path: Path) -> None:
    images, labels = arrays()
    data = from_arrays(images, labels, times=np.arange(120.0))

    parts = data_facts(data).parts

    assert parts[0].times is not None
    assert parts[1].times is not None
    assert parts[0].times[1] < parts[1].times[0]
    assert parts[2].times is None


def test_baselines_and_confidence_are_those_of_validation(tmp_path: Path) -> None:
    data = in_memory()
    run = train(tmp_path / "runs", data, epochs=2)
    shares = run.predict(data.validation.images.numpy())

    facts = facts_of(run, data, shares)

    assert [one.name for one in facts.baselines] == ["majority", "logistic regression"]
    assert facts.baselines[0].score.value == run.validation.baseline
    assert {one.score.n for one in facts.baselines} == {18}
    assert facts.confidence is not None
    assert facts.confidence.calibration.n == 18
    assert facts.confidence.temperature == run.record.temperature
    assert facts.confidence.answered == 1  # 18 samples are too few to promise 95 %
    assert json.loads((run.folder / "report.json").read_text(encoding="utf-8"))["score"]["text"] == str(
        run.validation.accuracy
    )


def test_a_run_from_before_baselines_can_be_told(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    del run.record.scores["baselines"]
    run.record.write(run.folder)

    holdfast.evaluate_run(run.folder)

    said = json.loads((run.folder / "report.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in said["baselines"]] == ["majority"]


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


@pytest.mark.parametrize(
    ("sample", "reads", "shape"),
    [
        (torch.zeros(50), Sounds(8000, 50), (50, 1)),
        (torch.zeros(20, 3), Series(20, ("x", "y"), masked=True), (20, 2)),
        (torch.zeros(4, 5, 6, 2), Volumes((4, 5, 6), 2), (5, 6, 1)),
        (torch.zeros(5, 6, 3), None, (5, 6, 3)),
        (torch.zeros(7), None, None),
    ],
    ids=["sound", "series without its mask", "middle of a volume", "picture", "row"],
)
def test_samples_of_each_kind_are_shown(
    sample: torch.Tensor, reads: Reads | None, shape: tuple[int, ...] | None
) -> None:
    drawn = shown(sample, reads)

    assert (None if drawn is None else drawn.shape) == shape
