"""TF.js Layers out: model.json and the weights beside it, which `tf.loadLayersModel` opens in a browser.

What TF.js has of our layers is in tfjs_layers.py, the older form of configuration that it wants in models/keras2.py.
"""

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadValue, whole_folder
from ..layers import Layer, Source, Weight
from ..layers.fitted import Fitted
from ..models import BaseModel, BoundLayer, extras, to_config
from ..models.graph import calls_of
from ..models.keras2 import to_keras2
from .tfjs_layers import ABSENT, ONLY_ONNX, ROWS, tfjs_form

Json: TypeAlias = Any  # what json.loads gives
Named: TypeAlias = tuple[str, NDArray[np.float32]]

SHARD_BYTES = 4 * 2**20  # as TF.js's own converter cuts, for the caches of browsers
OURS = re.compile(r"model\.json|group1-shard\d+of\d+\.bin")
WORDS = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]*")  # what TF.js takes in the names of weights
LARGEST_HALF = float(np.finfo(np.float16).max)
LEVELS = 255  # steps between the least and the largest of eight bits


def export_tfjs(
    model: BaseModel, folder: Path | str, quantize: Literal["int8", "float16"] | None = None
) -> tuple[Path, ...]:
    """Writes a model as TF.js Layers has it, for `tf.loadLayersModel("FOLDER/model.json")`.

    Args:
        model: with weights.
        folder: is made; one that holds an earlier export is replaced.  It appears whole or not at all.
        quantize: kernels in 8 or 16 bits each, which TF.js widens as it loads; None: 32 bits.  Biases and the numbers
            of normalizations, few as they are, stay as they are.

    Returns:
        The files: model.json first.

    Raises:
        BadValue: a layer or setting that TF.js does not have, or computes otherwise; the message says what to do.
        BadFile: the folder cannot be written, or holds something else.
    """
    if quantize not in (None, "int8", "float16"):
        raise BadValue(f"export_tfjs(quantize={quantize!r}): must be 'int8', 'float16' or None.")
    config, names = tfjs_config(model), _names(model)
    packed = [_packed(name, values, quantize) for name, values in _weights(model, names)]
    data = b"".join(part for _, part in packed)
    shards = [data[start : start + SHARD_BYTES] for start in range(0, len(data), SHARD_BYTES)]
    paths = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
    described = {
        "format": "layers-model",
        "generatedBy": f"holdfast {version('holdfast')}",
        "convertedBy": None,
        "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": config},
        "weightsManifest": [{"paths": paths, "weights": [specification for specification, _ in packed]}],
        "userDefinedMetadata": {"holdfast": extras(model)},
    }
    try:
        text = json.dumps(described, allow_nan=False)
    except ValueError as error:
        raise BadValue("TF.js: a setting is infinite or no number, which JSON in a browser cannot say.") from error
    with whole_folder(folder, OURS) as temporary:
        (temporary / "model.json").write_text(text, encoding="utf-8")
        for path, shard in zip(paths, shards, strict=True):
            (temporary / path).write_bytes(shard)
    return tuple(Path(folder) / path for path in ("model.json", *paths))


def tfjs_config(model: BaseModel) -> dict[str, Json]:
    """The configuration of a model as TF.js takes it: Keras 2's, of the layers that TF.js has.

    Raises:
        BadValue: a layer or setting that it does not have; the message names layer, setting and remedy.
    """
    names = _names(model)
    _check(model, names)
    config = to_config(model)
    _put_forms(model, config)
    old = to_keras2(config)
    _put_names(model, old, names)
    _put_order(old)
    return old


def _all_layers(model: BaseModel, depth: int = 0) -> Iterator[tuple[Source, str, int]]:
    """Each layer of a model and of those inside, with its name and how far inside it is."""
    for layer, name in model.lowered.names.items():
        yield layer, name, depth
        if isinstance(layer, BaseModel):
            yield from _all_layers(layer, depth + 1)


def _names(model: BaseModel) -> dict[Source, str]:
    """Names that are unique in all of the model, for TF.js finds weights by them; those outside are as they were."""
    names: dict[Source, str] = {}
    for layer, name, _ in sorted(_all_layers(model), key=lambda found: found[2]):
        unique, number, taken = name, 0, set(names.values())
        while unique in taken and layer not in names:
            number += 1
            unique = f"{name}_{number}"
        if layer in names:
            raise BadValue(f"layer {name!r} stands in two models of {model.name!r}, which TF.js cannot say.")
        names[layer] = unique
    return names


def _check(model: BaseModel, names: dict[Source, str]) -> None:
    """Raises BadValue for layers and names that no configuration could be written of."""
    for layer, name in names.items():
        if not WORDS.fullmatch(name):
            raise BadValue(f"layer {name!r}: TF.js takes letters, digits, '-', '_' and '.' in names; rename it.")
        kind = type(layer).__name__
        if isinstance(layer, Layer) and kind not in ROWS:
            raise BadValue(f"{kind}({name!r}): TF.js has no such layer; {ABSENT.get(kind, ONLY_ONNX)}.")
    for one in (model, *(layer for layer in names if isinstance(layer, BaseModel))):
        _check_calls(one, names)


def _check_calls(model: BaseModel, names: dict[Source, str]) -> None:
    """Raises BadValue for a call that takes a value twice which another takes, too: TF.js frees it after the first."""
    calls = calls_of(model.inputs, model.outputs)
    for call in calls:
        for symbol in call.inputs:
            takers = [other for other in calls if symbol in other.inputs]
            if call.inputs.count(symbol) > 1 and len(takers) > 1:
                raise BadValue(
                    f"{type(call.layer).__name__}({names[call.layer]!r}): takes the value of "
                    f"{names[symbol.call.layer]!r} twice, and another layer takes it, too, over which TF.js stumbles; "
                    "put Activation('linear') in between for the second."
                )


def _put_forms(model: BaseModel, config: dict[str, Json]) -> None:
    """Puts what TF.js has in place of each layer, in Keras 3's configuration."""
    shapes = {step.layer: step.inputs for step in model.lowered.steps}
    rows = config["config"]["layers"]
    for (layer, name), row in zip(model.lowered.names.items(), rows, strict=True):
        if isinstance(layer, BaseModel):
            _put_forms(layer, row)
        else:
            assert isinstance(layer, Layer)
            row["class_name"], row["config"] = tfjs_form(layer, name, shapes[layer], row["config"])


def _put_names(model: BaseModel, config: dict[str, Json], names: dict[Source, str]) -> None:
    """Calls the layers by their unique names, in Keras 2's configuration."""
    inner = config["config"]
    new = {name: names[layer] for layer, name in model.lowered.names.items()}
    for layer, row in zip(model.lowered.names, inner["layers"], strict=True):
        row["config"]["name"] = names[layer]
        if "name" in row:
            row["name"] = names[layer]
        if isinstance(layer, BaseModel):
            _put_names(layer, row, names)
    for triple in _triples(inner):
        triple[0] = new[triple[0]]


def _triples(inner: dict[str, Json]) -> Iterator[list[Json]]:
    """All [layer, call, output, ...] of a model."""
    for row in inner["layers"]:
        for node in row.get("inbound_nodes", []):
            yield from node
    yield from inner.get("input_layers", [])
    yield from inner.get("output_layers", [])


def _put_order(config: dict[str, Json]) -> None:
    """Numbers the calls of each layer in the order in which TF.js makes them: each as soon as its inputs are there.

    Keras keeps the order in which they are written, so that a shared layer that is called on an earlier value second
    would be met with its calls exchanged.
    """
    inner = config["config"]
    rows = {row["config"]["name"]: row for row in inner["layers"]}
    for row in inner["layers"]:
        if "layers" in row["config"]:
            _put_order(row)
    if config["class_name"] == "Sequential":
        return
    first = {name: int("layers" in row["config"]) for name, row in rows.items()}  # models inside count from 1
    made: dict[str, list[int]] = {name: [0] if not row["inbound_nodes"] else [] for name, row in rows.items()}
    waiting = {name: list(range(len(row["inbound_nodes"]))) for name, row in rows.items()}
    while any(waiting.values()):
        for name, row in rows.items():
            for number in list(waiting[name]):
                if all(triple[1] - first[triple[0]] in made[triple[0]] for triple in row["inbound_nodes"][number]):
                    made[name].append(number)
                    waiting[name].remove(number)
    for triple in _triples(inner):
        triple[1] = made[triple[0]].index(triple[1] - first[triple[0]]) + first[triple[0]]
    for name, row in rows.items():
        if row["inbound_nodes"]:
            row["inbound_nodes"] = [row["inbound_nodes"][number] for number in made[name]]


def _weights(model: BaseModel, names: dict[Source, str]) -> Iterator[Named]:
    """All weights in Keras's layout, under TF.js's names."""
    for layer in model.lowered.names:
        if isinstance(layer, BaseModel):
            yield from _weights(layer, names)
        elif isinstance(layer, Fitted):
            shape = next(step.inputs[0] for step in model.lowered.steps if step.layer is layer)
            for word, array in zip(("kernel", "bias"), layer.arrays(shape[0]), strict=False):
                yield f"{names[layer]}/{word}", array
        else:
            row = ROWS[type(layer).__name__]
            for weight, tensor in BoundLayer(layer, model.lowered).tensors():
                values = weight.to_keras(tensor.detach()).cpu().float()
                _check_constraint(weight, values, names[layer])
                yield f"{names[layer]}/{row.weights.get(weight.name, weight.name)}", values.contiguous().numpy()


def _check_constraint(weight: Weight, values: Tensor, name: str) -> None:
    """Raises BadValue for a weight that TF.js, which heeds constraints as it loads, too, would change."""
    if weight.constraint is not None and not torch.allclose(weight.constraint(values), values, rtol=1e-5, atol=1e-6):
        raise BadValue(
            f"layer {name!r}: its {weight.name} is not yet as {weight.name}_constraint={weight.constraint} wants, and "
            "TF.js would change it as it loads; train the model for a step."
        )


def _packed(name: str, values: NDArray[np.float32], quantize: str | None) -> tuple[dict[str, Json], bytes]:
    """How the manifest describes a weight, and its bytes."""
    described: dict[str, Json] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
    many = values.ndim > 1 and values.size > 0 and bool(np.isfinite(values).all())
    if quantize == "float16" and many and np.abs(values).max() <= LARGEST_HALF:
        described["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        return described, values.astype("<f2").tobytes()
    if quantize == "int8" and many:
        scale, least, steps = _eight_bits(values)
        described["quantization"] = {"dtype": "uint8", "scale": scale, "min": least, "original_dtype": "float32"}
        return described, steps.tobytes()
    return described, values.astype("<f4").tobytes()


def _eight_bits(values: NDArray[np.float32]) -> tuple[float, float, NDArray[np.uint8]]:
    """Scale, least value and steps, so that values are nearly steps * scale + least, and zeros stay zeros."""
    least, largest = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = (largest - least) / LEVELS
    if scale == 0:
        return 0.0, 0.0, np.zeros(values.shape, np.uint8)
    zero = round(-least / scale)
    steps = np.clip(np.rint(values.astype(np.float64) / scale) + zero, 0, LEVELS)
    return scale, -zero * scale, steps.astype(np.uint8)
