"""Pictures that are decoded once to see that they can be, and are not kept: what a split needs to know of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile
from .decoding import in_order
from .image import DRAFT_PX, decode, decode_known, draft_side, quiet
from .kept import stamps_of
from .listing import Listed, Listing
from .near import Thumbnails, draw_thumbnail, thumbnail_side
from .options import Reading
from .pictures import LARGEST_SEARCHED, chosen_fit, described, look, not_searched
from .reads import Pictures
from .source import Source
from .threads import DECODERS
from .together import find_near

INDISTINCT = "near copies were not looked for: pictures of different classes are too alike"


class _Seen(NamedTuple):
    """A picture that can be decoded."""

    content: bytes
    digest: int
    small: NDArray[np.uint8]
    colour: NDArray[np.float32]


def examine(
    listing: Listing,
    title: str,
    reading: Reading,
    keep: Callable[[int, bytes, Pictures], None],
    *,
    folder: Path,
    seed: int | None = None,
) -> tuple[Source, NDArray[np.int64], Pictures]:
    """The pictures of a listing without their pixels, with their near copies.

    Args:
        listing: the candidates.
        title: how messages call the data.
        reading: how they are read.
        keep: told the place and the content of each file that can be decoded, and how it is read.  No longer once
            one cannot be, unless such files are left out: then only what else is bad is of interest.
        folder: for thumbnails, which may be many, until they have been compared.
        seed: of the order in which files are read; None: as they are listed.

    Returns:
        The source, the places of its samples in the listing, and how they are read.

    Raises:
        BadData: files that cannot be read, or none that can.
    """
    files, count = listing.files, len(listing.files)
    with quiet():
        seen = look(files, stamps_of(files), title, reading.progress)
        good, reasons = seen.good, dict(seen.reasons)
        fit = chosen_fit(seen.heights[good], seen.widths[good]) if reading.resize == "auto" else reading.resize
        reads = Pictures(reading.image_size or seen.size, 1 if seen.grey[good].all() else 3, fit)
        side = (thumbnail_side(seen.shorter.tolist()) if len(good) <= LARGEST_SEARCHED else None) or 0
        digests, colours = np.zeros(count, np.uint64), np.zeros((count, reads.channels), np.float32)
        small = _on_disk(folder, (count, side, side))
        order = good if seed is None else good[np.random.default_rng(seed).permutation(len(good))]
        with ThreadPoolExecutor(DECODERS) as pool:
            outcomes = in_order(pool, partial(_seen, files, side, reads), order.tolist())
            for done, (place, found) in enumerate(zip(order.tolist(), outcomes, strict=True), 1):
                if isinstance(found, str):
                    reasons[place] = found
                elif reading.skip_bad or not reasons:
                    keep(place, found.content, reads)
                    digests[place], small[place], colours[place] = found.digest, found.small, found.colour
                if reading.progress:
                    reading.progress(done, len(good))
    kept = np.setdiff1d(good, np.array(list(reasons), np.int64))
    source = described(listing, kept, reasons, digests[kept], reads, title, skip_bad=reading.skip_bad)
    if side:
        source = replace(source, thumbnails=Thumbnails(small if len(kept) == count else small[kept], colours[kept]))
    elif seen.searchable:
        source = replace(source, notes=(*source.notes, not_searched(good)))
    return without_thumbnails(source), kept, reads


def without_thumbnails(source: Source) -> Source:
    """The same, with the near copies that its thumbnails show."""
    near = find_near(source)
    if near is not None:
        return replace(source, thumbnails=None, near=near)
    return replace(source, thumbnails=None, notes=(*source.notes, INDISTINCT))


def _seen(files: Sequence[Listed], side: int, reads: Pictures, place: int) -> _Seen | str:
    """What is in a file, or why it is no picture."""
    small, colour = np.empty((side, side), np.uint8), np.empty(reads.channels, np.float32)
    try:
        content = files[place].content()
        picture, known = decode_known(content, reads.channels, reads.size)
        if side and draft_side(reads.size) > DRAFT_PX:
            picture = decode(content, reads.channels, (1, 1))  # near copies are the same ones at every size
    except BadFile as error:
        return str(error)
    if side:
        draw_thumbnail(picture, small, colour)
    return _Seen(content, known, small, colour)


def _on_disk(folder: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array that the system need not hold in memory; nobody else sees its file, which goes with it."""
    if not np.prod(shape):
        return np.empty(shape, np.uint8)
    with TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)
