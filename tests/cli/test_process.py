"""The command as a process of its own: what it imports, what it prints where nobody looks, and signals."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.cli import main

from .conftest import Says, write_npz

COMMAND = [sys.executable, "-m", "holdfast"]
SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = os.environ | {"PYTHONPATH": SOURCE, "PYTHONUTF8": "1"}
HEAVY = ("torch", "numpy", "PIL", "sklearn", "scipy", "matplotlib", "sqlalchemy", "rich.progress")


def run(*words: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=ENVIRONMENT, timeout=120)


@pytest.mark.parametrize(
    "code",
    [
        "import holdfast",
        "import holdfast; dir(holdfast); holdfast.__version__",
        "from holdfast.cli import main; assert main(['--help']) == 0",
        "from holdfast.cli import main; assert main(['train', '--help']) == 0",
        "from holdfast.cli import main; assert main(['trian']) == 2",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path: Path, code: str) -> None:
    code += f"\nimport sys\nloaded = [name for name in {HEAVY} if name in sys.modules]\nassert not loaded, loaded"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_names_come_when_they_are_asked_for() -> None:
    code = (
        "import holdfast, sys\n"
        "holdfast.convnet\n"
        "assert 'torch' in sys.modules\n"
        "for name in holdfast.__all__: getattr(holdfast, name)\n"
        "assert dir(holdfast) == sorted(holdfast.__all__)\n"
        "try: holdfast.nothing\n"
        "except AttributeError as error: assert str(error) == \"module 'holdfast' has no attribute 'nothing'\"\n"
        "else: raise AssertionError\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(words) == 0

    out = capsys.readouterr().out
    assert "Usage: holdfast [OPTIONS] COMMAND [ARGS]..." in out
    named = [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()]
    assert [
        *named[:4],
        *sorted(named[4:]),
    ] == [  # a test that has imported a module of commands before changes the order
        "train",
        "predict",
        "evaluate",
        "runs",
        "bases",
        "compare",
        "crossval",
        "curve",
        "data",
        "dims",
        "export",
        "labels",
        "ledger",
        "pays",
        "pretrain",
        "shard",
        "tune",
    ]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (
            "train",
            "DATA --model --epochs --batch-size --optimizer --learning-rate --patience --shift --validation --test "
            "--image-size --skip-bad --seed --device --precision --out --resume --quiet",
        ),
        ("predict", "RUN FILE --top"),
        ("evaluate", "RUN --unseal --yes"),
        ("runs", "--out"),
    ],
)
def test_help_names_every_option(capsys: pytest.CaptureFixture[str], command: str, names: str) -> None:
    assert main([command, "--help"]) == 0

    out = capsys.readouterr().out
    listed = {word.rstrip(",") for line in out.splitlines() for word in line.split()[:3]}
    assert set(names.split()) <= listed


@pytest.mark.slow
def test_without_a_terminal_nothing_but_lines_is_printed(tmp_path: Path) -> None:
    write_npz(tmp_path / "small.npz")

    done = run("train", "small.npz", "--epochs", 3, "--device", "cpu", folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert all(letter.isprintable() or letter == "\n" for letter in done.stdout)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "data",
        "classes",
        "model",
        "recipe",
        *["training"] * done.stdout.count("\ntraining"),
        "score",
        "verdict",
        "saved",
    ]


def test_reading_that_takes_long_prints_nothing_without_a_terminal(
    photos: Path, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.runs.loading.PATIENCE_S", 0.0)

    _, out, err = says("train", photos, "--epochs", 1)

    assert out.startswith("data      my photos: 40 pictures")
    assert err == ""


@pytest.mark.slow
def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    good, wrong = run("--help", folder=tmp_path), run("train", "digit", folder=tmp_path)

    assert good.returncode == 0
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr == "holdfast: no file, folder or data set is called 'digit'; did you mean 'digits'?\n"


@pytest.mark.slow
def test_a_reader_who_goes_away_is_no_traceback(tmp_path: Path) -> None:
    write_npz(tmp_path / "small.npz")
    command = [*COMMAND, "train", "small.npz", "--epochs", "50", "--patience", "50"]

    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=ENVIRONMENT
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert process.wait(60) != 0
    assert "Traceback" not in err
    assert err.count("\n") <= 1


def begun(folder: Path, epochs: int) -> "subprocess.Popen[str]":
    """A training that has reached its third epoch."""
    write_npz(folder / "small.npz")
    command = [*COMMAND, "train", "small.npz", "--epochs", str(epochs), "--patience", str(epochs)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=ENVIRONMENT
    )
    checkpoint = folder / "runs" / "small-001" / "checkpoints" / "last.safetensors"
    seen: set[int] = set()
    deadline = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < deadline:
        if checkpoint.exists():
            seen.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.002)
    assert process.poll() is None
    return process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent otherwise there")
def test_ctrl_c_ends_in_order_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = begun(tmp_path, 1000)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-2:] == [
        "stopped   interrupted",
        "go on     holdfast train --resume runs/small-001",
    ]
    assert "  interrupted  " in run("runs", folder=tmp_path).stdout
    resumed = run("train", "--resume", "runs/small-001", folder=tmp_path)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert run("evaluate", "runs/small-001", folder=tmp_path).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
def test_a_run_in_training_cannot_be_resumed_from_elsewhere(tmp_path: Path) -> None:
    process = begun(tmp_path, 20_000)
    try:
        beside = run("train", "--resume", "runs/small-001", folder=tmp_path)
        listed = run("runs", folder=tmp_path).stdout
    finally:
        process.kill()
        process.communicate()

    assert beside.returncode == 2
    assert beside.stderr == (
        "holdfast: runs/small-001: another process is training this run; wait for it, or end it.\n"
    )
    assert "  running  " in listed
    with closing(sqlite3.connect(tmp_path / "runs" / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("update runs set heartbeat = strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-21 seconds')")
    assert "  killed  " in run("runs", folder=tmp_path).stdout


@pytest.mark.slow
def test_trainings_at_once_get_folders_and_looks_of_their_own(tmp_path: Path) -> None:
    write_npz(tmp_path / "small.npz")
    command = [*COMMAND, "train", "small.npz", "--epochs", "5", "--patience", "9", "--quiet"]

    processes = [subprocess.Popen([*command, "--seed", str(seed)], cwd=tmp_path, env=ENVIRONMENT) for seed in range(3)]

    assert [process.wait(120) for process in processes] == [0, 0, 0]
    lines = run("runs", folder=tmp_path).stdout.splitlines()[1:]
    assert sorted(line.split()[0] for line in lines) == ["small-001", "small-002", "small-003"]
    assert all("finished" in line and line.endswith(", 6 looks") for line in lines)
