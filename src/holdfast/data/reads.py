"""How raw files become samples: it is chosen when data is read, and travels with every model that learned from them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadFile, BadValue
from .image import FITS, INTERPOLATIONS, PADDING, Fit, content_of, decode, fitted, quiet
from .rows import Rows, Samples
from .threads import DECODERS

Json: TypeAlias = Any  # what json.loads gives
LARGEST_SIDE_PX = 2**14
CHUNK = 16  # pictures that a thread reads at once


class Reads(Protocol):
    """How the files of one kind of data are read; frozen dataclasses, comparable.

    Attributes:
        kind: of data: "pictures", "sounds", "series", "volumes" or "table".
        shape: of one sample.
    """

    kind: ClassVar[str]

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, paths: Sequence[str | Path]) -> NDArray[Any]:  # Any: uint8 or float32
        """The samples in these files, (N, *shape), as training sees them.

        Raises:
            BadFile: a file that holds none; the message names it.
        """
        ...

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        ...

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Reads":
        """What `to_dict` was made from.  Raises BadValue for words that holdfast does not know."""
        ...


@runtime_checkable
class Learns(Reads, Protocol):
    """A way of reading of which something follows from the training samples, as what stands for a missing number."""

    def fitted(self, train: NDArray[np.float32]) -> "Learns":
        """The same, with what these samples tell; of no others may it know."""
        ...

    def filled(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (N, *shape) as it reads them once it is fitted."""
        ...


class Model(Protocol):
    """What is asked of a model here: symbols of its inputs, which have shapes."""

    @property
    def inputs(self) -> Any: ...  # Any: symbols are of a floor above


KINDS: dict[str, type[Reads]] = {}
R = TypeVar("R", bound=type[Any])


def reads_kind(kind: R) -> R:
    """Makes a way of reading known by its kind; a decorator."""
    KINDS[kind.kind] = kind
    return kind


def reads_to_dict(reads: Reads) -> dict[str, Json]:
    """As JSON holds it, with its kind."""
    return {"kind": reads.kind, **reads.to_dict()}


def reads_from_dict(plain: Mapping[str, Json]) -> Reads:
    """What `reads_to_dict` was made from; without a kind it is of pictures, as in files of before.

    Raises:
        BadValue: what no version of holdfast writes.
    """
    kind = plain.get("kind", "pictures")
    if kind not in KINDS:
        raise BadValue(f"it reads {kind!r}; this holdfast reads {', '.join(KINDS)}.")
    return KINDS[kind].from_dict({key: value for key, value in plain.items() if key != "kind"})


@reads_kind
@dataclass(frozen=True)
class Pictures:
    """How picture files become the input of a model.  `read` does it; the words say it to other programs.

    Attributes:
        size: (H, W) in pixels.
        channels: 1 for grey, 3 for RGB.
        fit: how a picture of another shape gets this one: "stretch", both sides by themselves; "crop", the largest
            window of this shape in its middle; "fit", the whole picture between bars.
        interpolation: "bilinear", "nearest", "box", "bicubic" or "lanczos".
        antialias: whether a pixel of the smaller picture sees all that it stands for; but for "nearest" it does.
        values: the smallest and the largest number that a pixel becomes; what else happens to them, layers do.
        upright: whether a picture is turned as its EXIF orientation says.
        background: what transparency is laid on.
        padding: of 0 to 255, what the bars are made of.
    """

    kind: ClassVar[str] = "pictures"
    size: tuple[int, int]
    channels: int
    fit: Fit = "stretch"
    interpolation: str = "bilinear"
    antialias: bool = True
    values: tuple[int, int] = (0, 255)
    upright: bool = True
    background: str = "white"
    padding: int = PADDING

    def __post_init__(self) -> None:
        accepted: dict[str, tuple[object, ...]] = {
            "channels": (1, 3),
            "fit": FITS,
            "interpolation": INTERPOLATIONS,
            "antialias": (self.interpolation != "nearest",),
            "values": ((0, 255),),
            "upright": (True,),
            "background": ("white",),
            "padding": (PADDING,),
        }
        for name, words in accepted.items():
            if (value := getattr(self, name)) not in words:
                known = " or ".join(map(repr, words))
                raise BadValue(f"Pictures({name}={value!r}): must be {known}; holdfast reads pictures in no other way.")
        whole = all(isinstance(side, int) and 0 < side <= LARGEST_SIDE_PX for side in self.size)
        if not whole or len(self.size) != 2:
            raise BadValue(f"Pictures(size={self.size!r}): must be (H, W) in pixels, up to {LARGEST_SIDE_PX:,}.")

    @classmethod
    def of(cls, model: "Model") -> "Pictures | None":
        """As `data.load` reads pictures, at the size of the model's input; None for a model that takes no pictures."""
        shape = model.inputs[0].shape
        if len(model.inputs) > 1 or len(shape) != 3 or shape[2] not in (1, 3):
            return None
        return cls((shape[0], shape[1]), shape[2])

    @classmethod
    def of_values(cls, images: Samples) -> "Pictures | None":
        """For an array (N, H, W, C) of bytes that reach beyond half of 255, as those of pictures in files do.

        None for other values, e.g. pictures from 0 to 1 or to 16 in an .npz, which have a range of their own; and for
        `Rows`, of which their source says how they are read.
        """
        if isinstance(images, Rows):
            return None
        if images.dim() != 4 or images.dtype != torch.uint8 or images.shape[3] not in (1, 3):
            return None
        height, width, channels = images.shape[1:]
        return cls((height, width), channels) if int(images.max()) > 127 else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return *self.size, self.channels

    def read(self, paths: Sequence[str | Path]) -> NDArray[np.uint8]:
        """The pictures in these files, (N, H, W, C) uint8.

        Raises:
            BadFile: a file that is no picture; the message names it.
        """
        if not paths:
            raise BadValue("there are no pictures: the list of files is empty.")
        images = np.empty((len(paths), *self.shape), np.uint8)

        def read(start: int) -> None:
            for place in range(start, min(start + CHUNK, len(paths))):
                try:
                    images[place] = self.sample(content_of(Path(paths[place])))
                except BadFile as error:
                    raise BadFile(f"{paths[place]}: {error}") from error

        with quiet():
            if len(paths) <= CHUNK:
                read(0)
                return images
            pool = ThreadPoolExecutor(DECODERS)
            try:
                list(pool.map(read, range(0, len(paths), CHUNK)))
            finally:
                pool.shutdown(cancel_futures=True)
        return images

    def sample(self, content: bytes) -> NDArray[np.uint8]:
        """The picture of a file with this content, (H, W, C) uint8.  Raises BadFile with the bare reason."""
        return fitted(decode(content, self.channels, self.size), self.size, self.interpolation, self.fit)

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
