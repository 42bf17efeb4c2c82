"""Models of TF.js Layers: `model.json`, and beside it the weights in one or more files.  Writing is export/tfjs.py."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile
from .config import Json
from .keras2 import check_tfjs, from_keras2
from .limit import made
from .model import BaseModel
from .preprocessing import take_extras
from .reading import beside, read_json, regular, told
from .weights import Pairs, Slot, adapt, fill, fills, layers_in, match, slots_of

KIND = "TF.js model"
DTYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "bool": "u1", "float16": "<f2", "uint16": "<u2"}
QUANTIZED = ("float16", "uint8", "uint16")
SPATIAL = [[None, *[1] * rank, None] for rank in (1, 2, 3)]  # of a Dropout that drops whole channels


@dataclass(frozen=True)
class Piece:
    """An array in the files of a manifest, not read yet.

    Attributes:
        name: as the manifest has it.
        shape: its sides.
        dtype: as it lies in the file.
        scale, least: value * scale + least is meant; 1 and 0 where it is not quantized.
        offset: bytes before it in `files` as if they were one.
        files: open, with the bytes that each has.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    least: float
    offset: int
    files: Sequence[tuple[BinaryIO, int]]

    @property
    def size(self) -> int:
        """Bytes in the files."""
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize

    def read(self) -> NDArray[Any]:  # Any: of any number
        """The values, float32 where they were quantized."""
        found, at, left = b"", self.offset, self.size
        for file, size in self.files:
            if at < size and left:
                file.seek(at)
                found += file.read(min(left, size - at))
                left = self.size - len(found)
            at = max(0, at - size)
        if len(found) != self.size:
            raise BadFile(f"its weight {self.name!r} is cut off.")
        values = np.frombuffer(found, DTYPES[self.dtype]).reshape(self.shape)
        if self.dtype not in QUANTIZED:
            return values.astype(values.dtype.newbyteorder("="))
        wide = values.astype(np.float64) * self.scale + self.least  # as TF.js widens them, in double precision
        return wide.astype(np.float32)


def load_tfjs(path: Path | str) -> BaseModel:
    """Reads a model of TF.js Layers; weights that were quantized become float32 again.

    Args:
        path: of model.json, or of the folder that it is in.

    Raises:
        BadFile: missing, no such model, or one that no model could have made; nothing outside its folder is read.
        BadValue: a layer or setting that holdfast does not have, or that is another function in TF.js.
    """
    path = Path(path)
    path = path / "model.json" if path.is_dir() else path
    with told(path, KIND), ExitStack() as stack:
        whole = read_json(path)
        config = topology(whole)
        pieces = list(manifest(whole, path.parent, stack))
        check_tfjs(config)
        config = from_keras2(mended(config, {one.name: one.shape for one in pieces}))
        pairs: Pairs = []

        def take_numbers(bare: BaseModel) -> None:
            pairs.extend(paired(bare, pieces))
            adapt(pairs)

        extra = (whole.get("userDefinedMetadata") or {}).get("holdfast") or {}
        model = made(config, [one.shape for one in pieces], seed=int(extra.get("seed", 0)), adapt=take_numbers)
        take_extras(model, extra)
        fill(fills(model, pairs))
        return model


def topology(whole: dict[str, Json]) -> dict[str, Json]:
    """The configuration of the model in model.json, in Keras 2's form.

    Raises:
        BadFile: a graph of TensorFlow, or no model at all.
    """
    found = whole.get("modelTopology")
    if whole.get("format") == "graph-model" or (isinstance(found, dict) and "node" in found):
        raise BadFile(
            "is a graph model of TensorFlow, which has no layers; convert the original with --output_format "
            "tfjs_layers_model."
        )
    if not isinstance(found, dict):
        raise BadFile('has no "modelTopology", so it is no model of TF.js Layers.')
    config = found.get("model_config", found)
    if not isinstance(config, dict):
        raise BadFile('its "model_config" is no JSON object.')
    return config


def mended(config: Json, shapes: Mapping[str, tuple[int, ...]]) -> Json:
    """A configuration with what TF.js 4.22 loses of it when it saves, and in words of Keras.

    Args:
        shapes: of the weights, by name.
    """
    inner = config.get("config") if isinstance(config, dict) else None
    rows = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(rows, list):
        return config
    new = [_mended_row(row, shapes) for row in rows]
    return {**config, "config": {**inner, "layers": new} if isinstance(inner, dict) else new}


def _mended_row(row: Json, shapes: Mapping[str, tuple[int, ...]]) -> Json:
    if not isinstance(row, dict) or not isinstance(row.get("config"), dict) or "layers" in row["config"]:
        return mended(row, shapes)
    kind, settings = row.get("class_name"), dict(row["config"])
    kernel = shapes.get(f"{settings.get('name')}/depthwise_kernel", ())
    if kind == "SeparableConv2D" and "depth_multiplier" not in settings and len(kernel) == 4:
        settings["depth_multiplier"] = kernel[-1]
    constraint = settings.get("depthwise_constraint")
    if kind == "DepthwiseConv2D" and isinstance(constraint, dict) and constraint.get("class_name") == "L1L2":
        settings["depthwise_constraint"] = None  # it writes the regularizer a second time
    noise = settings.get("noise_shape")
    if kind == "Dropout" and isinstance(noise, list) and noise in SPATIAL:
        settings.pop("noise_shape")
        kind = f"SpatialDropout{len(noise) - 2}D"
    return {**row, "class_name": kind, "config": settings}


def manifest(whole: dict[str, Json], folder: Path, stack: ExitStack) -> Iterator[Piece]:
    """The arrays of all groups, whose files are opened and measured.

    Raises:
        BadFile: a name that leads out of the folder, a size that is not the files', or an unknown kind of number.
    """
    groups = whole.get("weightsManifest")
    if not isinstance(groups, list):
        raise BadFile('has no "weightsManifest".')
    names: set[str] = set()
    opened: set[tuple[int, int]] = set()  # by device and number: a file has many names, "./a" and "a"
    for group in groups:
        files: list[tuple[BinaryIO, int]] = []
        for name in group["paths"]:
            file = stack.enter_context(regular(beside(folder, name)))
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) in opened:
                raise BadFile(f"names the file {name!r} twice.")
            opened.add((status.st_dev, status.st_ino))
            files.append((file, status.st_size))
        offset = 0
        for spec in group["weights"]:
            piece = _piece(spec, offset, files)
            if piece.name in names:
                raise BadFile(f"its weight {piece.name!r} is there twice.")
            names.add(piece.name)
            offset += piece.size
            yield piece
        size = sum(size for _, size in files)
        if offset != size:
            raise BadFile(
                f"its weights take {offset:,} bytes by the manifest; the files {group['paths']} have {size:,}."
            )


def _piece(spec: dict[str, Json], offset: int, files: Sequence[tuple[BinaryIO, int]]) -> Piece:
    name, shape, quantization = spec["name"], spec["shape"], spec.get("quantization") or {}
    dtype = str(quantization.get("dtype", spec["dtype"]))
    if not isinstance(name, str) or not isinstance(shape, list):
        raise BadFile("has a weight without a name or a shape.")
    if not all(isinstance(side, int) and not isinstance(side, bool) and side >= 0 for side in shape):
        raise BadFile(f"its weight {name!r} has the shape {shape}.")
    if dtype not in (QUANTIZED if quantization else [one for one in DTYPES if one != "uint16"]):
        raise BadFile(f"its weight {name!r} is of {dtype!r}; numbers are read: {', '.join(DTYPES)}.")
    scale, least = float(quantization.get("scale", 1.0)), float(quantization.get("min", 0.0))
    if not (math.isfinite(scale) and math.isfinite(least)):
        raise BadFile(f"its weight {name!r} is quantized by {scale} and {least}.")
    return Piece(name, tuple(shape), dtype, scale, least, offset, files)


def paired(model: BaseModel, pieces: Sequence[Piece]) -> Pairs:
    """Which array goes where, by their names; the model may not be lowered yet.

    Raises:
        BadFile: a weight of the model that the manifest does not name, or names twice.
    """
    slots = [slot for layer, name in layers_in(model).items() for slot in slots_of(layer, (name,))]
    found: Pairs = []
    for slot, number in zip(slots, match(slots, [piece.name for piece in pieces]), strict=True):
        if number is None:
            raise BadFile(f"its weights do not fit the model: {_wanted(slot)} is not among them, or not once.")
        found.append((slot, pieces[number]))
    return found


def _wanted(slot: Slot) -> str:
    return repr("/".join((*slot.path, slot.words[0])))
