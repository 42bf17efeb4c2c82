"""A training set of 20 times the memory limit: trained on at a flat resident size, killed and resumed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from holdfast.runs import Run

pytestmark = [pytest.mark.soak, pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts so on Linux")]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
GROWTH_MB = 60  # over an epoch of 1,100 steps


def streaming() -> ModuleType:
    """benchmarks/streaming.py."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("streaming", ROOT / "benchmarks" / "streaming.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_forty_gigabytes_are_trained_on_by_a_process_that_may_take_two(tmp_path: Path) -> None:
    """The files are small, 0.2 GB, and made large when they are decoded: what is measured is memory, not the disk."""
    program = streaming()
    program.make(tmp_path / "set", gigabytes=40.2, side=512, stored=30, shard_size="8MB", workers=1)

    found = program.flat(tmp_path / "set", limit=2e9, side=512)

    assert found["times_the_limit"] > 20
    assert found["resident_mb"]["most"] < 1500
    assert found["growth_mb_over_all_steps"] < GROWTH_MB


def test_a_run_on_shards_that_is_killed_within_an_epoch_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    streaming().make(tmp_path / "set", gigabytes=1.0, side=128, stored=30, shard_size="500KB", workers=1)
    words = [sys.executable, "-m", "holdfast", "train", str(tmp_path / "set"), "--image-size", "128", "--epochs", "1"]
    words += ["--device", "cpu", "--quiet", "--out"]
    subprocess.run([*words, str(tmp_path / "whole")], check=True, env=ENVIRONMENT)
    code = (  # the same, with a checkpoint after each step
        "import functools, sys; from holdfast.runs import job, watch; "
        "job.Checkpointing = functools.partial(watch.Checkpointing, every_s=0.0); "
        "from holdfast.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    killed = subprocess.Popen([sys.executable, "-c", code, *words[3:], str(tmp_path / "killed")], env=ENVIRONMENT)
    checkpoint = tmp_path / "killed" / "set-001" / "checkpoints" / "last.safetensors"
    while killed.poll() is None and not (checkpoint.exists() and _step(checkpoint) > 100):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert json.loads((tmp_path / "killed" / "set-001" / "run.json").read_text())["status"] == "running"

    resume = [sys.executable, "-m", "holdfast", "train", "--resume", str(tmp_path / "killed" / "set-001"), "--quiet"]
    subprocess.run(resume, check=True, env=ENVIRONMENT)

    one, other = (Run.load(tmp_path / name / "set-001") for name in ("whole", "killed"))
    for weight, expected in zip(other.model.get_weights(), one.model.get_weights(), strict=True):
        assert np.array_equal(weight, expected)


def _step(checkpoint: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(checkpoint, "pt") as file:
            return int(json.loads((file.metadata() or {}).get("holdfast", "{}"))["state"]["step"])
    except (OSError, SafetensorError, ValueError, KeyError):
        return 0
