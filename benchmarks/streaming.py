"""Claim: a set of 20 times the memory limit trains at a flat resident size, and streams at 80 % of the speed of memory.

`make` writes a set of pictures as shards: noise of 16 pixels made large, in all colours, a corner lit by class.
`flat` trains a run on it in a process of its own whose memory is limited by RLIMIT_DATA, which counts what a process
has for itself, and notes the resident size (without the pages of files) after each step: the slope is that of a line
fitted over all steps but the first tenth.  `speed` trains the same model on a part of the set that fits into memory,
in turns from memory and from the shards, and compares the samples a second; the first epoch counts for nobody.

    python benchmarks/streaming.py make /tmp/set --gigabytes 40 --side 256      # disk: about a 15th; 15 minutes
    python benchmarks/streaming.py flat /tmp/set --limit-gb 2                   # 20 minutes
    python benchmarks/streaming.py speed /tmp/set --turns 5
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, Spread, ratios, write

CLASSES, GRAIN = 4, 16
FLAT = """
import json, os, resource, sys, time
from pathlib import Path
import torch
import holdfast
from holdfast import callbacks, data, evaluate, layers, models, runs, training

place, limit, side, batch, out = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
page = os.sysconf("SC_PAGE_SIZE")

def resident():
    _, whole, files, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (whole - files) * page

imported = resident()
resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
began = time.perf_counter()
found = data.load(place, image_size=side)
loaded = resident(), time.perf_counter() - began
sizes = []

def listen(event):
    if isinstance(event, training.StepEnd):
        sizes.append(resident())

model = holdfast.Sequential([
    layers.Input(found.shape), layers.Rescaling(1 / 255),
    layers.Conv2D(16, 8, 8, activation="relu"), layers.Conv2D(32, 3, 2, activation="relu"),
    layers.GlobalAveragePooling2D(), layers.Dense(len(found.classes), activation="softmax"),
])
began = time.perf_counter()
run = runs.train(found, model, epochs=1, batch_size=batch, out=out, callbacks=[listen], verbose=0, precision="float32")
print(json.dumps({
    "samples": sum(map(len, (found.train, found.validation, found.test))), "shape": found.shape, "imported": imported,
    "loaded": loaded[0], "load_s": loaded[1], "train_s": time.perf_counter() - began, "resident": sizes,
    "after": resident(), "accuracy": run.validation.accuracy.value,
}))
"""


def make(
    out: Path, *, gigabytes: float, side: int, stored: int | None = None, shard_size: str = "256MB", workers: int = 2
) -> dict[str, Any]:
    """A set that takes so many gigabytes at `side` pixels; its files have `stored` pixels, if these are others."""
    from holdfast.data import write_shards

    count = math.ceil(gigabytes * 1e9 / (side * side * 3))
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as folder:
        began = time.perf_counter()
        for label in range(CLASSES):
            (Path(folder) / f"class-{label}").mkdir()
        pieces = [range(start, min(start + 500, count)) for start in range(0, count, 500)]
        draw_some = partial(draw, Path(folder), stored or side)
        if workers == 1:
            list(map(draw_some, pieces))
        else:
            with ProcessPoolExecutor(workers) as pool:
                list(pool.map(draw_some, pieces))
        drawn = time.perf_counter()
        write_shards(folder, out, shard_size=shard_size)
        ended = time.perf_counter()
    stored_bytes = sum(path.stat().st_size for path in out.iterdir())
    return {"pictures": count, "bytes": stored_bytes, "draw_s": drawn - began, "shard_s": ended - drawn}


def draw(folder: Path, side: int, numbers: range) -> None:
    """Writes pictures, of which each is noise of its own."""
    from PIL import Image

    for number in numbers:
        label = number % CLASSES
        random = np.random.default_rng(number)
        base, reach = random.integers(30, 170, 3), random.integers(10, 30)
        grain = base + random.integers(-reach, reach, (GRAIN, GRAIN, 3))
        grain[slice(8) if label % 2 else slice(8, 16), slice(8) if label // 2 else slice(8, 16)] += 55
        picture = Image.fromarray(grain.astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
        picture.save(folder / f"class-{label}" / f"{number:07d}.jpg", quality=85)


def flat(place: Path, *, limit: float, side: int, batch: int = 32) -> dict[str, Any]:
    """What a training under a limit of so many bytes needed."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", FLAT, str(place), str(limit), str(side), str(batch), out]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    sizes = np.array(found.pop("resident"), np.float64)
    later = np.arange(len(sizes)) >= len(sizes) // 10
    slope = np.polyfit(np.flatnonzero(later), sizes[later], 1)[0]
    decoded = found["samples"] * math.prod(found["shape"])
    return found | {
        "limit": limit,
        "decoded": decoded,
        "times_the_limit": decoded / limit,
        "steps": len(sizes),
        "resident_mb": {name: float(np.quantile(sizes[later], q)) / 1e6 for name, q in QUANTILES.items()},
        "slope_mb_in_1000_steps": slope * 1000 / 1e6,
        "growth_mb_over_all_steps": slope * later.sum() / 1e6,
    }


QUANTILES = {"least": 0.0, "median": 0.5, "most": 1.0}


def speed(place: Path, *, side: int, samples: int, turns: int) -> dict[str, Any]:
    """Samples a second from memory and from shards, in turns, for the ready-made convnet and the decoder alone."""
    import torch

    from holdfast.data import Batch, Batches, Rows, load
    from holdfast.models import convnet

    found = load(place, image_size=side)
    part = found.train.take(np.arange(min(samples, len(found.train))))
    assert isinstance(part.images, Rows)
    began = time.perf_counter()
    memory = part.images[:]
    decoder = len(part) / (time.perf_counter() - began)
    rates: dict[str, list[float]] = {"memory": [], "shards": []}
    for _ in range(turns):
        for name, images in (("memory", memory), ("shards", part.images)):
            model = convnet(found.shape, len(found.classes)).compile(precision="float32")
            history = model.fit(images, part.labels, 32, 3, 0, augment=None, measure_train="never")
            seconds = history.seconds[1:]
            rates[name].append(len(part) * len(seconds) / sum(seconds))
    ratio = ratios(rates["shards"], rates["memory"])
    only = Batches(Batch((part.images,)), batch_size=32, shuffle=True)
    began = time.perf_counter()
    for _ in only.epoch(0):
        pass
    alone = len(part) / (time.perf_counter() - began)
    return {
        "samples": len(part),
        "threads": torch.get_num_threads(),
        "rates": rates,
        "ratio": ratio,
        "decoder_at_once": decoder,
        "decoder_in_batches": alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "flat", "speed"))
    parser.add_argument("place", type=Path)
    parser.add_argument("--gigabytes", type=float, default=40.0, help="of the decoded set")
    parser.add_argument("--side", type=int, default=256, help="pixels that are trained on")
    parser.add_argument("--stored", type=int, help="pixels of the files of `make`, if these are others")
    parser.add_argument("--limit-gb", type=float, default=2.0)
    parser.add_argument("--samples", type=int, default=2000, help="of `speed`")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    if given.what == "make":
        found = make(given.place, gigabytes=given.gigabytes, side=given.side, stored=given.stored)
    elif given.what == "flat":
        found = flat(given.place, limit=given.limit_gb * 1e9, side=given.side)
    else:
        found = speed(given.place, side=given.side, samples=given.samples, turns=given.turns)
    told = {name: value.text(".2f") if isinstance(value, Spread) else value for name, value in found.items()}
    print(json.dumps(told, indent=1))
    if given.what != "make":
        print(write(given.out, f"streaming_{given.what}", **found))


if __name__ == "__main__":
    main()
