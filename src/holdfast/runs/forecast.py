"""What a training would take on this machine: memory by arithmetic, time by a few steps on random samples."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from ..core import derive
from ..data import Dataset, Part
from ..data.memory import free_memory
from ..data.sealed import Sealed
from ..models import BaseModel, Fitting
from ..models.fitting import judged_at_once
from ..models.summary import BYTES
from ..training import evaluate, get_optimizer, precision_for, train
from ..training.events import StepEnd
from . import lines
from .formats import duration, size
from .plan import How, ModelChoice, plan, session_for
from .record import Settings

PROCESS = 5e8  # bytes of Python, torch and the libraries of the report: what `holdfast train digits` has resident
FULL = 0.9  # of the memory; the rest is for what nobody counted
BATCHES, WARM, LEAST, SECONDS = 2, 2, 3, 1.5  # of random samples; steps not timed, timed at least, and for how long
FETCHED = 256  # samples at once


@dataclass(frozen=True)
class Forecast:
    """What a training would take.

    Attributes:
        model: what it is called.
        parameters: weights in all.
        samples: in the training part.
        batch_size: as given, as the recipe has it, or the largest half of it and so on that fits.
        epochs: as the recipe or the user has it; patience may end it before.
        device: "cpu".
        data: bytes of the samples, and of the copies that training makes of them.
        step: bytes of weights, gradients, and what a batch leaves for the backward pass.
        memory: bytes that there are for all of it; None where the system does not say.
        step_seconds: of one step, the median of several; NaN where not even one sample a batch fits, as are the others.
        epoch_seconds: of a pass over the training part, and of judging the validation part after it.
        smaller: whether the batch is smaller than the recipe's, to fit.
    """

    model: str
    parameters: int
    samples: int
    batch_size: int
    epochs: int
    device: str
    data: float
    step: float
    memory: float | None
    step_seconds: float
    epoch_seconds: float
    smaller: bool = False

    @property
    def needed(self) -> float:
        """Bytes at the height of training."""
        return PROCESS + self.data + self.step

    @property
    def fits(self) -> bool:
        return self.memory is None or self.needed <= FULL * self.memory

    @property
    def seconds(self) -> float:
        """Of the whole training, all epochs."""
        return self.epochs * self.epoch_seconds

    def __str__(self) -> str:
        of = "" if self.memory is None else f" of {size(self.memory)}"
        if not self.fits:
            return f"does not fit: {size(self.needed)}{of} at batch {self.batch_size:,}"
        took = f"about {duration(self.epoch_seconds)} an epoch, {duration(self.seconds)}"
        epochs = lines.counted(self.epochs, "epoch")
        return f"fits: {size(self.needed)}{of} at batch {self.batch_size:,}; {took} for {epochs}"


def forecast(data: Dataset, model: ModelChoice = "convnet", **how: Unpack[How]) -> Forecast:
    """What training this model on this data would take here, without training it on any of it.

    Where no batch size is given, the recipe's is halved until all fits into nine tenths of the memory.

    Args:
        data: of which shapes and counts matter.
        model: as in `train`.
        how: as in `train`.

    Raises:
        BadShape, BadValue, BadFile, UnknownName: as `train` does for such a model.
    """
    settings, network = plan(data, model, how)
    held, memory = data_bytes(data, settings), memory_of(settings.device)
    room = None if memory is None else FULL * memory - PROCESS - held
    wanted, tried = settings.batch_size, settings
    while room is not None and tried.batch_size > 1 and step_bytes(network, tried) > room:
        tried = replace_batch(tried, tried.batch_size // 2)
    settings = settings if how.get("batch_size") else tried
    fetching = fetch_seconds(data.train)
    step_seconds = sample_seconds = math.nan
    if room is None or step_bytes(network, tried) <= room:  # or trying it would take the memory that is not there
        step_seconds, sample_seconds = measure(data, network, tried)
    step_seconds *= settings.batch_size / tried.batch_size
    step_seconds = max(step_seconds, settings.batch_size * fetching)  # one thread trains while another fetches
    steps = -(-len(data.train) // settings.batch_size)
    return Forecast(
        model=settings.model,
        parameters=network.count_params(),
        samples=len(data.train),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        device=settings.device,
        data=held,
        step=step_bytes(network, settings),
        memory=memory,
        step_seconds=step_seconds,
        epoch_seconds=steps * step_seconds + len(data.validation) * max(sample_seconds, fetching),
        smaller=settings.batch_size < wanted,
    )


def replace_batch(settings: Settings, batch_size: int) -> Settings:
    """The same with another batch size; the learning rate, which the time does not depend on, stays."""
    return settings.model_copy(update={"batch_size": batch_size})


def data_bytes(data: Dataset, settings: Settings) -> int:
    """All three parts, where they lie in memory, and the copy of the training part that is moved about in it."""
    samples = len(data.train) + len(data.validation) + len(data.test)
    images = data.train.images
    if not isinstance(images, Tensor):
        return 0  # fetched when it is needed
    one = images[:1].numel() * images.element_size()
    moved = 0
    if settings.shift:
        height, width, channels = data.shape
        moved = (height + 2 * settings.shift) * (width + 2 * settings.shift) * channels * images.element_size()
    return samples * one + len(data.train) * moved


def step_bytes(network: BaseModel, settings: Settings) -> int:
    """Of a training step, or of judging a larger batch after it, whichever takes more."""
    summary = network.summary()
    slots = len(get_optimizer(settings.optimizer).slots([]))
    judged = max(settings.batch_size, judged_at_once(network))
    seen = math.prod(network.inputs[0].shape)
    judging = BYTES * ((2 + slots) * summary.parameters + judged * (seen + 2 * summary.widest))
    return max(summary.training_bytes(settings.batch_size, slots), judging)


def measure(data: Dataset, network: BaseModel, settings: Settings) -> tuple[float, float]:
    """Seconds of a training step, and of judging one sample, by trying both on random samples; the weights change."""
    session, _ = session_for(network, _random(data, settings), settings, (), 0)
    samples = len(data.train) * settings.epochs
    program = session.program
    if settings.precision == "auto":  # by the whole training, of which this is a small piece
        flops = 3.0 * network.summary().flops * samples
        program = replace(program, precision=precision_for(session.state, program, session.batches, flops=flops))
    session = replace(session, program=program)
    return _step_seconds(session), _sample_seconds(session)


def fetch_seconds(part: Part) -> float:
    """Of one sample that is not in memory, by fetching some from three places of the training part; 0 of others."""
    if isinstance(part.images, Tensor):
        return 0.0
    taken, many = [], min(FETCHED, len(part))
    for start in np.linspace(0, len(part) - many, 3).astype(int).tolist():
        began = time.perf_counter()
        part.images[start : start + many]
        taken.append(time.perf_counter() - began)
    return median(taken) / many


def _step_seconds(session: Fitting) -> float:
    """The median of some steps."""
    taken: list[float] = []
    began = start = time.perf_counter()
    events = train(session.state, session.program, session.batches, epochs=max(session.epochs, WARM + LEAST))
    for event in events:
        if not isinstance(event, StepEnd):
            continue
        event.running()  # waits for the device
        now = time.perf_counter()
        taken.append(now - began)
        if len(taken) >= WARM + LEAST and now - start > SECONDS:
            break
        if len(taken) > WARM and now - start > 10 * SECONDS:  # steps so long that one tells enough
            break
        began = time.perf_counter()
    events.close()  # type: ignore[attr-defined]  # a generator
    return median(taken[WARM:] or taken)


def _sample_seconds(session: Fitting) -> float:
    """By the better of two passes in evaluation mode."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        evaluate(session.state.model, session.program, session.measured)
        best = min(best, time.perf_counter() - began)
    return best / len(session.measured.data)


def _random(data: Dataset, settings: Settings) -> Dataset:
    """A few batches of noise that looks to the model as this data does; the other parts are empty."""
    n = BATCHES * settings.batch_size
    random = np.random.default_rng(derive(settings.seed, "forecast"))
    if data.train.images.dtype == torch.uint8:
        images = torch.from_numpy(random.integers(0, 256, (n, *data.shape), np.uint8))
    else:
        images = torch.from_numpy(random.standard_normal((n, *data.shape), np.float32))
    labels = torch.arange(n) % len(data.classes)
    part = Part(images, labels, [f"noise[{index}]" for index in range(n)])
    nothing = part.take([])
    return replace(data, train=part, validation=nothing, test=Sealed(nothing))


def memory_of(device: str) -> float | None:
    """Bytes that a process of its own could have; None where nobody says."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return float(free)
    free_here = free_memory()
    return None if free_here is None else free_here + _resident()


def _resident() -> float:
    """Bytes that this process holds already, which a training of its own would take instead."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096.0
    except (OSError, ValueError, IndexError):
        return 0.0
