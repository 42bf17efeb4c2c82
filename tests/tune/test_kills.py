"""Searches that are killed at random moments: no completed trial is lost or doubled, and all are as if nothing was."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.runs.predictions import Predictions
from holdfast.runs.searched import ANSWERS
from holdfast.tune.study import Desk, ask
from holdfast.tune.trial import CHECKPOINT, carry_out, tidy
from tune.searching import task_in

SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"}
SPACE = """
units = [8, 64]
dropout = { low = 0.0, high = 0.5 }
learning_rate = { low = 0.001, high = 0.1, log = true }
"""
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
GOES_ON = "goes on after epoch"


@dataclass(frozen=True)
class Setting:
    """A search in a folder of its own.

    Attributes:
        epochs: of a trial; more than a second's worth, so that there are checkpoints.
        pruner, refit: "none" where no trial is stopped on the way, and where the winner is not trained again.
    """

    folder: Path
    trials: int
    epochs: int
    pruner: str
    refit: str

    def words(self, out: str) -> list[str]:
        """The command line that begins it."""
        options = {
            "--space": "space.toml",
            "--trials": self.trials,
            "--epochs": self.epochs,
            "--pruner": self.pruner,
            "--refit": self.refit,
            "--out": out,
        }
        given = [str(word) for option in options.items() for word in option]
        return ["tune", "small.npz", "--model", "dense", "--sampler", "tpe", "--device", "cpu", *given]

    def prepare(self) -> None:
        """Noise with a lighter column, by class; one label in five is wrong, so that trials differ."""
        draw = np.random.default_rng(0)
        labels = np.arange(900) % 3
        images = draw.integers(0, 120, (900, 6, 6), np.uint8)
        images[np.arange(900), :, 2 * labels] += 60
        labels = np.where(draw.random(900) < 0.2, draw.integers(0, 3, 900), labels)
        np.savez(self.folder / "small.npz", x=images, y=labels)
        (self.folder / "space.toml").write_text(SPACE)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """A process whose words, on both channels, are added to told.txt."""
        with (self.folder / "told.txt").open("ab") as told:
            command = [sys.executable, "-m", "holdfast", *words]
            return subprocess.Popen(command, stdout=told, stderr=told, cwd=self.folder, env=ENVIRONMENT)

    def told(self) -> str:
        return (self.folder / "told.txt").read_text()


def search_in(out: Path) -> Path | None:
    """The folder of the search that can be resumed; None before there is one."""
    return next((path.parent for path in sorted(out.glob("*-tune-*/run.json"))), None)


def finished(folder: Path | None) -> bool:
    return folder is not None and json.loads((folder / "run.json").read_text())["status"] == "finished"


def rows(out: Path, query: str) -> list[tuple[Any, ...]]:  # Any: what SQLite holds
    with closing(sqlite3.connect(out / "ledger.db")) as ledger:
        return ledger.execute(query).fetchall()


def trials(out: Path) -> list[tuple[int, str, dict[str, Any]]]:  # Any: JSON values
    """Number, state and all that was told of each trial, but for the seconds it took."""
    query = """
        select trials.number, trials.state, told.value_json from trials
        left join trial_user_attributes told on told.trial_id = trials.trial_id and told.key = 'told'
        order by trials.trial_id
    """
    found = [(number, state, json.loads(told or "{}")) for number, state, told in rows(out, query)]
    return [(number, state, {key: told[key] for key in told.keys() - {"seconds"}}) for number, state, told in found]


def check_same(out: Path, whole: Path) -> None:
    """The search in `out` has the trials of the undisturbed one, each once, and its database is sound."""
    found, expected = trials(out), trials(whole)
    assert found == expected
    assert [number for number, _, _ in found] == list(range(len(found)))
    assert all(STATES[state] == told["state"] for _, state, told in found)
    folder, other = search_in(out), search_in(whole)
    assert folder is not None
    assert other is not None
    answers = sorted(path.parent.name for path in folder.glob("trials/*/answers.npz"))
    assert answers == [f"{number:04d}" for number, state, _ in found if state == "COMPLETE"]
    for name in answers:
        one, same = (Predictions.read(each / "trials" / name / "answers.npz") for each in (folder, other))
        np.testing.assert_array_equal(one.probabilities, same.probabilities)
    assert list(folder.rglob("*.tmp")) == []
    assert list(folder.glob("trials/*/last.safetensors")) == []
    assert rows(out, "pragma integrity_check") == [("ok",)]
    assert rows(out, "pragma foreign_key_check") == []
    winners = [json.loads((each / "run.json").read_text())["search"] for each in (folder, other)]
    assert winners[0] == winners[1]


def changed(out: Path) -> int:
    """When the ledger was last written to, its log included."""
    return max((path.stat().st_mtime_ns for path in out.glob("ledger.db*")), default=0)


def killed(process: "subprocess.Popen[bytes]", after: float) -> bool:
    """Whether it was still alive to be killed, so many seconds from now."""
    time.sleep(after)
    if process.poll() is None:
        process.kill()
    return process.wait() == -signal.SIGKILL


def wait_for_checkpoint(out: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until a trial can go on in its middle, or the process ends."""
    while process.poll() is None and not list(out.glob("*/trials/*/last.safetensors")):
        time.sleep(0.005)


def wait_for_ledger(out: Path, before: int, process: "subprocess.Popen[bytes]") -> None:
    """Until the search has opened its books, or the process ends."""
    while process.poll() is None and changed(out) == before:
        time.sleep(0.005)


def with_kills(setting: Setting, out: Path, draw: random.Random, kills: int, longest_s: float) -> int:
    """Has a search killed until it is finished, at most so often; how often it was.

    The first time when there is a checkpoint, then at any moment after the ledger was opened.
    """
    done, words = 0, setting.words(out.name)
    while not finished(search_in(out)):
        folder, before = search_in(out), changed(out)
        if folder is not None:
            words = ["tune", "--resume", f"{out.name}/{folder.name}"]
        process = setting.start(*words)
        if done < kills:
            (wait_for_ledger(out, before, process) if done else wait_for_checkpoint(out, process))
            done += killed(process, draw.uniform(0, longest_s) if done else 0.0)
        assert process.wait() in (0, -signal.SIGKILL), setting.told()
    return done


def undisturbed(folder: Path, **how: Any) -> tuple[Setting, float]:  # Any: of Setting
    """A search that nobody kills, in the folder "whole", and how many seconds its trials took."""
    setting = Setting(folder, **how)
    setting.prepare()
    assert setting.start(*setting.words("whole")).wait() == 0, setting.told()
    told = rows(folder / "whole", "select value_json from trial_user_attributes where key = 'told'")
    return setting, sum(json.loads(text)["seconds"] for (text,) in told)


def test_what_a_trial_left_that_was_killed_when_it_had_been_told_is_removed(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    with Desk.open(task) as desk:
        number = ask(desk)
        assert number is not None
        carry_out(task, number, desk=desk)
        left = task.trial_folder(number) / CHECKPOINT  # as it was until a moment ago
        left.touch()

        tidy(desk)

    assert [path.name for path in left.parent.iterdir()] == [ANSWERS]


@pytest.mark.slow
def test_a_search_that_is_killed_three_times_ends_as_if_nothing_was(tmp_path: Path) -> None:
    setting, seconds = undisturbed(tmp_path, trials=2, epochs=150, pruner="none", refit="none")

    done = with_kills(setting, tmp_path / "killed", random.Random(0), 3, seconds / 3)

    assert done >= 1  # a fast machine may be done before the others come
    assert GOES_ON in setting.told()
    check_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills_change_nothing(tmp_path: Path) -> None:
    setting, seconds = undisturbed(tmp_path, trials=12, epochs=150, pruner="auto", refit="same")
    draw, done, rounds = random.Random(0), 0, 0

    while done < 50:
        rounds += 1
        out = tmp_path / f"round-{rounds}"
        done += with_kills(setting, out, draw, 50 - done, seconds / 3)
        check_same(out, tmp_path / "whole")

    went_on = setting.told().count(GOES_ON)
    print(f"\n{done} kills in {rounds} searches of {seconds:.0f} s; {went_on} trials went on from a checkpoint")
    assert went_on > 5
