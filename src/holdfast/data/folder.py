"""Folders of pictures: one folder for each class, or train/, validation/ and test/ on top of such folders."""

from pathlib import Path

from ..core import BadData
from .dataset import BadFileFound
from .pictures import Listed, Listing, shown
from .source import TEST, TRAIN, VALIDATION

PARTS = {"train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "test": TEST}


def list_folder(root: Path) -> Listing:
    """The files of a folder, sorted by name whatever the file system says; names that begin with a dot are ignored.

    Raises:
        BadData: the folder is empty or not arranged in one of the two ways; the message says how to.
    """
    files: list[Listed] = []
    bad: list[BadFileFound] = []
    beside: list[str] = []
    classes: set[str] = set()
    for top, part in _tops(root):
        folders = _class_folders(top)
        classes.update(shown(folder.name) for folder in folders)
        beside += [shown(entry.relative_to(root).as_posix()) for entry in _entries(top) if not entry.is_dir()]
        for entry in (entry for folder in folders for entry in _entries(folder)):
            name = shown(entry.relative_to(root).as_posix())
            if entry.is_dir():
                bad.append(BadFileFound(name, "a folder inside a class folder"))
            else:
                files.append(Listed(entry, name, shown(entry.parent.name), part))
    return Listing(files, tuple(sorted(classes)), tuple(bad), _beside_note(beside))


def _tops(root: Path) -> list[tuple[Path, int]]:
    """The folders that hold class folders, and the part that each of them is."""
    names = {folder.name for folder in _class_folders(root)}
    if not names <= PARTS.keys():
        strangers = ", ".join(f"{shown(name)}/" for name in sorted(names - PARTS.keys()))
        if "train" in names and any(entry.is_dir() for entry in _entries(root / "train")):
            raise BadData(f"{root}: {strangers} beside train/; only train/, validation/ and test/ may stand there.")
        return [(root, TRAIN)]
    found = ", ".join(f"{name}/" for name in sorted(names))
    if "train" not in names:
        raise BadData(f"{root}: has {found} but no train/; add it, or have only one folder for each class.")
    if len({PARTS[name] for name in names}) < len(names):
        raise BadData(f"{root}: has {found}; only one of them can be the validation part.")
    return [(root / name, PARTS[name]) for name in sorted(names, key=lambda name: PARTS[name])]


def _class_folders(top: Path) -> list[Path]:
    entries = _entries(top)
    folders = [entry for entry in entries if entry.is_dir()]
    if folders:
        return folders
    state = f"has {len(entries)} files but no class folders" if entries else "is an empty folder"
    raise BadData(
        f"{top}: {state}; put the pictures of each class into a folder of its own, e.g. {top / 'cat' / '1.jpg'}."
    )


def _entries(folder: Path) -> list[Path]:
    return sorted((entry for entry in folder.iterdir() if entry.name[0] != "."), key=lambda entry: entry.name)


def _beside_note(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"not read, because beside the class folders: {', '.join(names[:3])}{more}",)
