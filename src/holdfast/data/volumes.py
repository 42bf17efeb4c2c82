"""Volumes in files: listed by folders or a CSV, read once in threads, and held as one float32 array."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import ClassVar, Literal

import numpy as np

from ..core import BadData, BadFile, BadValue
from .csv_kind import csv_kind, is_csv, read_grid
from .dataset import BadFileFound
from .files import read_listed
from .memory import free_memory
from .options import Reading
from .pictures import Listed, Listing, check_bad, seconds
from .reads import Json, reads_kind
from .source import Source, digest
from .volume import ENDINGS, Header, Size, Voxels, ending, read_header, read_voxels, resampled

LARGEST = 64**3  # voxels of one volume, unless a size is asked for
ALIKE = 1.1  # proportions that differ by less are stretched to one
LOOKED_AT = 50  # files of a folder, to see what it holds
READERS = min(8, os.cpu_count() or 1)


@reads_kind
@dataclass(frozen=True)
class Volumes:
    """How files of volumes, NumPy or NIfTI, become the input of a model.

    Attributes:
        size: (D, H, W) in voxels.
        channels: of each voxel.
        fit: how a volume of another size gets this one: "stretch", "fit" or "crop", see `volume.resampled`.
    """

    kind: ClassVar[str] = "volumes"
    size: Size
    channels: int = 1
    fit: Literal["stretch", "fit", "crop"] = "stretch"

    def __post_init__(self) -> None:
        if self.fit not in ("stretch", "fit", "crop"):
            raise BadValue(f"Volumes(fit={self.fit!r}): must be 'stretch', 'fit' or 'crop'.")
        sides = (*self.size, self.channels)
        if len(sides) != 4 or not all(isinstance(side, int) and 0 < side <= 4096 for side in sides):
            raise BadValue(f"Volumes(size={self.size!r}, channels={self.channels!r}): must be (D, H, W) and a number.")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(D, H, W, C)."""
        return *self.size, self.channels

    def read(self, paths: Sequence[str | Path]) -> Voxels:
        """The volumes in these files, (N, D, H, W, C) float32.

        Raises:
            BadFile: a file that holds none, or one of other channels; the message names it.
        """
        if not paths:
            raise BadValue("there are no volumes: the list of files is empty.")
        pool = ThreadPoolExecutor(READERS)
        try:
            return np.stack(list(pool.map(self._one, map(Path, paths))))
        finally:
            pool.shutdown(cancel_futures=True)

    def of(self, header: Header, voxels: Voxels) -> Voxels:
        """A volume as it was read, at the size that a model takes.  Raises BadFile for other channels."""
        if voxels.shape[3] != self.channels:
            raise BadFile(f"{voxels.shape[3]} channels, not {self.channels}")
        return resampled(voxels, self.size, self.fit, header.spacing)

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return asdict(self) | {"size": list(self.size)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Volumes":
        """What `to_dict` was made from.  Raises BadValue for words that holdfast does not know."""
        try:
            return cls(tuple(plain["size"]), plain["channels"], plain["fit"])
        except (KeyError, TypeError) as error:
            raise BadValue(
                f"volumes are described by size, channels, fit; got {', '.join(map(str, plain))}."
            ) from error

    def _one(self, path: Path) -> Voxels:
        try:
            return self.of(read_header(path), read_voxels(path))
        except BadFile as error:
            raise BadFile(f"{path}: {error}") from error


def holds_volumes(path: Path) -> bool:
    """Whether most of the first files under a folder, or those that a CSV lists, are volumes."""
    if is_csv(path) and csv_kind(path) == "files":
        rows = read_grid(path, most=LOOKED_AT).rows
        found = [path.parent / cell for row in rows for cell in row if ending(cell)]
        return len(found) > len(rows) / 2 and _is_volume(found)
    if not path.is_dir():
        return False
    inside = (
        Path(folder) / name for folder, _, names in os.walk(path) if folder != str(path) for name in sorted(names)
    )
    files = list(islice((file for file in inside if file.name[0] != "."), LOOKED_AT))
    found = [file for file in files if ending(file.name)]
    return len(found) > len(files) / 2 and _is_volume(found)


def _is_volume(files: Sequence[Path]) -> bool:
    """Whether the first that can be read has three axes or more: arrays with fewer are series."""
    for file in files:
        if ending(file.name) not in (".npy", ".npz"):
            return True
        try:
            read_header(file)
        except BadFile as error:
            if "a volume is" in str(error):
                return False
        else:
            return True
    return False


def read_volumes(path: Path, reading: Reading) -> Source:
    """The volumes of a folder or a CSV, at one size.

    `image_size` (H, W) gives the size in the last two directions, and D at most as large as these.  Else it is the size
    that all have, or the median in each direction; with the longest sides cut down until 64x64x64 voxels are left.
    Values stay as they are.

    Raises:
        BadData: files that cannot be read (unless `skip_bad`), none that can, or too many for the memory.
    """
    reading.only("volumes", "image_size", "resize", "group_by", "time_by")
    return read_listed(path, reading, partial(_read, title=str(path), reading=reading))


def _read(listing: Listing, *, title: str, reading: Reading) -> Source:
    """Every file of the listing."""
    files = listing.files
    times = None
    if any(file.time is not None for file in files):
        times = np.array([seconds(file.time or "", file.name, title) for file in files])
    pool = ThreadPoolExecutor(READERS)
    try:
        headers = list(pool.map(_header, files))
        good = [header for header in headers if isinstance(header, Header)]
        channels = Counter(header.channels for header in good).most_common(1)[0][0] if good else 1
        reads = Volumes(chosen_size(good, reading.image_size), channels, _policy(good, reading.resize))
        _check_memory(len(good), reads, title)
        volumes = np.empty((len(files), *reads.shape), np.float32)
        outcomes: list[int | BadFile] = []
        for outcome in pool.map(partial(_read_into, reads), files, headers, volumes):
            outcomes.append(outcome)
            if reading.progress:
                reading.progress(len(outcomes), len(files))
    finally:
        pool.shutdown(cancel_futures=True)
    known = zip(files, outcomes, strict=True)
    bad = listing.bad + tuple(BadFileFound(file.name, str(why)) for file, why in known if isinstance(why, BadFile))
    kept = np.array([index for index, why in enumerate(outcomes) if not isinstance(why, BadFile)], np.int64)
    check_bad(bad, len(kept), title, skip_bad=reading.skip_bad, thing="volume")
    chosen = [files[index] for index in kept]
    called = tuple(sorted({file.group for file in chosen if file.group is not None}))
    sizes = {header.size for header in good}
    resized = f"{len(sizes):,} sizes of volumes were brought to {'x'.join(map(str, reads.size))} ({reads.fit})"
    return Source(
        images=volumes if len(kept) == len(volumes) else volumes[kept],
        labels=np.array([listing.classes.index(file.label) for file in chosen], np.int64),
        names=[file.name for file in chosen],
        classes=listing.classes,
        digests=np.array([value for value in outcomes if isinstance(value, int)], np.uint64),
        parts=np.array([file.part for file in chosen], np.int8),
        groups=np.array([called.index(file.group or "") for file in chosen], np.int64) if called else None,
        group_names=called,
        times=None if times is None else times[kept],
        reads=reads,
        skipped=bad,
        notes=(*listing.notes, *([] if sizes == {reads.size} else [resized])),
    )


def chosen_size(headers: Sequence[Header], image_size: tuple[int, int] | None) -> Size:
    """(D, H, W) for volumes of these sizes, see `read_volumes`."""
    if not headers:
        return 1, 1, 1
    depth, height, width = (int(median([header.size[axis] for header in headers])) for axis in range(3))
    if image_size is not None:
        return min(depth, max(image_size)), *image_size
    longest = max(depth, height, width)
    while min(depth, longest) * min(height, longest) * min(width, longest) > LARGEST:
        longest -= 1
    return min(depth, longest), min(height, longest), min(width, longest)


def _policy(headers: Sequence[Header], asked: str) -> Literal["stretch", "fit", "crop"]:
    """How volumes get one size: unless it is said, stretched if they have one proportion, else fitted."""
    if asked in ("stretch", "fit", "crop"):
        return asked  # type: ignore[return-value]  # mypy does not narrow a text by a tuple
    extents = np.array([header.extent / header.extent.max() for header in headers] or [[1.0] * 3])
    return "stretch" if (extents.max(0) <= ALIKE * extents.min(0)).all() else "fit"


def _header(file: Listed) -> Header | BadFile:
    try:
        if ending(file.path.name) is None:
            raise BadFile(f"not one of {', '.join(ENDINGS)}")
        return read_header(file.path)
    except BadFile as error:
        return error


def _read_into(reads: Volumes, file: Listed, header: Header | BadFile, volume: Voxels) -> int | BadFile:
    """Writes the volume; its digest is of the voxels as they were stored.  Or why there is none."""
    if isinstance(header, BadFile):
        return header
    try:
        voxels = read_voxels(file.path)
        volume[:] = reads.of(header, voxels)
    except BadFile as error:
        return error
    return digest(f"{voxels.shape}".encode(), voxels.data)


def _check_memory(count: int, reads: Volumes, title: str) -> None:
    """Raises BadData when the volumes take more than half of the free memory: the split needs a second copy."""
    free, needed = free_memory(), 4 * count * int(np.prod(reads.shape))
    if free is None or needed <= free / 2:
        return
    side = max(8, int((free / 2 / 4 / count / reads.channels) ** (1 / 3)) // 4 * 4)
    raise BadData(
        f"{title}: {count:,} volumes of {'x'.join(map(str, reads.shape))} take {needed / 1e9:.1f} GB, more than half "
        f"of the {free / 1e9:.1f} GB of free memory; make them smaller: --image-size {side} (image_size={side})."
    )
