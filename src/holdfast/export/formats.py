"""The table of formats: how each is written, and opened again by who will run it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..core import BadValue, UnknownName, suggestion
from ..models import BaseModel
from ..models.arrays import Arrays
from .form import Form, open_keras, open_onnx, open_tfjs
from .keras import export_keras
from .onnx import export_onnx
from .tfjs import export_tfjs

Write: TypeAlias = Callable[[BaseModel, Path, Any, Arrays], tuple[Path, ...]]  # Any: None or a word of `quantize`


@dataclass(frozen=True)
class Format:
    """A row of the table.

    Attributes:
        name: as people say it.
        file: the name of the file that one opens.
        quantize: how it can be quantised.
        write: writes a model into a folder, quantised in a way or None, by samples; gives the files.
        open: opens what is in a folder, for as long as a `with` lasts.
    """

    name: str
    file: str
    quantize: tuple[str, ...]
    write: Write
    open: Callable[[Path], AbstractContextManager[Form]]


def _keras(model: BaseModel, folder: Path, quantize: Any, samples: Arrays) -> tuple[Path, ...]:
    return export_keras(model, folder / "model.keras")


def _onnx(model: BaseModel, folder: Path, quantize: Any, samples: Arrays) -> tuple[Path, ...]:
    return export_onnx(model, folder / "model.onnx", quantize=quantize, samples=samples)


def _tfjs(model: BaseModel, folder: Path, quantize: Any, samples: Arrays) -> tuple[Path, ...]:
    return export_tfjs(model, folder, quantize=quantize)


FORMATS = {
    row.name: row
    for row in (
        Format("keras", "model.keras", (), _keras, open_keras),
        Format("tfjs", "model.json", ("int8", "float16"), _tfjs, open_tfjs),
        Format("onnx", "model.onnx", ("int8", "float16"), _onnx, open_onnx),
    )
}
QUANTIZED = ("int8", "float16")


def formats_of(to: str, quantize: str | None) -> Iterator[tuple[Format, str | None]]:
    """The formats that a word stands for, each with how it is quantised; "all" are all.

    Of "all", one that has no quantised form is exported in float32.

    Raises:
        UnknownName: no such format.
        BadValue: it cannot be quantised so.
    """
    if quantize is not None and quantize not in QUANTIZED:
        raise BadValue(f"quantize={quantize!r}: must be {' or '.join(map(repr, QUANTIZED))}.")
    if to not in (*FORMATS, "all"):
        raise UnknownName(f"no format is called {to!r}{suggestion(str(to), [*FORMATS, 'all'])}")
    for row in FORMATS.values() if to == "all" else [FORMATS[to]]:
        fits = quantize is None or quantize in row.quantize
        if not fits and to != "all":
            able = ", ".join(other.name for other in FORMATS.values() if quantize in other.quantize)
            raise BadValue(f"{row.name} has no {quantize} form; these have: {able}.")
        yield row, quantize if fits else None
