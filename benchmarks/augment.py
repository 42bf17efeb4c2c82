"""Claims: augmenting 64 small pictures costs a few milliseconds on one thread; on few photos it makes a better net.

The time is the processor's for a batch of bytes (64, side, side, 3) on its way through `fit(augment=...)`.  The worth
is accuracy on validation: clothing photos at 64 pixels in four folds of all but the sealed test part, and 2,000 digits
of MNIST's training file, judged on its last 10,000.  No test part is read.

    OMP_NUM_THREADS=1 python benchmarks/augment.py                     # an hour
    OMP_NUM_THREADS=1 python benchmarks/augment.py --kinds             # the times alone, a minute
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from common import Spread, parser_for, write
from torch import Tensor
from tune_recipe import SHARED, Part, fold
from tune_recipe import mnist as whole_mnist

from holdfast import convnet
from holdfast.core import keep_freed_memory
from holdfast.data import Batch, load
from holdfast.layers import (
    CutMix,
    MixUp,
    RandAugment,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    RandomTranslation,
    RandomZoom,
    TrivialAugment,
)
from holdfast.layers.augment import Draws, keys_of
from holdfast.models.augment_choice import choose
from holdfast.models.augmenting import Pipeline

BATCH, SECONDS, FOLDS, CLOTHING_PX = 64, 0.5, 4, 64
WORDS = ("none", "auto", "light", "strong")
MOVES = (RandomTranslation(1 / 16, 1 / 16), RandomRotation(0.02), RandomZoom(0.1))
STEPS: dict[str, Any] = {
    "RandomFlip": (RandomFlip("horizontal"),),
    "RandomTranslation": MOVES[:1],
    "translation, rotation, zoom": MOVES,
    "RandomBrightness": (RandomBrightness(0.2),),
    "RandomContrast": (RandomContrast(0.2),),
    "RandomSaturation": (RandomSaturation((0.3, 0.7)),),
    "RandomHue": (RandomHue(0.1),),
    "RandomColorJitter": (RandomColorJitter((0, 255), 0.2, 0.2, (0.3, 0.7), 0.1),),
    "RandomErasing": (RandomErasing(0.5, fill_value=128.0),),
    "RandAugment": (RandAugment(),),
    "TrivialAugment": (TrivialAugment(),),
    "MixUp": (MixUp(),),
    "CutMix": (CutMix(),),
}


@dataclass(frozen=True)
class Timed:
    """Milliseconds of the processor a batch, of each turn the median."""

    name: str
    side: int
    ms: list[float]


def timed(side: int, turns: int) -> list[Timed]:
    """All layers, and both words, by turns."""
    pictures = torch.randint(0, 256, (BATCH, side, side, 3), dtype=torch.uint8)
    batch, places = Batch((pictures,), (torch.arange(BATCH) % 10,)), torch.arange(BATCH)
    model = convnet((side, side, 3), 10)
    chosen = {word: choose(word, model, pictures, None) for word in WORDS[2:]}
    pipelines = {name: Pipeline(tuple(steps), (10,)) for name, steps in (STEPS | chosen).items()}
    made: dict[str, Callable[[int], object]] = {
        name: partial(pipeline, batch, places, 0) for name, pipeline in pipelines.items()
    }
    crop, floats = RandomCrop(side * 7 // 8, side * 7 // 8), pictures.movedim(-1, 1).float()
    made["RandomCrop"] = lambda number: crop.change(floats, Draws(keys_of(places, number)))
    found = {name: Timed(name, side, []) for name in made}
    for _ in range(turns):
        for name, run in made.items():
            found[name].ms.append(median_ms(run))
    return list(found.values())


def median_ms(run: Callable[[int], object]) -> float:
    """Of calls for a while."""
    spent: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(spent) < 3:
        began = time.process_time()
        run(len(spent))
        spent.append(1000 * (time.process_time() - began))
    return Spread.of(spent).median


def clothing(seed: int) -> Part:
    pool = load(SHARED / "clothing", image_size=CLOTHING_PX).pool
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(0))
    return fold(pool.images[:], pool.labels, order, seed)


def mnist(seed: int) -> Part:
    part = whole_mnist(seed)
    chosen = torch.randperm(len(part.labels), generator=torch.Generator().manual_seed(seed))[:2000]
    return Part(part.images[chosen], part.labels[chosen], part.held_images, part.held_labels)


KINDS: dict[str, Callable[[int], Part]] = {"clothing": clothing, "mnist": mnist}


@dataclass(frozen=True)
class Worth:
    """Of trainings with one setting: accuracies in percent, and log-losses, on validation."""

    kind: str
    augment: str
    epochs: int
    accuracies: list[float]
    log_losses: list[float]
    seconds: list[float]


def trained(part: Part, augment: str, epochs: int, seed: int) -> tuple[float, float, float]:
    """Accuracy in percent and log-loss of the last weights on validation, and seconds."""
    model = convnet(tuple(part.images.shape[1:]), int(part.labels.max()) + 1, seed=seed)
    began = time.perf_counter()
    model.fit(part.images, part.labels, epochs=epochs, verbose=0, augment=cast(Any, augment), measure_train="never")
    spent = time.perf_counter() - began
    p: Tensor = torch.from_numpy(model.predict(part.held_images))
    right = (p.argmax(1) == part.held_labels).double().mean()
    return 100 * float(right), float(torch.nn.functional.nll_loss(p.clamp(min=1e-7).log(), part.held_labels)), spent


def worth(kind: str, epochs: Sequence[int], turns: int) -> list[Worth]:
    """All words, by turns: of photos each turn is a fold, and the seeds change."""
    found = [Worth(kind, word, length, [], [], []) for length in epochs for word in WORDS]
    for seed in range(turns):
        part = KINDS[kind](seed)
        for one in found:
            for values, value in zip(
                (one.accuracies, one.log_losses, one.seconds), trained(part, one.augment, one.epochs, seed), strict=True
            ):
                values.append(value)
            print(
                f"{kind:<9} seed {seed} {one.epochs:>3} epochs {one.augment:<7} {one.accuracies[-1]:.2f} %", flush=True
            )
    return found


def main() -> None:
    parser = parser_for(__doc__, turns=2 * FOLDS)
    parser.add_argument("--sides", type=int, nargs="*", default=[32, 224], help="of the pictures that are timed")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), help="data to learn from")
    parser.add_argument("--epochs", type=int, nargs="*", default=[30, 90])
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every training does
    times = [one for side in given.sides for one in timed(side, min(given.turns, 5))]
    for one in times:
        print(f"{one.side:>4} {one.name:<28} {Spread.of(one.ms).text('.2f')} ms", flush=True)
    values = [one for kind in given.kinds for one in worth(kind, given.epochs, given.turns)]
    for found in values:
        accuracy, loss = Spread.of(found.accuracies), Spread.of(found.log_losses)
        print(
            f"{found.kind:<9} {found.epochs:>3} epochs {found.augment:<7} {accuracy.text('.1f')} %  {loss.text('.3f')}"
        )
    write(given.out, "augment", batch=BATCH, times=times, worth=values)


if __name__ == "__main__":
    main()
