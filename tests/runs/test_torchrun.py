"""Several real processes, started by torchrun: they end as one does, and when one is killed the run goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import holdfast
from holdfast import Input, Sequential
from holdfast.data import load
from holdfast.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, ReLU, Rescaling
from holdfast.models import to_config
from holdfast.runs import Run

from .small import CLASSES, npz, rows

SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"}
OPTIONS = ["--batch-size", "16", "--epochs", "6", "--device", "cpu", "--augment", "light"]

# The command, of which the second process is killed at the end of the third epoch.
KILLED = """
import os, signal, sys
from pathlib import Path
from holdfast import cli
from holdfast.runs import job
from holdfast.training import EpochEnd

def kill(event):
    if isinstance(event, EpochEnd) and event.state.epoch == 3:
        os.kill(int(Path("pid 1").read_text()), signal.SIGKILL)

Path(f"pid {os.environ['RANK']}").write_text(str(os.getpid()))
plain = job.session_for
job.session_for = lambda network, data, settings, callbacks, verbose: plain(
    network, data, settings, [*callbacks, kill], verbose
)
sys.exit(cli.main())
"""

# A program that trains again and again, once without data.
AGAIN = """
import sys

import holdfast

for data in ("small.npz", "missing.npz", "small.npz"):
    try:
        run = holdfast.train(data, "dense", epochs=1, batch_size=16, device="cpu", out="again", verbose=0)
        sys.stdout.write(f"{run.folder.name}\\n")  # at once: two processes write
    except holdfast.core.HoldfastError as error:
        sys.stdout.write(f"error: {error}\\n")
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed"),
    pytest.mark.skipif(sys.platform == "win32", reason="torchrun's rendezvous needs libuv there"),
]


def together(folder: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    """`torchrun --nproc-per-node 2` of these words."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, *map(str, words)], capture_output=True, text=True, cwd=folder, env=ENVIRONMENT, timeout=300
    )


def furthest(one: Run, other: Run) -> float:
    """The largest difference between two weights."""
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return max(float(np.abs(mine - its).max()) for mine, its in pairs)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a model with batch norm and dropout."""
    folder = tmp_path_factory.mktemp("together")
    npz(folder / "small.npz")
    layers = [Rescaling(1 / 255), Conv2D(16, 3, use_bias=False), BatchNormalization(), ReLU(), Flatten(), Dropout(0.3)]
    model = Sequential([Input((6, 6, 1)), *layers, Dense(CLASSES, activation="softmax")], seed=0)
    (folder / "net.json").write_text(json.dumps(to_config(model)))
    return folder


@pytest.fixture(scope="module")
def alone(place: Path) -> Run:
    """The run of one process."""
    data = load(place / "small.npz", test=0.15)
    return holdfast.train(
        data, place / "net.json", batch_size=16, epochs=6, device="cpu", augment="light", out=place / "alone", verbose=0
    )


def test_a_run_of_which_a_process_was_killed_ends_on_one_and_on_two_as_one_that_was_trained_alone(
    place: Path, alone: Run
) -> None:
    (place / "killed.py").write_text(KILLED)

    done = together(place, "killed.py", "train", "small.npz", "--model", "net.json", *OPTIONS, "--out", "killed")

    folder = place / "killed" / "small-001"
    assert done.returncode == 1
    assert "workers   2 train it together, each on its share of every 16 samples\n" in done.stdout
    said = [line for line in done.stderr.splitlines() if line.startswith("holdfast:")]
    remedy = "go on with: holdfast train --resume killed/small-001"
    assert said == [f"holdfast: one of the 2 workers was lost; {remedy}"]
    assert "exitcode  : 1 " in done.stderr  # of the one that is left, in torchrun's own report
    assert f"traceback : one of the 2 workers was lost; {remedy}" in done.stderr
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert rows(place / "killed", "select name, status from runs") == [("small-001", "interrupted")]

    shutil.copytree(place / "killed", place / "on two")
    one = holdfast.resume(folder, verbose=0)
    done = together(place, "-m", "holdfast", "train", "--resume", "on two/small-001")

    assert done.returncode == 0, done.stderr
    assert "resumed   on two/small-001 after epoch 3 of 6\n" in done.stdout
    assert done.stdout.count("\nsaved ") == 1
    for run in (one, Run.load(place / "on two" / "small-001")):
        assert furthest(run, alone) < 1e-5
        for mine, its in zip(run.record.logs, alone.record.logs, strict=True):
            assert mine == pytest.approx(its, abs=1e-5)
        assert run.record.machine.endswith(", 2 processes")
        assert rows(run.folder.parent, "select name, status from runs") == [("small-001", "finished")]
        looks = [rows(folder, "select count(*) from looks") for folder in (run.folder.parent, place / "alone")]
        assert looks[0] == looks[1]


def test_what_is_wrong_with_the_data_is_said_once_and_nobody_waits_for_ever(place: Path) -> None:
    done = together(place, "-m", "holdfast", "train", "missing.npz")

    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("holdfast:")]
    assert said == ["holdfast: missing.npz: no such file or folder."]


def test_a_program_trains_one_model_after_another(place: Path) -> None:
    """The second training looked for the others where they had been in the first one."""
    (place / "again.py").write_text(AGAIN)

    done = together(place, "again.py")

    assert done.returncode == 0, done.stderr
    said = sorted(done.stdout.splitlines())
    assert said == ["error: ", "error: missing.npz: no such file or folder.", *["small-001"] * 2, *["small-002"] * 2]
