"""Claim: `holdfast tune` has what other searches find in all their time after a fifth of it.

Sets: 10,000 of MNIST's training pictures with 5,000 others to validate; spoken digits with 500 of 2,000 to validate, at
random, or one of the four speakers, who is not heard in training.  A turn divides them anew.  In it each system
searches for the same time, one after another, in an order that moves on: holdfast as it comes; the same with random
draws in the place of its sampler, so that the sampler's part is known; KerasTuner's Hyperband and Bayesian optimization
on Keras with TensorFlow; Optuna, as it comes, around a tutorial's PyTorch loop.  Seconds begin when everything is
imported and the data in memory, and count all that a search does then.  What is compared is the best validation
accuracy after any epoch of any trial so far, for all alike: it is what the searches go for, and flatters them all; no
test part is read.  A score that is not reached counts as reached at the end.

What the results have already is not measured again, so a program that was interrupted goes on.

    python benchmarks/tune.py                                          # three hours
    python benchmarks/tune.py --sets mnist --turns 1 --seconds 30 --out /tmp/results
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tables
from common import parser_for, write
from peers.driver import BENCHMARKS, HERE, Kind
from peers.search_sets import EPOCHS, SETS, SPOKEN, arrays
from peers.search_told import Asked
from peers.tasks import MNIST

OURS = "holdfast"
_KERAS = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
SYSTEMS = {
    OURS: Kind(HERE, "peers.search_holdfast", ("tpe",)),
    "holdfast-random": Kind(HERE, "peers.search_holdfast", ("random",)),
    "keras-hyperband": Kind("keras-tf", "peers.search_keras", ("hyperband",), _KERAS),
    "keras-bayesian": Kind("keras-tf", "peers.search_keras", ("bayesian",), _KERAS),
    "optuna-torch": Kind(HERE, "peers.search_torch"),
}


@dataclass(frozen=True)
class Searched:
    """What one search found.

    Attributes:
        best: (seconds, best validation accuracy so far), where it rose.
        trials, epochs: begun, and done, within the time.
    """

    set: str
    seed: int
    system: str
    seconds: float
    trials: int
    epochs: int
    best: Sequence[Sequence[float]]
    versions: dict[str, str]

    @property
    def key(self) -> tuple[str, int, str, float]:
        return self.set, self.seed, self.system, self.seconds

    @property
    def final(self) -> float:
        return self.best[-1][1] if self.best else 0.0


def search(system: str, asked: Asked) -> Searched:
    """Has a system search, in a process of its own.  Raises SystemExit when it fails."""
    kind = SYSTEMS[system]
    command = [str(kind.python), "-m", kind.program, *kind.arguments, asked.word()]
    with tempfile.TemporaryFile("w+") as errors:
        ran = subprocess.run(
            command, cwd=BENCHMARKS, env=os.environ | kind.variables, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        if ran.returncode:
            errors.seek(0)
            raise SystemExit(f"{system} ended with {ran.returncode}:\n{errors.read()[-2000:]}")
    about, *told = [json.loads(line) for line in ran.stdout.splitlines()]
    points = [point for point in told if point["seconds"] <= asked.seconds]
    best: list[tuple[float, float]] = []
    for point in points:
        if not best or point["accuracy"] > best[-1][1]:
            best.append((point["seconds"], point["accuracy"]))
    trials = len({point["trial"] for point in points})
    return Searched(asked.name, asked.seed, system, asked.seconds, trials, len(points), best, about["versions"])


def turns(names: Sequence[str], systems: Sequence[str], count: int) -> Iterator[tuple[str, int, list[str]]]:
    """Set, seed and systems in their order; all sets come once before any comes again."""
    for seed in range(count):
        for name in names:
            first = seed % len(systems)
            yield name, seed, [*systems[first:], *systems[:first]]


def read(path: Path, seconds: float) -> list[Searched]:
    """What was measured before, for so many seconds."""
    if not path.exists():
        return []
    found = [Searched(**each) for each in json.loads(path.read_text(encoding="utf-8"))["searched"]]
    return [each for each in found if each.seconds == seconds]


def draw(found: Sequence[Searched], path: Path) -> None:
    """The median of what each has found against seconds, a panel a set, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "holdfast"  # the same picture each time
    from matplotlib import pyplot

    names = [name for name in SETS if any(each.set == name for each in found)]
    figure, panels = pyplot.subplots(1, len(names), figsize=(5 * len(names), 4), layout="constrained", squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        times = np.geomspace(0.5, max(each.seconds for each in found), 200)
        for system in SYSTEMS:
            curves = [
                [max((value for at, value in each.best if at <= time), default=0.0) for time in times]
                for each in found
                if each.set == name and each.system == system
            ]
            if curves:
                wrong = np.maximum(100 * (1 - np.median(curves, axis=0)), 0.1)  # a logarithm has no zero
                axes.plot(times, wrong, linewidth=2.5 if system == OURS else 1.2, label=system)
        axes.set(xscale="log", yscale="log", xlabel="seconds of the search", ylabel="validation errors, %", title=name)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
    panels[0][0].legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Measures what is missing, prints, writes and draws."""
    parser = parser_for(__doc__, turns=5)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each search; 120")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=list(SYSTEMS))
    given = parser.parse_args()
    if missing := [name for name in given.systems if not SYSTEMS[name].python.exists()]:
        sys.exit(f"{', '.join(missing)}: not built yet; run: make peers, or choose others with --systems.")
    if not MNIST.is_dir() or not SPOKEN.is_dir():
        sys.exit(f"there is no {MNIST} or no {SPOKEN}; HOLDFAST_DATA names the folder that holds them.")
    path = given.out / "tune.json"
    found = read(path, given.seconds)
    about: dict[str, Any] = {"seconds": given.seconds}
    for name, seed, order in turns(given.sets, given.systems, given.turns):
        known = {each.key for each in found}
        left = [system for system in order if (name, seed, system, given.seconds) not in known]
        if not left:
            continue
        with tempfile.TemporaryDirectory() as folder:
            np.savez(f"{folder}/arrays.npz", **arrays(SETS[name](seed)))  # type: ignore[arg-type]  # all are arrays
            for system in left:
                place = f"{folder}/{system}"
                asked = Asked(name, f"{folder}/arrays.npz", EPOCHS[name], seed, given.seconds, place)
                found.append(search(system, asked))
                write(given.out, "tune", **about, searched=found)
                print(f"{name}, seed {seed}: {system} {found[-1].final:.2%} in {found[-1].trials} trials", flush=True)
    print(tables.tune([json.loads(path.read_text(encoding="utf-8"))]))
    draw(found, given.out / "tune.svg")


if __name__ == "__main__":
    main()
