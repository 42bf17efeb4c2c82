"""The base of a run: how a run finds it again, and what it tells of it."""

from pathlib import Path

from ..models import BaseModel
from ..transfer import FromBase
from .record import Settings

KEPT = "base.keras"  # of a base that came from memory, so that other seeds begin with its weights, too


def keep_base(network: BaseModel, settings: Settings, folder: Path) -> None:
    """Writes the base of a model into the folder of its run, if it is nowhere else."""
    if isinstance(network.made_from, FromBase) and not settings.base:
        network.made_from.loaded.save(folder / KEPT)


def base_of(settings: Settings, folder: Path) -> FromBase | None:
    """The base of the run in a folder; None for a run without."""
    if settings.base:
        return FromBase(settings.base, settings.until, settings.fine_tune, settings.preprocessing)
    kept = folder / KEPT
    return FromBase(kept, settings.until, settings.fine_tune) if kept.is_file() else None
