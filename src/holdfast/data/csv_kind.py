"""Which of three things a CSV is, a list of files, series or a table, so that each has exactly one reader."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from ..core import BadFile

CsvKind = Literal["files", "series", "table"]
ENDINGS = (".csv", ".tsv")
PATHS, LABELS = ("path", "file", "filename", "image"), ("label", "class", "target")  # those of a list: see csv.py
IDS, TIMES = (
    ("id", "series", "series_id", "sequence", "sequence_id", "recording", "recording_id"),
    ("t", "time", "step", "frame", "timestamp"),
)
HEAD = 1000  # lines that are looked at
FEWEST_STEPS = 8  # columns of numbers from which on a row may be a series
STEP = re.compile(r"(?:t|time|step)?[_ ]?(\d+)", re.IGNORECASE)
FILE_NAME = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")


@dataclass(frozen=True)
class Grid:
    """A CSV as text.

    Attributes:
        names: of the columns; None where the first line names none.
        rows: cells, stripped; lines that are blank are left out.
        lines: the number of each row in the file, from 1.
    """

    names: tuple[str, ...] | None
    rows: list[list[str]]
    lines: list[int]


def is_csv(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()


def csv_kind(path: Path) -> CsvKind:
    """What the first lines of a CSV look like.

    With names of columns it is a list of files when one is called path and one label, in the words of `PATHS` and
    `LABELS`; series when its columns are steps (t0, t1, ... or 0, 1, ...: a series a row), or an id, a time and one
    class for each id that repeats (a step a row); else a table.  Without names it is a list of files when its first
    column holds names of files, series when it has at least 8 columns of numbers, else a table, which lacks its names.

    Raises:
        BadFile: it is no CSV in UTF-8.
    """
    grid = read_grid(path, most=HEAD)
    if grid.names is None:
        first = grid.rows[0] if grid.rows else [""]
        numbers = sum(map(is_number, first))
        if numbers >= FEWEST_STEPS and numbers >= len(first) - 1:
            return "series"
        return "table" if numbers > len(first) / 2 else "files"
    words = [name.lower() for name in grid.names]
    if any(word in PATHS for word in words) and any(word in LABELS[:2] for word in words):
        return "files"
    return "series" if is_wide(words) or _is_long(words, grid.rows) else "table"


def read_grid(path: Path, *, most: int | None = None) -> Grid:
    """The cells of a CSV; they are parted by what parts its first line most often: a comma, a semicolon or a tab.

    Raises:
        BadFile: it is no CSV in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, strict=True, delimiter=max("\t;,", key=first.count))
            found = [(reader.line_num, [cell.strip() for cell in row]) for row in islice(reader, most)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: is not a CSV file in UTF-8: {error}.") from error
    except OSError as error:
        raise BadFile(f"{path}: {(error.strerror or str(error)).lower()}.") from error
    found = [(line, cells) for line, cells in found if any(cells)]
    lines, rows = [line for line, _ in found], [cells for _, cells in found]
    if rows and _names_columns(rows):
        return Grid(tuple(rows[0]), rows[1:], lines[1:])
    return Grid(None, rows, lines)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_wide(words: Sequence[str]) -> bool:
    """Whether these are names of steps, at least 8 in their order, besides at most three others."""
    steps = [int(match[1]) for word in words if (match := STEP.fullmatch(word))]
    counted = len(steps) >= FEWEST_STEPS and steps == list(range(steps[0], steps[0] + len(steps)))
    return counted and steps[0] <= 1 and len(words) - len(steps) <= 3


def _is_long(words: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows are steps: an id that repeats, a time, and the same class in all rows of an id."""
    ids, times, labels = (
        next((words.index(one) for one in known if one in words), None) for known in (IDS, TIMES, LABELS)
    )
    if ids is None or times is None or labels is None:
        return False
    held: dict[str, set[str]] = defaultdict(set)
    count = 0
    for row in rows:
        if len(row) == len(words):
            held[row[ids]].add(row[labels])
            count += 1
    return len(held) <= count / 2 and all(len(classes) == 1 for classes in held.values())


def _names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns: by words, each once, or by numbers that count steps.

    No names of files; and other numbers only beside a word over a column of numbers: region,2019,2020.
    """
    first, below = rows[0], rows[1:HEAD]
    if is_wide([word.lower() for word in first]):
        return True
    if len(set(first)) < len(first) or FILE_NAME.search(first[0]):
        return False
    words = [place for place, cell in enumerate(first) if re.search(r"[^\W\d]", cell) and not is_number(cell)]
    if not any(map(is_number, first)):
        return True
    return bool(below) and any(all(is_number(row[place]) for row in below if place < len(row)) for place in words)
