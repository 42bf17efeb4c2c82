"""Checkpoints: a state, and what its listeners remember, in one safetensors file that appears whole or not at all."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..core import BadFile, BadShape, whole_file
from .loop import accumulators
from .program import Program
from .state import State

NUMBERS = ("learning_rate", "step", "epoch", "batch", "begin")


def save_checkpoint(path: Path | str, state: State, *, memory: dict[str, Any] | None = None) -> None:
    """Writes a state.

    Args:
        path: a file name, by custom *.safetensors.
        state: at any event.
        memory: more to keep: nested dicts of JSON values and tensors, e.g. what callbacks remember.
    """
    tensors: dict[str, Tensor] = {f"model/{key}": value for key, value in state.model.state_dict().items()}
    for name, slot in state.slots.items():
        tensors |= {f"slots/{name}/{number}": tensor for number, tensor in enumerate(slot)}
    tensors |= {f"running/{key}": metric.totals for key, metric in state.running.items() if metric.totals is not None}
    plain = _split(memory or {}, "memory", tensors)
    header = {"state": {name: getattr(state, name) for name in NUMBERS}, "memory": plain}
    # safetensors refuses tensors that are not contiguous or share memory; channels_last ones are not contiguous.
    whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with whole_file(path) as temporary:
        save_file(whole, temporary, metadata={"holdfast": json.dumps(header)})


def load_checkpoint(path: Path | str, state: State, program: Program) -> dict[str, Any]:
    """Puts a state back as it was saved, in place, and returns the `memory` that was saved with it.

    Raises:
        BadFile: no such file, or not one of ours.
        BadShape: it is of another model or optimizer.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("holdfast", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise BadFile(f"{path}: cannot be read as a checkpoint: {error}") from error
    if header is None:
        raise BadFile(f"{path}: is no checkpoint of holdfast.")
    for name in NUMBERS:
        setattr(state, name, header["state"][name])
    try:
        state.model.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("model/")})
        for name, slot in state.slots.items():
            for number, tensor in enumerate(slot):
                with torch.no_grad():
                    tensor.copy_(tensors[f"slots/{name}/{number}"])
    except (RuntimeError, KeyError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise BadShape(f"{path}: is of another model or optimizer: {first}") from error
    state.running = accumulators(program)
    for key, metric in state.running.items():
        totals = tensors.get(f"running/{key}")
        metric.totals = None if totals is None else totals.to(next(iter(state.parameters())).device)
    memory: dict[str, Any] = _join(header["memory"], tensors)
    return memory


def _split(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """`value` without its tensors: they go into `tensors`, and {"tensor": key} stands for them."""
    if isinstance(value, Tensor):
        tensors[place] = value
        return {"tensor": place}
    if isinstance(value, dict):
        return {key: _split(item, f"{place}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_split(item, f"{place}/{number}", tensors) for number, item in enumerate(value)]
    return value


def _join(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return tensors[value["tensor"]]
        return {key: _join(item, tensors) for key, item in value.items()}
    return [_join(item, tensors) for item in value] if isinstance(value, list) else value
