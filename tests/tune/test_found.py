"""What comes out of a search: an honest score, a winner that is a normal run, the report, the files."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import Trial

import holdfast
from holdfast.core import BadFile, BadValue
from holdfast.data import load
from holdfast.evaluate import Ledger, Score, bbc
from holdfast.layers import Dense, Flatten
from holdfast.runs import Run, compare_runs, evaluate
from holdfast.runs.job import carry_out
from holdfast.runs.predictions import Predictions
from holdfast.runs.record import Record
from holdfast.runs.searched import Searched
from holdfast.tune.found import Search, judged
from holdfast.tune.influence import in_order
from holdfast.tune.search import resume_search, search
from holdfast.tune.space import read_values
from holdfast.tune.study import Desk
from holdfast.tune.task import Told
from holdfast.tune.winner import check_refit, differences
from runs.small import in_memory, npz
from tune.searching import task_in

SPACE = {"units": [4, 8, 16], "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
SHORT: dict[str, Any] = {"model": "dense", "trials": 9, "epochs": 3, "device": "cpu", "verbose": 0, "pruner": "none"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the searches of this module are."""
    return tmp_path_factory.mktemp("found") / "runs"


@pytest.fixture(scope="module")
def same(out: Path) -> Search:
    """A search on the validation part, whose winner is trained as its trial was."""
    return search(load(npz(out.parent / "small.npz")), SPACE, out=out, **SHORT)


@pytest.fixture(scope="module")
def whole(out: Path, same: Search) -> Search:
    """A search by folds on the same data, whose winner is trained on train and validation."""
    return search(load(out.parent / "small.npz"), SPACE, cv=3, out=out, **(SHORT | {"trials": 3}))


def answers_of(found: Search) -> list[Predictions]:
    ended = [one for one in found.trials if one.state == "complete"]
    return [Predictions.read(found.folder / "trials" / f"{one.number:04d}" / "answers.npz") for one in ended]


def test_the_score_is_without_the_luck_of_being_the_best_of_all_that_came_to_their_end(same: Search) -> None:
    chosen = bbc(np.stack([one.right for one in answers_of(same)]))

    assert same.complete == chosen.candidates == 9
    assert same.score.naive == pytest.approx(chosen.naive) == same.best.value
    assert same.score.value == pytest.approx(chosen.value, abs=0.02)  # the order of candidates differs, and the ties
    assert same.score.interval[0] < same.score.value < same.score.interval[1]
    assert same.score.part == "validation"
    assert same.score.looks > 9


def test_the_best_is_the_one_with_the_smaller_log_loss_among_equals(same: Search) -> None:
    best = max(one.value for one in same.trials if one.value is not None)

    rivals = [one for one in same.trials if one.value == best]

    assert same.best.log_loss == min(one.log_loss for one in rivals if one.log_loss is not None)


def test_the_winner_reproduces_the_answers_of_its_trial_bit_for_bit(same: Search) -> None:
    assert same.run is not None

    told = Searched.of(same.run.record)

    assert told is not None
    assert told.reproduced == f"its {same.score.n} answers on validation are those of the trial, bit for bit"
    assert same.run.validation.accuracy.naive == pytest.approx(same.best.value)


def test_what_differs_from_the_trial_is_told_by_how_much() -> None:
    kept = Predictions(np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), np.array([0, 1]), ["a", "b"], "x")

    said = differences(np.array([[0.9, 0.1], [0.45, 0.55]], np.float32), kept)

    assert said.startswith(
        "its answers on validation are not bit for bit those of the trial: 1 of 2 name another class"
    )
    assert "differ by up to 0.15;" in said


def test_the_run_tells_the_corrected_score_with_the_naive_one_struck_through(same: Search) -> None:
    assert same.run is not None
    score = same.run.validation.accuracy

    page, card = ((same.run.folder / name).read_text(encoding="utf-8") for name in ("report.html", "card.md"))

    assert (score.value, *score.interval) == pytest.approx((same.score.value, *same.score.interval))
    assert score.optimism == pytest.approx(same.score.optimism)
    assert re.search(rf"<s [^>]*>{100 * score.naive:.1f} %</s>", page)
    assert f'href="../{same.folder.name}/report.html"' in page
    assert f"the best of 9 trials of {same.folder.name}" in page
    assert f"the best of 9 trials of {same.folder.name}" in card.replace("\\", "")


def test_the_winner_is_a_run_like_any_other(same: Search, out: Path) -> None:
    assert same.run is not None
    images = load(out.parent / "small.npz").validation.images.numpy()

    again = evaluate(same.run.folder)
    opened = evaluate(same.run.folder, open_test=True)

    assert Run.load(same.run.folder).predict(images).shape == (len(images), 3)
    assert again.validation.accuracy.value == pytest.approx(same.score.value)
    assert opened.test is not None
    assert opened.openings == 1
    with Ledger.open(out / "ledger.db") as ledger:
        assert {row.name: row.status for row in ledger.runs()}[same.run.folder.name] == "finished"


def test_a_winner_on_train_and_validation_has_the_score_of_the_search_and_says_so(whole: Search) -> None:
    assert whole.run is not None
    run = whole.run

    page = (run.folder / "report.html").read_text(encoding="utf-8")

    assert run.record.settings.whole
    assert run.validation.accuracy.part == whole.score.part == "out-of-fold"
    assert run.validation.accuracy.value == pytest.approx(whole.score.value)
    assert (
        run.train.accuracy.n
        == run.validation.accuracy.n
        == whole.score.n
        == sum(run.record.sizes[part] for part in ("train", "validation"))
    )
    assert "nothing judges this model itself, the score is that of the search" in page
    assert "val_loss" not in run.record.logs[0]
    assert evaluate(run.folder).validation.accuracy.value == pytest.approx(whole.score.value)


def test_a_winner_by_folds_compares_with_a_cross_validation_but_not_with_what_validation_judges(
    same: Search, whole: Search, out: Path
) -> None:
    assert same.run is not None
    assert whole.run is not None
    other = holdfast.cross_validate("dense", load(out.parent / "small.npz"), cv=3, epochs=2, out=out, verbose=0)

    assert compare_runs([whole.run.folder, other.folder]).part == "out-of-fold"
    with pytest.raises(BadValue, match=r"won a search by folds, so out-of-fold answers judge it"):
        compare_runs([same.run.folder, whole.run.folder])
    with pytest.raises(BadValue, match=r"is a search; compare takes trainings or cross-validations\."):
        compare_runs([same.folder, same.run.folder])


def test_a_search_cannot_be_gone_on_with_as_a_run_nor_a_run_as_a_search(same: Search) -> None:
    assert same.run is not None

    with pytest.raises(BadValue, match=r"is a search; go on with: holdfast tune --resume"):
        holdfast.resume(same.folder)
    with pytest.raises(BadValue, match=r"is no search; go on with: holdfast train --resume"):
        resume_search(same.run.folder)
    with pytest.raises(BadValue, match=r"is no search; go on with"):
        Search.load(same.run.folder)


def test_a_finished_search_is_read_again_as_it_was(same: Search) -> None:
    read = Search.load(same.folder)

    assert (read.trials, read.best, read.score, read.influences) == (
        same.trials,
        same.best,
        same.score,
        same.influences,
    )
    assert read.searched == same.searched
    assert str(read) == str(same)
    assert read.run is not None


def test_the_files_have_all_trials_and_the_best_values(same: Search) -> None:
    with (same.folder / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((same.folder / "report.json").read_text(encoding="utf-8"))

    assert [int(row["trial"]) for row in rows] == [one.number for one in same.trials]
    assert float(rows[same.best.number]["accuracy"]) == same.best.value
    best = read_values(same.folder / "best.toml")
    assert {name: best[name] for name in same.values} == pytest.approx(same.values)
    assert told["score"]["value"] == same.score.value
    assert told["winner"] == (same.run and same.run.folder.name)


def test_a_killed_winner_goes_on_and_is_not_trained_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import holdfast.tune.winner as module

    monkeypatch.setattr(module, "carry_out", _killed)
    with pytest.raises(KeyboardInterrupt):
        search(load(npz(tmp_path / "small.npz")), SPACE, out=tmp_path / "runs", **(SHORT | {"trials": 2}))
    monkeypatch.setattr(module, "carry_out", carry_out)
    checkpoints = tmp_path / "runs" / "small-001" / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / ".last.safetensors.123.tmp").touch()  # half-written; it used to be taken for one to go on from

    found = resume_search(tmp_path / "runs" / "small-tune-001", verbose=0)

    assert found.run is not None
    assert found.run.folder.name == "small-001"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()) == [
        "small-001",
        "small-tune-001",
    ]
    assert "bit for bit" in found.run.record.scores["search"]["reproduced"]


def _killed(*_: object, **__: object) -> Run:
    raise KeyboardInterrupt


def test_without_refit_there_is_no_run_but_a_score(tmp_path: Path) -> None:
    found = search(in_memory(), SPACE, out=tmp_path / "runs", refit=None, **(SHORT | {"trials": 2}))

    assert found.run is None
    assert found.score.n == 18
    assert "the winner was not trained anew" in (found.folder / "report.html").read_text(encoding="utf-8")
    assert Record.read(found.folder).status == "finished"


def test_patience_takes_the_luck_of_the_epoch_off_as_well(tmp_path: Path) -> None:
    how = SHORT | {"trials": 3, "epochs": 12, "patience": 3, "optimizer": "adam", "learning_rate": 0.02}

    found = search(in_memory(), {"units": [4, 8, 16]}, out=tmp_path / "runs", sampler="grid", **how)

    assert found.run is not None
    assert len(found.best.seen) == len(found.run.record.logs)
    assert found.score.value < found.score.naive
    judged = found.run.validation.accuracy  # the luck of the epoch used to be taken off a second time
    assert judged.value == found.score.value
    assert judged.interval == found.score.interval
    assert "bit for bit" in found.run.record.scores["search"]["reproduced"]


def test_best_toml_and_the_command_say_how_the_pictures_were_read(tmp_path: Path) -> None:
    data = load("digits")
    data = replace(data, origin={**data.origin, "image_size": 8, "group_by": "a b"})
    found = search(data, {"units": [4, 8]}, out=tmp_path / "runs", refit=None, **(SHORT | {"trials": 2, "epochs": 1}))

    assert read_values(found.folder / "best.toml")["image_size"] == 8
    command = re.search("<pre>(.*)</pre>", (found.folder / "report.html").read_text(encoding="utf-8"))
    assert command is not None
    assert "--image-size 8 --group-by &#39;a b&#39;" in command[1]


def test_the_interval_of_groups_is_drawn_by_groups(tmp_path: Path) -> None:
    data = in_memory(groups=np.repeat(np.arange(40), 3))

    found = search(data, SPACE, out=tmp_path / "runs", refit=None, **(SHORT | {"trials": 2}))

    right = np.stack([one.right for one in answers_of(replace(found, trials=tuple(in_order(found.trials))))])
    by_group, by_sample = (bbc(right, groups=groups).interval for groups in (data.validation.groups, None))
    assert found.score.interval == pytest.approx(by_group, abs=1e-12)
    assert found.score.interval != pytest.approx(by_sample, abs=1e-3)


def test_what_a_function_has_built_is_not_said_to_follow_from_its_values(tmp_path: Path) -> None:
    def build(trial: Trial) -> holdfast.Sequential:
        layers = [Flatten(), Dense(trial.suggest_int("units", 4, 8)), Dense(3, activation="softmax")]
        return holdfast.Sequential([holdfast.Input((6, 6, 1)), *layers])

    found = search(load(npz(tmp_path / "small.npz")), build, out=tmp_path / "runs", **(SHORT | {"trials": 2}))

    assert found.run is not None
    assert read_values(found.folder / "best.toml") == found.values
    for folder in (found.folder, found.run.folder):
        assert "--config" not in (folder / "report.html").read_text(encoding="utf-8")


def test_where_no_trial_came_to_its_end_it_says_why(tmp_path: Path) -> None:
    task, failed = task_in(tmp_path / "x"), Told(0, {}, "failed", None, None, 0, 1.0, "out of memory")

    with (
        Desk.open(task) as desk,
        pytest.raises(BadValue, match=r"none of 1 trial came to its end; trial 0: out of memory"),
    ):
        judged(desk, [failed])


@pytest.mark.parametrize(
    ("refit", "cv", "policy"), [("auto", None, "same"), ("auto", 5, "all"), ("all", None, "all"), (None, None, None)]
)
def test_how_the_winner_is_trained_follows_from_how_trials_were_judged(
    refit: str | None, cv: int | None, policy: str | None
) -> None:
    assert check_refit(refit, cv) == policy


def test_only_a_trial_that_trains_as_train_does_by_itself_is_called_so(same: Search, tmp_path: Path) -> None:
    """The first trial used to be, whatever the space left out."""
    own = search(load(npz(tmp_path / "small.npz")), None, out=tmp_path, **(SHORT | {"trials": 1, "refit": None}))

    assert own.usual is own.trials[0]
    assert Search.load(own.folder).usual == own.usual
    assert same.usual is None  # its space has other units than that


def test_a_wrong_word_for_the_winner_is_told() -> None:
    with pytest.raises(BadValue, match=r"refit='best': must be 'auto', 'same', 'all' or None\."):
        check_refit("best", None)
    with pytest.raises(BadValue, match=r"with folds that is several models; take 'all'\."):
        check_refit("same", 5)


def test_what_is_no_folder_of_a_search_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"is no run, it has no run\.json"):
        Search.load(tmp_path)


def test_a_score_never_prints_without_its_past(same: Search) -> None:
    assert isinstance(same.score, Score)
    assert re.search(
        r"accuracy \d+\.\d % \[.+\] n=18 on validation, without the luck of being the best of 9 trials that came to "
        r"their end \(seen: \d+\.\d %\)",
        str(same),
    )
