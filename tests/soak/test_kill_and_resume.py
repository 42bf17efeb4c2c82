"""Thirty kills at random moments: what is left can be resumed, and ends bit by bit as the run nobody disturbed."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from holdfast.runs import Run

KILLS = 30
SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"}
TRAIN = ["train", "small.npz", "--epochs", "150", "--patience", "100", "--learning-rate", "0.003", "--device", "cpu"]
KEPT = {
    "card.md",
    "checkpoints",
    "history.csv",
    "model.keras",
    "report.html",
    "report.json",
    "run.json",
    "validation.npz",
}


def data(path: Path) -> None:
    """Noise with a lighter column, by class; one label in five is wrong, so that training overfits and stops."""
    draw = np.random.default_rng(0)
    labels = np.arange(600) % 3
    images = draw.integers(0, 120, (600, 6, 6), np.uint8)
    images[np.arange(600), :, 2 * labels] += 60
    np.savez(path, x=images, y=np.where(draw.random(600) < 0.2, draw.integers(0, 3, 600), labels))


def start(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    """A process in `folder` whose errors are in errors.txt."""
    with (folder / "errors.txt").open("ab") as errors:
        command = [sys.executable, "-m", "holdfast", *words, "--quiet"]
        return subprocess.Popen(command, stderr=errors, cwd=folder, env=ENVIRONMENT)


def changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def wait_for(path: Path, before: int, process: "subprocess.Popen[bytes]") -> None:
    """Until the file changes, which is when training begins, or the process ends."""
    while changed(path) == before and process.poll() is None:
        time.sleep(0.001)


def looks(ledger: Path) -> int:
    with closing(sqlite3.connect(ledger)) as connection:
        return int(connection.execute("select count(distinct number) from looks").fetchone()[0])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_thirty_kills_change_nothing(tmp_path: Path) -> None:
    data(tmp_path / "small.npz")
    assert start(tmp_path, *TRAIN, "--out", "whole").wait() == 0
    unbroken = Run.load(tmp_path / "whole" / "small-001")
    seconds = unbroken.record.seconds + 1  # of training, judging and writing
    draw = random.Random(0)
    rounds, remains = 0, 0
    seen: list[int] = []  # looks at each kill

    while len(seen) < KILLS:
        rounds += 1
        out = tmp_path / f"round-{rounds}"
        record = out / "small-001" / "run.json"
        words, status = [*TRAIN, "--out", out.name], "none"
        while status != "finished":
            before, process = changed(record), start(tmp_path, *words)
            wait_for(record, before, process)
            if len(seen) < KILLS:
                time.sleep(draw.uniform(0, seconds / 3))
                if process.poll() is None:
                    process.kill()
                    seen.append(looks(out / "ledger.db"))
            assert process.wait() in (0, -signal.SIGKILL), (tmp_path / "errors.txt").read_text()
            status = json.loads(record.read_text())["status"]
            remains += len(list(out.rglob("*.tmp")))
            words = ["train", "--resume", f"{out.name}/small-001"]
        check(record.parent, unbroken)

    assert (tmp_path / "errors.txt").read_text() == ""
    print(
        f"\n{KILLS} kills in {rounds} runs of {len(unbroken.record.logs)} epochs and {seconds:.1f} s, after "
        f"{sorted(seen)} looks; {remains} of them in the middle of a write"
    )
    assert len(set(seen)) > KILLS / 3  # they did come at different moments


def check(folder: Path, unbroken: Run) -> None:
    """The run in `folder` is the same as the unbroken one, its files are whole, its ledger is sound."""
    run = Run.load(folder)
    for one, other in zip(run.model.get_weights(), unbroken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert run.record.logs == unbroken.record.logs
    assert (run.record.stop, run.record.kept_epoch) == (unbroken.record.stop, unbroken.record.kept_epoch)
    assert (folder / "history.csv").read_bytes() == (unbroken.folder / "history.csv").read_bytes()
    assert {path.name for path in folder.iterdir()} == KEPT
    assert list(folder.rglob("*.tmp")) == []
    with closing(sqlite3.connect(folder.parent / "ledger.db")) as ledger:
        assert ledger.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert ledger.execute("pragma foreign_key_check").fetchall() == []
        assert ledger.execute("select name, status from runs").fetchall() == [("small-001", "finished")]
        epochs = ledger.execute("select distinct epoch from looks where epoch is not null order by epoch").fetchall()
    assert epochs == [(epoch,) for epoch in range(1, len(run.record.logs) + 1)]  # no look is missing
    assert run.validation.accuracy.looks >= len(run.record.logs)
