"""Claim: on MNIST with 100 labels a base that learned without labels is right more often than the best from scratch.

5,000 of the 60,000 training pictures judge, drawn once; nothing learns from them, with labels or without.  The other
55,000 are learned from without labels, once.  A turn is a seed: it draws 10 pictures of each digit, and both learn from
these: a new head on the frozen base, as `holdfast train --base` makes one; and the convnet from scratch, by the default
recipe with light augmentation, as many epochs as served it best on other seeds and other pictures.  The interval is
Student's t over the differences of the turns.  MNIST's own test pictures are not read.

    python benchmarks/pretrain.py                                     # an hour
    python benchmarks/pretrain.py --turns 2 --pool 2000 --epochs 1 --scratch 5
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import parser_for, write
from numpy.typing import NDArray
from scipy.stats import t

from holdfast.core import derive
from holdfast.data.idx import read_array
from holdfast.evaluate import wilson
from holdfast.models import BaseModel, convnet
from holdfast.transfer import classifier, pretrain
from holdfast.transfer.recipe import EPOCHS, transfer_optimizer

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
JUDGED, OF_EACH = 5_000, 10
METHODS = ("contrastive", "denoising", "masked", "autoencoder")


def main() -> None:
    """Learns, judges, prints and writes."""
    parser = parser_for(__doc__, turns=10)
    parser.add_argument("--method", choices=METHODS, default="contrastive")
    parser.add_argument("--pool", type=int, default=55_000, help="pictures without labels")
    parser.add_argument("--epochs", type=int, default=10, help="of learning without labels")
    parser.add_argument("--scratch", type=int, default=400, help="epochs of the convnet from scratch")
    given = parser.parse_args()
    images, labels = digits()
    began = time.perf_counter()
    base = pretrain(images[JUDGED:][: given.pool], method=given.method, epochs=given.epochs).encoder
    seconds = time.perf_counter() - began
    points = []
    for seed in range(given.turns):
        points.append(turn(base, images, labels, seed, given.scratch))
        print(json.dumps(points[-1]), flush=True)
    gains = np.array([point["base"] - point["scratch"] for point in points])
    half = float(t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
    mean = float(gains.mean())
    found = {"mean": mean, "interval": (mean - half, mean + half), "pre_training_s": seconds}
    for who in ("base", "scratch"):
        share = float(np.mean([point[who] for point in points]))
        low, high = wilson(share * JUDGED, JUDGED)
        print(f"{who:<8} {100 * share:.2f} % [{100 * low:.2f}, {100 * high:.2f}], n={JUDGED:,} of {len(points)} turns")
    print(f"gain     {100 * mean:+.2f} points [{100 * (mean - half):+.2f}, {100 * (mean + half):+.2f}]")
    settings = {"method": given.method, "pool": given.pool, "epochs": given.epochs, "scratch_epochs": given.scratch}
    write(given.out, "pretrain", samples=JUDGED, settings=settings, points=points, gain=found)


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The 60,000 training pictures and their labels, in an order of their own; the first of them judge."""
    order = np.random.default_rng(derive(0, "judged")).permutation(60_000)
    images = read_array(DATA / "mnist" / "train-images-idx3-ubyte.gz")[order][..., np.newaxis].astype(np.uint8)
    return images, read_array(DATA / "mnist" / "train-labels-idx1-ubyte.gz")[order].astype(np.int64)


def turn(
    base: BaseModel, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, epochs: int
) -> dict[str, Any]:  # Any: JSON values
    """The share of right answers of both, learned from the same labels."""
    random = np.random.default_rng(derive(seed, "labelled"))
    classes = [JUDGED + np.flatnonzero(labels[JUDGED:] == digit) for digit in range(10)]
    chosen = np.concatenate([random.choice(places, OF_EACH, replace=False) for places in classes])
    found: dict[str, Any] = {"seed": seed}
    for who in ("base", "scratch"):
        model: BaseModel = classifier(base, 10, seed=seed) if who == "base" else convnet((28, 28, 1), 10, seed=seed)
        if who == "base":
            model.compile(transfer_optimizer(), "sparse_categorical_crossentropy")
        model.fit(
            images[chosen],
            labels[chosen],
            epochs=EPOCHS if who == "base" else epochs,
            augment="none" if who == "base" else "light",
            verbose=0,
            measure_train="never",
        )
        found[who] = float((model.predict(images[:JUDGED]).argmax(1) == labels[:JUDGED]).mean())
    return found


if __name__ == "__main__":
    main()
