"""Which precision a training is computed in when nobody said: on a CPU the one that a short trial finds faster."""

import copy
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ..core import HoldfastError, whole_file
from ..data import Batch, Batches
from . import native
from .loop import accumulators, forward, total_loss
from .passes import fused
from .program import Program
from .state import State

Precision: TypeAlias = Literal["float32", "bfloat16"]

WORTH = 2e11  # operations of a training, of which a CPU does some 1e11 a second: for less nothing is tried
SECONDS = 0.25  # of trial; the first step of each kind, in which torch prepares, comes on top
PAYS = 1.1  # bfloat16 costs digits, so it must be faster by more than noise
TRIAL = Lock()  # one at a time: torch's threads are the whole process's
NO_FOLDER = OSError, HoldfastError, RuntimeError  # what is raised where nothing can be kept, or nobody is at home


def precision_for(state: State, program: Program, batches: Batches, *, flops: float) -> Precision:
    """What "auto" means for a training: never bfloat16 because the processor has it, only because it is faster.

    The answer is kept for the machine, the model and the batch size in the user's cache folder, so that it is found
    once and does not change from one run to the next.

    Args:
        flops: floating-point operations of the whole training.
    """
    device = batches.device
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type != "cpu" or flops < WORTH:
        return "float32"
    if any(isinstance(module, nn.Conv3d) for module in state.model.modules()):
        return "float32"  # faint signals in volumes were not learned in bfloat16: 22 % of demo:volumes instead of 95 %
    batch = next(iter(batches.in_order().epoch(0)))
    if not state.parameters():
        return "float32"
    answer = answered("precision", key(state, batch), lambda: faster(state, program, batch))
    return "bfloat16" if answer == "bfloat16" else "float32"


def answered(question: str, name: str, tried: Callable[[], str]) -> str:
    """This machine's answer under that name: what was kept, or else what a trial finds, which is kept."""
    answer = answers(question).get(name)
    if answer is None:
        with one_thread():
            answer = tried()
        keep(name, answer, question)
    return answer


def cache_file(question: str = "precision") -> Path:
    """Where the answers to a question are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast" / f"{question}.json"


def answers(question: str = "precision") -> dict[str, str]:
    """What was found on this machine; a file that cannot be read counts as none."""
    with suppress(ValueError, *NO_FOLDER):
        found = json.loads(cache_file(question).read_text())
        return found if isinstance(found, dict) else {}
    return {}


def keep(name: str, answer: str, question: str = "precision") -> None:
    """Writes an answer down beside those that others have written meanwhile; where it cannot, another trial follows."""
    with suppress(*NO_FOLDER):
        cache_file(question).parent.mkdir(parents=True, exist_ok=True)
        known = answers(question) | {name: answer}
        with whole_file(cache_file(question)) as path:
            path.write_text(json.dumps(known, indent=1))


@cache
def processor() -> str:
    """The processor's name."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return platform.processor()


def key(state: State, batch: Batch) -> str:
    """All that the answer depends on, in short."""
    here = processor(), torch.backends.cpu.get_cpu_capability()
    shapes = [(name, list(value.shape)) for name, value in state.model.state_dict().items()]
    inputs = [(list(tensor.shape), str(tensor.dtype)) for tensor in batch.inputs]
    parts = (*here, torch.__version__, native.available(), str(state.model), shapes, inputs)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with a single thread: on a busy machine several wait for each other, and their times tell nothing."""
    with TRIAL, ThreadPoolExecutor(1) as fresh:
        # Asked in a new thread: this one has but one if it began in another's trial, and all would be left with that.
        threads = fresh.submit(torch.get_num_threads).result()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def faster(state: State, program: Program, batch: Batch) -> Precision:
    """The precision in which a copy of the model takes its steps faster, in turns, by the best of each."""
    model = without_hooks(state.model).train()
    module, parameters = fused(model), [parameter for parameter in model.parameters() if parameter.requires_grad]
    programs = {
        name: replace(program, precision=name, penalty=None, constrain=None, proximal=None)
        for name in ("float32", "bfloat16")
    }
    best = dict.fromkeys(programs, float("inf"))
    began, turns = time.perf_counter(), 0
    while turns < 2 or time.perf_counter() - began < SECONDS:
        for name, one in programs.items():
            seconds = step_seconds(module, parameters, one, batch)
            best[name] = seconds if turns < 2 else min(best[name], seconds)  # in the first turn torch prepares
        turns += 1
        if time.perf_counter() - began > 8 * SECONDS:  # steps so long that one tells enough
            break
    return "bfloat16" if best["bfloat16"] * PAYS < best["float32"] else "float32"


def without_hooks(model: nn.Module) -> nn.Module:
    """A copy whose calls nobody hears; whoever has hooked into the model may hold what cannot be copied."""
    listeners = [
        hooks
        for part in model.modules()
        for hooks in (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    ]
    return copy.deepcopy(model, {id(hooks): type(hooks)() for hooks in listeners})


def step_seconds(module: nn.Module, parameters: Sequence[Tensor], program: Program, batch: Batch) -> float:
    """How long loss and gradients take."""
    began = time.perf_counter()
    with program.autocast(batch.inputs[0].device):
        outputs = forward(module, batch)
    loss = total_loss(module, program, outputs, batch, accumulators(program))
    torch.autograd.grad(loss, list(parameters), allow_unused=True)
    return time.perf_counter() - began
