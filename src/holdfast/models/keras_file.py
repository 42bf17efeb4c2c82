"""The .keras archive, our own model file: a zip of metadata.json, config.json and model.weights.h5.

Real Keras 3 opens it and predicts the same.  `holdfast.json` beside them has what Keras has no place for.
"""

import json
import zipfile
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core import whole_file
from .config import OURS, Json, to_config
from .hdf5 import Group, open_h5
from .limit import made
from .model import BaseModel
from .preprocessing import extras, take_extras
from .reading import Archive, told
from .weights import adapt3, fill, fills3, to_h5

KERAS_VERSION = "3.15.1"  # whose format this is
KIND = ".keras model file"
WEIGHTS = "model.weights.h5"


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
        "config.json": _json(_without_weights(to_config(model))),
        "holdfast.json": _json(extras(model)),
        WEIGHTS: to_h5(model.lowered),
    }
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _without_weights(config: Json) -> Json:
    """A configuration without the kernels of fitted layers, which the weights hold, too."""
    for row in config["config"]["layers"]:
        if "layers" in row["config"]:
            _without_weights(row)
        elif row.get(OURS, {}).get("class_name") == "PCA":
            row[OURS]["config"]["kernel"] = None
    return config


def load_keras(path: Path | str) -> BaseModel:
    """Reads a model written by `save_keras` or by Keras 3.  What `compile` was told is not in it; compile it again.

    Raises:
        BadFile: missing, no .keras archive, or one that no model could have made; nothing of it is run or unpacked.
        BadValue: a layer or setting that holdfast does not have.
    """
    with told(path, KIND), Archive(Path(path)) as archive:
        config = archive.json("config.json")
        extra = archive.json("holdfast.json") if "holdfast.json" in archive.members else {}
        with open_weights(archive) as root:
            weights = root.group("layers")
            model = made(
                config,
                [array.shape for array in weights.arrays()],
                seed=int(extra.get("seed", 0)),
                adapt=lambda bare: adapt3(bare, weights),
            )
            take_extras(model, extra)
            fill(fills3(model, weights))
        return model


def open_weights(archive: Archive) -> AbstractContextManager[Group]:
    """The weights in a .keras archive, open."""
    return open_h5(archive.read(WEIGHTS), packed=archive.members[WEIGHTS].compress_size)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1)
