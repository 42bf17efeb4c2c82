"""Series: cut into windows, padded and masked, and read from files again as training read them.

Reading what the files hold is data/recordings.py.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue, HoldfastError
from .csv_kind import IDS, csv_kind, is_csv
from .dataset import BadFileFound
from .files import list_files
from .memory import free_memory
from .options import Reading
from .pictures import seconds, shown
from .reads import Json, reads_kind
from .recordings import Columns, Recording, Values, in_table, is_table_file, of_arrays, of_file, read_arrays, read_table
from .source import TEST, TRAIN, Source, row_digests

ENDINGS = (".csv", ".tsv", ".parquet", ".npy", ".npz")  # of files that hold one series
HEAD = 200  # files of a folder that are looked at
LONGER = 4  # times that an array (N, T, C) has more steps than channels; else it may hold pictures (N, H, W)
LABELS = ("y", "labels", "label", "classes")


@dataclass(frozen=True)
class Window:
    """A piece of a recording: so many steps from `begin` on."""

    recording: int
    begin: int
    end: int


@reads_kind
@dataclass(frozen=True)
class Series:
    """How files become series (T, C), or (T, C + 1) with a mask in the last channel: 1 where a step was measured.

    Attributes:
        steps: T.
        channels: their names; a file that names its own must have these.
        masked: whether there is a mask, as where series are shorter than `steps`, or have gaps.
        hop: steps from one window to the next, of series that are cut into windows; None where they are not.
        whole: whether each file holds one series.
    """

    kind: ClassVar[str] = "series"
    steps: int
    channels: tuple[str, ...]
    masked: bool = False
    hop: int | None = None
    whole: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(T, C), the mask counted."""
        return self.steps, len(self.channels) + self.masked

    def read(self, paths: Sequence[str | Path]) -> NDArray[np.float32]:
        """The series in these files, or their windows, one after another: (N, T, C) float32.

        Raises:
            BadFile: a file that holds none that fits; the message names it.
        """
        return np.concatenate([samples for _, samples in self._read(paths)])

    def names(self, paths: Sequence[str | Path]) -> list[str]:
        """What the samples that `read` gives are called."""
        return [name for names, _ in self._read(paths) for name in names]

    def _read(self, paths: Sequence[str | Path]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        if not paths:
            raise BadValue("there are no series: the list of files is empty.")
        for path in map(Path, paths):
            try:
                found = [mended(arranged(one, self.channels)) for one in self.recordings(path)]
            except BadData as error:
                raise BadFile(str(error) if str(path) in str(error) else f"{path}: {error}") from error
            for one in found:
                problem = self._problem(one)
                if problem:
                    raise BadFile(f"{path}: {one.name} {problem}.")
            places = cut(found, self.steps, self.hop)
            yield named(found, places), padded(found, places, self.steps, masked=self.masked)

    def recordings(self, path: Path, columns: Columns | None = None) -> list[Recording]:
        """What a file holds, before it is cut."""
        if path.suffix.lower() not in ENDINGS:
            raise BadFile(f"{path}: is no file of series; accepted are {', '.join(ENDINGS)}.")
        if path.suffix.lower() in (".npy", ".npz"):
            array = of_arrays(path)
            if array.ndim not in (2, 3):
                raise BadFile(f"{path}: holds an array of shape {array.shape}; series are (N, T, C), or one is (T, C).")
            several = array if array.ndim == 3 else array[np.newaxis]
            return [Recording(f"{path.name}[{number}]", _ended(one)) for number, one in enumerate(several)]
        steps = None if self.hop or self.masked or len(self.channels) > 1 else self.steps
        columns = columns or Columns(steps=steps)
        return [of_file(path, columns)] if self.whole or self._is_one(path) else in_table(path, columns)

    def _is_one(self, path: Path) -> bool:
        """Whether a file holds one series though others held many: it has the channels, and no ids."""
        table = read_table(path)
        words = [name.lower() for name in table] if isinstance(table, Mapping) else []
        return set(self.channels) <= set(table) and not set(IDS) & set(words) if words else False

    def _problem(self, one: Recording) -> str | None:
        """Why a series cannot be a sample; None when it can."""
        length = len(one.values)
        if length > self.steps and self.hop is None:
            return f"has {length} steps; the model takes up to {self.steps}: cut it, or train with --window"
        if not self.masked and length < self.steps:
            return f"has {length} steps; the model takes {self.steps} and learned from none that is shorter"
        if not self.masked and not _present(one.values).all():
            return "has steps without any number; the model learned from none that has"
        return None

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Series":
        """What `to_dict` was made from.  Raises BadValue for anything else."""
        known = [item.name for item in fields(cls)]
        whole = [plain.get("steps"), *([plain["hop"]] if plain.get("hop") is not None else [])]
        channels = plain.get("channels")
        if (
            not plain.keys() <= set(known)
            or not all(isinstance(one, int) and 0 < one < 2**31 for one in whole)
            or not isinstance(channels, (list, tuple))
            or not channels
        ):
            raise BadValue(f"series are described by {', '.join(known)}; got {str(plain)[:80]}.")
        more = {key: bool(plain[key]) for key in ("masked", "whole") if key in plain}
        return cls(int(plain["steps"]), tuple(map(str, channels)), hop=plain.get("hop"), **more)


def is_series(path: Path) -> bool:
    """Whether files under a path hold series, by the first of them.

    A CSV by the rule of `csv_kind`; every Parquet file.  Class folders, or a list path,label, of CSV, Parquet, .npy or
    .npz files: all but arrays of three and more axes, which are volumes.  An .npz with an array called series, or with
    floats x (N, T, C) of at least 4 times as many steps as channels; else it holds pictures (N, H, W) or features.
    """
    if path.is_file() and path.suffix.lower() == ".npz":
        return _archive_holds_series(path)
    if path.is_file() and path.suffix.lower() == ".parquet":
        return True
    if is_csv(path):
        kind = csv_kind(path)
        return kind == "series" or (kind == "files" and _file_holds_series(_first_listed(path)))
    return path.is_dir() and _file_holds_series(_first_in(path))


def read_series(path: Path, reading: Reading) -> Source:
    """The series under a path, or their windows of `window` steps, one every `hop` steps.

    Windows of one series are a group, so that no split parts them; but where `time_by` names the column of times in
    series themselves, windows are divided by time, those that overlap a border are left out, and `gap` adds to that.
    Steps without any number, and what is missing at the end, are masked in a channel of its own; single numbers that
    are missing lie on the line between their neighbours in the channel.

    Raises:
        BadData: series without numbers, or of other channels than the first (unless `skip_bad`); no class.
    """
    reading.only("series", "group_by", "time_by", "label_by", "window", "hop")
    columns = Columns(reading.label_by, reading.group_by, reading.time_by)
    bad: list[BadFileFound] = []
    if path.is_file() and path.suffix.lower() == ".npz":
        found = _of_archive(path, reading)
    elif path.is_file() and (path.suffix.lower() == ".parquet" or csv_kind(path) == "series"):
        found = in_table(path, columns)
    else:
        found, bad = _of_files(path, reading)
    whole = path.is_dir() or (is_csv(path) and csv_kind(path) == "files")
    good, more = _usable(found)
    bad += more
    if bad and not reading.skip_bad:
        few = ", ".join(map(str, bad[:3])) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        raise BadData(
            f"{path}: {len(bad)} of {len(bad) + len(good)} series cannot be used: {few}; "
            "mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not good:
        raise BadData(f"{path}: holds no series that can be used" + (f": {bad[0]}." if bad else "."))
    if any(one.label is None for one in good):
        raise BadData(
            f"{path}: says nothing of classes; a column called label is needed, or name it: --label-by COLUMN."
        )
    source = _source(good, _window(reading), title=str(path), whole=whole)
    return replace(source, skipped=tuple(bad))


def series_source(
    values: Sequence[Values],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    names: Sequence[str],
    *,
    channels: tuple[str, ...],
) -> Source:
    """The samples of series (T, C) in memory, of any length, NaN where nothing was measured."""
    told = zip(names, values, labels, strict=True)
    recordings = [mended(Recording(name, one, channels, classes[label])) for name, one, label in told]
    return _source(recordings, None, title="series", whole=False)


def _source(recordings: Sequence[Recording], window: tuple[int, int] | None, *, title: str, whole: bool) -> Source:
    steps = window[0] if window else max(len(one.values) for one in recordings)
    places = cut(recordings, steps, window[1] if window else None)
    _check_memory(len(places), steps, recordings, title)
    own = np.array([place.recording for place in places])
    shorter = any(place.end - place.begin < steps for place in places)
    masked = shorter or not all(_present(one.values).all() for one in recordings)
    samples = padded(recordings, places, steps, masked=masked)
    kept = np.flatnonzero(samples[..., -1].any(1)) if masked else np.arange(len(places))
    places, own = [places[place] for place in kept], own[kept]
    classes = tuple(sorted({one.label or "" for one in recordings}, key=_order))
    times, span = _times(recordings, places)
    by_step = any(one.times is not None and len(one.times) > 1 for one in recordings)
    groups, called = _groups(recordings, own, windows=window is not None and not by_step)
    first = recordings[0]
    reads = Series(
        steps=steps,
        channels=first.channels or tuple(f"channel {number}" for number in range(first.values.shape[1])),
        masked=masked,
        hop=window[1] if window else None,
        whole=whole,
    )
    return Source(
        images=samples[kept],
        labels=np.array([classes.index(recordings[place].label or "") for place in own], np.int64),
        names=named(recordings, places),
        classes=tuple(map(shown, classes)),
        digests=row_digests(samples[kept]),
        parts=np.array([recordings[place].part for place in own], np.int8),
        groups=groups,
        group_names=called,
        times=times,
        span=span,
        reads=reads,
        notes=_notes(recordings, places, steps, masked=masked, windows=window is not None),
    )


def mended(one: Recording) -> Recording:
    """The series with single numbers that are missing put on the line between their neighbours in the channel.

    Raises:
        BadData: a channel without any number, or with infinite ones.
    """
    values = one.values
    if np.isinf(values).any():
        raise BadData(f"{one.name}: holds infinite values.")
    missing = np.isnan(values)
    if not missing.any():
        return one
    present = _present(values)
    if missing.all(0).any() or not len(values):
        raise BadData(f"{one.name}: channel {int(missing.all(0).argmax()) + 1} holds no number.")
    steps, filled = np.arange(len(values)), values.copy()
    for channel in np.flatnonzero((missing & present[:, np.newaxis]).any(0)):
        known = ~missing[:, channel]
        line = np.interp(steps, steps[known], values[known, channel])
        filled[present, channel] = line[present]
    return replace(one, values=filled)


def arranged(one: Recording, channels: tuple[str, ...]) -> Recording:
    """The series with its channels in this order.  Raises BadData when it has others."""
    if one.channels is None or one.channels == channels:
        if one.values.shape[1] != len(channels):
            raise BadData(f"{one.name}: has {one.values.shape[1]} channels; {len(channels)} are needed.")
        return one
    lacking = [name for name in channels if name not in one.channels]
    if lacking:
        raise BadData(f"{one.name}: lacks the channel {', '.join(map(repr, lacking[:5]))}.")
    return replace(one, values=one.values[:, [one.channels.index(name) for name in channels]], channels=channels)


def cut(recordings: Sequence[Recording], steps: int, hop: int | None) -> list[Window]:
    """The windows of series; of one that is shorter, and with no hop, all of it.  A rest is in no window."""
    found = []
    for number, one in enumerate(recordings):
        length = len(one.values)
        begins = range(0, length - steps + 1, hop) if hop and length > steps else [0]
        found += [Window(number, begin, min(begin + steps, length)) for begin in begins]
    return found


def named(recordings: Sequence[Recording], places: Sequence[Window]) -> list[str]:
    """What the windows are called: as their series, with the first step where there are several."""
    several = {place.recording for place in places if place.begin}
    return [
        recordings[place.recording].name + (f" from {place.begin}" if place.recording in several else "")
        for place in places
    ]


def padded(
    recordings: Sequence[Recording], places: Sequence[Window], steps: int, *, masked: bool
) -> NDArray[np.float32]:
    """(N, steps, C) float32, or with a mask (N, steps, C + 1): 0 where nothing was measured."""
    channels = recordings[0].values.shape[1]
    found = np.zeros((len(places), steps, channels + masked), np.float32)
    for row, place in zip(found, places, strict=True):
        values = recordings[place.recording].values[place.begin : place.end]
        there = _present(values)
        row[: len(values), :channels] = np.where(there[:, np.newaxis], values, 0)
        if masked:
            row[: len(values), channels] = there
    return found


def _present(values: Values) -> NDArray[np.bool_]:
    """(T,) which steps were measured."""
    return np.asarray(~np.isnan(values).all(1), np.bool_)


def _ended(values: Values) -> Values:
    """Without the steps at the end of which nothing was measured."""
    there = np.flatnonzero(_present(values))
    return values[: there[-1] + 1] if len(there) else values[:0]


def _usable(recordings: Sequence[Recording]) -> tuple[list[Recording], list[BadFileFound]]:
    """Those that hold numbers, with the channels of the first; and the others."""
    good: list[Recording] = []
    bad: list[BadFileFound] = []
    for one in recordings:
        try:
            fitting = one if not good else arranged(one, good[0].channels or ("",) * good[0].values.shape[1])
            if not one.values.size:
                raise BadData(f"{one.name}: is empty.")
            good.append(mended(fitting))
        except BadData as error:
            bad.append(BadFileFound(one.name, str(error).removeprefix(f"{one.name}: ").rstrip(".")))
    return good, bad


def _of_archive(path: Path, reading: Reading) -> list[Recording]:
    """The series of an .npz: x and y, or x_train, y_train, x_test and y_test; groups and times are arrays, too."""
    arrays = read_arrays(path)
    prefix = next((name for name in ("series", "x") if name in arrays), "x_train")
    pairs = [(prefix, next((one for one in LABELS if one in arrays), "y"), TRAIN)]
    if prefix == "x_train":
        pairs = [("x_train", "y_train", TRAIN), ("x_test", "y_test", TEST)]
        pairs = pairs[: 1 + ("x_test" in arrays)]
    more = {"group_by": reading.group_by, "time_by": reading.time_by}
    wanted = [name for pair in pairs for name in pair[:2]] + [name for name in more.values() if name is not None]
    lacking = next((name for name in wanted if name not in arrays), None)
    if lacking is not None:
        raise BadData(f"{path}: has no array {lacking!r}; it holds {', '.join(sorted(arrays))}.")
    found = []
    for name, labels, part in pairs:
        array = arrays[name].astype(np.float64)
        array = array[..., np.newaxis] if array.ndim == 2 else array
        if array.ndim != 3 or len(arrays[labels]) != len(array):
            raise BadData(
                f"{path}: {name} has shape {array.shape}, {labels} {arrays[labels].shape}; "
                "accepted are (N, T, C) or (N, T), and (N,)."
            )
        groups, times = (arrays[one] if one and part == TRAIN else None for one in more.values())
        found += [
            Recording(
                f"{name}[{row}]",
                _ended(values),
                label=str(arrays[labels][row]),
                group=None if groups is None else str(groups[row]),
                part=part,
                times=None if times is None else times[row : row + 1].astype(np.float64),
            )
            for row, values in enumerate(array)
        ]
    return found


def _of_files(path: Path, reading: Reading) -> tuple[list[Recording], list[BadFileFound]]:
    """The series of class folders or of a list of files, and what cannot be read."""
    first = _first_in(path) if path.is_dir() else _first_listed(path)
    inside = reading.time_by is not None and _has_column(first, reading.time_by)
    listing = list_files(path, replace(reading, time_by=None) if inside else reading)
    found, bad = [], list(listing.bad)
    for number, file in enumerate(listing.files):
        try:
            one = of_file(file.path, Columns(time=reading.time_by if inside else None))
        except HoldfastError as error:
            bad.append(BadFileFound(file.name, str(error).removeprefix(f"{file.path}: ").rstrip(".")))
            continue
        times = None if file.time is None else np.array([seconds(file.time, file.name, str(path))])
        told = replace(one, name=file.name, label=file.label, group=file.group, part=file.part)
        found.append(told if inside else replace(told, times=times))
        if reading.progress:
            reading.progress(number + 1, len(listing.files))
    return found, bad


def _has_column(path: Path | None, name: str) -> bool:
    if path is None or not is_table_file(path) or not path.is_file():
        return False
    table = read_table(path)
    return isinstance(table, Mapping) and name in table


def _window(reading: Reading) -> tuple[int, int] | None:
    """The steps of a window and from one to the next, which do not overlap unless they are told to."""
    if reading.window is None:
        if reading.hop is not None:
            raise BadValue(f"load(hop={reading.hop:g}): is from one window to the next; say how long one is: window=.")
        return None
    for name, value in (("window", reading.window), ("hop", reading.hop)):
        if value is not None and value != int(value):
            raise BadValue(f"load({name}={value:g}): must be a whole number of steps of the series.")
    return int(reading.window), int(reading.hop or reading.window)


def _times(recordings: Sequence[Recording], places: Sequence[Window]) -> tuple[NDArray[np.float64] | None, float]:
    """When each window ends, and how long the longest one is; of series with one time that, and 0."""
    if any(recordings[place.recording].times is None for place in places):
        return None, 0.0
    times = [recordings[place.recording].times for place in places]
    pairs = [(one, place) for one, place in zip(times, places, strict=True) if one is not None]
    ends = np.array([one[place.end - 1] if len(one) > 1 else one[0] for one, place in pairs])
    spans = [one[place.end - 1] - one[place.begin] for one, place in pairs if len(one) > 1]
    return ends, float(max(spans, default=0.0))


def _groups(
    recordings: Sequence[Recording], own: NDArray[np.int64], *, windows: bool
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Given groups; or the series that windows are cut from."""
    words = [one.group for one in recordings]
    if all(word is None for word in words):
        if not windows:
            return None, ()
        words = [one.name for one in recordings]
    called = tuple(sorted({word for word in words if word}))
    codes = np.array([called.index(word) if word else -1 for word in words], np.int64)
    return codes[own], tuple(map(shown, called))


def _order(word: str) -> tuple[float, str]:
    """Numbers by value, and then words."""
    try:
        return float(word), word
    except ValueError:
        return np.inf, word


def _notes(
    recordings: Sequence[Recording], places: Sequence[Window], steps: int, *, masked: bool, windows: bool
) -> tuple[str, ...]:
    found = []
    if windows:
        longest = max(len(one.values) for one in recordings)
        found.append(
            f"{len(recordings):,} series are cut into {len(places):,} windows of {steps:,} steps"
            if longest >= steps
            else f"no series is as long as a window of {steps:,} steps, the longest has {longest:,}; take --window "
            f"{longest} or less"
        )
    if masked:
        lengths = [place.end - place.begin for place in places]
        found.append(
            f"series have {min(lengths):,} to {max(lengths):,} measured steps of {steps:,}; a mask in the last channel "
            "says which were measured"
        )
    return tuple(found)


def _check_memory(count: int, steps: int, recordings: Sequence[Recording], title: str) -> None:
    wanted, free = 4 * count * steps * (recordings[0].values.shape[1] + 1), free_memory()
    if free is not None and 2 * wanted > free:
        raise BadData(
            f"{title}: {count:,} series of {steps:,} steps take {2 * wanted / 1e9:.1f} GB of {free / 1e9:.1f} GB free; "
            "take shorter windows, or a longer --hop between them."
        )


def _archive_holds_series(path: Path) -> bool:
    """By the names, shapes and types of its arrays; their numbers are not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "series.npy" in archive.namelist():
                return True
            name = next((one for one in ("x.npy", "x_train.npy") if one in archive.namelist()), None)
            if name is None:
                return False
            with archive.open(name) as file:
                version = npy.read_magic(file)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):  # whoever reads it says what is wrong
        return False
    return len(shape) == 3 and dtype.kind == "f" and shape[1] >= LONGER * shape[2]


def _file_holds_series(path: Path | None) -> bool:
    """Whether this is a file that holds one series."""
    if path is None or path.suffix.lower() not in ENDINGS:
        return False
    if path.suffix.lower() not in (".npy", ".npz"):
        return True
    try:
        return of_arrays(path).ndim <= 2
    except HoldfastError:
        return False


def _first_in(folder: Path) -> Path | None:
    """A file in the folders of a folder, of the kind that is most frequent beside it."""
    for entry in sorted(one for one in folder.iterdir() if one.name[0] != "." and one.is_dir()):
        inside = [one for one in islice(entry.iterdir(), HEAD) if one.name[0] != "." and one.is_file()]
        kinds = Counter(one.suffix.lower() for one in inside)
        if kinds:
            kind = max(sorted(kinds), key=kinds.__getitem__)
            return min(one for one in inside if one.suffix.lower() == kind)
        if found := _first_in(entry):
            return found
    return None


def _first_listed(path: Path) -> Path | None:
    """The first file that a CSV lists."""
    from .csv import list_csv

    try:
        listing = list_csv(path)
    except HoldfastError:
        return None
    return listing.files[0].path if len(listing.files) else None
