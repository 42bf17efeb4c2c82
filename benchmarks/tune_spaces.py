"""What the default spaces choose between is worth choosing: each dimension is moved alone, from what `train` does.

To both ends of its range, or to each of its choices; so are batch size and label smoothing, which the spaces leave
alone.  On a few samples of each set, validation data of several splits, never a test part.

    OMP_NUM_THREADS=1 python benchmarks/tune_spaces.py                # half an hour; writes results/tune_spaces.json
    OMP_NUM_THREADS=1 python benchmarks/tune_spaces.py digits series  # some kinds of data
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data import Dataset, load
from holdfast.runs.plan import plan, session_for
from holdfast.tune import candidate, default_space, default_values

SHARED = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results" / "tune_spaces.json"
SEEDS = 2
BESIDES: dict[str, tuple[float, ...]] = {"batch_size": (0.5, 2.0), "label_smoothing": (0.0, 3.0)}  # times the usual


@dataclass(frozen=True)
class Kind:
    """A set: how a seed splits it, and of how many samples it trains."""

    load: Callable[[int], Dataset]
    most: int = 100_000


KINDS = {
    "digits": Kind(lambda seed: load("digits", seed=seed)),
    "spoken digits": Kind(lambda seed: load(SHARED / "spoken_digits", seed=seed), 300),
    "clothing": Kind(lambda seed: load(SHARED / "clothing", image_size=48, seed=seed)),
    "mnist": Kind(lambda seed: load(SHARED / "mnist", seed=seed), 600),
    "series": Kind(lambda seed: load("demo:series", seed=seed)),
    "table": Kind(lambda seed: load("demo:table", seed=seed)),
    "volumes": Kind(lambda seed: load("demo:volumes", seed=seed)),
}


def measured(data: Dataset, values: dict[str, Any], seed: int) -> tuple[float, float, float]:
    """Accuracy and log-loss on validation, and the seconds of the training."""
    found = candidate(values, data, "convnet", {"seed": seed, "precision": "float32"})
    settings, network = plan(data, found.model, found.how)
    session, _ = session_for(network, data, settings, (), 0)
    began = time.perf_counter()
    session.run()
    seconds = time.perf_counter() - began
    shares = network.predict(data.validation.images)
    labels = data.validation.labels.numpy()
    right = float((shares.argmax(1) == labels).mean())
    return right, float(-np.log(np.clip(shares[np.arange(len(labels)), labels], 1e-7, 1)).mean()), seconds


def moves(data: Dataset) -> dict[str, dict[str, Any]]:
    """The default, and what differs from it in one dimension."""
    space = default_space(data)
    usual = default_values(space, data)
    found: dict[str, dict[str, Any]] = {"as train does": usual}
    for name, one in space.dimensions.items():
        found |= {
            f"{name} = {end:.3g}" if isinstance(end, float) else f"{name} = {end}": {**usual, name: end}
            for end in one.ends
            if end != usual[name]
        }
    settings, _ = plan(data, "convnet", {})
    for name, factors in BESIDES.items():  # what the default spaces leave alone
        was = getattr(settings, name)
        found |= {f"{name} = {was * factor:.3g}": {**usual, name: type(was)(was * factor)} for factor in factors}
    return found


def main(names: list[str]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or list(KINDS):
        kind, rows = KINDS[name], dict[str, list[tuple[float, float, float]]]()
        for seed in range(SEEDS):
            data = kind.load(seed)
            if len(data.train) > kind.most:
                places = np.random.default_rng(seed).permutation(len(data.train))
                held = np.random.default_rng(seed).permutation(len(data.validation))[: kind.most]
                data = data.with_parts(
                    data.train.take(np.sort(places[: kind.most])), data.validation.take(np.sort(held))
                )
            for words, values in moves(data).items():
                rows.setdefault(words, []).append(measured(data, values, seed))
                print(name, seed, words, *(f"{one:.4f}" for one in rows[words][-1]), flush=True)
        usual = rows["as train does"]
        print(
            f"\n{name}: {len(data.train)} samples, {SEEDS} splits; points of accuracy, log-loss, time against the first"
        )
        for words, found in rows.items():
            means = [statistics.fmean(column) for column in zip(*found, strict=True)]
            base = [statistics.fmean(column) for column in zip(*usual, strict=True)]
            apart = [one[0] - other[0] for one, other in zip(found, usual, strict=True)]
            print(
                f"  {words:<28} {100 * means[0]:6.2f} % ({100 * (means[0] - base[0]):+5.2f}, "
                f"sd {100 * statistics.stdev(apart):4.2f})  {means[1]:.4f} ({means[1] - base[1]:+.4f})  "
                f"x{means[2] / base[2]:.2f}"
            )
        results[name] = rows
        RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
