"""The .keras archive, our own model file: a zip of metadata.json, config.json and model.weights.h5.

Real Keras 3 opens it and predicts the same.  `holdfast.json` beside them has what Keras has no place for.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core import BadFile, BadShape, HoldfastError, snake_case, whole_file
from ..layers import Layer, Normalization, Source
from .bound import BoundLayer
from .config import from_config, to_config
from .graph import calls_of, layers_of
from .lower import Lowered
from .model import BaseModel, Model
from .preprocessing import extras, take_extras

KERAS_VERSION = "3.15.1"  # whose format this is
LARGEST_JSON = 64 * 2**20  # bytes; more is no configuration
DAMAGED = (  # what zipfile, json, h5py and the reading of a strange configuration raise
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)


def save_keras(model: BaseModel, path: Path | str) -> None:
    """Writes a model.

    Args:
        model: with weights.
        path: by custom *.keras; appears whole or not at all.

    Raises:
        BadValue: a layer or setting that the format has no word for; the message names both.
        BadFile: the file cannot be written.
    """
    members: dict[str, str | bytes] = {
        "metadata.json": _json({"keras_version": KERAS_VERSION, "date_saved": datetime.now(UTC).isoformat()}),
        "config.json": _json(to_config(model)),
        "holdfast.json": _json(extras(model)),
        "model.weights.h5": _weights(model.lowered),
    }
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def load_keras(path: Path | str) -> BaseModel:
    """Reads a model written by `save_keras` or by Keras 3.  What `compile` was told is not in it; compile it again.

    Raises:
        BadFile: missing, or no .keras archive.
        BadValue: a layer or setting that holdfast does not have.
    """
    try:
        return _load(Path(path))
    except FileNotFoundError as error:
        raise BadFile(f"{path}: no such file.") from error
    except HoldfastError as error:
        raise type(error)(f"{path}: {error}") from error
    except DAMAGED as error:
        said = getattr(error, "strerror", None) or (error.args[0] if error.args else type(error).__name__)
        reason = str(said).partition("\n")[0]
        raise BadFile(f"{path}: is no .keras model file, or a damaged one: {reason}") from error


def _load(path: Path) -> BaseModel:
    import h5py

    with zipfile.ZipFile(path) as archive:
        config = _read_json(archive, "config.json")
        extra = _read_json(archive, "holdfast.json") if "holdfast.json" in archive.namelist() else {}
        weights = archive.read("model.weights.h5")
    model = from_config(config, seed=int(extra.get("seed", 0)))
    take_extras(model, extra)
    with h5py.File(io.BytesIO(weights), "r") as file:
        _adapt(model, file["layers"])
        _read(model, file["layers"])
    return model


def _json(value: Any) -> str:
    return json.dumps(value, indent=1)


def _read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > LARGEST_JSON:
        raise BadFile(f"its {name} is larger than {LARGEST_JSON >> 20} MiB.")
    value = json.loads(archive.read(name))
    if not isinstance(value, dict):
        raise BadFile(f"its {name} is no JSON object.")
    return value


def _weights(lowered: Lowered) -> bytes:
    """model.weights.h5, as bytes."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("vars").attrs["name"] = "model"
        _write(lowered, file.create_group("layers"))
    return buffer.getvalue()


def _write(lowered: Lowered, group: Any) -> None:  # Any: h5py is not annotated
    for place, layer in _places(lowered.names):
        bound = BoundLayer(layer, lowered)
        if isinstance(layer, BaseModel):
            _write(layer.lowered, group.create_group(f"{place}/layers"))
        variables = group.create_group(f"{place}/vars")
        variables.attrs["name"] = bound.name
        if isinstance(layer, Layer):
            for number, array in enumerate(bound.get_weights()):
                variables[str(number)] = array


def _places(layers: Iterable[Source]) -> Iterator[tuple[str, Source]]:
    """Where Keras keeps each layer's weights: under its class in snake case, numbered a class at a time."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = "functional" if isinstance(layer, Model) else snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        yield (f"{kind}_{number}" if number else kind), layer


def _parts(model: BaseModel, group: Any) -> Iterator[tuple[Source, Any]]:  # Any: h5py is not annotated
    """Each layer of a model with its part of the file: the one of its name, or the one at its place; None for none."""
    by_name = {part["vars"].attrs.get("name"): part for part in group.values() if "vars" in part}
    for place, layer in _places(layers_of(calls_of(model.inputs, model.outputs))):
        yield layer, by_name.get(layer.name, group.get(place))


def _adapt(model: BaseModel, group: Any) -> None:  # Any: h5py is not annotated
    """Gives every adapted Normalization, whose numbers Keras keeps as weights, its mean and variance."""
    for layer, part in _parts(model, group):
        if part is None:
            continue
        if isinstance(layer, BaseModel):
            _adapt(layer, part["layers"])
        elif isinstance(layer, Normalization) and layer.mean is None:
            layer.take(part["vars"]["0"][()], part["vars"]["1"][()])


def _read(model: BaseModel, group: Any) -> None:  # Any: h5py is not annotated
    for layer, part in _parts(model, group):
        bound = BoundLayer(layer, model.lowered)
        if isinstance(layer, BaseModel):
            if part is None:
                raise BadFile(f"it has no weights for the layer {bound.name!r}.")
            _read(layer, part["layers"])
        elif bound.tensors():
            arrays = [] if part is None else [part["vars"][key][()] for key in sorted(part["vars"], key=int)]
            try:
                bound.set_weights(arrays)
            except BadShape as error:
                raise BadFile(f"its weights do not fit the model: {error}") from error
