"""Claim: `import holdfast` adds at most 0.15 s to `import torch`; `fit` makes its first step of `small` within 0.5 s.

Each turn is a fresh process.  Imports are timed inside it: torch, then holdfast with all that a session names.  The
first step is timed from the call of `fit` to its first StepEnd, once with an empty folder of caches and once more with
what was left there, as the second training on a machine finds it.

    python benchmarks/startup.py                                      # a minute
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import Spread, parser_for, write

IMPORTS = """
import json, time
began = time.perf_counter()
import torch
torch_done = time.perf_counter()
import holdfast
bare = time.perf_counter()
from holdfast import Input, Model, Sequential
from holdfast import callbacks, data, layers, models, training
names = time.perf_counter()
print(json.dumps({"torch": torch_done - began, "holdfast": bare - torch_done, "names": names - torch_done}))
"""
FIRST_STEP = """
import json, time
import holdfast
from holdfast.training import StepEnd, Stop
from peers.tasks import TASKS, random_data
task = TASKS["small"]
data = random_data(task.shape, task.images)
pixels = (data.images * 255).astype("uint8")
model = task.model(holdfast, [holdfast.layers.Rescaling(1 / 255)])
model.compile("rmsprop", metrics=["accuracy"])
times = []
def first(event):
    if isinstance(event, StepEnd):
        times.append(time.perf_counter())
        return Stop("that was the first step")
began = time.perf_counter()
model.fit(pixels, data.labels, task.batch_size, verbose=0, callbacks=first, measure_train="never")
print(json.dumps({"first_step": times[0] - began}))
"""


def run(program: str, cache: Path) -> dict[str, float]:
    """What a program found, in a process of its own that has its caches in a folder."""
    variables = os.environ | {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(
        command, cwd=Path(__file__).parent, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def turn() -> dict[str, float]:
    """Seconds of everything, once."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        imports = run(IMPORTS, cache)
        return {
            "import torch": imports["torch"],
            "import holdfast, after it": imports["holdfast"],
            "import holdfast and its names, after it": imports["names"],
            "first step, nothing cached": run(FIRST_STEP, cache)["first_step"],
            "first step, cached": run(FIRST_STEP, cache)["first_step"],
        }


def repeated(measure: Callable[[], dict[str, float]], turns: int) -> dict[str, list[float]]:
    """The turns by what was measured, after one that does not count: it reads the files from the disk."""
    measure()
    found = [measure() for _ in range(turns)]
    return {name: [each[name] for each in found] for name in found[0]}


def main() -> None:
    """Measures, prints and writes."""
    given = parser_for(__doc__, turns=9).parse_args()
    found = repeated(turn, given.turns)
    for name, seconds in found.items():
        print(f"{name:42} {Spread.of(seconds).text('.3f')} s")
    write(given.out, "startup", seconds=found)


if __name__ == "__main__":
    main()
