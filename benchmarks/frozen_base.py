"""Claim: a head on a frozen base takes holdfast at most an eighth of Keras's time, and is right at least as often.

MobileNet v1 without its own head, frozen, under a new one, for 10 epochs with validation after each, on photos of
clothing at 224 pixels: the same split, and the base out of one .keras file, for both.  The seconds are from the paths
to the trained model: reading the base, decoding the photos, training, validation.  Each is in a process of its own that
has done its imports, and they take turns.  Keras does what its guide to transfer learning does: `trainable = False`,
`image_dataset_from_directory` with `cache` and `prefetch`, dropout, Adam.  holdfast begins with an empty cache; then it
does the same again and finds photos and features there.  Seconds of processors count all threads, and hardly depend on
other work.  What is right is told of a fifth of the photos, which neither has seen, drawn anew in each turn; intervals
are for splits that overlap (Nadeau and Bengio 2003).  Beside both stands holdfast's recipe for as many epochs as it
would take itself, and a logistic regression of scikit-learn on the same features, standardised, its C found by
cross-validation within the training part.

    python benchmarks/frozen_base.py                                     # half an hour
    python benchmarks/frozen_base.py --turns 3 --epochs 5
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import Spread, parser_for, ratios, write
from peers.driver import KINDS, check_built

from holdfast import load as load_model
from holdfast.evaluate.interval import corrected_resampled

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
PHOTOS, BASE = DATA / "clothing", DATA / "mobilenet_v1_1.0_224_conv_pw_12"
SHARES = {"train": 0.7, "validation": 0.1, "unseen": 0.2}
PLACES = {"train": "data/train", "validation": "data/validation", "unseen": "unseen"}
QUESTIONS = """
import json, os, sys, time
from pathlib import Path
def timed(work, *arguments):
    began, used = time.perf_counter(), time.process_time()
    result = work(*arguments)
    return result, {"seconds": time.perf_counter() - began, "processors": time.process_time() - used}
for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))), flush=True)
"""
KERAS = """
import keras, numpy as np, tensorflow as tf
def photos(folder, **how):
    return keras.utils.image_dataset_from_directory(folder, image_size=(224, 224), batch_size=32, verbose=False, **how)
def trained(folder, base, epochs, seed):
    train = photos(f"{folder}/data/train", seed=seed).cache().shuffle(32, seed=seed).prefetch(tf.data.AUTOTUNE)
    validation = photos(f"{folder}/data/validation", shuffle=False).cache().prefetch(tf.data.AUTOTUNE)
    front = keras.saving.load_model(base, compile=False)
    front.trainable = False
    entry = keras.Input((224, 224, 3))
    x = front(keras.layers.Rescaling(1 / 127.5, -1)(entry), training=False)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(entry, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    return model
def answer(folder, base, epochs, seed):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, took = timed(trained, folder, base, epochs, seed)
    unseen = photos(f"{folder}/unseen", shuffle=False)
    labels = np.concatenate([labels for _, labels in unseen])
    return {"keras": took | {"right": float((model.predict(unseen, verbose=0).argmax(1) == labels).mean())}}
"""
HOLDFAST = """
import tempfile
import numpy as np
import torch
from holdfast.data import Batch, load
from holdfast.models import Pictures
from holdfast.models.frozen import front_of
from holdfast.models.kept_features import features_of
from holdfast.transfer import classifier, load_base
from holdfast.transfer.recipe import transfer_epochs, transfer_optimizer
def trained(folder, base, epochs, seed):
    data = load(f"{folder}/data", image_size=(224, 224), resize="stretch", test=0)
    model = classifier(load_base(base), len(data.classes), seed=seed)
    model.compile(transfer_optimizer(), metrics=["accuracy"])
    model.fit(data, batch_size=32, epochs=epochs, verbose=0)
    return model, data
def regression(model, train, images):
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    front = front_of(model.lowered)
    both = train.images, torch.from_numpy(images)
    x, unseen = (features_of(front, Batch((each,))).inputs[0].numpy() for each in both)
    tuned = LogisticRegressionCV(Cs=np.logspace(-3, 0, 7), cv=5, max_iter=1000, scoring="neg_log_loss",
        l1_ratios=(0,), use_legacy_attributes=False)
    return make_pipeline(StandardScaler(), tuned).fit(x, train.labels.numpy()).predict(unseen)
def answer(folder, base, epochs, seed):
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HOLDFAST_CACHE"] = cache
        (model, data), first = timed(trained, folder, base, epochs, seed)
        _, again = timed(trained, folder, base, epochs, seed)
        paths = sorted(Path(folder, "unseen").glob("*/*"))
        labels = np.array([data.classes.index(path.parent.name) for path in paths])
        images = Pictures((224, 224), 3).read(paths)
        first["right"] = float((model.predict(images).argmax(1) == labels).mean())
        recipe, _ = trained(folder, base, transfer_epochs(0), seed)
        first["recipe"] = float((recipe.predict(images).argmax(1) == labels).mean())
        first["regression"] = float((regression(model, data.train, images) == labels).mean())
        return {"holdfast": first, "again": again}
"""


@dataclass(frozen=True)
class Turn:
    """What came of one split.

    Attributes:
        counts: photos of each part.
        seconds, processors: of each, the latter in seconds of processors.
        right: share of the unseen photos, of each.
    """

    seed: int
    counts: dict[str, int]
    seconds: dict[str, float]
    processors: dict[str, float]
    right: dict[str, float]


class Trainer:
    """A process that answers with what came of a training."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, *question: object) -> dict[str, dict[str, float]]:
        """Its answer.  Raises SystemExit when it is dead."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            print(json.dumps(question), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args!r} ended with {self.process.wait()}.")
        found: dict[str, dict[str, float]] = json.loads(line)
        return found


@contextmanager
def trainer(python: Path, program: str) -> Iterator[Trainer]:
    """A trainer that ends with the block."""
    variables = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [str(python), "-c", program + QUESTIONS],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if program is KERAS else None,
        text=True,
    )
    try:
        yield Trainer(process)
    finally:
        process.kill()
        process.communicate()


def divide(photos: Path, folder: Path, seed: int) -> dict[str, int]:
    """Links to the photos of each class, divided at random: data/train, data/validation and unseen; how many each."""
    random, counts = Random(seed), dict.fromkeys(SHARES, 0)
    for group in sorted(path for path in photos.iterdir() if path.is_dir()):
        paths = sorted(group.iterdir())
        random.shuffle(paths)
        ends = np.rint(np.cumsum(list(SHARES.values())) * len(paths)).astype(int)
        for (part, place), taken in zip(PLACES.items(), np.split(np.array(paths), ends[:-1]), strict=True):
            (folder / place / group.name).mkdir(parents=True)
            for path in taken:
                (folder / place / group.name / path.name).symlink_to(path.resolve())
            counts[part] += len(taken)
    return counts


def measure(photos: Path, base: Path, epochs: int, turns: int, ours: Trainer, keras: Trainer) -> list[Turn]:
    """The turns, after one of an epoch that does not count."""
    found = []
    for seed in range(-1, turns):
        with TemporaryDirectory() as folder:
            counts = divide(photos, Path(folder), seed)
            question = folder, str(base), epochs if seed >= 0 else 1, max(seed, 0)
            told = {**ours.ask(*question), **keras.ask(*question)}
        if seed < 0:
            continue
        right = {name: each["right"] for name, each in told.items() if "right" in each}
        right |= {name: told["holdfast"][name] for name in ("recipe", "regression")}
        seconds, processors = ({name: each[what] for name, each in told.items()} for what in ("seconds", "processors"))
        found.append(Turn(seed, counts, seconds, processors, right))
        print(f"turn {seed}: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()), end="; ")
        print(", ".join(f"{name} {value:.1%}" for name, value in right.items()), flush=True)
    return found


def difference(turns: list[Turn], one: str, other: str) -> tuple[float, float, float]:
    """How much more often one is right than another, and the interval of that."""
    values = np.array([turn.right[one] - turn.right[other] for turn in turns])
    sizes = turns[0].counts
    low, high = corrected_resampled(values, sizes["train"], sizes["unseen"], bounds=(-1.0, 1.0))
    return float(values.mean()), low, high


def told(turns: list[Turn]) -> dict[str, Any]:  # Any: JSON values
    """What is printed and written of all turns."""
    found: dict[str, Any] = {}
    for what in ("seconds", "processors"):
        of = {name: [getattr(turn, what)[name] for turn in turns] for name in ("holdfast", "again", "keras")}
        for name, values in of.items():
            times = f", keras takes {ratios(of['keras'], values).text('.1f')} times that" if name != "keras" else ""
            print(f"{what:10}  {name:8}  {Spread.of(values).text('.2f')} s{times}")
        found[what] = {name: ratios(of["keras"], of[name]) for name in ("holdfast", "again")}
    for name in turns[0].right:
        print(f"right       {name:10}  {np.mean([turn.right[name] for turn in turns]):.2%}")
    for one, other in (("holdfast", "keras"), ("recipe", "keras"), ("recipe", "regression")):
        mean, low, high = found[f"{one} over {other}"] = difference(turns, one, other)
        print(f"{one} is right {100 * mean:+.2f} points more often than {other}, {100 * low:+.2f} to {100 * high:+.2f}")
    return found


def main() -> None:
    """Measures, prints and writes."""
    parser = parser_for(__doc__, turns=10)
    parser.add_argument("--epochs", type=int, default=10, help="10")
    given = parser.parse_args()
    check_built(["keras-tf"])
    if not PHOTOS.is_dir() or not BASE.is_dir():
        raise SystemExit(f"there is no {PHOTOS} or no {BASE}; HOLDFAST_DATA names the folder that holds them.")
    with ExitStack() as stack:
        base = Path(stack.enter_context(TemporaryDirectory())) / "mobilenet.keras"
        model = load_model(BASE)
        model.save(base)
        ours = stack.enter_context(trainer(Path(sys.executable), HOLDFAST))
        keras = stack.enter_context(trainer(KINDS["keras-tf"].python, KERAS))
        turns = measure(PHOTOS, base, given.epochs, given.turns, ours, keras)
    write(given.out, "frozen_base", epochs=given.epochs, turns=turns, ratios=told(turns))


if __name__ == "__main__":
    main()
