"""Answers of several annotators on the same items, as a CSV of item,annotator,label holds them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile

HEADER = ["item", "annotator", "label"]
GOLD_HEADER = ["item", "label"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Who called what by which name.

    Attributes:
        items: names of the N items, in the order in which they come.
        annotators: names of the A annotators, likewise.
        classes: names of the K labels that were given, sorted: numbers by value, words by letter.
        table: (N, A) int64, the label of each item by each annotator as an index into `classes`; -1 for none.
    """

    items: tuple[str, ...]
    annotators: tuple[str, ...]
    classes: tuple[str, ...]
    table: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, str]]) -> "Answers":
        """From (item, annotator, label) rows.

        Raises:
            BadData: no rows, a single annotator or label, or two answers of one annotator on one item.
        """
        items, annotators = (list(dict.fromkeys(row[column] for row in rows)) for column in (0, 1))
        classes = sorted({row[2] for row in rows}, key=_by_value)
        if len(annotators) < 2 or len(classes) < 2:
            found = f"answers: {len(rows):,}, annotators: {len(annotators)}, labels: {len(classes)}"
            raise BadData(f"{found}; agreement needs 2 annotators and 2 labels at least.")
        places = [{name: place for place, name in enumerate(names)} for names in (items, annotators, classes)]
        table = np.full((len(items), len(annotators)), -1, np.int64)
        for item, annotator, label in rows:
            at = places[0][item], places[1][annotator]
            if table[at] >= 0:
                raise BadData(f"annotator {annotator!r} answers item {item!r} twice; leave one answer out.")
            table[at] = places[2][label]
        return cls(tuple(items), tuple(annotators), tuple(classes), table)

    @property
    def votes(self) -> NDArray[np.int64]:
        """(N, K): how many annotators gave each label."""
        counts = np.zeros((len(self.items), len(self.classes)), np.int64)
        items, annotators = np.nonzero(self.table >= 0)
        np.add.at(counts, (items, self.table[items, annotators]), 1)
        return counts

    def __len__(self) -> int:
        return int((self.table >= 0).sum())


def holds_answers(path: Path) -> bool:
    """Whether a path is a CSV of item,annotator,label and not data to train on."""
    return path.suffix.lower() == ".csv" and path.is_file() and set(HEADER) <= set(_read(path)[0])


def read_answers(path: Path) -> Answers:
    """The answers in a CSV with the columns item, annotator and label.

    Raises:
        BadFile: missing, not UTF-8, or without these columns.
        BadData: as `Answers.of`; or a row with an empty cell.
    """
    try:
        return Answers.of([(row[0], row[1], row[2]) for row in _columns(path, HEADER)])
    except BadData as error:
        raise BadData(f"{path}: {error}") from error


def read_gold(path: Path) -> Mapping[str, str]:
    """The true label of some items, from a CSV with the columns item and label.

    Raises:
        BadFile, BadData: as `read_answers`; or an item that stands in it twice.
    """
    gold: dict[str, str] = {}
    for item, label in _columns(path, GOLD_HEADER):
        if gold.setdefault(item, label) != label:
            raise BadData(f"{path}: item {item!r} has two labels, {gold[item]!r} and {label!r}.")
    return gold


def _columns(path: Path, wanted: Sequence[str]) -> list[list[str]]:
    header, *rows = _read(path)
    missing = [name for name in wanted if name not in header]
    if missing:
        raise BadFile(f"{path}: has no column {missing[0]!r}; its first line must name {','.join(wanted)}.")
    places = [header.index(name) for name in wanted]
    for number, row in enumerate(rows, 2):
        if len(row) <= max(places) or not all(row[place] for place in places):
            raise BadData(f"{path}: row {number} has no {' or '.join(wanted)}.")
    return [[row[place] for place in places] for row in rows]


def _read(path: Path) -> list[list[str]]:
    """The rows, without spaces around the cells; at least a header, which may be empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}.") from error


def _by_value(label: str) -> tuple[bool, float, str]:
    number = _number(label)
    return number is None, number or 0.0, label


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def values_of(classes: Sequence[str]) -> NDArray[np.float64] | None:
    """(K,) the labels as numbers; None where one is a word."""
    numbers = [_number(label) for label in classes]
    return None if None in numbers else np.array(numbers, np.float64)
