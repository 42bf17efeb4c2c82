"""Folders of files: one folder for each class, or train/, validation/ and test/ on top of such folders.

A folder unlabelled/ beside them is no class: it holds a pool of samples without labels.
"""

import os
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from stat import S_ISDIR

import numpy as np

from ..core import BadData
from .dataset import BadFileFound
from .listing import UNKNOWN, Files, Listing, Packed, shown
from .names import Names
from .options import Progress
from .source import POOL, TEST, TRAIN, VALIDATION

PARTS = {"train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "test": TEST}
UNLABELLED = ("unlabelled", "unlabeled")  # folders that are no class but hold samples without labels
TOLD = 10_000  # files; after so many the progress of a scan is told


def list_folder(root: Path, progress: Progress | None = None) -> Listing:
    """The files of a folder, sorted by name whatever the file system says; names that begin with a dot are ignored.

    What lies in folders inside a class folder is of that class, and what lies in unlabelled/ of none.

    Args:
        root: the folder.
        progress: told (files found, 0) now and then; nobody knows how many there are.

    Raises:
        BadData: the folder is empty or not arranged in one of the two ways; the message says how to.
    """
    found = Found(progress)
    beside: list[str] = []
    tops = _tops(root)
    for top, part in tops:
        folders, others = _class_folders(root, top)
        beside += [shown(f"{top}{name}") for name in others]
        for name in folders:
            _walk(root, f"{top}{name}/", found.label(shown(name)), POOL if name in UNLABELLED else part, found)
    for name in UNLABELLED if tops != [("", TRAIN)] else ():  # beside train/
        if (root / name).is_dir():
            _walk(root, f"{name}/", found.label(name), POOL, found)
    return found.listing(root, beside)


def list_pool(root: Path, progress: Progress | None = None) -> Listing:
    """All files under a folder as samples without labels, whatever folders they lie in."""
    found = Found(progress)
    _walk(root, "", found.label(UNLABELLED[0]), POOL, found)
    return found.listing(root, [])


@dataclass
class Found:
    """Files as they are found, in columns."""

    progress: Progress | None = None
    paths: Names = field(default_factory=Names)
    labels: "array[int]" = field(default_factory=lambda: array("i"))
    parts: "array[int]" = field(default_factory=lambda: array("b"))
    stamps: "array[int]" = field(default_factory=lambda: array("q"))
    classes: dict[str, int] = field(default_factory=dict)
    bad: list[BadFileFound] = field(default_factory=list)

    def label(self, name: str) -> int:
        """The number of a class, for now; a new one if need be."""
        return self.classes.setdefault(name, len(self.classes))

    def add(self, path: str, label: int, part: int, size: int, time_ns: int) -> None:
        """One more file."""
        self.paths.extend((path,))
        self.labels.append(label)
        self.parts.append(part)
        self.stamps.extend((size, time_ns))
        if self.progress and len(self.labels) % TOLD == 0:
            self.progress(len(self.labels), 0)

    def files(self, root: Path, archive: Packed | None = None) -> Files:
        """All of them; `archive` holds them in this order."""
        classes = tuple(sorted(self.classes))
        rank = np.array([classes.index(name) for name in self.classes], np.int32)
        labels = np.array(self.labels, np.int32)
        stamps = np.array(self.stamps, np.int64).reshape(-1, 2)
        labels = rank[labels] if len(rank) else labels
        return Files(root, self.paths, labels, classes, np.array(self.parts, np.int8), stamps, archive=archive)

    def listing(self, root: Path, beside: list[str], archive: Packed | None = None) -> Listing:
        """All of them, with what is beside the class folders."""
        files = self.files(root, archive)
        return Listing(files, files.classes, tuple(self.bad), beside_note(beside))


def part_folders(title: str, names: Collection[str], *, nested: bool) -> list[tuple[str, int]]:
    """The folders that hold class folders, as what paths begin with, and the part that each of them is.

    Args:
        title: how messages call the data.
        names: of the folders on top.
        nested: whether there are folders in train/.

    Raises:
        BadData: they are named like parts, and yet unclear.
    """
    names = set(names).difference(UNLABELLED)
    if not names or not names <= PARTS.keys():
        strangers = ", ".join(f"{shown(name)}/" for name in sorted(names - PARTS.keys()))
        if "train" in names and nested:
            raise BadData(f"{title}: {strangers} beside train/; only train/, validation/ and test/ may stand there.")
        return [("", TRAIN)]
    found = ", ".join(f"{name}/" for name in sorted(names))
    if "train" not in names:
        raise BadData(f"{title}: has {found} but no train/; add it, or have only one folder for each class.")
    if len({PARTS[name] for name in names}) < len(names):
        raise BadData(f"{title}: has {found}; only one of them can be the validation part.")
    return [(f"{name}/", PARTS[name]) for name in sorted(names, key=lambda name: PARTS[name])]


def no_classes(title: str, top: PurePosixPath | Path, files: int) -> BadData:
    """What is wrong with a folder without class folders."""
    state = f"has {files:,} file{'s' * (files != 1)} but no class folders" if files else "is an empty folder"
    return BadData(
        f"{title}: {state}; put the files of each class into a folder of its own, e.g. {top / 'cat' / '1.jpg'}."
    )


def beside_note(names: list[str]) -> tuple[str, ...]:
    """A sentence for files that are in no class folder, if any."""
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"not read, because beside the class folders: {', '.join(names[:3])}{more}",)


def _tops(root: Path) -> list[tuple[str, int]]:
    """The folders that hold class folders, relative to the root, and the part that each of them is."""
    names = _class_folders(root, "")[0]
    nested = "train" in names and any(entry.is_dir() for entry in _entries(root / "train"))
    return part_folders(str(root), names, nested=nested)


def _class_folders(root: Path, top: str) -> tuple[list[str], list[str]]:
    """The names of the folders there, at least one, and of what else there is, sorted."""
    folders: list[str] = []
    others: list[str] = []
    for entry in _entries(root / top):
        (folders if entry.is_dir() else others).append(entry.name)
    if not folders:
        raise no_classes(str(root / top), root / top, len(others))
    return sorted(folders), sorted(others)


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.name[0] != ".")


def _walk(root: Path, top: str, label: int, part: int, found: Found) -> None:
    """Adds the files under a class folder: those in it, then those in the folders inside, in the order of names."""
    try:
        rows, folders = _rows(root / top)
    except OSError as error:
        found.bad.append(BadFileFound(shown(top), (error.strerror or str(error)).lower()))
        return
    for name, size, time_ns in rows:
        found.add(top + name, label, part, size, time_ns)
    for name, linked in folders:
        if linked:  # it may lead back here
            found.bad.append(BadFileFound(shown(top + name), "a link to a folder"))
        else:
            _walk(root, f"{top}{name}/", label, part, found)


def _rows(folder: Path) -> tuple[list[tuple[str, int, int]], list[tuple[str, bool]]]:
    """Of each file its name, size and time of change, and of each folder whether it is a link; sorted by name."""
    files: list[tuple[str, int, int]] = []
    folders: list[tuple[str, bool]] = []
    for entry in _entries(folder):
        try:
            status = entry.stat()
        except OSError:  # a link that leads nowhere is told when it is opened
            files.append((entry.name, UNKNOWN, UNKNOWN))
            continue
        if S_ISDIR(status.st_mode):
            folders.append((entry.name, entry.is_symlink()))
        else:
            files.append((entry.name, status.st_size, status.st_mtime_ns))
    return sorted(files), sorted(folders)
