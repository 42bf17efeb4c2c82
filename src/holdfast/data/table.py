"""Tables: a CSV with a line of column names, numbers and words, and a class in each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue, suggestion
from .csv_kind import LABELS, PATHS, Grid, csv_kind, is_csv, is_number, read_grid
from .dataset import BadFileFound
from .folder import PARTS
from .labels import indices
from .memory import free_memory
from .options import Reading
from .pictures import seconds, shown
from .reads import Json, reads_kind
from .source import TRAIN, Source, row_digests

Features = NDArray[np.float32]
MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
COUNTERS = {"", "id", "index", "row", "unnamed: 0"}  # names of columns that number the rows
PART_COLUMNS = ("part", "split")
MOST_WORDS = 1000  # that one column may hold, each a feature
TELLING = 30  # rows from which on it is no chance that a column tells all classes apart


@dataclass(frozen=True)
class Column:
    """One column of a table that a model sees.

    Attributes:
        name: as the first line has it.
        words: of a column of words, each a feature that is 1 where it stands; None for one that no training sample
            has.  Of a column of numbers None.
        flagged: whether a second feature is 1 where the number is missing.
        fill: the number for those that are missing: the median of the training part.
    """

    name: str
    words: tuple[str | None, ...] | None = None
    flagged: bool = False
    fill: float = 0.0

    @property
    def width(self) -> int:
        """How many features it makes."""
        return 1 + self.flagged if self.words is None else len(self.words)

    def encode(self, cells: Sequence[str]) -> Features:
        """(N, width) features.  Raises BadValue with the place and the text of what is no number."""
        found = np.zeros((len(cells), self.width), np.float32)
        if self.words is None:
            numbers = _numbers(cells)
            missing = np.isnan(numbers)
            found[:, 0] = np.where(missing, self.fill, numbers)
            if self.flagged:
                found[:, 1] = missing
            return found
        place = {word: index for index, word in enumerate(self.words) if word is not None}
        known = {cell: place.get(_word(cell), -1) for cell in set(cells)}  # a word that is new is none of them
        places = np.fromiter((known[cell] for cell in cells), np.int64, len(cells))
        rows = np.flatnonzero(places >= 0)
        found[rows, places[rows]] = 1
        return found


@reads_kind
@dataclass(frozen=True)
class Table:
    """How the rows of a CSV become features: numbers as they are, words as ones and zeros.

    Attributes:
        columns: in the order of their features; a CSV may have others beside them.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[Column, ...]

    @property
    def shape(self) -> tuple[int]:
        """(features,)."""
        return (sum(column.width for column in self.columns),)

    @property
    def features(self) -> tuple[str, ...]:
        """What the features are called: "age", "age is missing", "colour = red"."""
        names: list[str] = []
        for column in self.columns:
            if column.words is None:
                names += [column.name, f"{column.name} is missing"][: column.width]
            else:
                names += [f"{column.name} = {word}" for word in column.words]
        return tuple(names)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Which features are numbers; the others are ones and zeros."""
        places = np.cumsum([0, *(column.width for column in self.columns)])[:-1]
        return places[[column.words is None for column in self.columns]]

    def read(self, paths: Sequence[str | Path]) -> Features:
        """The rows of these CSVs one after another, (N, features) float32.

        Raises:
            BadFile: one that lacks a column, or has a text where a number is needed; the message names it.
        """
        if not paths:
            raise BadValue("there are no tables: the list of files is empty.")
        return np.concatenate([self._rows(Path(path)) for path in paths])

    def names(self, paths: Sequence[str | Path]) -> list[str]:
        """What the rows that `read` gives are called: "new.csv:2" is the one in line 2."""
        return [f"{path}:{line}" for path in paths for line in read_grid(Path(path)).lines]

    def encode(self, columns: Mapping[str, Sequence[str]]) -> Features:
        """(N, features) of the cells of these columns."""
        return np.concatenate([column.encode(columns[column.name]) for column in self.columns], axis=1)

    def fitted(self, train: Features) -> "Table":
        """The same with what only training samples may tell: medians, and which words are known."""
        columns, first = [], 0
        for column in self.columns:
            own = train[:, first : first + column.width]
            first += column.width
            if column.words is None:
                present = own[own[:, 1] == 0, 0] if column.flagged else own[:, 0]
                columns.append(replace(column, fill=float(np.median(present)) if len(present) else 0.0))
            else:
                seen = own.sum(0) > 0
                words = (word if known else None for word, known in zip(column.words, seen, strict=True))
                columns.append(replace(column, words=tuple(words)))
        return Table(tuple(columns))

    def filled(self, values: Features) -> Features:
        """Features with the medians where numbers are missing, and without words that no training sample has."""
        values, first = values.copy(), 0
        for column in self.columns:
            if column.flagged:
                values[values[:, first + 1] == 1, first] = column.fill
            for place, word in enumerate(column.words or ()):
                if word is None:
                    values[:, first + place] = 0
            first += column.width
        return values

    def moments(self, train: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(features,) mean and variance of the numbers; 0 and 1 of ones and zeros, or rare words would blow up."""
        mean, variance = np.zeros(train.shape[1]), np.ones(train.shape[1])
        numbers = train[:, self.numbers].astype(np.float64)
        mean[self.numbers], variance[self.numbers] = numbers.mean(0), numbers.var(0)
        return mean, np.where(variance > 0, variance, 1.0)

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return {
            "columns": [
                {"name": one.name, "words": None if one.words is None else list(one.words)}
                | ({"flagged": one.flagged, "fill": one.fill} if one.words is None else {})
                for one in self.columns
            ]
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Table":
        """What `to_dict` was made from.  Raises BadValue for anything else."""
        try:
            return cls(tuple(_column(one) for one in plain["columns"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadValue(f"a table is described by its columns, each with a name; got {str(plain)[:80]}.") from error

    def _rows(self, path: Path) -> Features:
        grid = _grid(path, BadFile)
        lacking = [column.name for column in self.columns if column.name not in (grid.names or ())]
        if lacking:
            raise BadFile(
                f"{path}: lacks the column {', '.join(map(repr, lacking[:5]))}, which the model learned from."
            )
        uneven = next((line for line, row in zip(grid.lines, grid.rows, strict=True) if len(row) != _width(grid)), None)
        if uneven is not None:
            raise BadFile(f"{path}: line {uneven} has another number of cells than the first line.")
        cells = _columns(grid)
        found = []
        for column in self.columns:
            try:
                found.append(column.encode(cells[column.name]))
            except BadValue:
                row = next(place for place, cell in enumerate(cells[column.name]) if not _readable(cell))
                text = cells[column.name][row]
                raise BadFile(
                    f"{path}: line {grid.lines[row]}: {column.name} is {text!r}; a number is needed."
                ) from None
        return np.concatenate(found, axis=1)


def is_table(path: Path) -> bool:
    return is_csv(path) and csv_kind(path) == "table"


def read_table(path: Path, reading: Reading) -> Source:
    """The rows of a CSV whose first line names its columns.

    The class is the column that `label_by` names, else the one called label, class or target, else the last.  Columns
    of numbers are features as they are; those of words make a feature for each word.  Columns that say nothing are
    left out, and the notes name them: constant ones, numbers of rows, words that hardly repeat.  Columns of groups,
    times and parts ("part" or "split": train, validation, test) are no features.

    Raises:
        BadData: no names of columns, no such column, rows without a class or of another length (unless `skip_bad`).
    """
    if (names := read_grid(path, most=2).names) and len(names) == 1 and names[0].lower() in PATHS:
        raise BadData(f"{path}: names files, and no classes; add a column called label.")
    reading.only("tables", "group_by", "time_by", "label_by")
    return table_source(_grid(path, BadData), str(path), reading)


def table_source(grid: Grid, title: str, reading: Reading) -> Source:
    """As `read_table`, of cells that are read already."""
    names = grid.names or ()
    label, notes = _label_column(names, title, reading.label_by)
    for option, wanted in (("group_by", reading.group_by), ("time_by", reading.time_by)):
        if wanted is not None and wanted not in names:
            raise BadData(f"{title}: {option}={wanted!r} is no column{suggestion(wanted, list(names))}.")
    grid, skipped = _without_bad(grid, names.index(label), title, skip_bad=reading.skip_bad)
    cells = _columns(grid)
    lines = [f"line {line}" for line in grid.lines]
    codes, classes = _classes(cells[label], label, title)
    part = next((name for name in names if name.lower() in PART_COLUMNS and set(cells[name]) <= PARTS.keys()), None)
    taken = {label, reading.group_by, reading.time_by, part}
    table, more = _described({name: cells[name] for name in names if name not in taken}, title, len(lines))
    images = table.encode(cells)
    called = tuple(sorted(set(cells[reading.group_by]))) if reading.group_by else ()
    times = None
    if reading.time_by:
        moments = zip(cells[reading.time_by], lines, strict=True)
        times = np.array([seconds(text, line, title) for text, line in moments])
    return Source(
        images=images,
        labels=codes,
        names=lines,
        classes=classes,
        digests=row_digests(images),
        parts=np.array([PARTS[word] if part else TRAIN for word in cells[part or label]], np.int8),
        groups=np.searchsorted(called, cells[reading.group_by]).astype(np.int64) if reading.group_by else None,
        group_names=tuple(map(shown, called)),
        times=times,
        reads=table,
        skipped=skipped,
        notes=(*notes, *more, *_telling(table, cells, codes)),
    )


def _grid(path: Path, error: type[BadData | BadFile]) -> Grid:
    """The cells of a CSV that names its columns."""
    grid = read_grid(path)
    if grid.names is None or len(grid.names) < 2 or not grid.rows:
        raise error(
            f"{path}: is no table: its first line must name its columns, each once, e.g. age,colour,label; "
            "rows must follow."
        )
    return grid


def _width(grid: Grid) -> int:
    return len(grid.names or ())


def _columns(grid: Grid) -> dict[str, tuple[str, ...]]:
    return dict(zip(grid.names or (), zip(*grid.rows, strict=True), strict=True))


def _label_column(names: Sequence[str], title: str, label_by: str | None) -> tuple[str, tuple[str, ...]]:
    """The column of classes, and a note when it was guessed."""
    if label_by is not None and label_by not in names:
        raise BadData(f"{title}: label_by={label_by!r} is no column{suggestion(label_by, list(names))}.")
    if label_by is not None:
        return label_by, ()
    known = [name for word in LABELS for name in names if name.lower() == word]
    if known:
        return known[0], ()
    return names[-1], (f"the class is taken from the last column, {names[-1]!r}; to name another: --label-by COLUMN",)


def _without_bad(grid: Grid, label: int, title: str, *, skip_bad: bool) -> tuple[Grid, tuple[BadFileFound, ...]]:
    """The rows that have as many cells as there are columns, and a class; and the others."""
    bad, kept = [], []
    for place, (line, row) in enumerate(zip(grid.lines, grid.rows, strict=True)):
        if len(row) != _width(grid):
            bad.append(BadFileFound(f"line {line}", f"{len(row)} cells in {_width(grid)} columns"))
        elif row[label] in ("", "?"):
            bad.append(BadFileFound(f"line {line}", "no class"))
        else:
            kept.append(place)
    if bad and not skip_bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadData(
            f"{title}: {len(bad)} of {len(grid.rows)} rows cannot be used: {', '.join(map(str, bad[:3]))}{more}; "
            "mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not kept:
        raise BadData(f"{title}: holds no row that can be used.")
    return Grid(grid.names, [grid.rows[place] for place in kept], [grid.lines[place] for place in kept]), tuple(bad)


def _classes(cells: Sequence[str], name: str, title: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The classes of rows: numbers by value, words by letter."""
    distinct = sorted(set(cells))
    numbers = [float(cell) for cell in distinct if is_number(cell)]
    if len(numbers) == len(distinct) and all(number.is_integer() for number in numbers):
        return indices(np.array([int(float(cell)) for cell in cells]), None)
    if len(distinct) > 10 and len(distinct) > len(cells) / 3:
        raise BadData(
            f"{title}: column {name!r} has {len(distinct):,} different values in {len(cells):,} rows; "
            "a class is shared by many: name the column that holds it, --label-by COLUMN."
        )
    return indices(np.array([shown(cell) for cell in cells]), None)


def _described(cells: Mapping[str, Sequence[str]], title: str, count: int) -> tuple[Table, tuple[str, ...]]:
    """The columns to learn from, and notes on those that are left out."""
    columns: list[Column] = []
    left: list[str] = []
    for name, own in cells.items():
        try:
            found = _describe(name, own)
        except BadData as error:
            raise BadData(f"{title}: {error}") from error
        if isinstance(found, Column):
            columns.append(found)
        else:
            left.append(f"{name!r} ({found})")
    if not columns:
        raise BadData(
            f"{title}: no column is left to learn from: {', '.join(left[:5]) or 'there is only the class'}; "
            "to list files, call the columns path and label."
        )
    table, free = Table(tuple(columns)), free_memory()
    needed = 4 * count * table.shape[0]
    if free is not None and needed > free / 3:
        widest = max(columns, key=lambda column: column.width)
        raise BadData(
            f"{title}: {count:,} rows of {table.shape[0]:,} features take {needed / 1e9:.1f} GB, more than a third of "
            f"the {free / 1e9:.1f} GB of free memory; leave out columns, {widest.name!r} has {widest.width:,} of them."
        )
    return table, (f"left out of the columns: {', '.join(left)}",) if left else ()


def _describe(name: str, cells: Sequence[str]) -> Column | str:
    """The column, or in a few words why it says nothing."""
    texts = set(cells)
    distinct = {text for text in texts if text.lower() not in MISSING}
    lacking = len(distinct) < len(texts)
    present = [cell for cell in cells if cell in distinct] if lacking else cells
    if not present:
        return "empty"
    if len(distinct) == 1 and not lacking:
        return "constant"
    try:
        numbers = _numbers(present)
    except BadValue:
        return _describe_words(name, cells, distinct)
    return "a number of each row" if not lacking and _counts(name, numbers) else Column(name, flagged=lacking)


def _describe_words(name: str, cells: Sequence[str], distinct: set[str]) -> Column | str:
    """A column of words.  Raises BadData for one of numbers with a few that are none: it would be lost unseen."""
    words = {_word(cell) for cell in set(cells)}
    if len(distinct) <= max(20, min(MOST_WORDS, len(cells) / 2)) and (len(distinct) < len(cells) or len(cells) < 3):
        return Column(name, tuple(sorted(words)))
    strange = [cell for cell in cells if not _readable(cell)]
    if len(strange) <= len(cells) / 10:
        raise BadData(
            f"column {name!r} holds numbers, but {strange[0]!r} in row {cells.index(strange[0]) + 1}"
            + (f" and {len(strange) - 1} more" if len(strange) > 1 else "")
            + "; correct what is no number, or leave such cells empty."
        )
    return f"{len(distinct):,} different words in {len(cells):,} rows"


def _counts(name: str, numbers: NDArray[np.float64]) -> bool:
    """Whether these number the rows: by their name, or because each is one more than the one before."""
    if len(np.unique(numbers)) < len(numbers) or len(numbers) < 3 or (numbers % 1).any():
        return False
    return name.lower() in COUNTERS or bool((np.diff(numbers) == 1).all())


def _word(cell: str) -> str:
    return "missing" if cell.lower() in MISSING - {"none"} else shown(cell)


def _readable(cell: str) -> bool:
    try:
        _numbers([cell])
    except BadValue:
        return False
    return True


def _numbers(cells: Sequence[str]) -> NDArray[np.float64]:
    """(N,) values; NaN where they are missing.  Raises BadValue for what is no number that float32 can hold."""
    try:
        numbers = np.array(cells, np.float64)
    except ValueError:
        try:
            numbers = np.array(["nan" if cell.lower() in MISSING else cell for cell in cells], np.float64)
        except ValueError as error:
            raise BadValue("holds what is no number") from error
    if (np.abs(numbers) > np.finfo(np.float32).max).any():
        raise BadValue("holds what is no number that float32 can hold")
    return numbers


def _telling(table: Table, cells: Mapping[str, Sequence[str]], codes: NDArray[np.int64]) -> tuple[str, ...]:
    """A note for columns of which each alone tells all classes apart; such a column was often made from the class."""
    found = [column.name for column in table.columns if _tells(column, cells[column.name], codes)]
    if not found:
        return ()
    return (
        f"{', '.join(map(repr, found[:5]))} alone tell{'s' if len(found) == 1 else ''} all classes apart; "
        "what was made from the class, or after it was known, must leave the CSV, or the score means nothing",
    )


def _tells(column: Column, cells: Sequence[str], codes: NDArray[np.int64]) -> bool:
    if len(cells) < TELLING:
        return False
    if column.words is None:
        numbers = _numbers(cells)
        values, own = np.unique(numbers, return_inverse=True)
    else:
        values, own = np.unique(np.array([_word(cell) for cell in cells]), return_inverse=True)
        if len(values) > len(cells) / 5:
            return False
    first = np.full(len(values), -1)
    first[own] = codes
    if (first[own] != codes).any():
        return False
    return column.words is not None or int((np.diff(first) != 0).sum()) < len(np.unique(codes))


def _column(plain: Json) -> Column:
    words = plain["words"]
    if words is not None:
        return Column(str(plain["name"]), tuple(None if word is None else str(word) for word in words))
    fill: Any = float(plain["fill"])  # Any: what JSON holds
    if not np.isfinite(fill) or not isinstance(plain["flagged"], bool):
        raise ValueError("no finite number")
    return Column(str(plain["name"]), None, plain["flagged"], fill)
