"""Writes shards of any data that can be loaded; see shards.py for what they are."""

import json
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue, derive, whole_folder
from .dataset import BadFileFound
from .files import holds_pictures, list_files
from .image import Header, decode, fitted, quiet, read_header
from .load import read_source, sides
from .near import Thumbnails, draw_thumbnail, thumbnail_side
from .options import Progress, Reading
from .pictures import Listed, Listing, chosen_size, seconds
from .reads import DECODERS, Pictures, Reads
from .shard_check import remember
from .shard_manifest import INDEX, MANIFEST, ShardFile, ShardIndex, ShardManifest
from .source import TEST, VALIDATION, Source, digest
from .tars import Member, TarWriter, npy_bytes
from .together import find_near

Indices = NDArray[np.int64]
SHARD_BYTES = 256 * 10**6
ENDINGS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "jp2", "ppm", "pgm")
PART_NAMES = {VALIDATION: "validation", TEST: "test"}
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
CHUNK = 256  # samples of an array at once
INDISTINCT = "near copies were not looked for: pictures of different classes are too alike"
T = TypeVar("T")
U = TypeVar("U")


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
        if place.exists() and holds_pictures(place):
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


class Place(NamedTuple):
    """Where the payload of a sample lies."""

    shard: int
    member: Member


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

    def add(self, key: str, payload: tuple[str, bytes], label: int, about: dict[str, Any]) -> Place:  # Any: JSON values
        """Appends a sample: its payload with the ending of its name, its label, and what else is known of it."""
        if self.tar is not None and self.tar.size >= self.size:
            self._end()
        if self.tar is None:
            self.tar = TarWriter(self.stack.enter_context((self.folder / self._name()).open("wb")))
        ending, content = payload
        place = Place(len(self.files), self.tar.add(f"{key}.{ending}", content))
        self.tar.add(f"{key}.cls", str(label).encode())
        self.tar.add(f"{key}.json", json.dumps(about).encode())
        self.held += 1
        return place

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

    ending: str
    content: bytes
    digest: int
    small: NDArray[np.uint8]
    colour: NDArray[np.float32]


def _write_pictures(
    listing: Listing, title: str, reading: Reading, writer: _Writer, seed: int
) -> tuple[ShardManifest, ShardIndex]:
    """Pictures in files, each decoded once to see that it can be."""
    files = listing.files
    places: list[Place | None] = [None] * len(files)
    bad: list[BadFileFound] = list(listing.bad)
    digests = np.zeros(len(files), np.uint64)
    with ThreadPoolExecutor(DECODERS) as pool, quiet():
        headers = list(in_order(pool, _header, files))
        good = [header for header in headers if isinstance(header, Header)]
        reads = Pictures(reading.image_size or chosen_size(good), 1 if all(one.grey for one in good) else 3)
        side = thumbnail_side([min(header.height, header.width) for header in good]) or 0
        if reading.image_size is None:
            _check_room(writer.folder, sum(file.path.stat().st_size for file in files if file.path.is_file()))
        small = _held(writer.folder / "thumbnails", (len(files), side, side))
        colours = np.zeros((len(files), 3), np.float32)
        order = np.random.default_rng(derive(seed, "shards")).permutation(len(files)).tolist()
        prepare = partial(_prepared, files, headers, side, reads if reading.image_size else None)
        key = f"{{:0{max(6, len(str(len(files))))}d}}"
        for done, (row, found) in enumerate(zip(order, in_order(pool, prepare, order), strict=True), 1):
            if isinstance(found, BadFile):
                bad.append(BadFileFound(files[row].name, str(found)))
            elif reading.skip_bad or not bad:  # else nothing will come of it, and only what is bad is of interest
                label = listing.classes.index(files[row].label)
                places[row] = writer.add(key.format(row), (found.ending, found.content), label, _about(files[row]))
                digests[row], small[row], colours[row] = found.digest, found.small, found.colour
            if reading.progress:
                reading.progress(done, len(files))
    rows = np.array([row for row, place in enumerate(places) if place is not None], np.int64)
    bad.sort(key=lambda one: one.path)
    _check_bad(bad, len(rows), title, skip_bad=reading.skip_bad)
    source = _listed_source(listing, title, rows, digests, tuple(bad))
    if side:
        source = replace(
            source, thumbnails=Thumbnails(small if len(rows) == len(files) else small[rows], colours[rows])
        )
    index, notes = _index(places, source)
    (writer.folder / "thumbnails").unlink(missing_ok=True)
    return _manifest(source, "picture", reads, notes), index


def _listed_source(
    listing: Listing, title: str, rows: Indices, digests: NDArray[np.uint64], bad: tuple[BadFileFound, ...]
) -> Source:
    """The files at these rows, without their pixels."""
    files = [listing.files[row] for row in rows]
    called = tuple(sorted({file.group for file in files if file.group is not None})) or None
    times = None
    if any(file.time is not None for file in files):
        times = np.array([seconds(file.time or "", file.name, title) for file in files])
    return Source(
        images=np.empty((len(files), 0), np.uint8),
        labels=_codes([file.label for file in files], listing.classes),
        names=[file.name for file in files],
        classes=listing.classes,
        digests=digests[rows],
        parts=np.array([file.part for file in files], np.int8),
        groups=None if called is None else _codes([file.group or "" for file in files], called),
        group_names=called or (),
        times=times,
        skipped=bad,
        notes=listing.notes,
    )


def _codes(words: Sequence[str], known: Sequence[str]) -> Indices:
    place = {word: index for index, word in enumerate(known)}
    return np.array([place[word] for word in words], np.int64)


def _check_bad(bad: Sequence[BadFileFound], kept: int, title: str, *, skip_bad: bool) -> None:
    if bad and not skip_bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadData(
            f"{title}: {len(bad)} files cannot be read: {', '.join(map(str, bad[:3]))}{more}; "
            "mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not kept:
        raise BadData(f"{title}: holds no picture that can be read" + (f": {bad[0]}." if bad else "."))


def _write_values(source: Source, reading: Reading, writer: _Writer, seed: int) -> tuple[ShardManifest, ShardIndex]:
    """Samples that are arrays."""
    count = len(source.labels)
    places: list[Place | None] = [None] * count
    order = np.random.default_rng(derive(seed, "shards")).permutation(count)
    key = f"{{:0{max(6, len(str(count)))}d}}"
    for start in range(0, count, CHUNK):
        rows = order[start : start + CHUNK]
        for row, sample in zip(rows.tolist(), source.samples(rows)[:].numpy(), strict=True):
            about = {"name": source.names[row], "label": source.classes[source.labels[row]]}
            places[row] = writer.add(key.format(row), ("npy", npy_bytes(sample)), int(source.labels[row]), about)
        if reading.progress:
            reading.progress(min(start + CHUNK, count), count)
    index, notes = _index(places, source)
    reads = source.reads
    if isinstance(source.images, np.ndarray):
        reads = reads or Pictures.of_values(torch.from_numpy(source.images))
    return _manifest(source, "values", reads, notes), index


def _header(file: Listed) -> Header | BadFile:
    try:
        return read_header(file.path)
    except BadFile as error:
        return error


def _prepared(
    files: Sequence[Listed], headers: Sequence[Header | BadFile], side: int, reads: Pictures | None, row: int
) -> _Prepared | BadFile:
    """A picture with what is known of it; as it is, or at the size of `reads`.  Or why it is none."""
    header = headers[row]
    if isinstance(header, BadFile):
        return header
    try:
        content = files[row].path.read_bytes()
        picture = decode(content, 3)
    except BadFile as error:
        return error
    small, colour = np.empty((side, side), np.uint8), np.empty(3, np.float32)
    if side:
        draw_thumbnail(picture, small, colour)
    found = digest(f"{picture.size}".encode(), picture.tobytes())
    if reads is None:
        return _Prepared(_ending(files[row].path, content), content, found, small, colour)
    return _Prepared("png", _png(content, reads), found, small, colour)


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

    pixels = fitted(decode(content, reads.channels), reads.size, reads.interpolation)
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if reads.channels == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _about(file: Listed) -> dict[str, Any]:  # Any: JSON values
    """What stands in the .json of a sample, for other programs and for people."""
    known = {"group": file.group, "time": file.time, "part": PART_NAMES.get(file.part)}
    return {"name": file.name, "label": file.label} | {key: value for key, value in known.items() if value is not None}


def _index(places: Sequence[Place | None], source: Source) -> tuple[ShardIndex, tuple[str, ...]]:
    """Where everything lies, and what is to be said about near copies."""
    known = [place for place in places if place is not None]
    near = find_near(source)
    index = ShardIndex(
        shard=np.array([place.shard for place in known], np.int64),
        offset=np.array([place.member.offset for place in known], np.int64),
        length=np.array([place.member.length for place in known], np.int64),
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
    source: Source, payload: Literal["picture", "values"], reads: Reads | None, notes: tuple[str, ...]
) -> ShardManifest:
    """All but the files."""
    return ShardManifest(
        samples=len(source.labels),
        payload=payload,
        shape=reads.shape if reads is not None and payload == "picture" else source.shape,
        dtype=source.samples(np.zeros(1, np.int64))[:].numpy().dtype.str,
        classes=source.classes,
        reads=reads,
        index=ShardFile("", 0, "", 0),
        shards=(),
        skipped=source.skipped,
        notes=source.notes + notes,
    )


def in_order(pool: ThreadPoolExecutor, work: Callable[[T], U], tasks: Iterable[T]) -> Iterator[U]:
    """What comes of each task, in their order; a few are under way ahead, so that results do not pile up."""
    coming = deque[Future[U]]()
    for task in tasks:
        coming.append(pool.submit(work, task))
        if len(coming) > 2 * DECODERS:
            yield coming.popleft().result()
    while coming:
        yield coming.popleft().result()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadFile(
            f"cannot write {folder.parent}: the shards take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free."
        )


def _held(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array that the system may keep on disk."""
    return np.memmap(path, np.uint8, "w+", shape=shape) if np.prod(shape) else np.empty(shape, np.uint8)
