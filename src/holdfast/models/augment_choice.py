"""Which layers augment which data under the words "light" and "strong"."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import torch

from ..data.reads import Reads
from ..data.rows import Samples, some
from ..layers import (
    MixUp,
    RandomColorJitter,
    RandomErasing,
    RandomFlip,
    RandomGain,
    RandomNoise,
    RandomRotation,
    RandomSwap,
    RandomTimeShift,
    RandomTranslation,
    RandomZoom,
    Shape,
    SpecAugment,
    TrivialAugment,
)
from ..layers.augment import Augmenting

if TYPE_CHECKING:
    from .model import BaseModel

Steps: TypeAlias = tuple[Augmenting, ...]

PHOTOS_SEEN = 64  # pictures that tell whether there is colour in them
COLOURFUL = 4  # levels of 255 by which the channels of a colour picture differ, on average
TURN = 0.02  # turns: 7 degrees
MIXED = MixUp(0.2)


def choose(strength: str, model: "BaseModel", samples: Samples, reads: Reads | None) -> Steps:
    """The layers for data of a kind.

    Args:
        strength: "light" or "strong".
        samples: all of them, (N, *shape).
        reads: how raw files became them; None: their shape tells what they are.
    """
    kind = kind_of(tuple(samples.shape[1:]), model) if reads is None else reads.kind
    return KINDS[kind](samples, reads, strength == "strong")


def kind_of(shape: Shape, model: "BaseModel") -> str:
    """What arrays of this shape most likely are; rows are sounds to a model that makes spectrograms or convolves."""
    if len(shape) == 1:
        marks = ("MelSpectrogram", "LogMelSpectrogram", "Conv1D", "Conv2D")
        return "sounds" if any(type(layer).__name__ in marks for layer in model.layers) else "table"
    if len(shape) == 3 and shape[-1] in (1, 3, 4):
        return "pictures"
    return "series" if len(shape) == 2 else "volumes"


def for_pictures(samples: Samples, reads: Reads | None, strong: bool) -> Steps:
    """Of photos, which have three channels and colour in them, left and right may be swapped; of others not.

    Digits, letters and scans are mostly grey, and a mirrored one is another one, or none.  CutMix is left out: with it
    some nets learned nothing at all from 400 photos in 30 epochs.
    """
    limits, channels = value_range(samples), samples.shape[-1]
    photos = channels == 3 and colourful(samples, limits)
    flip: Steps = (RandomFlip("horizontal"),) if photos else ()
    if strong and channels in (1, 3):
        middle = sum(limits) / 2
        erase = RandomErasing((0.25, 0.25), (0.02, 0.2), fill_value=middle, value_range=limits)
        return *flip, TrivialAugment(limits), erase, MIXED
    moves: Steps = (
        *flip,
        RandomTranslation(1 / 16, 1 / 16, "nearest"),
        RandomRotation(TURN, "nearest"),
        RandomZoom(0.1, fill_mode="nearest"),
    )
    if strong:
        return *moves, MIXED
    return (*moves, RandomColorJitter(limits, 0.1, 0.1, (0.4, 0.6))) if photos else moves


def for_sounds(samples: Samples, reads: Reads | None, strong: bool) -> Steps:
    """Masks of frequencies are for sounds of one channel."""
    if not strong:
        return RandomTimeShift(0.1), RandomGain(6.0), RandomNoise((15, 50))
    masks: Steps = (SpecAugment(1, 0.1),) if samples.dim() == 2 else ()
    return RandomTimeShift(0.15), RandomGain(6.0), RandomNoise((5, 40)), *masks, MIXED


def for_series(samples: Samples, reads: Reads | None, strong: bool) -> Steps:
    """What was not measured is nothing to move or to mix."""
    gain, noise = (RandomGain(3.0), RandomNoise((10, 30))) if strong else (RandomGain(1.0), RandomNoise((20, 40)))
    if getattr(reads, "masked", False):
        return gain, noise
    return (RandomTimeShift(0.1), gain, noise, MIXED) if strong else (RandomTimeShift(0.05), gain, noise)


def for_volumes(samples: Samples, reads: Reads | None, strong: bool) -> Steps:
    """Nothing moves: which way is up, and what is left, counts in most volumes."""
    return (RandomGain(3.0), RandomNoise((10, 30)), MIXED) if strong else (RandomGain(1.0), RandomNoise((20, 40)))


def for_tables(samples: Samples, reads: Reads | None, strong: bool) -> Steps:
    """Values are swapped with those of other rows, the features of a column together."""
    widths = [column.width for column in getattr(reads, "columns", ())] or None
    return (RandomSwap(0.15, widths), MIXED) if strong else (RandomSwap(0.05, widths),)


KINDS: dict[str, Callable[[Samples, Reads | None, bool], Steps]] = {
    "pictures": for_pictures,
    "sounds": for_sounds,
    "series": for_series,
    "volumes": for_volumes,
    "table": for_tables,
}


def value_range(samples: Samples) -> tuple[float, float]:
    """0 and 255 for bytes; else the smallest and the largest value there is."""
    if samples.dtype == torch.uint8:
        return 0.0, 255.0
    seen = some(samples)
    low, high = float(seen.min()), float(seen.max())
    return (low, high) if low < high else (low, low + 1)


def colourful(samples: Samples, limits: tuple[float, float]) -> bool:
    """Whether the channels of pictures (N, H, W, 3) differ: grey ones are often kept as if they had colour."""
    places = torch.linspace(0, len(samples) - 1, min(PHOTOS_SEEN, len(samples))).long()
    seen = samples[places].float()
    difference = float((seen.amax(-1) - seen.amin(-1)).mean())
    return difference > COLOURFUL / 255 * (limits[1] - limits[0])
