"""What the report of a search says is true: its score is not too good though trials were pruned by looks at the same
samples, and dimensions without effect are seldom called clear though the sampler made the trials depend on each other.

luck: 40 small nets learn 1,500 pictures of MNIST's training part, and are judged after 1, 3 and 9 epochs on 15,000
others.  150 times, n of these are drawn as validation, the nets come in another order and are pruned after epochs 1
and 3 as by ASHA, a third goes on; the best of those that came to their end is chosen.  Its accuracy on all the other
samples is held against the best as seen, and against the score without the luck of the choice (BBC over those that came
to their end; also with the early answers of the pruned ones).  The nets differ much, or hardly.  No test part is read.

calls: 100 searches of a function of six dimensions with noise, of which two or none have an effect; how often any of
the others is called clear, and those two are.

    python benchmarks/search_luck.py                                  # ten minutes
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
from common import parser_for, write
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from tune_recipe import mnist

import holdfast
from holdfast.evaluate import bbc
from holdfast.layers import Dense, Dropout, Flatten, Rescaling
from holdfast.training import AdamW
from holdfast.tune import influence
from holdfast.tune.task import Told

NETS, LEARNED, POOL = 40, 1_500, 15_000
EPOCHS = (1, 2, 6)  # more, each time, before the nets are judged
SPREAD = {"much": (1e-4, 0.05, 16), "hardly": (1e-3, 4e-3, 64)}  # learning rates, and the least number of units
SPACE: dict[str, Any] = {f"x{number}": FloatDistribution(0, 1) for number in range(4)} | {
    "c": CategoricalDistribution(["a", "b", "c"]),
    "n": IntDistribution(1, 8),
}


def right_answers(spread: str) -> NDArray[np.bool_]:
    """(nets, times, pool) whether each net is right at each time."""
    part = mnist(0)
    images, labels = part.images[: LEARNED + POOL], part.labels[: LEARNED + POOL]
    low, high, least = SPREAD[spread]
    found = []
    for number in range(NETS):
        random = np.random.default_rng([number, least])
        rate, units = np.exp(random.uniform(np.log(low), np.log(high))), int(random.integers(least, 129))
        layers = [Rescaling(1 / 255), Flatten(), Dense(units, activation="relu"), Dropout(random.uniform(0, 0.5))]
        net = holdfast.Sequential([holdfast.Input((28, 28, 1)), *layers, Dense(10, activation="softmax")], seed=number)
        net.compile(AdamW(learning_rate=float(rate)), "sparse_categorical_crossentropy", ["accuracy"])
        rows = []
        for epochs in EPOCHS:
            net.fit(images[:LEARNED], labels[:LEARNED], epochs=epochs, batch_size=64, verbose=0)
            rows.append(net.predict(images[LEARNED:]).argmax(1) == labels[LEARNED:].numpy())
        found.append(rows)
    return np.array(found)


def searched(right: NDArray[np.bool_], n: int, turn: int) -> dict[str, float]:
    """How much too good the scores of one search are, in shares."""
    random = np.random.default_rng([n, turn])
    judged = random.permutation(right.shape[2])[:n]
    rest = np.setdiff1d(np.arange(right.shape[2]), judged)
    reached: dict[int, list[float]] = {0: [], 1: []}
    ended, pruned = list[int](), list[int]()
    for net in random.permutation(len(right)):
        for rung in (0, 1):
            seen = float(right[net, rung, judged].mean())
            reached[rung].append(seen)
            if seen < sorted(reached[rung], reverse=True)[max(1, len(reached[rung]) // 3) - 1]:
                pruned.append(int(net))
                break
        else:
            ended.append(int(net))
    last, early = right[ended, 2][:, judged], right[pruned, 0][:, judged]
    found, with_early = bbc(last, seed=turn), bbc(np.concatenate([last, early]), seed=turn)
    true = float(right[ended[found.chosen], 2, rest].mean())
    return {
        "ended": len(ended),
        "as seen": found.naive - true,
        "without luck": found.value - true,
        "with early answers": with_early.value - true,
        "covered": float(found.interval[0] <= true <= found.interval[1]),
    }


def luck(turns: int) -> Iterator[dict[str, Any]]:
    """A row a spread and n: means, and their standard errors, in points."""
    for spread in SPREAD:
        right = right_answers(spread)
        for n in (150, 500):
            rows = [searched(right, n, turn) for turn in range(turns)]
            means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            errors = {key: float(np.std([row[key] for row in rows]) / np.sqrt(turns)) for key in rows[0]}
            row = {"spread": spread, "n": n, "turns": turns, "means": means, "errors": errors}
            said = ", ".join(
                f"{key} {100 * means[key]:+.2f} ± {100 * errors[key]:.2f}"
                for key in ("as seen", "without luck", "with early answers")
            )
            covered = f"covered {100 * means['covered']:.0f} %"
            print(f"nets differ {spread}, n={n}, {means['ended']:.1f} ended: too good by {said} points; {covered}")
            yield row


def calls(turns: int) -> Iterator[dict[str, Any]]:
    """A row a sampler, number of trials and effect: shares of searches."""
    for sampler in ("random", "tpe"):
        for trials in (30, 50):
            for effect in (0, 1):
                clear = [_clear(sampler, trials, effect, seed) for seed in range(turns)]
                without = [name for name in SPACE if not effect or name not in ("x0", "c")]
                row: dict[str, Any] = {"sampler": sampler, "trials": trials, "effect": effect, "turns": turns}
                row["called"] = float(np.mean([any(name in without for name in found) for found in clear]))
                row["found"] = {name: float(np.mean([name in found for found in clear])) for name in ("x0", "c")}
                hit = (
                    f", x0 found {100 * row['found']['x0']:.0f} %, c {100 * row['found']['c']:.0f} %" if effect else ""
                )
                print(f"{sampler}, {trials} trials, effect {effect}: wrongly called {100 * row['called']:.0f} %{hit}")
                yield row


def _clear(sampler: str, trials: int, effect: int, seed: int) -> set[str]:
    """The dimensions that are called clear after one search."""
    chooses = optuna.samplers.TPESampler if sampler == "tpe" else optuna.samplers.RandomSampler
    study = optuna.create_study(direction="maximize", sampler=chooses(seed=seed))
    random, told = np.random.default_rng([5, seed]), []
    for number in range(trials):
        trial = study.ask(SPACE)
        values = dict(trial.params)
        value = -effect * (4 * (values["x0"] - 0.3) ** 2 + 0.5 * (values["c"] == "b")) + random.normal(0, 0.3)
        study.tell(trial, value)
        told.append(Told(number, values, "complete", float(value), 1.0, 1, 1.0))
    chances = influence.chances_of(told, SPACE, seed=seed)
    return {name for name, clear in zip(chances, influence.clear_of(list(chances.values())), strict=True) if clear}


def main() -> None:
    given = parser_for(__doc__, turns=150).parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    write(given.out, "search_luck", luck=list(luck(given.turns)), calls=list(calls(min(given.turns, 100))))


if __name__ == "__main__":
    main()
