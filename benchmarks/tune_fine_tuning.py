"""Which learning rates and times suit the last layers of a base: a search on folds of two kinds of pictures.

Claim: none; this program chose FACTOR and UNFREEZE in transfer/rates.py.  The last layers of MobileNet
are trained along with the head, on photos of clothing and on digits of MNIST; every row is one way of training, judged
out of fold on all samples outside the sealed test part.

    python benchmarks/tune_fine_tuning.py clothing [--epochs 10] [--layers 3] [--seeds 1]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from holdfast.data import Dataset, from_arrays, load
from holdfast.evaluate import wilson
from holdfast.runs.folds import folds_of
from holdfast.runs.plan import How, fitted
from holdfast.transfer import FromBase, discriminative
from holdfast.transfer.recipe import transfer_optimizer

DATA = Path(__file__).parents[1] / "shared" / "data"
FOLDS, SIDE = 3, 64
ROWS = [  # factor, unfreeze, learning rate of the head
    (1.0, 0.0, 0.002),
    (0.7, 0.0, 0.002),
    (0.7, 0.0, 0.004),
    (0.7, 0.3, 0.002),
    (0.4, 0.0, 0.002),
    (0.4, 0.0, 0.004),
    (0.4, 0.3, 0.002),
    (0.4, 0.3, 0.006),
    (0.4, 0.3, 0.0005),
    (0.2, 0.3, 0.002),
]


def data_of(name: str, folder: Path) -> Dataset:
    """Photos at 64x64, or 600 digits at 56x56."""
    if name == "clothing":
        return load(folder / "clothing", image_size=SIDE)
    digits = load(folder / "mnist", test=0.15)
    some = np.random.default_rng(0).choice(len(digits.train), 600, replace=False)
    images = digits.train.images[some].numpy().repeat(2, 1).repeat(2, 2)
    return from_arrays(images, digits.train.labels[some].numpy(), name="digits of MNIST")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["clothing", "mnist"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--layers", type=int, default=3)
    asked = parser.parse_args()
    data, base = (
        data_of(asked.set, asked.data),
        FromBase(asked.data / "mobilenet_v1_1.0_224_conv_pw_12", None, asked.layers),
    )
    pool = data.pool
    network = base.build(data.shape, len(data.classes), seed=0)
    rows = [(None, None, None), *ROWS]
    for factor, unfreeze, rate in rows:
        began, right = time.perf_counter(), np.zeros((asked.seeds, len(pool)))
        for seed in range(asked.seeds):
            for fold in folds_of(data, pool, FOLDS, seed=seed):
                part = data.with_parts(pool.take(fold.train), pool.take(fold.judged))
                choice, how = base, How(epochs=asked.epochs, seed=seed)
                if factor is None:
                    choice, how = FromBase(base.loaded), How(seed=seed)
                else:
                    assert unfreeze is not None
                    assert rate is not None
                    how["optimizer"] = discriminative(
                        network, transfer_optimizer(rate), factor=factor, unfreeze=unfreeze
                    )
                said = fitted(part, choice, how).predict(part.validation).argmax(1)
                right[seed, fold.judged] = said == part.validation.labels.numpy()
        share = right.mean()
        low, high = wilson(share * len(pool), len(pool))
        way = "head only" if factor is None else f"factor {factor} unfreeze {unfreeze} rate {rate}"
        took = time.perf_counter() - began
        print(
            f"{way:<40} {100 * share:.1f} % [{100 * low:.1f}, {100 * high:.1f}] n={len(pool)} {took:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
