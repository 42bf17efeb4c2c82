"""Pictures in files: looked at, decoded once at the size of training, and kept for the next time."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadData, BadFile
from .dataset import BadFileFound
from .decoding import Task, columns_of, decode_all, decode_rows, headers
from .image import VERSION, Fit, Header, Size, quiet
from .kept import Arrays, Columns, Keep, rows_of, stamps_of
from .listing import Files, Listed, Listing, codes, names_of, shown
from .memory import free_memory
from .names import names_at
from .near import Thumbnails, thumbnail_side
from .options import Progress, Resize
from .reads import Pictures
from .remote import cache_folder
from .source import Source

__all__ = [
    "Listed",
    "Listing",
    "Seen",
    "check_bad",
    "chosen_fit",
    "chosen_size",
    "look",
    "read_pictures",
    "seconds",
    "shown",
]

LARGEST_KEPT_PX = 256  # pictures that all have one size are kept as they are up to this side
LARGEST_CHOSEN_PX = 224  # the side we choose for others: what most image models were made for
LARGEST_SEARCHED = 200_000  # pictures among which near copies are looked for; it takes a minute or two
STRAY = 0.25  # the share of pictures of other shapes that are stretched with the rest
MANY = 10_000  # files of which looking at the headers takes a while, too
BLOCK = 256  # rows that are moved at once
HEADERS: Columns = {
    "stamps": (np.uint64, ()),
    "heights": (np.int32, ()),
    "widths": (np.int32, ()),
    "grey": (np.bool_, ()),
}


def read_pictures(
    listing: Listing,
    *,
    title: str,
    image_size: Size | None = None,
    resize: Resize = "auto",
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Source:
    """Every file of the listing, decoded, or as it was kept when it was decoded before.

    Args:
        listing: the candidates.
        title: how messages call the data; its path.
        image_size: (H, W) of the result in pixels; None chooses, see `chosen_size`.
        resize: how pictures of another shape get this one; "auto" chooses, see `chosen_fit`.
        skip_bad: leave out what cannot be read, and list it, instead of raising.
        progress: told (files done, files in all) as decoding goes on.

    Raises:
        BadData: files that cannot be read (unless `skip_bad`), none that can, or too many for disk and memory; a time
            that is none.
    """
    files = listing.files
    _times(files, title)  # what is wrong with them is told before the work
    stamps = stamps_of(files)
    with quiet():
        seen = look(files, stamps, title, progress)
        good = seen.good
        size = image_size or seen.size
        fit = chosen_fit(seen.heights[good], seen.widths[good]) if resize == "auto" else resize
        reads = Pictures(size, 1 if seen.grey[good].all() else 3, fit)
        side = thumbnail_side(seen.shorter.tolist()) if len(good) <= LARGEST_SEARCHED else None
        found = _decoded(_Wanted(files, stamps, title, reads, side or 0, progress), good)
    images = found.arrays["pictures"]
    free = free_memory()
    if isinstance(images, np.memmap) and (free is None or images.nbytes <= free / 2):
        images = np.asarray(images)  # its parts are copied into memory
    source = described(
        listing,
        found.places,
        seen.reasons | found.reasons,
        np.array(found.arrays["digests"]),
        reads,
        title,
        skip_bad=skip_bad,
    )
    thumbnails = Thumbnails(np.asarray(found.arrays["small"]), np.array(found.arrays["colours"])) if side else None
    notes = source.notes + ((not_searched(good),) if seen.searchable and not side else ())
    return replace(source, images=images, thumbnails=thumbnails, notes=notes)


def described(
    listing: Listing,
    kept: NDArray[np.int64],
    reasons: Mapping[int, str],
    digests: NDArray[np.uint64],
    reads: Pictures,
    title: str,
    *,
    skip_bad: bool,
) -> Source:
    """The samples of files, all but their pixels.

    Args:
        listing: all files.
        kept: (n,) the places of those that hold a picture.
        reasons: why others do not, by their places.
        digests: (n,) of their contents.
        reads: how they are read.
        title: how messages call the data.
        skip_bad: as in `read_pictures`.

    Raises:
        BadData: files that cannot be read, or none that can; a time that is none.
    """
    files = listing.files
    bad = listing.bad + tuple(BadFileFound(files[place].name, reasons[place]) for place in sorted(reasons))
    check_bad(bad, len(kept), title, skip_bad=skip_bad)
    groups, called = _groups(files, kept)
    times = _times(files, title)
    return Source(
        images=np.empty((len(kept), 0), np.uint8),
        labels=_labels(files, listing.classes)[kept],
        names=names_at(names_of(files), kept.tolist()),
        classes=listing.classes,
        digests=digests,
        parts=_parts(files)[kept],
        groups=groups,
        group_names=called,
        times=None if times is None else times[kept],
        reads=reads,
        skipped=bad,
        notes=listing.notes,
    )


def not_searched(good: NDArray[np.int64]) -> str:
    """What is to be said where there are too many pictures to look for near copies."""
    return f"near copies are not looked for among {len(good):,} pictures"


@dataclass(frozen=True, eq=False)
class Seen:
    """What files say of themselves, before they are decoded.

    Attributes:
        heights, widths: (N,) int32 in pixels, upright; 0 for those that say nothing.
        grey: (N,) whether it has shades only.
        reasons: why some say nothing, by their places.
    """

    heights: NDArray[np.int32]
    widths: NDArray[np.int32]
    grey: NDArray[np.bool_]
    reasons: dict[int, str]

    @property
    def good(self) -> NDArray[np.int64]:
        """The places of those that say something."""
        return np.flatnonzero(self.heights)

    @property
    def shorter(self) -> NDArray[np.int32]:
        """The shorter sides of these."""
        return np.minimum(self.heights, self.widths)[self.good]

    @property
    def size(self) -> Size:
        """As `chosen_size`."""
        return _size_for(self.heights[self.good], self.widths[self.good])

    @property
    def searchable(self) -> bool:
        """Whether near copies could be looked for, if they were fewer."""
        return thumbnail_side(self.shorter.tolist()) is not None


def look(files: Sequence[Listed], stamps: NDArray[np.uint64], title: str, progress: Progress | None = None) -> Seen:
    """The headers of files; of those that are unchanged as they were found before."""
    keep = Keep.of(files, title, "headers", VERSION)
    kept = keep.read(HEADERS) if keep else {}
    rows = rows_of(stamps, kept["stamps"]) if keep else np.full(len(files), -1)
    known = rows >= 0
    seen = Seen(np.zeros(len(files), np.int32), np.zeros(len(files), np.int32), np.zeros(len(files), np.bool_), {})
    for name in ("heights", "widths", "grey") if known.any() else ():
        getattr(seen, name)[known] = kept[name][rows[known]]
    places = np.flatnonzero(~known)
    done = iter(places.tolist())
    for chunk in headers(files, places):
        for header, place in zip(chunk, done, strict=False):
            if isinstance(header, BadFile):
                seen.reasons[place] = str(header)
            else:
                seen.heights[place], seen.widths[place], seen.grey[place] = header.height, header.width, header.grey
            if progress and len(files) >= MANY:
                progress(place + 1, len(files))
    new = seen.good[~known[seen.good]]
    if keep and stamps.any() and len(new) and keep.fits(HEADERS, len(seen.good)):
        with suppress(BadFile), keep.write(HEADERS, len(seen.good)) as writing:
            writing.arrays["stamps"][:] = stamps[seen.good]
            for name in ("heights", "widths", "grey"):
                writing.arrays[name][:] = getattr(seen, name)[seen.good]
    return seen


def chosen_size(headers: Sequence[Header]) -> Size:
    """(H, W) for pictures of these sizes, in pixels.

    The size they have, if it is one and no side is over 256; else a square with the median of their shorter sides, at
    most 224, rounded down to a multiple of 8.
    """
    sizes = np.array([(header.height, header.width) for header in headers], np.int32).reshape(-1, 2)
    return _size_for(sizes[:, 0], sizes[:, 1])


def chosen_fit(heights: NDArray[np.int32], widths: NDArray[np.int32]) -> Fit:
    """How pictures of these shapes get one of one shape: "stretch" where they are nearly alike, else "fit".

    Alike are shapes, width by height, within a factor of 4/3 of their median: the range in which networks for
    ImageNet are trained on stretched pictures without harm (Szegedy et al. 2015, section 6).  If more than a
    quarter is beyond, whole pictures are shown between bars: what a crop cuts off is nobody's to decide but yours.
    """
    if not len(heights):
        return "stretch"
    shapes = widths / heights
    apart = np.abs(np.log(shapes / np.median(shapes)))
    return "stretch" if np.mean(apart > np.log(4 / 3) + 1e-6) <= STRAY else "fit"


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What is to be decoded, and how."""

    files: Sequence[Listed]
    stamps: NDArray[np.uint64]
    title: str
    reads: Pictures
    side: int
    progress: Progress | None


@dataclass(frozen=True, eq=False)
class _Found:
    """What was decoded: arrays with a row for each file at `places`, and why other files have none."""

    arrays: Arrays
    places: NDArray[np.int64]
    reasons: dict[int, str]


def _decoded(wanted: _Wanted, good: NDArray[np.int64]) -> _Found:
    """The files at these places: kept ones as they are, the others decoded, and all kept for the next time."""
    columns = columns_of(wanted.reads, wanted.side)
    keep = Keep.of(wanted.files, wanted.title, wanted.reads, wanted.side, VERSION, *_versions())
    kept = keep.read(columns) if keep else None
    rows = rows_of(wanted.stamps[good], kept["stamps"]) if kept else np.full(len(good), -1)
    if kept and len(kept["stamps"]) and np.array_equal(rows[rows >= 0], np.arange(len(kept["stamps"]))):
        reasons = _all_bad(wanted, good[rows < 0])
        if reasons is not None:
            if wanted.progress:
                wanted.progress(len(wanted.files), len(wanted.files))
            return _Found(kept, good[rows >= 0], reasons)
    if keep and keep.fits(columns, len(good)):
        with suppress(BadFile):
            with keep.write(columns, len(good)) as writing:
                found = _filled(wanted, good, rows, kept, writing.arrays, writing.path)
                writing.rows = len(found.places)
                found.arrays.clear()
            kept = keep.read(columns)
            if len(kept["stamps"]) == len(found.places):
                return replace(found, arrays=kept)
    _check_memory(len(good), wanted.reads.shape, wanted.title)
    arrays = {name: np.zeros((len(good), *shape), dtype) for name, (dtype, shape) in columns.items()}
    found = _filled(wanted, good, rows, kept, arrays, None)
    return replace(found, arrays={name: array[: len(found.places)] for name, array in arrays.items()})


def _all_bad(wanted: _Wanted, places: NDArray[np.int64]) -> dict[int, str] | None:
    """Why none of the files at these places can be decoded; None as soon as one can."""
    reasons = {}
    columns = columns_of(wanted.reads, wanted.side)
    arrays = {name: np.zeros((1, *shape), dtype) for name, (dtype, shape) in columns.items()}
    task = Task(wanted.files, wanted.reads, columns, 1)
    for place in places.tolist():
        outcome = decode_rows(task, [(place, 0)], arrays)[0]
        if isinstance(outcome, int):
            return None
        reasons[place] = outcome
    return reasons


def _filled(
    wanted: _Wanted,
    good: NDArray[np.int64],
    rows: NDArray[np.int64],
    kept: Arrays | None,
    arrays: Arrays,
    path: Path | None,
) -> _Found:
    """Fills arrays of as many rows as there are places; those without a picture are closed up."""
    known, reasons = np.flatnonzero(rows >= 0), dict[int, str]()
    for start in range(0, len(known), BLOCK):
        some = known[start : start + BLOCK]
        for name, array in arrays.items():
            array[some] = kept[name][rows[some]] if kept else 0
    arrays["stamps"][:] = wanted.stamps[good]
    todo = np.flatnonzero(rows < 0)
    task = Task(wanted.files, wanted.reads, columns_of(wanted.reads, wanted.side), len(good))
    done = len(wanted.files) - len(todo)
    if wanted.progress and not len(known):
        for before in range(1, done + 1):
            wanted.progress(before, len(wanted.files))
    row = iter(todo.tolist())
    for outcomes in decode_all(task, good[todo], todo, arrays, path):
        for outcome, place in zip(outcomes, row, strict=False):
            if isinstance(outcome, int):
                arrays["digests"][place] = outcome
            else:
                reasons[int(good[place])] = outcome
            done += 1
            if wanted.progress:
                wanted.progress(done, len(wanted.files))
    left = np.flatnonzero(~np.isin(good, list(reasons)))
    if len(left) < len(good):
        for array in arrays.values():
            for start in range(0, len(left), BLOCK):
                array[start : min(start + BLOCK, len(left))] = array[left[start : start + BLOCK]]
    return _Found(arrays, good[left], reasons)


def _size_for(heights: NDArray[np.int32], widths: NDArray[np.int32]) -> Size:
    if not len(heights):
        return 8, 8
    if (heights == heights[0]).all() and (widths == widths[0]).all() and max(heights[0], widths[0]) <= LARGEST_KEPT_PX:
        return int(heights[0]), int(widths[0])
    side = max(8, int(min(LARGEST_CHOSEN_PX, np.median(np.minimum(heights, widths)))) // 8 * 8)
    return side, side


def _versions() -> tuple[str, ...]:
    """Of what decodes; another one may round otherwise."""
    from PIL import __version__, features

    return __version__, str(features.version("libjpeg_turbo")), torch.__version__


def _labels(files: Sequence[Listed], classes: Sequence[str]) -> NDArray[np.int64]:
    if isinstance(files, Files) and files.classes == tuple(classes):
        return files.labels.astype(np.int64)
    place = {word: index for index, word in enumerate(classes)}
    return np.array([place[file.label] for file in files], np.int64)


def _parts(files: Sequence[Listed]) -> NDArray[np.int8]:
    return files.parts if isinstance(files, Files) else np.array([file.part for file in files], np.int8)


def _groups(files: Sequence[Listed], kept: NDArray[np.int64]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """(N,) numbers of the groups, and what they are called; None without groups."""
    if isinstance(files, Files):
        return (None, ()) if files.groups is None else numbered(files.groups[place] for place in kept.tolist())
    words = [files[place].group for place in kept.tolist()]
    return (None, ()) if all(word is None for word in words) else numbered(word or "" for word in words)


def numbered(words: Iterable[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) numbers of groups by their names, -1 for an empty one, which is in no group; and what they are called."""
    found, called = codes(words)
    return (found - 1, called[1:]) if called[:1] == ("",) else (found, called)


def _check_memory(count: int, shape: tuple[int, int, int], title: str) -> None:
    """Raises BadData when the array takes more than half of the free memory: the split needs a second one."""
    free = free_memory()
    needed = count * shape[0] * shape[1] * shape[2]
    if free is None or needed <= free / 2:
        return
    side = max(8, int((free / 2 / count / shape[2]) ** 0.5) // 8 * 8)
    raise BadData(
        f"{title}: {count:,} pictures of {'x'.join(map(str, shape))} take {needed / 1e9:.1f} GB, more than half of the "
        f"{free / 1e9:.1f} GB of free memory, and there is no room for them in {cache_folder()}; make room, or make "
        f"them smaller: --image-size {side} (image_size={side})."
    )


def check_bad(bad: Sequence[BadFileFound], kept: int, title: str, *, skip_bad: bool, thing: str = "picture") -> None:
    """Raises BadData when files cannot be read, unless they are to be left out and others can."""
    if bad and not skip_bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadData(
            f"{title}: {len(bad)} of {len(bad) + kept} files cannot be read: {', '.join(map(str, bad[:3]))}{more}; "
            "mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not kept:
        raise BadData(f"{title}: holds no {thing} that can be read" + (f": {bad[0]}." if bad else "."))


def _times(files: Sequence[Listed], title: str) -> NDArray[np.float64] | None:
    if isinstance(files, Files):
        if files.times is None:
            return None
        return np.array([seconds(time, name, title) for time, name in zip(files.times, files.names, strict=True)])
    if not any(file.time is not None for file in files):
        return None
    return np.array([seconds(file.time or "", file.name, title) for file in files])


def seconds(text: str, name: str, title: str) -> float:
    """A time as a number: of a number itself, of an ISO date the seconds since 1970, in UTC unless it says otherwise.

    Raises:
        BadData: it is neither.
    """
    try:
        value = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
            value = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            value = np.nan
    if np.isfinite(value):
        return value
    raise BadData(f"{title}: the time of {name} is {text!r}; accepted are numbers and ISO dates such as 2024-01-31.")
