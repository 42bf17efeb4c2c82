"""Data sets that other libraries hold: Hugging Face's `datasets` and torch's.  We decode their pictures and sounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from ..core import BadData, BadValue, need
from .arrays import array_source
from .dataset import BadFileFound
from .folder import PARTS
from .labels import indices, label_array
from .listing import Listed, Listing, shown
from .options import Reading
from .pictures import read_pictures, seconds
from .source import Source

LABELS = ("label", "labels", "class", "target")  # what the column of labels may be called, when no feature says it
Rows = Any  # a split: of `datasets` or of torch, which have no types that we could name


class Sample(NamedTuple):
    """A sample and what the data says about it; `content` is bytes of a file, its path, a PIL picture or an array."""

    content: Any  # Any: see above
    name: str
    label: str
    part: int
    group: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a Hugging Face dataset that count.

    Attributes:
        sample, kind: its column, and what it holds: "Image", "Audio" or "arrays".
        label: its column.
        names: of the classes, where a ClassLabel says them.
        group, time: columns or None.
    """

    sample: str
    kind: str
    label: str
    names: tuple[str, ...] | None
    group: str | None
    time: str | None


def is_object(data: object) -> bool:
    """Whether `read_object` takes this: a dataset of `datasets` or of torch, or a dict of such splits."""
    if isinstance(data, Mapping):
        return bool(data) and all(map(is_object, data.values()))
    return _of_hugging_face(data) or isinstance(data, TorchDataset)


def read_object(data: Any, reading: Reading) -> Source:  # Any: as `is_object` knows it
    """The samples; splits called train, validation and test are the parts.

    Of `datasets`: the column of Image, of Audio, or of arrays, and the column of ClassLabel, or called label, or named
    by `label_by`; `group_by` and `time_by` name columns, too.  Of torch: pairs of a picture or array and a label.

    Raises:
        BadData: splits, columns or labels that do not say what to learn; the message says what to do.
        BadValue: options that do not concern such data.
    """
    if not is_object(data):
        raise BadValue(
            f"load({type(data).__name__}): takes a path, a name, or a dataset of `datasets` or torch; arrays go to "
            "holdfast.data.from_arrays."
        )
    splits = dict(data) if isinstance(data, Mapping) else {"train": data}
    strange = [name for name in splits if name not in PARTS]
    if strange or "train" not in splits:
        raise BadData(
            f"the splits are {', '.join(splits)}; they must be train and, where there are, validation and test; "
            "choose them: load({'train': data['...']})."
        )
    if not _of_hugging_face(splits["train"]):
        reading.only("pairs of torch", "image_size", "resize")
        return _read_pairs(splits, reading)
    columns = _columns(splits["train"], reading)
    if columns.kind == "arrays":
        reading.only("columns of arrays", "label_by", "group_by", "time_by")
        return _read_arrays(list(_samples(splits, columns, decoded=True)), columns.names)
    kind = need("datasets", extra="hub").Image if columns.kind == "Image" else need("datasets", extra="hub").Audio
    raw = {name: split.cast_column(columns.sample, kind(decode=False)) for name, split in splits.items()}
    return _read_files(_samples(raw, columns), columns.names, reading, kind=columns.kind)


def _of_hugging_face(data: object) -> bool:
    """Told without importing the package."""
    return any(kind.__module__.partition(".")[0] == "datasets" for kind in type(data).__mro__)


def _columns(split: Rows, reading: Reading) -> Columns:
    if not hasattr(split, "num_rows"):
        raise BadData("a stream has no end that could be split off; load it without streaming=True.")
    features = split.features
    called = {name: type(feature).__name__ for name, feature in features.items()}
    label = reading.label_by or _one(called, ("ClassLabel",), LABELS, "of labels", "label_by")
    for option in ("label_by", "group_by", "time_by"):
        if (name := getattr(reading, option)) is not None and name not in called:
            raise BadData(f"{option}={name!r} is no column of the dataset; it has {', '.join(called)}.")
    rest = {name: kind for name, kind in called.items() if name not in (label, reading.group_by, reading.time_by)}
    for kinds in (("Image",), ("Audio",), ("Array2D", "Array3D", "Array4D", "Sequence", "List", "LargeList")):
        if any(kind in kinds for kind in rest.values()):
            sample = _one(rest, kinds, (), "of samples", None)
            kind = rest[sample] if rest[sample] in ("Image", "Audio") else "arrays"
            names = getattr(features[label], "names", None)
            return Columns(sample, kind, label, tuple(names) if names else None, reading.group_by, reading.time_by)
    raise BadData(f"the dataset has no column of Image, Audio or arrays; it has {', '.join(called)}.")


def _one(called: Mapping[str, str], kinds: Sequence[str], names: Sequence[str], what: str, option: str | None) -> str:
    """The one column of these kinds, or else of these names.  Raises BadData when none or several would do."""
    found = [name for name, kind in called.items() if kind in kinds] or [name for name in names if name in called][:1]
    if len(found) == 1:
        return found[0]
    several = f"{', '.join(found)} are" if found else f"{', '.join(called)} are"
    remedy = f"name one: {option}=..." if option else "keep one: data.remove_columns([...])"
    raise BadData(f"{several} the columns; which is the one {what}? {remedy}.")


def _samples(splits: Mapping[str, Rows], columns: Columns, *, decoded: bool = False) -> Iterator[Sample]:
    """The rows of all splits; `decoded` ones hold arrays, others what the files hold."""
    wanted = [name for name in (columns.sample, columns.label, columns.group, columns.time) if name is not None]
    for split, rows in splits.items():
        missing = [name for name in wanted if name not in rows.features]
        if missing:
            raise BadData(f"the split {split!r} lacks the column {missing[0]!r}; leave it out or add the column.")
        chosen = rows.select_columns(list(dict.fromkeys(wanted)))
        for number, row in enumerate(chosen.with_format("numpy") if decoded else chosen.with_format(None)):
            label = row[columns.label]
            if label is None or (columns.names and not 0 <= int(label) < len(columns.names)):
                raise BadData(
                    f"{split}[{number}] has no label ({label}); leave the split out: load({{'train': data['train']}})."
                )
            word = columns.names[int(label)] if columns.names else str(label)
            group = None if columns.group is None else str(row[columns.group])
            time = None if columns.time is None else str(row[columns.time])
            yield Sample(row[columns.sample], f"{split}[{number}]", shown(word), PARTS[split], group, time)


def _read_pairs(splits: Mapping[str, Rows], reading: Reading) -> Source:
    """Of torch datasets, which give (sample, label)."""
    names = getattr(splits["train"], "classes", None)
    names = tuple(map(str, names)) if isinstance(names, (list, tuple)) else None

    def samples() -> Iterator[Sample]:
        for split, rows in splits.items():
            if not hasattr(rows, "__len__"):
                raise BadData("a dataset of torch must have a length; an IterableDataset has none.")
            for number in range(len(rows)):
                pair = rows[number]
                if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                    raise BadData(
                        f"{split}[{number}] is {type(pair).__name__}; accepted are pairs of sample and label."
                    )
                content, label = pair
                label = label.item() if isinstance(label, (Tensor, np.generic)) else label
                word = names[label] if names and isinstance(label, int) and 0 <= label < len(names) else str(label)
                yield Sample(content, f"{split}[{number}]", shown(word), PARTS[split])

    first = next(samples(), None)
    if first is None:
        raise BadData("the dataset of torch has no samples.")
    if hasattr(first.content, "convert"):  # a picture of Pillow
        return _read_files(samples(), names, reading, kind="Image")
    if reading.image_size:
        raise BadValue(f"load(image_size={reading.image_size[0]}): these samples are arrays, which are not resized.")
    return _read_arrays([one._replace(content=_channels_last(one.content)) for one in samples()], names)


def _channels_last(content: object) -> object:
    """A tensor of torch (C, H, W) of a grey or RGB picture as (H, W, C); anything else as it is."""
    if isinstance(content, Tensor) and content.dim() == 3 and content.shape[0] in (1, 3) and content.shape[2] > 4:
        return content.permute(1, 2, 0).numpy()
    return content


def _read_arrays(samples: Sequence[Sample], names: Sequence[str] | None) -> Source:
    """Samples that are numbers already."""
    groups = [one.group for one in samples] if samples and samples[0].group is not None else None
    times = None
    if samples and samples[0].time is not None:
        times = [seconds(one.time or "", one.name, "the dataset") for one in samples]
    shapes = {np.shape(one.content) for one in samples}
    if len(shapes) > 1:
        raise BadData(f"the samples have different shapes, e.g. {' and '.join(map(str, sorted(shapes)[:2]))}.")
    classes = _present([one.label for one in samples], names)
    stacked = np.stack([np.asarray(one.content) for one in samples])
    source = array_source(stacked, [one.label for one in samples], classes=classes, groups=groups, times=times)
    parts = np.array([one.part for one in samples], np.int8)
    return replace(source, names=[one.name for one in samples], parts=parts)


def _read_files(samples: Iterator[Sample], names: Sequence[str] | None, reading: Reading, *, kind: str) -> Source:
    """Samples that are files, or were: bytes are laid down as such for as long as it takes to read them."""
    used = ("image_size", "resize") if kind == "Image" else ("sample_rate", "window", "hop")
    reading.only(f"a column of {kind}", "label_by", "group_by", "time_by", *used)
    files: list[Listed] = []
    bad: list[BadFileFound] = []
    with TemporaryDirectory(prefix="holdfast-") as folder:
        for one in samples:
            path = _laid_down(one.content, Path(folder) / f"{len(files)}")
            if path is None:
                bad.append(BadFileFound(one.name, "empty"))
            else:
                files.append(Listed(path, one.name, one.label, one.part, one.group, one.time))
        listing = Listing(files, _present([file.label for file in files], names), tuple(bad))
        if kind == "Image":
            return read_pictures(
                listing,
                title="the dataset",
                image_size=reading.image_size,
                resize=reading.resize,
                skip_bad=reading.skip_bad,
                progress=reading.progress,
            )
        from .sounds import read_recordings

        return read_recordings(listing, "the dataset", reading)


def _laid_down(content: Any, path: Path) -> Path | None:  # Any: see `Sample`
    """Where the file of a sample is; None for no sample."""
    if content is None:
        return None
    if hasattr(content, "convert"):
        with path.open("wb") as file:
            content.save(file, "PNG")
        return path
    if content.get("bytes") is None:
        return Path(content["path"]) if content.get("path") else None
    path = path.with_suffix(Path(content.get("path") or "").suffix)
    path.write_bytes(content["bytes"])
    return path


def _present(labels: Sequence[str], names: Sequence[str] | None) -> tuple[str, ...]:
    """The classes that have samples: in the order of their names, or numbers by value and words by letter."""
    found = set(labels)
    if names is not None:
        return tuple(name for name in map(shown, names) if name in found)
    whole = all(label.lstrip("-").isdecimal() for label in found)
    return indices(label_array([int(label) for label in labels] if whole else list(labels)), None)[1]
