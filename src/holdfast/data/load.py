"""`load`: any data that we know how to read, by its path or name."""

import hashlib
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..core import BadData, BadFile, BadValue, UnknownName, suggestion
from .csv import list_csv
from .dataset import Dataset
from .digits import read_digits
from .folder import list_folder
from .groups import Suggestion, read_names, suggest_groups
from .idx import has_idx, read_idx_folder
from .npz import read_npz
from .pictures import Progress, read_pictures, shown
from .source import Source
from .split import check_shares, split

NAMES: dict[str, Callable[[], Source]] = {"digits": read_digits}


def load(
    path: str | PathLike[str],
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    image_size: int | tuple[int, int] | None = None,
    skip_bad: bool = False,
    group_by: str | None = None,
    time_by: str | None = None,
    manifest: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Reads data, checks it, and splits it into train, validation and a sealed test part.

    Args:
        path: "digits"; a folder with one folder of pictures for each class, or with train/, validation/ and test/ on
            top of these; a folder of IDX files; an .npz; a CSV of path,label or path,label,group.
        validation: share of the samples, 0 < validation < 1; not used when the data has a validation part.
        test: share of the samples, 0 for none; not used when the data has a test part.
        seed: of the split; the same data, seed and shares give the same parts on every machine.
        image_size: the side in pixels, or (H, W), that pictures in files are stretched to; None keeps a common size of
            up to 256 pixels and else takes a square of the median shorter side, at most 224.
        skip_bad: leave out files that cannot be read and list them in the facts, instead of raising.
        group_by: what stays on one side, e.g. all pictures of a patient: a column of the CSV, an array of the .npz, or
            a regular expression that finds the group in the path of a file, relative to the folder; its first capture
            group counts, or the whole match.
        time_by: as group_by, a number or an ISO date: the earliest samples train, the latest are the test part.
        manifest: a JSON file that remembers the side of each content, so that data can grow and no file changes sides;
            made when it is not there.
        progress: told (files done, files in all) while pictures are decoded.

    Raises:
        BadFile: no such path, or a damaged file.
        UnknownName: a word that is neither a path nor a known name.
        BadData: data that cannot be trained on; the message names what is wrong and the remedy.
        BadValue: shares or an image size that are not accepted.
    """
    check_shares(validation, test)
    size = _size(image_size)
    known = str(path) in NAMES
    place = Path(path)
    if known:
        _no_names(str(path), group_by, time_by)
    try:
        source = _read(place, size, skip_bad, progress, group_by, time_by) if not known else NAMES[str(path)]()
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: {error.strerror or error}.") from error
    if known and place.exists():
        source = replace(source, notes=(f"the bundled {path} were read; for what has this name here write ./{path}",))
    if size and source.images.shape[1:3] != size:
        raise BadValue(f"load(image_size={image_size}): only pictures in files are resized, {path} holds arrays.")
    origin = {
        "path": str(path) if known else str(place.resolve()),
        "validation": validation,
        "test": test,
        "seed": seed,
        "image_size": image_size if size is None or isinstance(image_size, int) else list(size),
        "skip_bad": skip_bad,
        "group_by": group_by,
        "time_by": time_by,
        "manifest": None if manifest is None else str(Path(manifest).resolve()),
    }
    name = str(path) if known else _name(place.resolve())
    return split(
        source,
        name=name,
        validation=validation,
        test=test,
        seed=seed,
        origin=origin,
        manifest=None if manifest is None else Path(manifest),
    )


def manifest_path(
    out: Path | str,
    path: Path | str,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    group_by: str | None = None,
    time_by: str | None = None,
) -> Path | None:
    """Where the manifest of such a split of a folder of pictures or of a CSV is kept among the runs in `out`.

    None for other data: arrays do not grow by files.
    """
    place = Path(path)
    grows = place.suffix.lower() == ".csv" if place.is_file() else place.is_dir() and not has_idx(place)
    if str(path) in NAMES or not grows:
        return None
    place = place.resolve()
    which = repr((str(place), seed, float(validation), float(test), group_by, time_by))
    name = re.sub(r"[^\w.-]+", "-", place.stem if place.is_file() else place.name)
    return (
        Path(out) / "splits" / f"{name}-{hashlib.blake2b(which.encode(), digest_size=8).hexdigest()}.json"
    ).resolve()


def _read(
    path: Path,
    size: tuple[int, int] | None,
    skip_bad: bool,
    progress: Progress | None,
    group_by: str | None,
    time_by: str | None,
) -> Source:
    """The samples under a path, by what it looks like."""
    if not path.exists():
        raise _missing(path)
    kind = path.suffix.lower()
    if path.is_dir() and has_idx(path):
        _no_names(str(path), group_by, time_by)
        return read_idx_folder(path)
    if path.is_file() and kind == ".npz":
        return read_npz(path, group_by=group_by, time_by=time_by)
    if not path.is_dir() and kind != ".csv":
        raise BadData(f"{path}: is not data that can be loaded; give a folder, an .npz or a .csv file.")
    listing = list_folder(path) if path.is_dir() else list_csv(path, group_by=group_by, time_by=time_by)
    listing = read_names(listing, str(path), group_by=group_by, time_by=time_by)
    source = read_pictures(listing, title=str(path), image_size=size, skip_bad=skip_bad, progress=progress)
    suggested = suggest_groups(listing.files) if source.groups is None else None
    return replace(source, notes=source.notes + _suggestion(suggested, path)) if suggested else source


def _suggestion(found: Suggestion, path: Path) -> tuple[str, ...]:
    """What to do about groups that names seem to hold."""
    names = ", ".join(found.names[:3]) + (f" and {len(found.names) - 3:,} more" if len(found.names) > 3 else "")
    command = f"holdfast train {shlex.quote(str(path))} --group-by {shlex.quote(found.pattern)}"
    return (
        f"names suggest {len(found.names):,} groups ({names}) that this split cuts, which flatters the score; "
        f"to keep each on one side: {command}",
    )


def _no_names(name: str, group_by: str | None, time_by: str | None) -> None:
    """Raises BadValue for groups or times of samples that have no names to find them in."""
    for option, value in (("group_by", group_by), ("time_by", time_by)):
        if value is not None:
            given = option.removesuffix("_by") + "s"
            raise BadValue(
                f"load({option}={value!r}): the samples of {name} have no names; use from_arrays({given}=...)."
            )


def _name(path: Path) -> str:
    return shown(path.name if path.is_dir() else path.stem)


def _missing(path: Path) -> BadFile | UnknownName:
    if path.name == str(path) and not path.suffix:
        return UnknownName(f"no file, folder or data set is called {str(path)!r}{suggestion(str(path), list(NAMES))}")
    return BadFile(f"{path}: no such file or folder.")


def _size(image_size: object) -> tuple[int, int] | None:
    """(H, W) in pixels, checked; None stays None."""
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise BadValue(f"load(image_size={image_size!r}): must be a positive number of pixels, or (height, width).")
    return sides[0], sides[1]
