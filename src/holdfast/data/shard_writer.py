"""Writes shards of any data that can be loaded; see shards.py for what they are."""

import json
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadFile, BadValue, derive, whole_folder
from .decoding import DECODERS, in_order
from .files import list_files, read_picture_files
from .image import DRAFT_PX, decode, decode_known, draft_side, quiet
from .kept import stamps_of
from .listing import Files, Listed, Listing
from .load import read_source, reader_of, sides
from .near import Thumbnails, draw_thumbnail, thumbnail_side
from .options import Progress, Reading
from .pictures import LARGEST_SEARCHED, chosen_fit, described, look, not_searched
from .reads import Pictures, Reads
from .shard_check import remember
from .shard_manifest import INDEX, MANIFEST, ShardFile, ShardIndex, ShardManifest
from .source import TEST, VALIDATION, Source
from .tars import TarWriter, npy_bytes
from .together import find_near

Indices = NDArray[np.int64]
SHARD_BYTES = 256 * 10**6
ENDINGS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "jp2", "ppm", "pgm")
PART_NAMES = {VALIDATION: "validation", TEST: "test"}
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
CHUNK = 256  # samples of an array at once
INDISTINCT = "near copies were not looked for: pictures of different classes are too alike"


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
        image_size: the side in pixels, or (H, W), at which pictures are stored, as PNG; None keeps their files.
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
    with whole_folder(target, re.compile(r"(?!)")) as folder, _Writer(folder, size) as writer:
        if place.exists() and reader_of(place) is read_picture_files:
            manifest, index = _write_pictures(list_files(place, reading), str(path), reading, writer, seed)
        else:
            manifest, index = _write_values(read_source(path, reading), reading, writer, seed)
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


class _Prepared(NamedTuple):
    """A picture that could be decoded: what is stored, and what a split needs to know."""

    payload: tuple[str, bytes]
    digest: int
    small: NDArray[np.uint8]
    colour: NDArray[np.float32]


def _write_pictures(
    listing: Listing, title: str, reading: Reading, writer: _Writer, seed: int
) -> tuple[ShardManifest, ShardIndex]:
    """Pictures in files, each decoded once to see that it can be."""
    files, count = listing.files, len(listing.files)
    with quiet():
        seen = look(files, stamps_of(files), title, reading.progress)
        good, reasons = seen.good, dict(seen.reasons)
        fit = chosen_fit(seen.heights[good], seen.widths[good]) if reading.resize == "auto" else reading.resize
        reads = Pictures(reading.image_size or seen.size, 1 if seen.grey[good].all() else 3, fit)
        side = (thumbnail_side(seen.shorter.tolist()) if len(good) <= LARGEST_SEARCHED else None) or 0
        if reading.image_size is None and isinstance(files, Files):
            _check_room(writer.folder, int(files.stamps[:, 0].clip(0).sum()))
        places = np.full((count, 3), -1, np.int64)
        digests, colours = np.zeros(count, np.uint64), np.zeros((count, reads.channels), np.float32)
        small = _held(writer.folder / "thumbnails", (count, side, side))
        prepare = partial(_prepared, files, side, reads, reading.image_size is not None)
        order = good[np.random.default_rng(derive(seed, "shards")).permutation(len(good))].tolist()
        with ThreadPoolExecutor(DECODERS) as pool:
            for done, (row, found) in enumerate(zip(order, in_order(pool, prepare, order), strict=True), 1):
                if isinstance(found, str):
                    reasons[row] = found
                elif reading.skip_bad or not reasons:  # else nothing will come of it, and what is bad is to be told
                    label = listing.classes.index(files[row].label)
                    places[row] = writer.add(row, count, found.payload, label, _about(files[row]))
                    digests[row], small[row], colours[row] = found.digest, found.small, found.colour
                if reading.progress:
                    reading.progress(done, len(order))
    kept = np.setdiff1d(good, np.array(list(reasons), np.int64))
    source = described(listing, kept, reasons, digests[kept], reads, title, skip_bad=reading.skip_bad)
    if side:
        source = replace(source, thumbnails=Thumbnails(small if len(kept) == count else small[kept], colours[kept]))
    elif seen.searchable:
        source = replace(source, notes=(*source.notes, not_searched(good)))
    index, notes = _index(places[kept], source)
    del small
    (writer.folder / "thumbnails").unlink(missing_ok=True)
    return _manifest(source, "picture", reads.shape, np.dtype(np.uint8), reads, notes), index


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
    index, notes = _index(places, source)
    reads = source.reads
    if isinstance(source.images, np.ndarray):
        reads = reads or Pictures.of_values(torch.from_numpy(source.images))
    return _manifest(source, "values", source.shape, dtype, reads, notes), index


def _prepared(files: Sequence[Listed], side: int, reads: Pictures, smaller: bool, row: int) -> _Prepared | str:
    """A picture with what is known of it; as its file is, or at the size of training.  Or why it is none."""
    small, colour = np.empty((side, side), np.uint8), np.empty(reads.channels, np.float32)
    try:
        content = files[row].content()
        picture, known = decode_known(content, reads.channels, reads.size)
        if side and draft_side(reads.size) > DRAFT_PX:
            picture = decode(content, reads.channels, (1, 1))  # near copies are the same ones at every size
        payload = ("png", _png(content, reads)) if smaller else (_ending(files[row].path, content), content)
    except BadFile as error:
        return str(error)
    if side:
        draw_thumbnail(picture, small, colour)
    return _Prepared(payload, known, small, colour)


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


def _png(content: bytes, reads: Pictures) -> bytes:
    """The picture at its size of training: without loss, so that training sees the same as from its file."""
    from PIL import Image

    pixels = reads.sample(content)
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if reads.channels == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _about(file: Listed) -> dict[str, Any]:  # Any: JSON values
    """What stands in the .json of a sample, for other programs and for people."""
    known = {"group": file.group, "time": file.time, "part": PART_NAMES.get(file.part)}
    return {"name": file.name, "label": file.label} | {key: value for key, value in known.items() if value is not None}


def _index(places: Indices, source: Source) -> tuple[ShardIndex, tuple[str, ...]]:
    """Where everything lies, (N, 3), and what a split needs to know; and what is to be said about near copies."""
    near = find_near(source)
    index = ShardIndex(
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
        near=np.empty((0, 2), np.int64) if near is None else near,
    )
    return index, (INDISTINCT,) if near is None else ()


def _manifest(
    source: Source,
    payload: Literal["picture", "values"],
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    reads: Reads | None,
    notes: tuple[str, ...],
) -> ShardManifest:
    """All but the files."""
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
        notes=source.notes + notes,
    )


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadFile(
            f"cannot write {folder.parent}: the shards take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free."
        )


def _held(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array that the system may keep on disk."""
    return np.memmap(path, np.uint8, "w+", shape=shape) if np.prod(shape) else np.empty(shape, np.uint8)
