"""Samples in files, one a file: listed by folders or a CSV, with the groups and times in their names, then read."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .archive import is_archive, list_archive
from .csv import list_csv
from .folder import list_folder
from .groups import Suggestion, read_names, suggest_groups
from .listing import Listed, Listing
from .options import Reading
from .pictures import read_pictures
from .source import Source


def holds_pictures(path: Path) -> bool:
    """Whether files under a path would be read as pictures; asked last, it takes every folder, .zip and CSV."""
    return path.is_dir() or is_archive(path) or path.suffix.lower() == ".csv"


def read_picture_files(path: Path, reading: Reading) -> Source:
    """The pictures of a folder, a .zip or a CSV."""
    reading.only("pictures", "image_size", "resize", "group_by", "time_by")

    def read(listing: Listing) -> Source:
        return read_pictures(
            listing,
            title=str(path),
            image_size=reading.image_size,
            resize=reading.resize,
            skip_bad=reading.skip_bad,
            progress=reading.progress,
        )

    return read_listed(path, reading, read)


def list_files(path: Path, reading: Reading) -> Listing:
    """The files of a folder, a .zip or a CSV, with groups and times.

    Raises:
        BadData, BadFile, BadValue: they cannot be told; the message says why.
    """
    by = {"group_by": reading.group_by, "time_by": reading.time_by}
    if path.is_dir():
        listing = list_folder(path, reading.progress)
    else:
        listing = list_archive(path, reading.progress) if is_archive(path) else list_csv(path, **by)
    return read_names(listing, str(path), **by)


def read_listed(path: Path, reading: Reading, read: Callable[[Listing], Source]) -> Source:
    """What `read` makes of the files; without groups, with a note of those that their names suggest."""
    listing = list_files(path, reading)
    return with_suggestion(read(listing), listing.files, path)


def with_suggestion(source: Source, files: Sequence[Listed], path: Path) -> Source:
    """The samples; without groups, with a note of those that the names of their files suggest."""
    found = suggest_groups(files) if source.groups is None else None
    return replace(source, notes=source.notes + _suggestion(found, path)) if found else source


def _suggestion(found: Suggestion, path: Path) -> tuple[str, ...]:
    """What to do about groups that names seem to hold."""
    names = ", ".join(found.names[:3]) + (f" and {len(found.names) - 3:,} more" if len(found.names) > 3 else "")
    command = f"holdfast train {shlex.quote(str(path))} --group-by {shlex.quote(found.pattern)}"
    return (
        f"names suggest {len(found.names):,} groups ({names}) that this split cuts, which flatters the score; "
        f"to keep each on one side: {command}",
    )
