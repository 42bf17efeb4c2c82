"""How many trainings of one architecture take their steps together: as many as a short trial finds faster that way."""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from ..data import Batch, Batches
from ..data.memory import free_memory
from .probe import answered, key, without_hooks
from .program import Program
from .stacked import Place, Stack, computing, kind
from .state import State

WORTH = 1000  # steps in all, below which nothing is tried: they take half a second
MOST = {"cpu": 8, "cuda": 64}  # models at once: the weights of more leave a processor's caches
SECONDS = 0.1  # of trial, beside the first turns
READY = 5  # turns until torch is prepared, and a step on a GPU recorded
LONG = 0.005  # a step that takes longer on a CPU has nothing to gain
PAYS = 1.1  # whoever changes the way of computing should gain more than noise
ROOM = 1 / 4  # of the free memory, for what models at once hold


def models_at_once(state: State, program: Program, batches: Batches, *, models: int, steps: int) -> int:
    """How many of so many trainings like this one should take their steps together; 1: none.

    The answer is kept for the machine, the model, the batch size and the number of models in the user's cache folder:
    so it is found once, and does not change from one run to the next.

    Args:
        steps: of each.
    """
    if models < 2 or models * steps < WORTH or kind(state, program) is None:
        return 1
    batch = next(iter(batches.in_order().epoch(0)))
    device = state.parameters()[0].device
    count = even(models, min(MOST.get(device.type, 8), fitting(state, batch, device)))
    if count < 2:
        return 1
    parts = key(state, batch), program.precision, type(program.optimizer).__name__, str(device), count
    name = hashlib.sha256(str(parts).encode()).hexdigest()[:16]
    answer = answered("stacked", name, lambda: "together" if pays(state, program, batch, batches, count) else "apart")
    return count if answer == "together" else 1


def even(models: int, most: int) -> int:
    """How many models a group has, of as few groups as there may be, all of one size but the last."""
    return math.ceil(models / math.ceil(models / most)) if most > 1 else 1


def fitting(state: State, batch: Batch, device: torch.device) -> int:
    """How many models with their gradients, slots and batches the memory holds; what is between counts as weights."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    weights = sum(parameter.numel() * parameter.element_size() for parameter in state.model.parameters())
    each = 8 * weights + 64 * sum(tensor.numel() * 4 for tensor in batch.inputs)
    return max(MOST.values()) if free is None else int(ROOM * free / each)


def pays(state: State, program: Program, batch: Batch, batches: Batches, count: int) -> bool:
    """Whether copies of the model take their steps faster together than one after another, in turns, by the best."""
    try:
        alone = copies(state, program, batches, 1)
        apart = min(seconds(*alone, batch) for _ in range(READY))
        if apart > LONG and batches.device.type == "cpu":
            return False
        several = copies(state, program, batches, count)
        together = min(seconds(*several, batch) for _ in range(READY))
        began = time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            apart, together = min(apart, seconds(*alone, batch)), min(together, seconds(*several, batch))
    except (RuntimeError, NotImplementedError):  # too little memory; a module that takes no more samples than a batch
        return False
    return together * PAYS < apart


def copies(state: State, program: Program, batches: Batches, count: int) -> tuple[Stack, list[Place]]:
    """So many copies of a training, without what belongs to the model itself."""
    plain = replace(program, penalty=None, constrain=None, proximal=None)
    models = [without_hooks(computing(state.model)).train() for _ in range(count)]
    places = [Place(State.start(model, plain), plain, batches) for model in models]
    return Stack(places), places


def seconds(stack: Stack, places: Sequence[Place], batch: Batch) -> float:
    """How long a step takes, for each of these models; on a CPU of its time alone, as others may be at work."""
    device = places[0].runner.device
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    began = clock()
    for place in places:
        place.batch, place.numbers = batch, place.runner.numbers(1)
    stack.step(places)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (clock() - began) / len(places)
