"""The manifest of a split: the side of each content, in a JSON file; data grows, and no file changes sides."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, whole_file
from .source import TEST, TRAIN, VALIDATION, Source

UNKNOWN = -1
PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
GIVEN = "given test"  # test samples that the data brings itself: watched, but free to be divided otherwise
Made = TypeVar("Made")
Sides = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Manifest:
    """The sides of a split.

    Attributes:
        sides: for "train", "validation", "test" and "given test" the contents, as 16 hex digits, and a name of each.
    """

    sides: Sides = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest in a file; an empty one when there is no file.

        Raises:
            BadFile: it is no manifest.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise BadFile(f"{path}: {error.strerror or error}.") from error
        except ValueError as error:
            raise BadFile(f"{path}: is no manifest of a split; remove it to split anew, or restore it.") from error
        parts = content.get("sides") if isinstance(content, dict) else None
        if not isinstance(parts, dict) or not all(
            name in (*PARTS, GIVEN) and isinstance(part, dict) for name, part in parts.items()
        ):
            raise BadFile(f"{path}: is no manifest of a split; remove it to split anew, or restore it.")
        return cls(parts)

    def write(self, path: Path) -> None:
        """Writes it, whole or not at all.  Raises BadFile."""
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps({"version": 1, "sides": self.sides}, indent=0), encoding="utf-8")

    def known(self, source: Source) -> NDArray[np.int8]:
        """(N,) the side of each sample, by its content, or by its name where the content was changed; else UNKNOWN."""
        if not self.sides:
            return np.full(len(source.labels), UNKNOWN, np.int8)
        here = _hexes(source)
        present = set(here)
        by_content = {content: side for part, side in PARTS.items() for content in self.sides.get(part, ())}
        by_name = {
            name: side
            for part, side in PARTS.items()
            for content, name in self.sides.get(part, {}).items()
            if content not in present
        }
        sides = [
            by_content.get(content, by_name.get(name, UNKNOWN))
            for content, name in zip(here, source.names, strict=True)
        ]
        return np.array(sides, np.int8)

    def notes(self, source: Source) -> tuple[str, ...]:
        """A sentence for the test files that were removed, and one for those that were changed."""
        if not self.sides:
            return ()
        present, names = set(_hexes(source)), set(source.names)
        tested = {**self.sides.get(GIVEN, {}), **self.sides.get("test", {})}
        missing = [name for content, name in tested.items() if content not in present]
        changed = [name for name in missing if name in names]
        removed = [name for name in missing if name not in names]
        told = (("changed", changed), ("removed", removed))
        thing = "row" if source.reads is not None and source.reads.kind == "table" else "file"
        return tuple(
            f"of the test part {len(files):,} {thing}{' was' if len(files) == 1 else 's were'} {what} since it was "
            f"split off, so scores on it cannot be compared with earlier ones: {_few(files)}"
            for what, files in told
            if files
        )

    def after(self, source: Source, parts: NDArray[np.int8]) -> "Manifest":
        """The manifest of this split: contents that are gone stay known, unless their name has a new content."""
        contents, names = _hexes(source), set(source.names)
        present = set(contents)
        sides = {
            part: {content: name for content, name in known.items() if content not in present and name not in names}
            for part, known in self.sides.items()
        }
        parts_of = {side: part for part, side in PARTS.items()}
        known = self.known(source)
        now = np.where(parts < 0, known, parts).tolist()  # what is left out this time keeps its side
        for content, name, side, given in zip(contents, source.names, now, source.parts.tolist(), strict=True):
            part = parts_of.get(side) if given == TRAIN else GIVEN if given == TEST else None
            if part:
                sides.setdefault(part, {}).setdefault(content, name)
        return Manifest(sides)


def keep(path: Path, source: Source, make: Callable[[Manifest], tuple[Made, NDArray[np.int8]]]) -> Made:
    """What `make` gives for the manifest in this file, which then holds the sides that it gives with it.

    The file is written when all went well.  If another process wrote it meanwhile, `make` is called again.
    """
    before = Manifest.read(path)
    made, parts = make(before)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(f"cannot write {path}: {error.strerror or error}") from error
    with _alone(path.parent):
        now = Manifest.read(path)
        if now != before:
            made, parts = make(now)
        if (after := now.after(source, parts)) != now:
            after.write(path)
    return made


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process is in this block with the same folder; on Windows it does not wait."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network file system without such locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _hexes(source: Source) -> list[str]:
    return [f"{value:016x}" for value in source.digests.tolist()]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
