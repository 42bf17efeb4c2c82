"""A search of many trials takes no more memory than one of few."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[2] / "src")
MB = 1e6
SEARCH = """
import json, sys
from pathlib import Path
import numpy as np
from holdfast import Sequential
from holdfast.data import from_arrays
from holdfast.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Rescaling
from holdfast.tune.search import search

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

def net(trial):
    if len(found) <= trial.number:  # a trial is asked for its values more than once
        found.append(resident())
    filters, units = trial.suggest_int("filters", 4, 40), trial.suggest_int("units", 8, 200)
    layers = [Conv2D(filters, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(units, activation="relu")]
    return Sequential([Input((16, 16, 1)), Rescaling(1 / 255), *layers, Dense(3, activation="softmax")])

found = []
draw, labels = np.random.default_rng(0), np.arange(600) % 3
images = draw.integers(0, 200, (600, 16, 16), np.uint8)
images[np.arange(600), :, 4 * labels] += 50
data = from_arrays(images, labels, test=0)
trials = int(sys.argv[1])
search(data, net, trials=trials, epochs=2, pruner="none", refit=None, device="cpu", out=sys.argv[2], verbose=0)
print(json.dumps(found))
"""


def resident(trials: int, out: Path) -> list[int]:
    """Bytes of memory at the beginning of each trial, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SEARCH, str(trials), str(out)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found: list[int] = json.loads(ran.stdout)
    assert len(found) == trials
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc, which only Linux has")
@pytest.mark.parametrize(
    ("trials", "warm", "most"),
    [
        pytest.param(25, 10, 25 * MB, marks=pytest.mark.slow),
        pytest.param(100, 20, 30 * MB, marks=pytest.mark.soak),
    ],
    ids=["25", "100"],
)
def test_memory_does_not_grow_from_trial_to_trial(trials: int, warm: int, most: float, tmp_path: Path) -> None:
    found = resident(trials, tmp_path)

    print(f"\n{', '.join(f'{each / MB:.0f}' for each in found[:: trials // 10])} MB")
    assert found[-1] - found[warm] < most
