"""`load`: any data that we know how to read, by its path or name."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from ..core import BadData, BadFile, BadValue, UnknownName, suggestion
from .arrays import check_size
from .cifar import is_cifar, read_cifar
from .dataset import Dataset
from .demos.noise import read_demo_noise
from .demos.series import read_demo_series
from .demos.sounds import read_demo_sounds
from .demos.table import read_demo_table
from .demos.volumes import read_demo_volumes
from .digits import read_digits
from .files import holds_pictures, read_picture_files
from .foreign_tars import is_tars, read_tars
from .hub import read_object
from .idx import has_idx, read_idx
from .npz import is_npz, read_npz
from .options import Progress, Reading, Resize
from .pictures import shown
from .public import PUBLIC, read_public
from .remote import is_url
from .remote_shards import local_copy, set_name
from .series import is_series, read_series
from .shard_manifest import MANIFEST
from .shards import is_shards, read_shards
from .sounds import holds_sounds, read_sounds
from .source import Source
from .split import TEST_SHARE, check_shares, split, usual_test
from .table import is_table, read_table
from .volumes import holds_volumes, read_volumes

NAMES: dict[str, Callable[[], Source]] = {
    "digits": read_digits,
    "demo:noise": read_demo_noise,
    "demo:series": read_demo_series,
    "demo:sounds": read_demo_sounds,
    "demo:table": read_demo_table,
    "demo:volumes": read_demo_volumes,
}

# What can read a path, asked in this order: whether it is of this kind, and what reads it.
READERS: list[tuple[Callable[[Path], bool], Callable[[Path, Reading], Source]]] = [
    (is_shards, read_shards),
    (is_cifar, read_cifar),
    (has_idx, read_idx),
    (is_tars, read_tars),
    (is_series, read_series),
    (is_npz, read_npz),
    (is_table, read_table),
    (holds_volumes, read_volumes),
    (holds_sounds, read_sounds),
    (holds_pictures, read_picture_files),
]


def load(
    path: str | PathLike[str] | object,
    *,
    validation: float = 0.15,
    test: float | None = 0.15,
    seed: int = 0,
    image_size: int | tuple[int, int] | None = None,
    resize: Resize = "auto",
    skip_bad: bool = False,
    group_by: str | None = None,
    time_by: str | None = None,
    label_by: str | None = None,
    sample_rate: int | None = None,
    window: float | None = None,
    hop: float | None = None,
    gap: float | None = None,
    manifest: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Reads data, checks it, and splits it into train, validation and a sealed test part.

    Args:
        path: "digits"; a folder with one folder of pictures for each class, or with train/, validation/ and test/ on
            top of these; a folder of IDX files; an .npz; a CSV of path,label or path,label,group; a folder of shards,
            or the URL of their manifest.json.  Or a dataset of Hugging Face's `datasets` or of torch, or a dict of
            their splits, see `hub.read_object`.
        validation: share of the samples, 0 < validation < 1; not used when the data has a validation part.
        test: share of the samples, 0 for none; not used when the data has a test part.  None, as `train` has it: 0.15,
            and none of up to 6 given groups, of which it would be a single one.
        seed: of the split; the same data, seed and shares give the same parts on every machine.
        image_size: the side in pixels, or (H, W), that pictures in files get, see `resize`; None keeps a common size of
            up to 256 pixels and else takes a square of the median shorter side, at most 224.
        resize: how pictures of another shape get this one: "stretch"; "fit", the whole picture with borders; "crop",
            its middle; "auto" chooses by the shapes there are.
        skip_bad: leave out files that cannot be read and list them in the facts, instead of raising.
        group_by: what stays on one side, e.g. all pictures of a patient: a column of the CSV, an array of the .npz, or
            a regular expression that finds the group in the path of a file, relative to the folder; its first capture
            group counts, or the whole match.
        time_by: as group_by, a number or an ISO date: the earliest samples train, the latest are the test part.
        label_by: the column, or array, that says the class, where that is not clear from its name.
        sample_rate: sounds are resampled to it, in Hz; None: the commonest among the files.
        window, hop: how long each sample is, and how far after it the next one begins: seconds of sounds, steps of
            series.  None: as the kind of data has it.
        gap: what lies nearer to a border of a split by time is left out, in the unit of the times.
        manifest: a JSON file that remembers the side of each content, so that data can grow and no file changes sides;
            made when it is not there.
        progress: told (files done, files in all) while pictures are decoded.

    Raises:
        BadFile: no such path, or a damaged file.
        UnknownName: a word that is neither a path nor a known name.
        BadData: data that cannot be trained on; the message names what is wrong and the remedy.
        BadValue: shares or an image size that are not accepted.
    """
    check_shares(validation, TEST_SHARE if test is None else test)
    reading = Reading(
        image_size=sides(image_size),
        resize=resize,
        skip_bad=skip_bad,
        group_by=group_by,
        time_by=time_by,
        label_by=label_by,
        sample_rate=sample_rate,
        window=window,
        hop=hop,
        gap=gap,
        progress=progress,
    )
    if not isinstance(path, (str, PathLike)):
        given = read_object(path, reading)
        test = usual_test(given) if test is None else test
        return split(given, name="dataset", validation=validation, test=test, seed=seed, gap=gap)
    source = read_source(path, reading)
    if _is_name(str(path)) and Path(path).exists():
        bundled = f"the bundled {path} were read; for what has this name here write ./{path}"
        source = replace(source, notes=(*source.notes, bundled))
    if test is None:
        test = usual_test(source)
        groups = len(source.group_names)
        few = f"{groups} groups are few: none is sealed as a test part, one would say little (--test 0.25 seals one)"
        source = source if test else replace(source, notes=(*source.notes, few))
    origin = {
        "path": str(path) if _is_name(str(path)) else str(Path(path).resolve()),
        "validation": validation,
        "test": test,
        "seed": seed,
        **_said(reading),
        "manifest": None if manifest is None else str(Path(manifest).resolve()),
    }
    if isinstance(image_size, int):
        origin["image_size"] = image_size
    return split(
        source,
        name=_name(str(path)),
        validation=validation,
        test=test,
        seed=seed,
        origin=origin,
        manifest=None if manifest is None else Path(manifest),
        gap=gap,
    )


def _said(reading: Reading) -> dict[str, Any]:  # Any: JSON values
    """What was asked for besides shares and a seed, for `Dataset.origin`."""
    size = None if reading.image_size is None else list(reading.image_size)
    first = {"image_size": size, **{name: getattr(reading, name) for name in ("skip_bad", "group_by", "time_by")}}
    more = {name: getattr(reading, name) for name in ("resize", "label_by", "sample_rate", "window", "hop", "gap")}
    return first | {name: value for name, value in more.items() if value != getattr(Reading, name)}


def manifest_path(
    out: Path | str,
    path: Path | str,
    *,
    validation: float = 0.15,
    test: float | None = None,
    seed: int = 0,
    group_by: str | None = None,
    time_by: str | None = None,
    **cut: object,
) -> Path | None:
    """Where the manifest of such a split of files, in a folder, a .zip or a CSV, is kept among the runs in `out`.

    None for other data: arrays do not grow by files.  `cut` are options by which the same files make other samples:
    `label_by`, `window`, `hop`.
    """
    place = Path(path)
    grows = place.suffix.lower() in (".csv", ".zip") if place.is_file() else place.is_dir() and not has_idx(place)
    grows = grows and not is_shards(place)
    if str(path) in NAMES or not grows:
        return None
    place = place.resolve()
    share = TEST_SHARE if test is None else float(test)
    other = tuple((name, value) for name, value in sorted(cut.items()) if value is not None)
    which = repr((str(place), seed, float(validation), share, group_by, time_by, *other))
    name = re.sub(r"[^\w.-]+", "-", place.stem if place.is_file() else place.name)
    return (
        Path(out) / "splits" / f"{name}-{hashlib.blake2b(which.encode(), digest_size=8).hexdigest()}.json"
    ).resolve()


def read_source(path: str | PathLike[str], reading: Reading) -> Source:
    """All samples under a path, a URL or a name, before any split.  Raises as `load` does."""
    if is_url(path):
        return read_shards(local_copy(str(path), reading.progress), reading)
    return _named(str(path), reading) if _is_name(str(path)) else _read(Path(path), reading)


def _is_name(path: str) -> bool:
    """Whether this is no path."""
    return path in NAMES or (path in PUBLIC and not Path(path).exists()) or is_url(path)


def _named(name: str, reading: Reading) -> Source:
    """The samples that are called so."""
    if name in PUBLIC:
        return read_public(name, reading)
    reading.no_names(name)
    reading.only(name, "image_size")
    source = NAMES[name]()
    check_size(source, reading, name)
    return source


def reader_of(path: Path) -> Callable[[Path, Reading], Source] | None:
    """What reads a path that is there, by what it looks like."""
    return next((read for fits, read in READERS if fits(path)), None)


def _read(path: Path, reading: Reading) -> Source:
    """The samples under a path, by what it looks like."""
    if not path.exists():
        raise _missing(path)
    try:
        if (read := reader_of(path)) is not None:
            return read(path, reading)
    except OSError as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: {error.strerror or error}.") from error
    raise BadData(f"{path}: is not data that can be loaded; give a folder, a .zip, an .npz or a .csv file.")


def _name(path: str) -> str:
    """How people call the data."""
    if _is_name(path):
        return set_name(path) if is_url(path) else path
    place = Path(path).resolve()
    place = place.parent if place.name == MANIFEST else place
    return shown(place.name if place.is_dir() else place.stem)


def _missing(path: Path) -> BadFile | UnknownName:
    if path.name == str(path) and not path.suffix:
        return UnknownName(
            f"no file, folder or data set is called {str(path)!r}{suggestion(str(path), [*NAMES, *PUBLIC])}"
        )
    return BadFile(f"{path}: no such file or folder.")


def sides(image_size: object) -> tuple[int, int] | None:
    """(H, W) in pixels, checked; None stays None."""
    if image_size is None:
        return None
    found = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(found) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in found):
        raise BadValue(f"load(image_size={image_size!r}): must be a positive number of pixels, or (height, width).")
    return found[0], found[1]
