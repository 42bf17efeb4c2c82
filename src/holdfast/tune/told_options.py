"""What a search was told, as its record keeps it in JSON, and back."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, BadValue
from ..models import Net, Variant, from_config
from ..models.augmenting import from_recorded, recorded
from ..runs.bases import base_of
from ..runs.folds import Fold
from ..runs.plan import How, ModelChoice, describe, is_file
from ..runs.record import Record
from ..training import Optimizer, get_optimizer
from .candidate import Build
from .space import Categorical, Float, Int, Space

FOLDS = "folds.npz"
KINDS = {kind.__name__: kind for kind in (Categorical, Int, Float)}


def space_to(space: Space | Build) -> dict[str, Any] | None:  # Any: JSON values
    """A space; None for a function, which no file can hold."""
    if not isinstance(space, Space):
        return None
    rows = {name: {"kind": type(one).__name__, **asdict(one)} for name, one in space.dimensions.items()}
    return {"dimensions": rows, "fixed": dict(space.fixed)}


def space_from(plain: dict[str, Any] | None) -> Space:  # Any: JSON values
    """The space.

    Raises:
        BadValue: it was a function.
    """
    if plain is None:
        raise BadValue("the space of this search is a function; give it: resume_search(folder, space=function).")
    rows = {name: dict(row) for name, row in plain["dimensions"].items()}
    return Space({name: KINDS[row.pop("kind")](**row) for name, row in rows.items()}, plain["fixed"])


def how_to(how: How) -> dict[str, Any]:  # Any: JSON values
    """What `train` was told."""
    plain: dict[str, Any] = dict(how)
    if isinstance(how.get("optimizer"), Optimizer):
        plain["optimizer"] = describe(get_optimizer(how["optimizer"] or ""))
    if how.get("augment", "auto") != "auto":
        plain["augment"] = recorded(how["augment"])
    return plain


def how_from(plain: dict[str, Any]) -> How:  # Any: JSON values
    """What `how_to` was given."""
    how: dict[str, Any] = dict(plain)
    if isinstance(how.get("optimizer"), dict):
        how["optimizer"] = get_optimizer(how["optimizer"])
    if isinstance(how.get("augment"), list):
        how["augment"] = from_recorded(*how["augment"])
    return cast(How, how)


def model_to(model: ModelChoice) -> dict[str, Any] | None:  # Any: JSON values
    """What was said of a ready-made model; None of any other, which the record has as it is."""
    if not isinstance(model, Variant) or not isinstance(model.model, str) or is_file(model.model):
        return None
    return {"model": model.model, "net": model.net.told, "changes": dict(model.changes)}


def model_from(record: Record, folder: Path) -> ModelChoice:
    """What a search trains where its space does not say it."""
    if (told := record.search.get("model")) is not None:
        return Variant(told["model"], Net(**told["net"]), told["changes"])
    base = base_of(record.settings, folder)
    if base is not None:
        return base
    if record.settings.model == "model":
        return from_config(record.config, seed=record.settings.seed)
    return record.settings.model


def write_pairs(path: Path, folds: list[Fold]) -> None:
    """Writes folds as pairs of indices."""
    arrays = {f"{side}_{n:04d}": getattr(fold, side) for n, fold in enumerate(folds) for side in ("train", "judged")}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def pairs_from(path: Path) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """What `write_pairs` wrote.

    Raises:
        BadFile: it is not there, or damaged.
    """
    try:
        with np.load(path) as file:
            count = len(file.files) // 2
            return [(file[f"train_{n:04d}"], file[f"judged_{n:04d}"]) for n in range(count)]
    except (OSError, ValueError, KeyError) as error:
        raise BadFile(f"{path}: is damaged: {error}.") from error
