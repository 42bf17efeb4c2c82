"""CSV files that list pictures: path,label or path,label,group, with or without a line of column names."""

import csv
from pathlib import Path

from ..core import BadData, BadFile
from .pictures import Listed, Listing, shown

COLUMNS = (("path", "file", "filename", "image"), ("label", "class"), ("group",))
WANTED = "each line needs path,label or path,label,group"


def list_csv(path: Path, *, group_by: str | None = None, time_by: str | None = None) -> Listing:
    """The files that a CSV names, relative to its own folder, in its order.

    Args:
        path: of the CSV.
        group_by: the name of the column of groups, instead of "group"; what is no column is left to others to read.
        time_by: the name of the column of times, in the same way.

    Raises:
        BadFile: it is no CSV in UTF-8.
        BadData: it is empty, or a line lacks a path, a label, the time, or the group that other lines have.
    """
    rows = _rows(path)
    if not rows:
        raise BadData(f"{path}: is empty; {WANTED}.")
    groups, times = (_column(rows[0][1], name) for name in (group_by, time_by))
    places = _header(rows[0][1])
    if places and groups is not None:
        places = [*places[:2], groups]
    width = len(places or rows[0][1])
    if not places and width not in (2, 3):
        raise BadData(f"{path}: line {rows[0][0]} has {width} columns; {WANTED}.")
    files = []
    for line, cells in rows[1:] if places else rows:
        chosen = [cells[place] if place < len(cells) else "" for place in places or range(width)]
        if not all(chosen) or (not places and len(cells) != width):
            raise BadData(f"{path}: line {line} is {','.join(cells)!r}; {WANTED}, the same for all lines.")
        name, label = chosen[:2]
        group = chosen[2] if width == 3 else None
        time = cells[times] if places and times is not None and times < len(cells) else None
        if places and times is not None and not time:
            raise BadData(f"{path}: line {line} is {','.join(cells)!r}; it lacks the {time_by}.")
        files.append(Listed(path.parent / name, shown(name), shown(label), group=group, time=time))
    columns = tuple(rows[0][1]) if places else ()
    return Listing(files, tuple(sorted({file.label for file in files})), columns=columns)


def _column(cells: list[str], name: str | None) -> int | None:
    """Where the column of this name stands in the line of column names, if it does."""
    return cells.index(name) if name in cells else None


def _header(cells: list[str]) -> list[int] | None:
    """Where path, label and, if any, group stand; None when the line names no columns."""
    words = [cell.lower() for cell in cells]
    places = [next((words.index(word) for word in known if word in words), None) for known in COLUMNS]
    if places[0] is None or places[1] is None:
        return None
    return [place for place in places if place is not None]


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and stripped cells of every line that is not blank."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: is not a CSV file in UTF-8: {error}.") from error
    return [(line, cells) for line, cells in rows if any(cells)]
