"""Writes shards of any data that can be loaded; see shards.py for what they are."""

import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, BadValue, derive, whole_folder
from .examine import examine, without_thumbnails
from .files import list_files, read_picture_files
from .listing import Files, Listed, Listing, without_pool
from .load import read_source, reader_of, sides
from .options import Progress, Reading
from .reads import Pictures
from .shard_check import remember
from .shard_manifest import INDEX, MANIFEST, ShardFile, ShardIndex, ShardManifest, index_of, manifest_of
from .source import TEST, TRAIN, VALIDATION, Source
from .tars import ENDINGS, TarWriter, npy_bytes

Indices = NDArray[np.int64]
SHARD_BYTES = 256 * 10**6
PART_NAMES = {VALIDATION: "validation", TEST: "test"}
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
CHUNK = 256  # samples of an array at once


def write_shards(
    path: str | PathLike[str],
    out: str | PathLike[str],
    *,
    shard_size: int | str = SHARD_BYTES,
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    progress: Progress | None = None,
    **options: Any,  # Any: as `load` takes them
) -> Path:
    """Writes data as a folder of shards, which `load` then reads sample by sample; it appears whole or not at all.

    Samples are shuffled over the shards.  What `load` finds out about the data, groups and near copies among it, is
    kept beside them, so that shards and the data they were made of are split in the same way.

    Args:
        path: any data that `load` knows.
        out: a new folder.
        shard_size: bytes of a shard, about: 256_000_000, "256MB", "1GiB".
        image_size: the side in pixels, or (H, W), at which pictures are stored, as values that need no decoding when
            they are trained on, at this size only; None keeps their files.
        seed: of the order in the shards.
        skip_bad: leave out files that cannot be read, instead of raising.
        progress: told (samples done, samples in all).
        options: group_by, time_by and all others that say what `load` is to read.

    Returns:
        The path of its manifest.

    Raises:
        BadFile: the folder is there already, or cannot be written; no room.
        BadData: data that cannot be read; the message names what is wrong and the remedy.
        BadValue: a size that is none.
    """
    place, target = Path(path), Path(out)
    size = parse_size(shard_size)
    reading = Reading(image_size=sides(image_size), skip_bad=skip_bad, progress=progress, **options)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadFile(f"{target}: is there already; name a new folder, or remove it.")
    if place.is_dir() and place.resolve() in target.resolve().parents:
        raise BadFile(f"{target}: lies in the data, and would be taken for a part of it; name a folder beside {place}.")
    with whole_folder(target, re.compile(r"(?!)")) as folder, _Writer(folder, size) as writer:
        if place.exists() and reader_of(place) is read_picture_files:
            manifest, index = _write_pictures(
                without_pool(list_files(place, reading)), str(path), reading, writer, seed
            )
        else:
            manifest, index = _write_values(read_source(path, reading).apart()[0], reading, writer, seed)
        index.write(folder / INDEX)
        manifest = replace(manifest, index=ShardFile.of(folder / INDEX, len(index.labels)), shards=writer.end())
        manifest.write(folder / MANIFEST)
    remember(target, manifest)
    return target / MANIFEST


def parse_size(size: int | str) -> int:
    """Bytes of "256MB", "1 GiB" or a number.  Raises BadValue."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(size), re.IGNORECASE)
    if match is None or match[2].upper() not in UNITS or float(match[1]) <= 0:
        raise BadValue(f"shard_size={size!r}: must be a number of bytes, such as 256MB or 1GiB.")
    return max(1, int(float(match[1]) * UNITS[match[2].upper()]))


@dataclass
class _Writer:
    """Writes samples into one tar after the other."""

    folder: Path
    size: int
    files: list[ShardFile] = field(default_factory=list)
    held: int = 0  # samples in the tar that is being written
    tar: TarWriter | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def add(
        self, row: int, count: int, payload: tuple[str, bytes], label: int, about: dict[str, Any]
    ) -> tuple[int, int, int]:
        """Appends a sample; gives the number of its tar, and where its payload lies in it.

        Args:
            row: its place among `count`, which becomes its key.
            payload: how its name is to end, and its content.
            label: of its class.
            about: what else is known of it, for its .json; Any: JSON values.
        """
        if self.tar is not None and self.tar.size >= self.size:
            self._end()
        if self.tar is None:
            self.tar = TarWriter(self.stack.enter_context((self.folder / self._name()).open("wb")))
        key = f"{row:0{max(6, len(str(count)))}d}"
        member = self.tar.add(f"{key}.{payload[0]}", payload[1])
        self.tar.add(f"{key}.cls", str(label).encode())
        self.tar.add(f"{key}.json", json.dumps(about).encode())
        self.held += 1
        return len(self.files), *member

    def end(self) -> tuple[ShardFile, ...]:
        """All that was written."""
        if self.tar is not None:
            self._end()
        return tuple(self.files)

    def _name(self) -> str:
        return f"shard-{len(self.files):06d}.tar"

    def _end(self) -> None:
        assert self.tar is not None
        checksum = self.tar.end()
        self.files.append(ShardFile(self._name(), self.tar.size, checksum, self.held))
        self.stack.close()
        self.tar, self.held = None, 0


def _write_pictures(
    listing: Listing, title: str, reading: Reading, writer: _Writer, seed: int
) -> tuple[ShardManifest, ShardIndex]:
    """Pictures in files, each decoded once to see that it can be."""
    files, count = listing.files, len(listing.files)
    if reading.image_size is not None:
        _check_room(writer.folder, count * reading.image_size[0] * reading.image_size[1])
    elif isinstance(files, Files):
        _check_room(writer.folder, int(files.stamps[:, 0].clip(0).sum()))
    places = np.full((count, 3), -1, np.int64)

    def keep(row: int, content: bytes, reads: Pictures) -> None:
        payload = (_ending(files[row].path, content), content)
        if reading.image_size is not None:
            payload = "npy", npy_bytes(reads.sample(content))
        label = listing.classes.index(files[row].label)
        places[row] = writer.add(row, count, payload, label, _about(files[row]))

    source, kept, reads = examine(listing, title, reading, keep, folder=writer.folder, seed=derive(seed, "shards"))
    kind: Literal["picture", "values"] = "picture" if reading.image_size is None else "values"
    return manifest_of(source, kind, reads.shape, np.dtype(np.uint8), reads), index_of(places[kept], source)


def _write_values(source: Source, reading: Reading, writer: _Writer, seed: int) -> tuple[ShardManifest, ShardIndex]:
    """Samples that are arrays."""
    count = len(source.labels)
    places = np.full((count, 3), -1, np.int64)
    order = np.random.default_rng(derive(seed, "shards")).permutation(count)
    dtype = np.dtype(np.uint8)
    for start in range(0, count, CHUNK):
        rows = order[start : start + CHUNK]
        for row, sample in zip(rows.tolist(), source.samples(rows)[:].numpy(), strict=True):
            about = {"name": source.names[row], "label": source.classes[source.labels[row]]}
            places[row] = writer.add(row, count, ("npy", npy_bytes(sample)), int(source.labels[row]), about)
            dtype = sample.dtype
        if reading.progress:
            reading.progress(min(start + CHUNK, count), count)
    source = without_thumbnails(source)
    reads = source.reads
    if isinstance(source.images, np.ndarray):
        reads = reads or Pictures.of_values(source.samples(np.flatnonzero(source.parts == TRAIN)))
    return manifest_of(source, "values", source.shape, dtype, reads), index_of(places, source)


def _ending(path: Path, content: bytes) -> str:
    """What the name of the picture is to end in."""
    ending = path.suffix.lower().removeprefix(".")
    if ending in ENDINGS:
        return ending
    from PIL import Image

    with Image.open(BytesIO(content)) as image:
        return {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}.get(
            image.format or "", (image.format or "img").lower()
        )


def _about(file: Listed) -> dict[str, Any]:  # Any: JSON values
    """What stands in the .json of a sample, for other programs and for people."""
    known = {"group": file.group, "time": file.time, "part": PART_NAMES.get(file.part)}
    return {"name": file.name, "label": file.label} | {key: value for key, value in known.items() if value is not None}


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadFile(
            f"cannot write {folder.parent}: the shards take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free."
        )
