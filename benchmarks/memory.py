"""Claim: training on MNIST in memory takes at most 250 MB above the import, and 50 trainings what one takes (5 %).

A fresh process each.  The peak is that of the resident memory (VmHWM) over reading the data, training `small` for two
epochs and measuring it, less what was resident after the imports.  For the loop, 50 models are made, trained for an
epoch and thrown away, as cross-validation does, and the resident memory after each is noted.

    python benchmarks/memory.py                                       # three minutes; Linux only
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import parser_for, write
from peers.tasks import MNIST

MB = 1e6
START = """
import json, sys
import numpy as np
import holdfast
from holdfast import callbacks, data, evaluate, layers, metrics, models, training
from pathlib import Path
from peers.tasks import MNIST, TASKS, mnist

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

def fresh(seed):
    model = TASKS["small"].model(holdfast, [layers.Rescaling(1 / 255)], seed=seed)
    return model.compile("rmsprop", metrics=["accuracy"])

size = int(sys.argv[1])
imported = status("VmRSS")
if MNIST.is_dir():
    images, labels = mnist("train")
else:
    images, labels = np.zeros((60_000, 28, 28, 1), np.uint8), np.arange(60_000) % 10
"""
PEAK = """
fresh(0).fit(images[:size], labels[:size], 320, 2, 0)
print(json.dumps({"imported": imported, "peak": status("VmHWM"), "data": images.nbytes + labels.nbytes}))
"""
LOOP = """
resident = []
for seed in range(int(sys.argv[2])):
    fresh(seed).fit(images[:size], labels[:size], 320, 1, 0)
    resident.append(status("VmRSS"))
print(json.dumps({"imported": imported, "resident": resident}))
"""


def run(program: str, *arguments: int) -> dict[str, Any]:
    """What a program found, in a process of its own; bytes."""
    command = [sys.executable, "-c", START + program, *map(str, arguments)]
    ran = subprocess.run(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def main() -> None:
    """Measures, prints and writes."""
    parser = parser_for(__doc__, turns=5)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--fits", type=int, default=50)
    parser.add_argument("--fit-images", type=int, default=6_400, help="of each fit in the loop; 6,400")
    given = parser.parse_args()
    if sys.platform != "linux":
        print("memory is read from /proc, which only Linux has; nothing measured.")
        return
    peaks = [run(PEAK, given.images) for _ in range(given.turns)]
    for each in peaks:
        above = (each["peak"] - each["imported"]) / MB
        print(f"peak {above:.0f} MB above the import ({each['imported'] / MB:.0f} MB)")
    loop = run(LOOP, given.fit_images, given.fits)
    first, last = loop["resident"][0], loop["resident"][-1]
    print(
        f"{given.fits} fits: {first / MB:.0f} MB after the first, {last / MB:.0f} MB after the last: {last / first:.3f}"
    )
    write(given.out, "memory", data="mnist" if MNIST.is_dir() else "random", peaks=peaks, loop=loop)


if __name__ == "__main__":
    main()
