"""CSV files that list pictures: path,label[,group][,part], with or without a line of column names."""

import csv
from collections.abc import Iterator
from pathlib import Path

from ..core import BadData, BadFile
from .folder import PARTS, Found
from .listing import UNKNOWN, Listing, shown
from .names import Names
from .source import TRAIN

COLUMNS = (("path", "file", "filename", "image"), ("label", "class"), ("group",), ("part", "split"))
WANTED = "each line needs path,label or path,label,group"
PATH, LABEL, GROUP, PART = range(4)


def list_csv(path: Path, *, group_by: str | None = None, time_by: str | None = None) -> Listing:
    """The files that a CSV names, relative to its own folder, in its order.

    Without column names a third column is of groups; of parts, if each of its words is the name of one.

    Args:
        path: of the CSV.
        group_by: the name of the column of groups, instead of "group"; what is no column is left to others to read.
        time_by: the name of the column of times, in the same way.

    Raises:
        BadFile: it is no CSV in UTF-8.
        BadData: it is empty, or a line lacks a path, a label, the time, or the group or part that other lines have.
    """
    lines = _rows(path)
    number, first = next(lines, (0, []))
    if not first:
        raise BadData(f"{path}: is empty; {WANTED}.")
    places = _header(first, group_by)
    times = first.index(time_by) if places and time_by in first else None
    width = len(first)
    if not places and width not in (2, 3, 4):
        raise BadData(f"{path}: line {number} has {width} columns; {WANTED}.")
    at = places or dict(enumerate(range(width)))
    found, groups, parts, when = Found(), Names(), Names(), Names()
    for line, cells in lines if places else _with(number, first, lines):
        chosen = {what: cells[place] if place < len(cells) else "" for what, place in at.items()}
        if not all(chosen.values()) or (not places and len(cells) != width):
            raise BadData(f"{path}: line {line} is {','.join(cells)!r}; {WANTED}, the same for all lines.")
        if times is not None and not (times < len(cells) and cells[times]):
            raise BadData(f"{path}: line {line} is {','.join(cells)!r}; it lacks the {time_by}.")
        if PART in at and chosen[PART].lower() not in PARTS:
            raise BadData(f"{path}: line {line} is of part {chosen[PART]!r}; known are {', '.join(PARTS)}.")
        found.add(chosen[PATH], found.label(shown(chosen[LABEL])), TRAIN, *_stamp(path.parent / chosen[PATH]))
        groups.extend([chosen[GROUP]] if GROUP in at else ())
        parts.extend([chosen[PART]] if PART in at else ())
        when.extend([cells[times]] if times is not None else ())
    if not places and width == 3 and all(word.lower() in PARTS for word in groups):
        groups, parts = parts, groups
    files = found.files(path.parent).known(groups=groups or None, times=when or None)
    for place, word in enumerate(parts):
        files.parts[place] = PARTS[word.lower()]
    return Listing(files, files.classes, columns=tuple(first) if places else ())


def _with(number: int, first: list[str], lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    yield number, first
    yield from lines


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file; UNKNOWN if there is none, which is told when it is opened."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return UNKNOWN, UNKNOWN
    return status.st_size, status.st_mtime_ns


def _header(cells: list[str], group_by: str | None) -> dict[int, int] | None:
    """Where path, label and, if any, group and part stand; None when the line names no columns."""
    words = [cell.lower() for cell in cells]
    places = {
        what: words.index(next(word for word in known if word in words))
        for what, known in enumerate(COLUMNS)
        if any(word in words for word in known)
    }
    if not {PATH, LABEL} <= places.keys():
        return None
    return places | {GROUP: cells.index(group_by)} if group_by in cells else places


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of every line that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: is not a CSV file in UTF-8: {error}.") from error
