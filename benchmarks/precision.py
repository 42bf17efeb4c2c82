"""Claim: trained in bfloat16, the classic MNIST net is as good on the test part as in float32, within 0.1 point.

The net of 33,194 parameters by the default recipe for 3 epochs, in either precision from the same seeds.  The test part
is opened once for all models, which the ledger counts; accuracy is float32's for both, as in use.

    python benchmarks/precision.py --turns 5                          # a minute; n seeds
"""

import time
from pathlib import Path
from typing import Any, Literal

from common import LEDGER, Spread, parser_for, write
from peers.tasks import MNIST, TASKS

import holdfast
from holdfast.evaluate import Ledger, unseal

PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")


def main() -> None:
    """Trains, judges, prints and writes."""
    parser = parser_for(__doc__, turns=5)
    parser.add_argument("--epochs", type=int, default=3, help="3")
    parser.add_argument("--images", type=int, help="to train on; by default all of the training part")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where looks at the test part are counted")
    given = parser.parse_args()
    if not MNIST.is_dir():
        raise SystemExit(f"no MNIST at {MNIST}; HOLDFAST_DATA names the folder that holds mnist/.")
    data = holdfast.data.load(MNIST)
    images, labels = data.train.images[: given.images], data.train.labels[: given.images]
    models: list[tuple[str, int, float, holdfast.Model]] = []
    for seed in range(given.turns):
        for precision in PRECISIONS:
            model: holdfast.Model = TASKS["small"].model(holdfast, [holdfast.layers.Rescaling(1 / 255)], seed=seed)
            model.compile(metrics=["accuracy"], precision=precision)
            began = time.perf_counter()
            model.fit(images, labels, epochs=given.epochs, verbose=0, measure_train="never")
            models.append((precision, seed, time.perf_counter() - began, model))
    with Ledger.open(given.ledger) as ledger:
        run = ledger.begin_run("benchmark", data)
        test = unseal(data.test, ledger=ledger, run=run)
        ledger.end_run(run, "done")
    found: list[dict[str, Any]] = []
    for name, seed, seconds, model in models:
        logs = model.evaluate(test.images, test.labels, return_dict=True)
        found.append({"precision": name, "seed": seed, "seconds": seconds, "accuracy": logs["accuracy"]})
    means = {}
    for precision in PRECISIONS:
        accuracies = [100 * each["accuracy"] for each in found if each["precision"] == precision]
        means[precision] = sum(accuracies) / len(accuracies)
        print(f"{precision}: mean {means[precision]:.3f} %, {Spread.of(accuracies).text('.2f')}, n={len(accuracies)}")
    print(f"bfloat16 - float32: {means['bfloat16'] - means['float32']:+.3f} points")
    write(given.out, "precision", epochs=given.epochs, samples=len(test), points=found)


if __name__ == "__main__":
    main()
