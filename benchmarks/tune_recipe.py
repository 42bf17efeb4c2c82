"""What the default recipe's numbers are worth: each is changed alone, on validation data of three kinds.

MNIST's training file (the last 10,000 pictures validate), scikit-learn's digits (the first half, whose four blocks by
writer validate in turn), and clothing photos at 96 pixels (four folds of all but the sealed test part).  No test part
is read.  Seeds change weights, order, shifts and, but for MNIST, the fold.

    OMP_NUM_THREADS=1 python benchmarks/tune_recipe.py         # 20 minutes; writes benchmarks/results/recipe.json
    OMP_NUM_THREADS=1 python benchmarks/tune_recipe.py digits  # one kind of data
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor

import holdfast
from holdfast.data import RandomShift, load
from holdfast.models.recipe import LABEL_SMOOTHING, recipe_batch_size, recipe_optimizer, recipe_rate
from holdfast.training import SparseCategoricalCrossentropy

SHARED = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results" / "recipe.json"
FOLDS = 4


@dataclass(frozen=True)
class Part:
    """Training and validation samples of one seed."""

    images: Tensor
    labels: Tensor
    held_images: Tensor
    held_labels: Tensor


@dataclass(frozen=True)
class Kind:
    """A kind of data: how to get it, and how long and how often it is trained on."""

    part: Callable[[int], Part]
    epochs: int
    seeds: int


@dataclass(frozen=True)
class Recipe:
    """All that the recipe sets; `None` is what it takes by rule."""

    rate: float = 1.0  # times the rate by rule
    batch: float = 1.0  # times the batch size by rule, which moves the rate by rule, too
    epochs: float = 1.0  # times those of the kind
    smoothing: float = LABEL_SMOOTHING
    shift: float = 1 / 16  # of the side
    optimizer: tuple[tuple[str, Any], ...] = ()  # settings of AdamW
    cycle: tuple[tuple[str, float], ...] = ()  # settings of OneCycle


RECIPE = Recipe()
TRIED = {
    "the recipe": RECIPE,
    "rate x 1/2": replace(RECIPE, rate=0.5),
    "rate x 2": replace(RECIPE, rate=2),
    "batch x 1/2": replace(RECIPE, batch=0.5),
    "batch x 2": replace(RECIPE, batch=2),
    "no smoothing": replace(RECIPE, smoothing=0.0),
    "smoothing 0.1": replace(RECIPE, smoothing=0.1),
    "no shift": replace(RECIPE, shift=0),
    "shift x 2": replace(RECIPE, shift=1 / 8),
    "betas 0.9 0.999": replace(RECIPE, optimizer=(("beta_1", 0.9), ("beta_2", 0.999))),
    "decay 0.05": replace(RECIPE, optimizer=(("weight_decay", 0.05),)),
    "warm-up 0.4": replace(RECIPE, cycle=(("warmup", 0.4),)),
    "epochs x 2": replace(RECIPE, epochs=2),
}


def mnist(seed: int) -> Part:
    data = load(SHARED / "mnist")
    parts = (data.train, data.validation)
    places = torch.tensor([int(name.removeprefix("train[").removesuffix("]")) for part in parts for name in part.names])
    order = places.argsort()  # that of the file
    images = torch.cat([part.images for part in parts])[order]
    labels = torch.cat([part.labels for part in parts])[order]
    return Part(images[:50_000], labels[:50_000], images[50_000:], labels[50_000:])


def digits(seed: int) -> Part:
    found = load_digits()
    half = len(found.target) // 2
    images = torch.from_numpy(found.images[:half] * (255 / 16)).round().to(torch.uint8)[..., None]
    return fold(images, torch.from_numpy(found.target[:half]), torch.arange(half), seed)


def clothing(seed: int) -> Part:
    data = load(SHARED / "clothing", image_size=96)
    images = torch.cat([data.train.images, data.validation.images])
    labels = torch.cat([data.train.labels, data.validation.labels])
    return fold(images, labels, torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)), seed)


def fold(images: Tensor, labels: Tensor, order: Tensor, seed: int) -> Part:
    """The samples in this order, of which one block validates."""
    blocks = list(order.tensor_split(FOLDS))
    held = blocks.pop(seed % FOLDS)
    kept = torch.cat(blocks)
    return Part(images[kept], labels[kept], images[held], labels[held])


KINDS = {"mnist": Kind(mnist, 3, 4), "digits": Kind(digits, 30, 8), "clothing": Kind(clothing, 30, 8)}


def train(part: Part, recipe: Recipe, epochs: int, seed: int) -> tuple[float, float]:
    """Accuracy in percent and log-loss of the last weights on validation."""
    _, height, width, channels = part.images.shape
    rule = recipe_batch_size(len(part.images))
    size = round(rule * recipe.batch)
    model = holdfast.convnet((height, width, channels), int(part.labels.max()) + 1, seed=seed)
    how = recipe_optimizer(recipe_rate(model, size) * recipe.rate)
    rate = replace(how.learning_rate, **dict(recipe.cycle))  # type: ignore[type-var]  # a schedule is a dataclass
    pixels = int(min(height, width) * recipe.shift)
    model.compile(
        replace(how, learning_rate=rate, **dict(recipe.optimizer)),
        SparseCategoricalCrossentropy(label_smoothing=recipe.smoothing),
    )
    model.fit(
        part.images,
        part.labels,
        size,
        round(epochs * recipe.epochs),
        verbose=0,
        augment=RandomShift(pixels) if pixels else None,
        measure_train="never",
    )
    p = torch.from_numpy(model.predict(part.held_images))
    right = (p.argmax(1) == part.held_labels).double().mean()
    return 100 * float(right), float(torch.nn.functional.nll_loss(p.clamp(min=1e-7).log(), part.held_labels))


def measure(name: str, kind: Kind) -> dict[str, dict[str, float]]:
    """Of each recipe: mean and standard deviation over the seeds, and seconds of processor time a training."""
    parts = [kind.part(seed) for seed in range(1 if name == "mnist" else FOLDS)]
    found = {}
    for words, recipe in TRIED.items():
        began = time.process_time()
        both = [train(parts[seed % len(parts)], recipe, kind.epochs, seed) for seed in range(kind.seeds)]
        accuracies, losses = zip(*both, strict=True)
        found[words] = {
            "n": kind.seeds,
            "accuracy_mean": round(statistics.mean(accuracies), 3),
            "accuracy_sd": round(statistics.stdev(accuracies), 3),
            "log_loss_mean": round(statistics.mean(losses), 4),
            "cpu_seconds": round((time.process_time() - began) / kind.seeds, 2),
        }
        print(f"{name:<9} {words:<16} {found[words]}", flush=True)
    return found


def main() -> None:
    for name in sys.argv[1:] or KINDS:
        found = {
            "made": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
            "versions": {"holdfast": holdfast.__version__, "torch": torch.__version__},
            "epochs": KINDS[name].epochs,
            "validation": measure(name, KINDS[name]),
        }
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(results | {name: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
