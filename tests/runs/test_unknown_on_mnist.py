"""Coverage on MNIST, and other pictures in a net that learned MNIST, as benchmarks/unknown.py measures them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("HOLDFAST_DATA", ROOT.parent / "shared" / "data"))
OTHER_KINDS = (
    "clothing",
    "clothing in negative",
    "spectrograms",
    "digits in negative",
    "letters",
    "Greek and Cyrillic",
    "noise",
)


def check(points: list[dict[str, object]]) -> None:
    for point in points:
        answered, unknown = point["answered"], point["unknown"]
        assert isinstance(answered, float)
        assert isinstance(unknown, dict)
        assert 0.94 <= answered <= 0.96
        few = {name: unknown[name] for name in OTHER_KINDS if name in unknown and unknown[name] < 0.8}
        assert few == {}


def test_what_is_claimed_was_measured() -> None:
    """With the default recipe and five seeds."""
    found = json.loads((ROOT / "benchmarks" / "results" / "unknown.json").read_text(encoding="utf-8"))

    assert len(found["points"]) == 5
    check(found["points"])
    assert all(set(OTHER_KINDS) <= set(point["unknown"]) for point in found["points"])


@pytest.mark.slow
def test_it_still_holds_after_a_shorter_training(tmp_path: Path) -> None:
    if not (DATA / "mnist").is_dir():
        pytest.skip(f"no MNIST at {DATA}; HOLDFAST_DATA names the folder that holds mnist/")
    program = ROOT / "benchmarks" / "unknown.py"
    arguments = ["--turns", "1", "--epochs", "5", "--ledger", "ledger.db", "--out", "."]

    done = subprocess.run([sys.executable, program, *arguments], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    check(json.loads((tmp_path / "unknown.json").read_text(encoding="utf-8"))["points"])
