"""Pictures in files: scanned, decoded once in threads, and held as one uint8 array at the size of training."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile
from .dataset import BadFileFound
from .image import Header, decode, fitted, quiet, read_header
from .memory import free_memory
from .near import Thumbnails, draw_thumbnail, thumbnail_side
from .options import Progress
from .reads import Pictures
from .source import TRAIN, Source, digest

LARGEST_KEPT_PX = 256  # pictures that all have one size are kept as they are up to this side
LARGEST_CHOSEN_PX = 224  # the side we choose for others: what most image models were made for
DECODERS = min(16, os.cpu_count() or 1)


@dataclass(frozen=True)
class Listed:
    """A file that should hold a picture, and what the data says about it.

    `name`, relative to the data, is how people find it again; `time` is a number or an ISO date.
    """

    path: Path
    name: str
    label: str
    part: int = TRAIN
    group: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a folder or CSV file lists: candidates in a fixed order, and what is no picture already at first sight.

    `columns` are the names of the columns of a CSV.
    """

    files: Sequence[Listed]
    classes: tuple[str, ...]
    bad: tuple[BadFileFound, ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def read_pictures(
    listing: Listing,
    *,
    title: str,
    image_size: tuple[int, int] | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Source:
    """Every file of the listing, decoded.

    Args:
        listing: the candidates.
        title: how messages call the data.
        image_size: (H, W) of the result in pixels; None chooses, see `chosen_size`.
        skip_bad: leave out what cannot be read, and list it, instead of raising.
        progress: told (files done, files in all) as decoding goes on.

    Raises:
        BadData: files that cannot be read (unless `skip_bad`), none that can, or too many for the memory; a time that
            is none.
    """
    files, digests = listing.files, list[int | BadFile]()
    times = _times(files, title)
    pool = ThreadPoolExecutor(DECODERS)
    try:
        with quiet():
            headers = list(pool.map(_header, files))
            good = [header for header in headers if isinstance(header, Header)]
            shape = (*(image_size or chosen_size(good)), 1 if all(header.grey for header in good) else 3)
            _check_memory(len(good), shape, title)
            images = np.empty((len(files), *shape), np.uint8)
            side = thumbnail_side([min(header.height, header.width) for header in good])
            small = np.empty((len(files), side or 0, side or 0), np.uint8)
            colours = np.empty((len(files), shape[2]), np.float32)
            for outcome in pool.map(partial(_decode_into, channels=shape[2]), files, headers, images, small, colours):
                digests.append(outcome)
                if progress:
                    progress(len(digests), len(files))
    finally:
        pool.shutdown(cancel_futures=True)

    outcomes = list(zip(files, digests, strict=True))
    bad = listing.bad + tuple(BadFileFound(file.name, str(why)) for file, why in outcomes if isinstance(why, BadFile))
    kept = [index for index, why in enumerate(digests) if not isinstance(why, BadFile)]
    _check_bad(bad, len(kept), title, skip_bad=skip_bad)
    files = [files[index] for index in kept]
    called = tuple(sorted({file.group for file in files if file.group is not None})) or None
    return Source(
        images=images if len(kept) == len(images) else images[kept],
        labels=_codes([file.label for file in files], listing.classes),
        names=[file.name for file in files],
        classes=listing.classes,
        digests=np.array([value for value in digests if isinstance(value, int)], np.uint64),
        parts=np.array([file.part for file in files], np.int8),
        groups=None if called is None else _codes([file.group or "" for file in files], called),
        group_names=called or (),
        times=None if times is None else times[kept],
        thumbnails=Thumbnails(small[kept], colours[kept]) if side else None,
        reads=Pictures((shape[0], shape[1]), shape[2]),
        skipped=bad,
        notes=listing.notes,
    )


def chosen_size(headers: Sequence[Header]) -> tuple[int, int]:
    """(H, W) for pictures of these sizes, in pixels.

    The size they have, if it is one and no side is over 256; else a square with the median of their shorter sides, at
    most 224, rounded down to a multiple of 8.
    """
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(size := sizes.pop()) <= LARGEST_KEPT_PX:
        return size
    shorter = median([min(header.height, header.width) for header in headers] or [0])
    side = max(8, int(min(LARGEST_CHOSEN_PX, shorter)) // 8 * 8)
    return side, side


def shown(text: str) -> str:
    """A file name as it can be printed and stored: one line, valid Unicode."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _header(file: Listed) -> Header | BadFile:
    try:
        return read_header(file.path)
    except BadFile as error:
        return error


def _decode_into(
    file: Listed,
    header: Header | BadFile,
    image: NDArray[np.uint8],
    small: NDArray[np.uint8],
    colour: NDArray[np.float32],
    *,
    channels: int,
) -> int | BadFile:
    """Writes the picture into `image` (H, W, C) and its thumbnail into `small` and `colour`.

    Returns:
        The digest of its pixels at full size, in colour also where all are grey: one picture in colour that comes
        later does not change it.  Or why there are none.
    """
    if isinstance(header, BadFile):
        return header
    try:
        picture = decode(file.path, channels)
    except BadFile as error:
        return error
    image[:] = fitted(picture, (image.shape[0], image.shape[1]))
    if small.size:
        draw_thumbnail(picture, small, colour)
    return digest(f"{picture.size}".encode(), picture.convert("RGB").tobytes())


def _check_memory(count: int, shape: tuple[int, int, int], title: str) -> None:
    """Raises BadData when the array takes more than half of the free memory: the split needs a second one."""
    free = free_memory()
    needed = count * shape[0] * shape[1] * shape[2]
    if free is None or needed <= free / 2:
        return
    side = max(8, int((free / 2 / count / shape[2]) ** 0.5) // 8 * 8)
    raise BadData(
        f"{title}: {count:,} pictures of {'x'.join(map(str, shape))} take {needed / 1e9:.1f} GB, more than half of the "
        f"{free / 1e9:.1f} GB of free memory; make them smaller: --image-size {side} (image_size={side})."
    )


def _check_bad(bad: Sequence[BadFileFound], kept: int, title: str, *, skip_bad: bool) -> None:
    if bad and not skip_bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadData(
            f"{title}: {len(bad)} of {len(bad) + kept} files cannot be read: {', '.join(map(str, bad[:3]))}{more}; "
            "mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not kept:
        raise BadData(f"{title}: holds no picture that can be read" + (f": {bad[0]}." if bad else "."))


def _codes(words: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    place = {word: index for index, word in enumerate(classes)}
    return np.array([place[word] for word in words], np.int64)


def _times(files: Sequence[Listed], title: str) -> NDArray[np.float64] | None:
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
