"""What a model must know to be asked with raw files, and how its answers are read: it travels in every format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..core import BadFile, BadValue
from ..data.reads import Reads, reads_from_dict, reads_to_dict
from .unknown import Unknown

if TYPE_CHECKING:
    from .model import BaseModel

Json: TypeAlias = Any  # what json.loads gives


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
    reads: Reads | None = None
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
            "reads": None if self.reads is None else reads_to_dict(self.reads),
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
                reads=reads_from_dict(reads) if reads else None,
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
    if found.reads is not None and tuple(model.inputs[0].shape) != found.reads.shape:
        raise BadFile(
            f"it reads {found.reads.kind} as {found.reads.shape}; the model takes {tuple(model.inputs[0].shape)}."
        )
    if found.unknown is not None and found.unknown.usual.shape != (outputs, outputs):
        raise BadFile(f'its answer "unknown" is for {len(found.unknown.usual)} classes; the model has {outputs}.')
    model.classes, model.unknown, model.reads = found.classes, found.unknown, found.reads


def from_files(model: "BaseModel", x: Any) -> Any:  # Any: what `predict` takes
    """The samples in a path or a sequence of paths, as the model takes them; anything else as it is.

    Raises:
        BadFile: a file that holds none.
        BadValue: the model does not know how to read files.
    """
    paths = [x] if isinstance(x, (str, Path)) else x
    if not isinstance(paths, (list, tuple)) or not paths or not all(isinstance(one, (str, Path)) for one in paths):
        return x
    if model.reads is None:
        raise BadValue(
            "predict: the model does not say how files become its input; give an array, or set "
            "model.reads = holdfast.models.Pictures.of(model) if it takes pictures of 0 to 255."
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
