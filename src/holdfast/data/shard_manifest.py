"""What a set of shards says about itself: the manifest, with sizes and checksums, and where each sample lies."""

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, whole_file
from .dataset import BadFileFound
from .names import Names
from .reads import Reads, reads_from_dict, reads_to_dict
from .remote import file_sha256
from .source import Source

Indices = NDArray[np.int64]
MANIFEST, INDEX, VERSION = "manifest.json", "index.npz", 1


@dataclass(frozen=True)
class ShardFile:
    """A file of a set: its name in the folder, its size, the SHA-256 of its contents, and how many samples it holds."""

    file: str
    bytes: int
    sha256: str
    samples: int

    @classmethod
    def of(cls, path: Path, samples: int) -> "ShardFile":
        """As a file is now."""
        return cls(path.name, path.stat().st_size, file_sha256(path), samples)


@dataclass(frozen=True)
class ShardManifest:
    """What a set of shards says about itself.

    Attributes:
        samples: how many.
        payload: how a sample is stored: a "picture" in its file format, or "values", a .npy.
        shape: of one sample as `load` gives it, unless it is told otherwise.
        dtype: of the values, as NumPy writes it: "<f4".
        classes: names of the labels.
        reads: how raw files become such samples; None when there never were any.
        index: the file that says where each sample lies.
        shards: the tars.
        skipped, notes, span: as of a Source.
    """

    samples: int
    payload: Literal["picture", "values"]
    shape: tuple[int, ...]
    dtype: str
    classes: tuple[str, ...]
    reads: Reads | None
    index: ShardFile
    shards: tuple[ShardFile, ...]
    skipped: tuple[BadFileFound, ...] = ()
    notes: tuple[str, ...] = ()
    span: float = 0.0

    def write(self, path: Path) -> None:
        """Writes it as JSON, whole or not at all."""
        plain = asdict(self) | {"reads": None if self.reads is None else reads_to_dict(self.reads)}
        with whole_file(path) as temporary:
            text = json.dumps({"holdfast_shards": VERSION, **plain}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "ShardManifest":
        """The manifest in a file.

        Raises:
            BadFile: it is none, or one that names files outside of its folder; a stranger may have written it.
        """
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadFile(f"{path}: {error.strerror or error}.") from error
        except ValueError as error:
            raise BadFile(f"{path}: is no JSON: {error}.") from error
        if not isinstance(plain, dict) or plain.get("holdfast_shards") != VERSION:
            raise BadFile(f"{path}: is no manifest of shards that this holdfast knows; write it by holdfast shard.")
        try:
            plain = {"span": 0.0} | plain  # which the first ones lack
            found = cls(**{item.name: _TAKES[item.name](plain[item.name]) for item in fields(cls)})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadFile(f"{path}: is a damaged manifest: {type(error).__name__} {error}.") from error
        for one in (found.index, *found.shards):
            if Path(one.file).name != one.file or one.file.startswith("."):
                raise BadFile(f"{path}: names the file {one.file!r}; only files beside it are read.")
        if sum(shard.samples for shard in found.shards) != found.samples or not found.samples:
            raise BadFile(f"{path}: is a damaged manifest: its shards do not hold {found.samples} samples.")
        return found


def _file(plain: Mapping[str, Any]) -> ShardFile:  # Any: JSON values
    return ShardFile(str(plain["file"]), int(plain["bytes"]), str(plain["sha256"]), int(plain["samples"]))


def _payload(word: str) -> str:
    if word not in ("picture", "values"):
        raise ValueError(f"payload {word!r}")
    return word


_TAKES: Mapping[str, Callable[[Any], Any]] = {  # Any: from JSON values to those of the manifest
    "samples": int,
    "payload": _payload,
    "shape": lambda plain: tuple(int(side) for side in plain),
    "dtype": lambda plain: np.dtype(plain).str,
    "classes": lambda plain: tuple(map(str, plain)),
    "reads": lambda plain: None if plain is None else reads_from_dict(plain),
    "index": _file,
    "shards": lambda plain: tuple(map(_file, plain)),
    "skipped": lambda plain: tuple(BadFileFound(str(one["path"]), str(one["reason"])) for one in plain),
    "notes": lambda plain: tuple(map(str, plain)),
    "span": float,
}


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where each sample lies, and all that a split needs to know of it; (N,) each.

    The order is that of the data that the shards were made of, so that both are split in the same way.

    Attributes:
        shard: number of its tar.
        offset, length: of its payload, in bytes.
        labels, digests, parts, names, groups, group_names, times: as of a Source.
        near: (P, 2) pairs of which the second is nearly a copy of the first.
    """

    shard: Indices
    offset: Indices
    length: Indices
    labels: Indices
    digests: NDArray[np.uint64]
    parts: NDArray[np.int8]
    names: Sequence[str]
    groups: Indices | None
    group_names: tuple[str, ...]
    times: NDArray[np.float64] | None
    near: Indices

    def write(self, path: Path) -> None:
        """Writes an .npz, whole or not at all."""
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        arrays |= {name: _packed(getattr(self, name)) for name in ("names", "group_names")}
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # Any: or mypy takes the dict for options

    @classmethod
    def read(cls, path: Path, manifest: ShardManifest) -> "ShardIndex":
        """The index in a file, checked against its manifest.  Raises BadFile when they do not fit each other."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive.items())
            names, called = (_unpacked(arrays.pop(name)) for name in ("names", "group_names"))
            known: dict[str, Any] = {"groups": None, "times": None, **arrays}  # Any: what `check` looks at
            index = cls(**known, names=Names(names), group_names=tuple(called))
            index.check(manifest)
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise BadFile(f"{path}: is no index of these shards: {error}.") from error
        return index

    def check(self, manifest: ShardManifest) -> None:
        """Raises ValueError unless every sample lies within its tar and every number means something."""
        n, sizes = manifest.samples, np.array([shard.bytes for shard in manifest.shards])
        kinds = {"digests": np.uint64, "parts": np.int8, "times": np.float64}
        for name, value in vars(self).items():
            if not isinstance(value, np.ndarray):
                continue
            if value.dtype != kinds.get(name, np.int64) or (name != "near" and value.shape != (n,)):
                raise ValueError(f"{name} is {value.dtype} {value.shape}")
        if len(self.names) != n or self.near.ndim != 2 or self.near.shape[1] != 2:
            raise ValueError("names or pairs are missing")
        if not _within(self.shard, len(sizes)) or not _within(self.labels, len(manifest.classes)):
            raise ValueError("it names a shard or a class that is not there")
        if self.groups is not None and not _within(self.groups + 1, len(self.group_names) + 1):
            raise ValueError("it names a group that is not there")
        if not _within(self.near, n) or not _within(self.parts.astype(np.int64), 3):
            raise ValueError("it names a sample or a part that is not there")
        if manifest.payload == "values" and (self.length < _value_bytes(manifest)).any():
            raise ValueError("it names a payload that is too short")
        if (np.minimum(self.offset, self.length) < 0).any() or (self.offset > sizes[self.shard] - self.length).any():
            raise ValueError("it names a place behind the end of a shard")


def _value_bytes(manifest: ShardManifest) -> int:
    return int(np.prod(manifest.shape, dtype=np.int64)) * np.dtype(manifest.dtype).itemsize


def _within(values: Indices, end: int) -> bool:
    return not values.size or bool(values.min() >= 0 and values.max() < end)


def _packed(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Lines of text; no name holds the end of a line."""
    return np.frombuffer("\n".join(texts).encode("utf-8", "surrogateescape"), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> Iterator[str]:
    if packed.size:
        yield from packed.tobytes().decode("utf-8", "surrogateescape").split("\n")


def index_of(places: Indices, source: Source) -> ShardIndex:
    """Where the samples of a source lie: (N, 3) numbers of tars, offsets and lengths."""
    return ShardIndex(
        shard=places[:, 0].copy(),
        offset=places[:, 1].copy(),
        length=places[:, 2].copy(),
        labels=source.labels,
        digests=source.digests,
        parts=source.parts,
        names=source.names,
        groups=source.groups,
        group_names=source.group_names,
        times=source.times,
        near=np.empty((0, 2), np.int64) if source.near is None else source.near,
    )


def manifest_of(
    source: Source,
    payload: Literal["picture", "values"],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],  # Any: of any number type
    reads: Reads | None,
) -> ShardManifest:
    """What is to be said of a source, all but the files."""
    return ShardManifest(
        samples=len(source.labels),
        payload=payload,
        shape=shape,
        dtype=dtype.str,
        classes=source.classes,
        reads=reads,
        index=ShardFile("", 0, "", 0),
        shards=(),
        skipped=source.skipped,
        notes=source.notes,
        span=source.span,
    )
