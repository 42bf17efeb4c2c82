"""The base of a run: how a run finds it again, and what it tells of it."""

from pathlib import Path

from ..layers import Layer
from ..models import BaseModel
from ..transfer import FromBase
from .record import Settings

KEPT = "base.keras"  # of a base that came from memory, so that other seeds begin with its weights, too


def base_words(network: BaseModel, settings: Settings) -> str:
    """What a model learns from, what of it is frozen, and how many of its weights are trained; "" without a base."""
    if not isinstance(network.made_from, FromBase) and not settings.base:
        return ""
    layers = [layer for layer in network.layers if isinstance(layer, Layer) and layer.weights()]
    frozen, summary = sum(not layer.trainable for layer in layers), network.summary()
    given = Path(settings.base).name if settings.base else network.name or "a model"
    given = f"{Path(settings.base).parent.name}/{given}" if Path(given).suffix else given
    end = f" until {settings.until}" if settings.until else ""
    tuned = f", its last {settings.fine_tune} fine-tuned" if settings.fine_tune else ""
    return (
        f"{given}{end}: {frozen:,} of {len(layers):,} layers with weights are frozen{tuned}; "
        f"{summary.trainable:,} of {summary.parameters:,} weights are trained"
    )


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
