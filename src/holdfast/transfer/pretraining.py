"""Unsupervised pre-training: from samples without labels to an encoder that is a base like any other.

The networks are pretrain_nets.py, what a batch becomes and the losses pretrain_tasks.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor

from ..callbacks import History, Progress
from ..core import BadData, BadValue, derive
from ..data import Batch, Batches, Dataset, Part
from ..data.arrays import samples_array
from ..data.rows import Samples, joined, some
from ..layers import Input, Normalization, Rescaling, Shape
from ..models import BaseModel, Model
from ..models.arrays import check_number
from ..models.summary import summarize
from ..training import Callback, Loss, MeanSquaredError, Program, State, listen, precision_for, train
from ..training.loop import evaluating, forward
from .pretrain_nets import check_shape, decoder, encoder, is_picture, projection
from .pretrain_tasks import NOISE, HiddenError, Hide, Method, NTXent, Rebuild, Task, Units, Views, views_for

HELD_OUT, HELD_MOST = 0.1, 1000  # of the samples, to look at what was learned on others than those learned from
FEWEST = 10
BATCH = {"contrastive": 256}  # each view has as many others to be told from
EPOCHS, MOST_EPOCHS, STEPS = 10, 100, 1000  # of few samples as many epochs as so many steps take


@dataclass(frozen=True, eq=False)
class Pretrained:
    """What was learned without labels.

    Attributes:
        encoder: from raw samples to a row of features; a base like any other.
        decoder: from features to samples in the units of the encoder's front; None of contrastive learning.
        method: how it was learned.
        task: what a batch became for that.
        history: the losses of each epoch, val_loss of the samples that were held out.
        samples: how many there were, those held out included.
        held: (M,) the places of those among all.
        losses: their losses in the end, (M,), of contrastive learning (2M,).
        batch_size: samples a step.
    """

    encoder: BaseModel
    decoder: BaseModel | None
    method: Method
    task: Task
    history: History
    samples: int
    held: Tensor
    losses: Tensor
    batch_size: int


def pretrain(
    data: Dataset | Part | Any,  # Any: an array of samples
    *,
    method: Method | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1, 2] = 1,
) -> Pretrained:
    """Learns features from samples without labels.

    Args:
        data: a Dataset, of which the training samples and the unlabelled ones are taken, and no others; a Part, of
            which labels are ignored; or an array (N, H, W, C), (N, H, W) or (N, features).
        method: "contrastive": two changed copies of a sample are to be found among those of others; "denoising",
            "masked" and "autoencoder": a sample is to be made from a noisy, a partly hidden or its own copy.  None:
            contrastive for pictures, else denoising.
        epochs: passes over the samples; None: 10, of few samples up to 100.
        batch_size: samples a step; None: 256 of contrastive learning, else 128; fewer of few samples.
        seed: of the weights, the order and all that is drawn.
        device: "auto", "cpu", "cuda", ...
        callbacks: who listens.
        verbose: 0 silent, 1 a progress line, 2 a line an epoch.

    Raises:
        BadData: too few samples, or values that are no numbers.
        BadShape: pictures that are too small.
        BadValue: a method that does not suit such samples, or sounds and volumes.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(40, 8))
        >>> pretrain(rows, epochs=1, verbose=0).encoder.outputs[0].shape
        (4,)
    """
    images, reads = samples_of(data), data.reads if isinstance(data, Dataset) else None
    method = method or default_method(tuple(images.shape[1:]))
    _check(images, method, data)
    if epochs is not None:
        check_number(f"pretrain(epochs={epochs!r})", epochs)
    shape, front = tuple(images.shape[1:]), _front(images)
    task, loss = _task(method, images, front)
    network = encoder(shape, front, seed=seed)
    top = projection(network.outputs[0].shape, seed=seed) if method == "contrastive" else decoder(shape, seed=seed)
    learning, held = _hold_out(len(images), seed)
    size = batch_size or min(BATCH.get(method, 128), max(8, len(learning) // 8))
    check_number(f"pretrain(batch_size={size!r})", size)
    epochs = epochs or min(MOST_EPOCHS, max(EPOCHS, STEPS * size // len(learning)))
    symbol = Input(shape)
    whole = Model(symbol, top(network(symbol)), "pretraining", seed=seed)  # weights are shared: it trains both
    whole.compile(loss=loss, device=device)
    assert whole.compiled is not None
    first, last = (
        Batches(
            Batch((cast(Tensor, images.index_select(0, places)),)),
            batch_size=size,
            shuffle=shuffle,
            seed=seed,
            device=whole.compiled.device,
            augment=task,
        )
        for places, shuffle in ((learning, True), (held, False))
    )
    history = History()
    listeners = [*callbacks, history, *([Progress(2 if verbose == 2 else 1)] if verbose else [])]
    state, program = whole.training_state((torch.zeros(1, *whole.outputs[0].shape),), size)
    program = replace(program, precision=_precision(whole, state, program, first, task, epochs))
    for _ in listen(train(state, program, first, epochs=epochs, validation=last), listeners):
        pass
    losses = _losses(state, program, last)
    whole.module.to("cpu")
    network.reads = reads
    kept = None if method == "contrastive" else top
    return Pretrained(network, kept, method, task, history, len(images), held, losses, size)


def default_method(shape: Shape) -> Method:
    """Contrastive for pictures, else denoising."""
    return "contrastive" if is_picture(shape) and shape[2] in (1, 3) else "denoising"


def samples_of(data: Any) -> Samples:  # Any: as `pretrain` takes it
    """All samples that may be learned from without labels, (N, *shape): validation and test are not among them."""
    if isinstance(data, Part):
        return data.images
    if not isinstance(data, Dataset):
        return torch.from_numpy(np.ascontiguousarray(samples_array(data, "samples")))
    pool = data.unlabelled
    return data.train.images if pool is None else joined(data.train.images, pool.images)


def changed(learned: Pretrained, samples: Tensor) -> Tensor:
    """What the task makes of samples, as raw as they are; of contrastive learning both views, (2n, ...)."""
    return learned.task(Batch((samples,)), torch.arange(len(samples)), 0, 0).inputs[0]


def rebuilt(learned: Pretrained, samples: Tensor) -> Tensor:
    """What the decoder makes of the features of samples, as raw as they are."""
    assert learned.decoder is not None
    assert not isinstance(learned.task, Views)
    made = torch.from_numpy(learned.decoder.predict(learned.encoder.predict(samples.numpy())))
    return made * learned.task.units.deviation + learned.task.units.mean


def _check(images: Samples, method: str, data: object) -> None:
    if method not in get_args(Method):
        raise BadValue(f"pretrain(method={method!r}): must be {', '.join(map(repr, get_args(Method)))}.")
    shape = tuple(images.shape[1:])
    check_shape(shape)
    kind = data.kind if isinstance(data, Dataset) else ""
    if kind in ("sounds", "volumes") or len(shape) > 3:
        raise BadValue(f"pretrain: learns from pictures, series and rows of numbers, not from {kind or 'volumes'}.")
    if method == "contrastive" and not (is_picture(shape) and shape[2] in (1, 3)):
        raise BadValue(
            f"pretrain(method='contrastive'): compares views of pictures, got samples of shape {shape}; "
            "take method='denoising'."
        )
    if len(images) < FEWEST:
        raise BadData(f"pretrain: {len(images)} samples are too few to learn from; give at least {FEWEST}.")


def _hold_out(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """The places that are learned from, and those that are held out."""
    order = np.random.default_rng(derive(seed, "held out")).permutation(count)
    held = min(HELD_MOST, max(2, round(HELD_OUT * count)))
    return torch.from_numpy(np.sort(order[held:])), torch.from_numpy(np.sort(order[:held]))


def _front(images: Samples) -> Rescaling | Normalization:
    return Rescaling(1 / 255) if images.dtype == torch.uint8 else Normalization().adapt(some(images))


def _task(method: str, images: Samples, front: Rescaling | Normalization) -> tuple[Task, Loss]:
    if method == "contrastive":
        return views_for(images), NTXent()
    units = Units.of(front)
    if method == "masked":
        return Hide(units), HiddenError()
    return Rebuild(units, NOISE if method == "denoising" else 0.0), MeanSquaredError()


def _precision(
    whole: Model, state: State, program: Program, batches: Batches, task: Task, epochs: int
) -> Literal["float32", "bfloat16"]:
    """What "auto" takes, as in `fit`: of a batch as the task makes it."""
    plain = next(iter(batches.in_order().epoch(0)))
    made = task(plain, torch.arange(len(plain)), 0, 0)
    flops = 3.0 * summarize("", whole.lowered).flops * len(made) * len(batches) * epochs
    trial = Batches(made, batch_size=len(made), device=batches.device)
    return precision_for(state, program, trial, flops=flops)


@torch.no_grad()
def _losses(state: State, program: Program, batches: Batches) -> Tensor:
    """(N,) the loss of each sample, in evaluation mode."""
    found = []
    with evaluating(state.model):
        for batch in batches.epoch(0):
            (output,) = forward(state.model, batch)
            found.append(program.heads[0].loss(batch.targets[0], output).cpu())
    return torch.cat(found)
