"""Checkpoints: a state, and what its listeners remember, in one safetensors file that appears whole or not at all."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..core import BadFile, BadShape, whole_file
from .loop import accumulators
from .program import Program
from .state import State

NUMBERS = ("learning_rate", "step", "epoch", "batch", "begin")
TENSOR = "holdfast:tensor"  # the one key of the dict that stands for a tensor in what JSON keeps


def save_checkpoint(path: Path | str, state: State, *, memory: dict[str, Any] | None = None) -> None:
    """Writes a state.

    Args:
        path: a file name, by custom *.safetensors.
        state: at any event.
        memory: more to keep: nested dicts (with texts as keys) and lists of JSON values and tensors, e.g. what
            callbacks remember.

    Raises:
        BadFile: it cannot be written; what was there before stays.
    """
    tensors = _tensors(state)
    tensors |= {f"running/{key}": metric.totals for key, metric in state.running.items() if metric.totals is not None}
    plain = _split(memory or {}, tensors)
    header = {"state": {name: getattr(state, name) for name in NUMBERS}, "memory": plain}
    # safetensors refuses tensors that are not contiguous or share memory; channels_last ones are not contiguous.
    whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with whole_file(path) as temporary:
        try:
            save_file(whole, temporary, metadata={"holdfast": json.dumps(header)})
        except SafetensorError as error:  # a full disk, for one
            raise BadFile(f"cannot write {path}: {error}") from error


def load_checkpoint(path: Path | str, state: State, program: Program) -> dict[str, Any]:
    """Puts a state back as it was saved, in place, and returns the `memory` that was saved with it.

    Raises:
        BadFile: no such file, or not one of ours.
        BadShape: it is of another model or optimizer.  The state is then as it was.
    """
    header, tensors = _read(path)
    own = _tensors(state)
    _compare(path, own, tensors)
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(tensors[key])
    for name in NUMBERS:
        setattr(state, name, header["state"][name])
    state.running = accumulators(program)
    device = next((tensor.device for tensor in state.model.state_dict().values()), torch.device("cpu"))
    for key, metric in state.running.items():
        totals = tensors.get(f"running/{key}")
        metric.totals = None if totals is None else totals.to(device)
    memory: dict[str, Any] = _join(header["memory"], tensors)
    return memory


def load_model(path: Path | str, model: nn.Module) -> None:
    """Fills a model with the weights in a checkpoint, before a training is prepared that counts on those it freezes.

    Raises:
        BadFile, BadShape: as `load_checkpoint` does; the model is then as it was.
    """
    _, tensors = _read(path)
    own = {f"model/{key}": value for key, value in model.state_dict().items()}
    _compare(path, own, {key: tensor for key, tensor in tensors.items() if key.startswith("model/")})
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(tensors[key])


def _read(path: Path | str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("holdfast", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise BadFile(f"{path}: cannot be read as a checkpoint: {error}") from error
    if not (isinstance(header, dict) and header.keys() >= {"state", "memory"}):
        raise BadFile(f"{path}: is no checkpoint of holdfast.")
    return header, tensors


def _tensors(state: State) -> dict[str, Tensor]:
    """What training changes in place: the model and the optimizer's slots, under their names in the file."""
    tensors: dict[str, Tensor] = {f"model/{key}": value for key, value in state.model.state_dict().items()}
    for name, slot in state.slots.items():
        tensors |= {f"slots/{name}/{number}": tensor for number, tensor in enumerate(slot)}
    return tensors


def _compare(path: Path | str, own: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in own.items()}
    theirs = {key: tuple(tensor.shape) for key, tensor in found.items() if key.startswith(("model/", "slots/"))}
    for key in {**shapes, **theirs}:
        if shapes.get(key) != theirs.get(key):
            here, there = (_shape(one.get(key)) for one in (shapes, theirs))
            raise BadShape(f"{path}: is of another model or optimizer: {key} {there} in the file, {here} here.")


def _shape(shape: tuple[int, ...] | None) -> str:
    return "is not" if shape is None else f"has shape {shape}"


def _split(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` without its tensors: they go into `tensors`, and {TENSOR: key} stands for them."""
    if isinstance(value, Tensor):
        key = f"memory/{len(tensors)}"
        tensors[key] = value
        return {TENSOR: key}
    if isinstance(value, dict):
        return {key: _split(item, tensors) for key, item in value.items()}
    return [_split(item, tensors) for item in value] if isinstance(value, (list, tuple)) else value


def _join(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if set(value) == {TENSOR}:
            return tensors[value[TENSOR]]
        return {key: _join(item, tensors) for key, item in value.items()}
    return [_join(item, tensors) for item in value] if isinstance(value, list) else value
