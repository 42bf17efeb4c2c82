"""What a model must know to be asked with raw files, and how its answers are read: it travels in every format."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, BadValue
from ..data import read_image
from ..data.image import INTERPOLATIONS
from .unknown import Unknown

if TYPE_CHECKING:
    from .model import BaseModel

Json: TypeAlias = Any  # what json.loads gives
LARGEST_SIDE_PX = 2**14
DECODERS = min(16, os.cpu_count() or 1)


@dataclass(frozen=True)
class Pictures:
    """How picture files become the input of a model.  `read` does it; the words say it to other programs.

    Attributes:
        size: (H, W) in pixels.
        channels: 1 for grey, 3 for RGB.
        fit: how a picture of another shape gets this one: "stretch", both sides by themselves.
        interpolation: "bilinear", "nearest", "box", "bicubic" or "lanczos".
        antialias: whether a pixel of the smaller picture sees all that it stands for; but for "nearest" it does.
        values: the smallest and the largest number that a pixel becomes; what else happens to them, layers do.
        upright: whether a picture is turned as its EXIF orientation says.
        background: what transparency is laid on.
    """

    size: tuple[int, int]
    channels: int
    fit: Literal["stretch"] = "stretch"
    interpolation: str = "bilinear"
    antialias: bool = True
    values: tuple[int, int] = (0, 255)
    upright: bool = True
    background: str = "white"

    def __post_init__(self) -> None:
        accepted: dict[str, tuple[object, ...]] = {
            "channels": (1, 3),
            "fit": ("stretch",),
            "interpolation": INTERPOLATIONS,
            "antialias": (self.interpolation != "nearest",),
            "values": ((0, 255),),
            "upright": (True,),
            "background": ("white",),
        }
        for name, words in accepted.items():
            if (value := getattr(self, name)) not in words:
                known = " or ".join(map(repr, words))
                raise BadValue(f"Pictures({name}={value!r}): must be {known}; holdfast reads pictures in no other way.")
        whole = all(isinstance(side, int) and 0 < side <= LARGEST_SIDE_PX for side in self.size)
        if not whole or len(self.size) != 2:
            raise BadValue(f"Pictures(size={self.size!r}): must be (H, W) in pixels, up to {LARGEST_SIDE_PX:,}.")

    @classmethod
    def of(cls, model: "BaseModel") -> "Pictures | None":
        """As `data.load` reads pictures, at the size of the model's input; None for a model that takes no pictures."""
        shape = model.inputs[0].shape
        if len(model.inputs) > 1 or len(shape) != 3 or shape[2] not in (1, 3):
            return None
        return cls((shape[0], shape[1]), shape[2])

    def read(self, paths: Sequence[str | Path]) -> NDArray[np.uint8]:
        """The pictures in these files, (N, H, W, C) uint8.

        Raises:
            BadFile: a file that is no picture; the message names it.
        """
        if not paths:
            raise BadValue("there are no pictures: the list of files is empty.")
        one = partial(read_image, shape=(*self.size, self.channels), interpolation=self.interpolation)
        if len(paths) == 1:
            return one(paths[0]).numpy()[None]
        pool = ThreadPoolExecutor(DECODERS)
        try:
            return np.stack([image.numpy() for image in pool.map(one, paths)])
        finally:
            pool.shutdown(cancel_futures=True)

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Pictures":
        """What `to_dict` was made from.  Raises BadValue for words that holdfast does not know."""
        known = [item.name for item in fields(cls)]
        strange = next((key for key in plain if key not in known), None)
        if strange is not None or not {"size", "channels"} <= plain.keys():
            raise BadValue(f"pictures are described by {', '.join(known)}; got {', '.join(map(str, plain))}.")
        settings: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
        return cls(**settings)  # Any: checked by the class


@dataclass(frozen=True)
class Extras:
    """What travels with a model besides layers and weights.

    Attributes:
        inputs, outputs: names and shapes, channels last, without the axis of samples.
        classes: what the outputs stand for.
        unknown: which answers are "unknown".
        reads: how files become the input; None for a model of arrays only.
        seed: of the model.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    classes: tuple[str, ...] | None = None
    unknown: Unknown | None = None
    reads: Pictures | None = None
    seed: int = 0

    @classmethod
    def of(cls, model: "BaseModel") -> "Extras":
        """Those of a model."""
        return cls(
            inputs={name: tuple(one.shape) for name, one in zip(model.input_names, model.inputs, strict=True)},
            outputs={name: tuple(one.shape) for name, one in zip(model.output_names, model.outputs, strict=True)},
            classes=model.classes,
            unknown=model.unknown,
            reads=model.reads,
            seed=model.seed,
        )

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return {
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
            "classes": None if self.classes is None else list(self.classes),
            "unknown": None if self.unknown is None else self.unknown.to_dict(),
            "reads": None if self.reads is None else self.reads.to_dict(),
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, plain: Json) -> "Extras":
        """What `to_dict` was made from; what is not there is as if the model had none.

        Raises:
            BadFile: anything else; a stranger may have written it.
        """
        try:
            classes, unknown, reads = (plain.get(key) for key in ("classes", "unknown", "reads"))
            return cls(
                inputs=_shapes(plain.get("inputs", {})),
                outputs=_shapes(plain.get("outputs", {})),
                classes=tuple(map(str, _list(classes))) if classes else None,
                unknown=_unknown(unknown) if unknown else None,
                reads=Pictures.from_dict(reads) if reads else None,
                seed=int(plain.get("seed", 0)),
            )
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise BadFile(f"what it says of classes, unknown and pictures is damaged: {reason}") from error


def extras(model: "BaseModel") -> dict[str, Json]:
    """What travels with a model besides layers and weights, as JSON holds it; see `Extras`."""
    return Extras.of(model).to_dict()


def take_extras(model: "BaseModel", plain: Json) -> None:
    """Gives a model what `extras` gave of another; files of before know fewer keys.

    Raises:
        BadFile: what no model has, or what does not fit this one.
    """
    found = Extras.from_dict(plain)
    outputs = model.outputs[0].shape[-1] if model.outputs[0].shape else 1
    if found.classes is not None and len(model.outputs) == 1 and len(found.classes) > max(outputs, 2):
        raise BadFile(f"it names {len(found.classes)} classes; the model has {outputs} outputs.")
    if found.reads is not None and tuple(model.inputs[0].shape) != (*found.reads.size, found.reads.channels):
        raise BadFile(f"it reads pictures of {found.reads.size}; the model takes {tuple(model.inputs[0].shape)}.")
    if found.unknown is not None and found.unknown.usual.shape != (outputs, outputs):
        raise BadFile(f'its answer "unknown" is for {len(found.unknown.usual)} classes; the model has {outputs}.')
    model.classes, model.unknown, model.reads = found.classes, found.unknown, found.reads


def from_files(model: "BaseModel", x: Any) -> Any:  # Any: what `predict` takes
    """The pictures of a path or a sequence of paths, as the model takes them; anything else as it is.

    Raises:
        BadFile: a file that is no picture.
        BadValue: the model does not know how to read files.
    """
    paths = [x] if isinstance(x, (str, Path)) else x
    if not isinstance(paths, (list, tuple)) or not paths or not all(isinstance(one, (str, Path)) for one in paths):
        return x
    if model.reads is None:
        raise BadValue(
            "predict: the model does not say how picture files become its input; give an array, or set "
            "model.reads = holdfast.models.Pictures.of(model) if it takes values from 0 to 255."
        )
    return model.reads.read(paths)


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"a list is needed, got {type(value).__name__}")
    return value


def _shapes(plain: Json) -> dict[str, tuple[int, ...]]:
    return {str(name): tuple(int(side) for side in shape) for name, shape in plain.items()}


def _unknown(plain: Json) -> Unknown:
    found = Unknown.from_dict(plain)
    if found.usual.ndim != 2 or not np.isfinite(found.usual).all():
        raise ValueError("its usual answers are no table of numbers")
    return found
