"""Shards: samples in tars, with a manifest and an index by which any of them is found at once.

A set of shards is a folder of `shard-000000.tar` and so on in the WebDataset layout, `manifest.json` with sizes and
checksums, and `index.npz` with what a split needs to know of each sample, so that nothing is decoded before training.
Writing them is for shard_writer.py, tars of others for foreign_tars.py, sets by URL for remote_shards.py.
"""

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import replace
from io import FileIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import BadFile, BadValue
from .files import with_suggestion
from .groups import read_names
from .listing import Files, Listing, codes
from .names import Names
from .options import Reading
from .pictures import seconds
from .reads import Pictures
from .shard_check import verify
from .shard_manifest import MANIFEST, ShardIndex, ShardManifest
from .source import Source
from .threads import DECODERS, threads

Indices = NDArray[np.int64]


class Shards:
    """A `Store` over samples in tars: each is read where it lies, and decoded.

    Args:
        files: the tars.
        shard, offset, length: (N,) where each payload lies.
        shape: of one sample.
        payload: pictures are decoded as this says, a number type reads values.
    """

    def __init__(
        self,
        files: Sequence[Path],
        shard: Indices,
        offset: Indices,
        length: Indices,
        *,
        shape: tuple[int, ...],
        payload: "Pictures | np.dtype[np.generic]",
    ) -> None:
        self.files, self.shard, self.offset, self.length = tuple(files), shard, offset, length
        self.shape, self.payload = shape, payload
        self.numbers = np.dtype(np.uint8 if isinstance(payload, Pictures) or payload == np.uint8 else np.float32)
        self.dtype = torch.from_numpy(np.empty(0, self.numbers)).dtype
        self.blocks: Indices | None = shard if len(files) > 1 else None

    def __len__(self) -> int:
        return len(self.shard)

    def fetch(self, places: Indices) -> Tensor:
        """The samples at these places, (n, *shape) uint8 or float32.

        Raises:
            BadFile: a tar that is gone or has changed since its index was made.
        """
        places = np.asarray(places, np.int64)
        samples = np.empty((len(places), *self.shape), self.numbers)
        turns = np.array_split(np.argsort(self.shard[places], kind="stable"), min(DECODERS, max(1, len(places) // 4)))
        if len(turns) == 1:
            self._fill(samples, places, turns[0])
            return torch.from_numpy(samples)
        pool = threads("decode", DECODERS)
        done, _ = wait([pool.submit(self._fill, samples, places, turn) for turn in turns])
        for one in done:
            one.result()  # raises what was raised
        return torch.from_numpy(samples)

    def content(self, place: int) -> bytes:
        """The payload of a sample as it is stored."""
        with FileIO(self.files[self.shard[place]]) as file:
            return self._read(file, place)

    def _fill(self, samples: NDArray[np.generic], places: Indices, turn: Indices) -> None:
        """Reads these of the places, which are sorted by shard."""
        for some in np.split(turn, np.flatnonzero(np.diff(self.shard[places[turn]])) + 1):
            if not len(some):
                continue
            path = self.files[self.shard[places[some[0]]]]
            try:
                with FileIO(path) as file:
                    for row in some:
                        samples[row] = self._sample(self._read(file, int(places[row])))
            except (OSError, ValueError) as error:
                reason = (isinstance(error, OSError) and error.strerror) or error
                raise BadFile(f"{path}: has changed since training began: {reason}.") from error

    def _read(self, file: FileIO, place: int) -> bytes:
        file.seek(int(self.offset[place]))
        content = file.read(int(self.length[place]))
        if len(content) != self.length[place]:
            raise BadFile("it ends too early")
        return content

    def _sample(self, content: bytes) -> NDArray[np.generic]:
        if isinstance(self.payload, Pictures):
            return self.payload.sample(content)
        count = int(np.prod(self.shape, dtype=np.int64))  # the values stand at the end of a .npy
        return np.frombuffer(content, self.payload, count, len(content) - count * self.payload.itemsize).reshape(
            self.shape
        )


def is_shards(path: Path) -> bool:
    """Whether this is a set of shards with its manifest: its folder, or the manifest itself."""
    place = path / MANIFEST if path.is_dir() else path
    if place.name != MANIFEST or not place.is_file():
        return False
    with place.open("rb") as file:
        return b'"holdfast_shards"' in file.read(200)


def read_shards(path: Path, reading: Reading) -> Source:
    """The samples of a set of shards, which stay where they are.

    Raises:
        BadFile: a shard that is missing, incomplete or damaged.
    """
    folder = path if path.is_dir() else path.parent
    manifest = ShardManifest.read(folder / MANIFEST)
    verify(folder, manifest, reading.progress)
    return source_of(path, manifest, ShardIndex.read(folder / manifest.index.file, manifest), reading)


def source_of(path: Path, manifest: ShardManifest, index: ShardIndex, reading: Reading) -> Source:
    """What an index says, with samples as they are asked for."""
    title, folder = str(path), path if path.is_dir() else path.parent
    reading.only("shards", "image_size", "resize", "group_by", "time_by")
    payload: Pictures | np.dtype[np.generic] = np.dtype(manifest.dtype)
    reads = manifest.reads
    if manifest.payload == "picture":
        if not isinstance(reads, Pictures):
            raise BadFile(f"{folder / MANIFEST}: does not say how its pictures are read.")
        fit = reads.fit if reading.resize == "auto" else reading.resize
        reads = payload = replace(reads, size=reading.image_size or reads.size, fit=fit)
    elif reading.image_size not in (None, manifest.shape[:2]) or reading.resize != "auto":
        asked = f"resize={reading.resize!r}" if reading.resize != "auto" else f"image_size={reading.image_size}"
        raise BadValue(
            f"load({asked}): {path} holds values of {manifest.shape}; only pictures in files are resized, so write "
            "the shards anew."
        )
    shape = payload.shape if isinstance(payload, Pictures) else manifest.shape
    files = [folder / shard.file for shard in manifest.shards]
    source = Source(
        images=Shards(files, index.shard, index.offset, index.length, shape=shape, payload=payload),
        labels=index.labels,
        names=index.names,
        classes=manifest.classes,
        digests=index.digests,
        parts=index.parts,
        groups=index.groups,
        group_names=index.group_names,
        times=index.times,
        span=manifest.span,
        near=index.near,
        reads=reads,
        skipped=manifest.skipped,
        notes=manifest.notes,
    )
    if manifest.payload == "values" and reading.group_by is None and reading.time_by is None:
        return source
    stamps = np.zeros((len(index.labels), 2), np.int64)
    listed = Files(folder, Names(index.names), index.labels.astype(np.int32), manifest.classes, index.parts, stamps)
    source = _named(source, listed, title, reading)
    return with_suggestion(source, listed, path) if manifest.payload == "picture" else source


def _named(source: Source, files: Files, title: str, reading: Reading) -> Source:
    """The samples with groups and times as their names tell them, if that is asked for."""
    found = read_names(Listing(files, ()), title, group_by=reading.group_by, time_by=reading.time_by).files
    if reading.group_by is not None:
        groups, called = codes(file.group or "" for file in found)
        source = replace(source, groups=groups, group_names=called)
    if reading.time_by is None:
        return source
    return replace(source, times=np.array([seconds(file.time or "", file.name, title) for file in found]))
