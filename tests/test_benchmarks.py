"""The tables of benchmarks/README.md say what the results say, and every program runs, in a tiny form."""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
MNIST = DATA / "mnist"


@dataclass(frozen=True)
class Program:
    """A program, how little it is to do, and the results it leaves."""

    name: str
    arguments: str
    leaves: tuple[str, ...]
    mnist: bool = False  # has nothing to measure without
    photos: bool = False  # neither
    sounds: bool = False

    def __str__(self) -> str:
        return self.name


CASES = (
    Program("augment", "--turns 1 --sides 16 --kinds", ("augment.json",)),
    Program("decode", "--turns 1 --sizes 32 --peers", ("decode.json",), photos=True),
    Program("demos", "--turns 1 --epochs 1 --names demo:table", ("demos.json",)),
    Program("digits", "--turns 1 --epochs 1 --ledger ledger.db", ("digits.json", "ledger.db")),
    Program("gpu", "", ()),
    Program("limit", "--turns 1 --models dense --size 64 --turn-s 0.01 --images 640", ("limit.json",)),
    Program("loop_cost", "--turns 2", ("loop_cost.json",)),
    Program("memory", "--turns 1 --images 640 --fits 2 --fit-images 640", ("memory.json",)),
    Program(
        "precision",
        "--turns 1 --epochs 1 --images 640 --ledger ledger.db",
        ("ledger.db", "precision.json"),
        mnist=True,
    ),
    Program("predict", "--turns 1 --peers", ("predict.json",)),
    Program("pretrain", "--turns 2 --pool 600 --epochs 1 --scratch 2", ("pretrain.json",), mnist=True),
    Program("simulate_scale", "--samples 1000000 --workers 100 --batch 3200", ("simulate_scale.json",)),
    Program("sounds", "--turns 1 --epochs 1 --models convnet", ("sounds.json",), sounds=True),
    Program("stacked", "--turns 1 --models 2 --steps 1", ("stacked.json",)),
    Program("startup", "--turns 1", ("startup.json",)),
    Program(
        "throughput",
        "--turns 1 --turn-s 0.01 --images 256 --data random --models resnet8 --peers torch-tutorial torch-tuned-bf16",
        ("throughput-resnet8-random.json",),
    ),
    Program(
        "time_to_accuracy",
        "--turns 1 --epochs 1 --images 640 --peers --ledger ledger.db",
        ("ledger.db", "time_to_accuracy.json", "time_to_accuracy.svg"),
        mnist=True,
    ),
    Program(
        "unknown", "--turns 1 --epochs 1 --images 640 --ledger ledger.db", ("ledger.db", "unknown.json"), mnist=True
    ),
)
APART = (
    "common",
    "frozen_base",
    "mnist_small_net",
    "search_luck",
    "streaming",
    "tables",
    "tune",
    "tune_fine_tuning",
    "tune_recipe",
    "tune_spaces",
)  # what `make bench` does not run


def test_the_tables_say_what_the_results_say() -> None:
    checked = subprocess.run([sys.executable, BENCHMARKS / "tables.py", "--check"], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr


def test_the_ratio_in_a_table_is_the_median_over_neighbours() -> None:
    page = (BENCHMARKS / "README.md").read_text(encoding="utf-8")

    for path in (BENCHMARKS / "results").glob("throughput-*.json"):
        for duel in json.loads(path.read_text(encoding="utf-8"))["duels"]:
            pairs = zip(duel["ours"], duel["theirs"], strict=True)
            ratio = statistics.median(ours["epochs"] / theirs["epochs"] for ours, theirs in pairs)
            assert f"| {ratio:.2f} (" in page


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_program_runs(case: Program, tmp_path: Path) -> None:
    if case.mnist and not MNIST.is_dir():
        pytest.skip(f"no MNIST at {MNIST}; HOLDFAST_DATA names the folder that holds mnist/")
    if case.photos and not (DATA / "clothing").is_dir():
        pytest.skip(f"no photos at {DATA}; HOLDFAST_DATA names the folder that holds clothing/")
    if case.sounds and not (DATA / "spoken_digits").is_dir():
        pytest.skip(f"no recordings at {DATA}; HOLDFAST_DATA names the folder that holds spoken_digits/")
    command = [sys.executable, str(BENCHMARKS / f"{case.name}.py"), *case.arguments.split(), "--out", "."]
    variables = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}

    ran = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300)

    assert ran.returncode == 0, ran.stderr
    assert set(case.leaves) <= {path.name for path in tmp_path.iterdir()}


def test_every_program_has_a_case_and_a_place_in_make_bench() -> None:
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in APART)
    makefile = (BENCHMARKS.parent / "Makefile").read_text(encoding="utf-8")
    (line,) = [line for line in makefile.splitlines() if line.startswith("BENCHMARKS :=")]

    assert names == [case.name for case in CASES]
    assert names == sorted(line.removeprefix("BENCHMARKS :=").split())
