"""Writes files as Keras 2 and TF.js lay them out, from models of holdfast; the layouts are written down here once more.

Keras 2's h5: attributes model_config, keras_version and backend; a group model_weights whose attribute layer_names
lists the layers, and in it a group for each, whose attribute weight_names lists the paths of its arrays: those that
training changes, then the others.  TF.js: model.json and one file of weights.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from holdfast.layers import Layer, Source
from holdfast.models import BaseModel, BoundLayer, to_config, to_keras2

Array = NDArray[Any]  # Any: of any number


def arrays_of(model: BaseModel, layer: Source) -> list[tuple[str, Array]]:
    """Names, as Keras 2 and TF.js give them, and values of a layer's weights, in Keras 2's order."""
    name = model.lowered.names[layer]
    if isinstance(layer, BaseModel):
        inside = [pair for one in layer.lowered.names for pair in arrays_of(layer, one)]
        frozen = {n for one, n in layer.lowered.names.items() if isinstance(one, Layer) and not one.trainable}
        return sorted(inside, key=lambda pair: "/moving_" in pair[0] or pair[0].split("/")[0] in frozen)
    bound = BoundLayer(layer, model.lowered)
    depthwise = type(layer).__name__.startswith("Depthwise")
    words = [
        "depthwise_kernel" if depthwise and weight.name == "kernel" else weight.name for weight, _ in bound.tensors()
    ]
    return [(f"{name}/{word}", array) for word, array in zip(words, bound.get_weights(), strict=True)]


def write_keras2(
    model: BaseModel, path: Path, *, whole: bool = True, version: str = "2.15.0", backend: str = "tensorflow"
) -> Path:
    """An h5 file of Keras 2: of a whole model with an optimizer's numbers, or of weights only."""
    with h5py.File(path, "w") as file:
        group = file
        if whole:
            file.attrs["model_config"] = json.dumps(to_keras2(to_config(model))).encode()
            file.attrs["training_config"] = json.dumps({"optimizer_config": {"class_name": "Adam"}}).encode()
            steps = file.create_group("optimizer_weights")
            steps.attrs["weight_names"] = [b"Adam/iterations:0"]
            steps["Adam/iterations:0"] = np.int64(7)
            group = file.create_group("model_weights")
        for one in {file, group}:
            one.attrs["keras_version"], one.attrs["backend"] = version.encode(), backend.encode()
        layers = list(model.lowered.names)
        group.attrs["layer_names"] = [model.lowered.names[layer].encode() for layer in layers]
        for layer in layers:
            part = group.create_group(model.lowered.names[layer])
            arrays = arrays_of(model, layer)
            part.attrs["weight_names"] = [f"{name}:0".encode() for name, _ in arrays]
            for name, array in arrays:
                part[f"{name}:0"] = array
    return path


def write_tfjs(model: BaseModel, folder: Path, *, quantize: str | None = None, shards: int = 2) -> Path:
    """model.json and its weights, as the converter of tensorflowjs writes them, cut anywhere into shards."""
    folder.mkdir(parents=True, exist_ok=True)
    specs, data = [], b""
    for layer in model.lowered.names:
        for name, array in arrays_of(model, layer):
            spec: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
            if quantize == "float16":
                spec["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
                array = array.astype("<f2")
            elif quantize:
                steps = 2 ** (8 * np.dtype(quantize).itemsize) - 1
                least, scale = float(array.min()), float(array.max() - array.min()) / steps or 1.0
                spec["quantization"] = {"dtype": quantize, "scale": scale, "min": least, "original_dtype": "float32"}
                array = np.round((array - least) / scale).astype(quantize)
            specs.append(spec)
            data += array.tobytes()
    paths = [f"group1-shard{number + 1}of{shards}.bin" for number in range(shards)]
    cut = -(-len(data) // shards)
    for number, path in enumerate(paths):
        (folder / path).write_bytes(data[number * cut : (number + 1) * cut])
    config = {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": to_keras2(to_config(model))}
    whole = {
        "format": "layers-model",
        "generatedBy": "keras v2.15.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "modelTopology": config,
        "weightsManifest": [{"paths": paths, "weights": specs}],
    }
    (folder / "model.json").write_text(json.dumps(whole))
    return folder / "model.json"
