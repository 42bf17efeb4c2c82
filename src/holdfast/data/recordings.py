"""Series in files, as long as they are: rows of a table, steps of a table, files of their own, arrays of an archive."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile, need
from .csv_kind import ENDINGS, IDS, LABELS, STEP, TIMES, is_wide, read_grid
from .folder import PARTS
from .pictures import seconds
from .source import TRAIN

Values: TypeAlias = NDArray[np.float64]
Column: TypeAlias = NDArray[Any]  # Any: float64, or text where one of its cells is no number
MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
ARRAYS = ("series", "x", "values", "data")  # what an archive may call its samples
GROUPS, PART_COLUMNS = ("group",), ("part", "split")


@dataclass(frozen=True, eq=False)
class Recording:
    """One series.

    Attributes:
        name: how people find it: the file, or the row in it.
        values: (T, C) float64, NaN where nothing was measured.
        channels: their names; None where the file has none.
        label, group, part: what the file says of it.
        times: (T,) of each step, where they were asked for, or (1,) of all of it.
    """

    name: str
    values: Values
    channels: tuple[str, ...] | None = None
    label: str | None = None
    group: str | None = None
    part: int = TRAIN
    times: Values | None = None


@dataclass(frozen=True)
class Columns:
    """Which columns mean what besides a channel; None: those with the usual names.

    Attributes:
        label, group, time: as `load` was told.
        steps: how many a row without names has, if that is known: where it has as many columns, there is no class.
    """

    label: str | None = None
    group: str | None = None
    time: str | None = None
    steps: int | None = None


def read_table(path: Path) -> Mapping[str, Column] | list[Column]:
    """The columns of a CSV or Parquet file, by name or, without a line of names, in their order.

    Raises:
        BadFile: it is neither.
        MissingExtra: Parquet without pyarrow.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    grid = read_grid(path)
    if grid.names and not grid.rows:
        raise BadFile(f"{path}: has a line of names, and nothing below it.")
    width = max((len(row) for row in grid.rows), default=0)
    if grid.names and width > len(grid.names):
        line = next(line for line, row in zip(grid.lines, grid.rows, strict=True) if len(row) > len(grid.names))
        raise BadFile(f"{path}: line {line} has more cells than there are columns.")
    rows = [row + [""] * (len(grid.names or row) - len(row)) for row in grid.rows]
    rows = [row + [""] * (width - len(row)) for row in rows]
    found = [numbers_or_text(cells) for cells in zip(*rows, strict=True)]
    return dict(zip(grid.names, found, strict=True)) if grid.names else found


def numbers_or_text(cells: Sequence[str]) -> Column:
    """(N,) float64, NaN where a cell is missing, or the text of all cells."""
    text = np.array(cells, np.str_)
    try:
        return text.astype(np.float64)
    except ValueError:
        missing = np.isin(np.char.lower(text), MISSING)
    try:
        return np.where(missing, "nan", text).astype(np.float64)
    except ValueError:
        return text


def _read_parquet(path: Path) -> dict[str, Column]:
    parquet = need("pyarrow.parquet", extra="parquet")
    import pyarrow

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(f"{path}: is no Parquet file that can be read: {str(error).splitlines()[0]}.") from error
    found: dict[str, Column] = {}
    for name in table.column_names:
        values = table.column(name).to_numpy()
        plain = values.dtype.kind in "buif"
        found[name] = (
            values.astype(np.float64) if plain else numbers_or_text(["" if v is None else str(v) for v in values])
        )
    return found


def in_table(path: Path, columns: Columns) -> list[Recording]:
    """The series of a file that holds many: one a row, or a step a row with an id.

    Raises:
        BadFile: cells that are no numbers, or no such columns.
    """
    table = read_table(path)
    if not isinstance(table, Mapping):
        return _in_rows(path, table, columns.steps)
    words = [name.lower() for name in table]
    if is_wide(words):
        return _in_named_rows(path, table, columns)
    if _named(table, IDS) and _named(table, TIMES):
        return _in_steps(path, table, columns)
    raise BadFile(
        f"{path}: holds no series; a series a row needs columns t0, t1, ..., a step a row the columns id and time."
    )


def _named(table: Mapping[str, Column], words: Sequence[str]) -> str | None:
    """The column that is called by the first of these words that is there."""
    lower = {name.lower(): name for name in table}
    return next((lower[word] for word in words if word in lower), None)


def _in_rows(path: Path, table: list[Column], steps: int | None) -> list[Recording]:
    """Rows without names of columns: a class and then steps, as in the UCR archive, or text as the last, the class."""
    text = [place for place, column in enumerate(table) if column.dtype.kind == "U"]
    if len(text) > 1 or any(0 < place < len(table) - 1 for place in text):
        raise BadFile(f"{path}: column {text[-1] + 1} holds {table[text[-1]][0]!r}; a step must be a number.")
    place = text[0] if text else None if len(table) == steps else 0
    labels = [None] * len(table[0]) if place is None else _words(table[place])
    values = np.column_stack([column for number, column in enumerate(table) if number != place])
    return [
        Recording(f"{path.name} row {row + 1}", _trimmed(steps[:, np.newaxis]), label=label)
        for row, (steps, label) in enumerate(zip(values, labels, strict=True))
    ]


def _in_named_rows(path: Path, table: Mapping[str, Column], columns: Columns) -> list[Recording]:
    steps = {name: column for name, column in table.items() if STEP.fullmatch(name)}
    _check_numbers(path, steps)
    rows = len(next(iter(steps.values())))
    told = _told(path, {name: column for name, column in table.items() if name not in steps}, columns, rows)
    times = _times(path, table, columns.time) if columns.time else None
    return [
        replace(
            told[row],
            values=_trimmed(values[:, np.newaxis]),
            times=None if times is None else times[row : row + 1],
        )
        for row, values in enumerate(np.column_stack(list(steps.values())))
    ]


def _in_steps(path: Path, table: Mapping[str, Column], columns: Columns) -> list[Recording]:
    """One series for each id, its steps by time."""
    ids, moment = _named(table, IDS), columns.time or _named(table, TIMES)
    assert ids is not None
    assert moment is not None
    told = _told(path, table, columns, len(table[ids]))
    times = _times(path, table, moment)
    values, channels = _channels(path, table, columns)
    words = np.array(_words(table[ids]))
    _, first, codes = np.unique(words, return_index=True, return_inverse=True)
    order = np.lexsort([times, codes])
    found = []
    for places in np.split(order, np.cumsum(np.bincount(codes))[:-1]):
        row = places.min()
        its = None if columns.time is None else times[places]
        found.append(
            replace(told[row], name=f"{path.name} {words[row]}", values=values[places], channels=channels, times=its)
        )
    return [found[code] for code in np.argsort(first)]


def of_file(path: Path, columns: Columns) -> Recording:
    """The one series in a file: a step a row of a CSV or Parquet file, or an array (T, C).

    Raises:
        BadFile: it holds none.
    """
    if path.suffix.lower() in (".npy", ".npz"):
        array = of_arrays(path)
        if array.ndim != 2:
            raise BadFile(f"{path}: holds an array of shape {array.shape}; a series is (T, C) or (T,).")
        return Recording(path.name, array)
    table = read_table(path)
    if not isinstance(table, Mapping):
        named = {str(place): column for place, column in enumerate(table)}
        _check_numbers(path, named)
        return Recording(path.name, _trimmed(np.column_stack(table)) if table else np.empty((0, 0)))
    values, channels = _channels(path, table, columns)
    moment = columns.time if columns.time in table else _named(table, TIMES)
    if moment is None:
        return Recording(path.name, _trimmed(values), channels)
    times = _times(path, table, moment)
    order = np.argsort(times, kind="stable")
    values = _trimmed(values[order])
    return Recording(path.name, values, channels, times=times[order][: len(values)] if columns.time else None)


def of_arrays(path: Path) -> Values:
    """The array of one series (T, C), or of several (N, T, C), in an .npy or .npz."""
    arrays = read_arrays(path)
    name = next((name for name in ARRAYS if name in arrays), next(iter(arrays)) if len(arrays) == 1 else None)
    if name is None:
        raise BadFile(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; one array called x is needed.")
    array = arrays[name]
    if array.dtype.kind not in "buif":
        raise BadFile(f"{path}: {name} is an array of {array.dtype}; accepted are numbers.")
    values: Values = array.astype(np.float64)
    return values[:, np.newaxis] if values.ndim == 1 else values


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:  # Any: whatever is in it
    """The arrays of an .npz by name, or that of an .npy as "x".  Raises BadFile."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"x": found}
            return {name: found[name] for name in found.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadFile(f"{path}: is no array of numbers that can be read: {error}.") from error


def _told(path: Path, table: Mapping[str, Column], columns: Columns, rows: int) -> list[Recording]:
    """What the rows say of their class, group and part; without values."""
    label = columns.label or _named(table, LABELS)
    group = columns.group if columns.group in table else _named(table, GROUPS)
    part = _named(table, PART_COLUMNS)
    for option, name in (("label_by", columns.label), ("group_by", columns.group), ("time_by", columns.time)):
        if name is not None and name not in table:
            raise BadData(f"{path}: {option}={name!r} is no column; it has {', '.join(list(table)[:10])}.")
    labels, groups, parts = (_words(table[name]) if name else [None] * rows for name in (label, group, part))
    known = part is not None and {word or "" for word in parts} <= PARTS.keys()
    return [
        Recording(
            f"{path.name} row {row + 1}",
            np.empty((0, 0)),
            None,
            labels[row],
            groups[row],
            PARTS[parts[row] or ""] if known else TRAIN,
        )
        for row in range(rows)
    ]


def _channels(path: Path, table: Mapping[str, Column], columns: Columns) -> tuple[Values, tuple[str, ...]]:
    """(steps, C) of the columns that are no ids, times, classes, groups or parts, and their names."""
    others = {*IDS, *TIMES, *LABELS, *GROUPS, *PART_COLUMNS}
    told = {columns.label, columns.group, columns.time}
    found = {name: column for name, column in table.items() if name.lower() not in others and name not in told}
    if not found:
        raise BadFile(f"{path}: holds no column of values beside {', '.join(table) or 'nothing'}.")
    _check_numbers(path, found)
    return np.column_stack(list(found.values())), tuple(found)


def _check_numbers(path: Path, table: Mapping[str, Column]) -> None:
    for name, column in table.items():
        if column.dtype.kind == "U":
            cell = next(cell for cell in column if numbers_or_text([cell]).dtype.kind == "U")
            raise BadFile(f"{path}: column {name!r} holds {str(cell)!r}; a channel is made of numbers.")


def _times(path: Path, table: Mapping[str, Column], name: str) -> Values:
    column = table[name]
    if column.dtype.kind == "U":
        return np.array([seconds(str(cell), f"row {row + 1}", str(path)) for row, cell in enumerate(column)])
    if not np.isfinite(column).all():
        raise BadFile(f"{path}: column {name!r} lacks times.")
    return column


def _words(column: Column) -> list[str]:
    """Cells as text; whole numbers without a point, as classes are."""
    if column.dtype.kind == "U":
        return [str(cell) for cell in column]
    return [str(int(cell)) if cell.is_integer() else str(cell) for cell in column.tolist()]


def _trimmed(values: Values) -> Values:
    """Without the steps at the end of which nothing was measured."""
    there = np.flatnonzero(~np.isnan(values).all(1))
    return values[: there[-1] + 1] if len(there) else values[:0]


def is_table_file(path: Path) -> bool:
    return path.suffix.lower() in (*ENDINGS, ".parquet")
