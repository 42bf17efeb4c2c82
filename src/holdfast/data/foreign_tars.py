"""Tars of others in the WebDataset layout, or with a folder for each class: looked through once, then read as shards.

What is found is kept in the cache for as long as no tar changes.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile
from .dataset import BadFileFound
from .digests import digest
from .examine import examine
from .folder import PARTS
from .labels import indices
from .listing import UNKNOWN, Files, Listing, codes, shown
from .names import Names
from .options import Progress, Reading
from .pictures import check_bad, numbered, seconds
from .remote import cache_folder
from .shard_manifest import INDEX, MANIFEST, ShardFile, ShardIndex, ShardManifest, index_of, manifest_of
from .shards import source_of
from .source import TRAIN, Source
from .tars import ENDINGS, Member, TarSample, npy_header, tar_samples

VERSION = 1
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")  # the compressed are named and refused
LABELS = ("label", "class", "class_name", "cls")  # in a .json
KNOWN = {*ENDINGS, "npy", "json", "cls"}  # what names of members of samples end in


def is_tars(path: Path) -> bool:
    """Whether this is a tar, or a folder of nothing but tars and what lies beside them."""
    if path.is_file():
        return path.name.lower().endswith(TAR_ENDINGS)
    return path.is_dir() and bool(_tars(path)) and not any(one.is_dir() for one in path.iterdir() if one.name[0] != ".")


def read_tars(path: Path, reading: Reading) -> Source:
    """The samples of tars, which stay where they are.

    A sample is a picture, or a .npy, with its label in a .cls (a number or a word), in a .json ("label", and "group",
    "time", "part" and "name" if they are there), or by the folder that it lies in.  Tars called train-000.tar,
    val-000.tar and so on are the parts.

    Raises:
        BadFile: a tar that is compressed, damaged or ends too early.
        BadData: samples without a label, or of several kinds; pictures that cannot be read.
    """
    files = _tars(path)
    folder = path if path.is_dir() else path.parent
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    known = hashlib.blake2b(repr((VERSION, str(folder.resolve()), stamps)).encode(), digest_size=8).hexdigest()
    kept = cache_folder() / "tars" / known
    if not (kept / MANIFEST).is_file():
        manifest, index = _looked_through(files, str(path), reading, kept)
        index.write(kept / INDEX)
        shards = tuple(
            ShardFile(file.name, size, "", int((index.shard == number).sum()))
            for number, (file, (_, size, _)) in enumerate(zip(files, stamps, strict=True))
        )
        index_file = ShardFile.of(kept / INDEX, len(index.labels))
        replace(manifest, index=index_file, shards=shards).write(kept / MANIFEST)
    manifest = ShardManifest.read(kept / MANIFEST)
    check_bad(manifest.skipped, manifest.samples, str(path), skip_bad=reading.skip_bad)
    return source_of(path, manifest, ShardIndex.read(kept / INDEX, manifest), reading)


def _tars(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(one for one in path.iterdir() if one.name.lower().endswith(TAR_ENDINGS) and one.name[0] != ".")


@dataclass
class _Members:
    """All samples of some tars, in columns: where their payloads lie, and what is said about them."""

    tars: Sequence[Path]
    places: list[tuple[int, int, int]] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    labels: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def content(self, place: int) -> bytes:
        """Of one payload.  Raises BadFile with the bare reason."""
        number, offset, length = self.places[place]
        if not length:
            raise BadFile("empty, 0 bytes")
        return _content(self.tars[number], Member(offset, length))


def _content(tar: Path, member: Member) -> bytes:
    with tar.open("rb") as file:
        file.seek(member.offset)
        return file.read(member.length)


def _looked_through(
    tars: Sequence[Path], title: str, reading: Reading, folder: Path
) -> tuple[ShardManifest, ShardIndex]:
    """What the tars hold; every sample is read once."""
    found, kinds, beside = _Members(tars), set[str](), list[str]()
    parts = _parts(tars)
    for number, tar in enumerate(tars):
        for sample in tar_samples(tar):
            if not any(ending.rpartition(".")[2] in KNOWN for ending in sample.members):  # a README, a licence
                beside += [shown(f"{sample.key}.{ending}".rstrip(".")) for ending in sample.members]
                continue
            kinds.add(_add(found, number, sample, parts[number], title))
        if reading.progress and len(tars) > 1:
            reading.progress(number + 1, len(tars))
    if not found.places:
        raise BadData(f"{title}: holds no samples: pictures or .npy files, with a .cls, a .json or a folder each.")
    if len(kinds) > 1:
        raise BadData(f"{title}: holds pictures and .npy files; give tars of one kind.")
    labels, classes = _labels(found.labels)
    files = Files(
        Path(title),
        found.names,
        labels.astype(np.int32),
        classes,
        np.array(found.parts, np.int8),
        np.full((len(labels), 2), UNKNOWN),  # a member has no time of change by which it would be known again
        groups=Names(found.groups) if any(found.groups) else None,
        times=Names(found.times) if all(found.times) else None,
        archive=found,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise BadFile(f"cannot write {folder}: {why}; name a folder that can be written: HOLDFAST_CACHE.") from error
    places = np.array(found.places, np.int64)
    if kinds == {"npy"}:
        manifest, index = _values(files, places, title, reading.progress)
        return replace(manifest, notes=manifest.notes + _others(beside)), index
    # As they are: what is asked for now is not kept.  Bad files are, and `read_tars` says what is to be done with them.
    plain = Reading(skip_bad=True, progress=reading.progress)
    listing = Listing(files, classes, notes=_others(beside))
    source, kept, reads = examine(listing, title, plain, lambda *_: None, folder=folder)
    return manifest_of(source, "picture", reads.shape, np.dtype(np.uint8), reads), index_of(places[kept], source)


def _others(names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for members that are of no sample, if any."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return (f"not read, because no samples: {', '.join(names[:3])}{more}",) if names else ()


def _add(found: _Members, number: int, sample: TarSample, part: int, title: str) -> Literal["npy", "picture"]:
    """Notes a sample.  Raises BadData for one without a payload or a label, or with several payloads."""
    tar = found.tars[number]
    payloads = [ending for ending in sample.members if ending == "npy" or ending in ENDINGS]
    if len(payloads) != 1:
        held = ", ".join(f".{ending}" for ending in sample.members)
        raise BadData(
            f"{title}: {sample.key} in {tar.name} holds {held}: what comes before the first dot of a name is a sample, "
            "of one picture, or one .npy."
        )
    about: Mapping[str, Any] = {}  # Any: JSON values
    if "json" in sample.members:
        try:
            about = json.loads(_content(tar, sample.members["json"]))
        except ValueError as error:
            raise BadData(f"{title}: {sample.key}.json in {tar.name} is no JSON: {error}.") from error
    about = about if isinstance(about, dict) else {}
    *folders, _ = sample.key.split("/")
    if part == TRAIN and folders and folders[0] in PARTS:
        part = PARTS[folders.pop(0)]
    label = next((str(about[name]) for name in LABELS if about.get(name) is not None), "")
    if not label and "cls" in sample.members:
        label = _content(tar, sample.members["cls"]).decode("utf-8", "replace").strip()
    label = label or (folders[0] if folders else "")
    if not label:
        raise BadData(
            f"{title}: {sample.key} in {tar.name} has no label; give it {sample.key.rpartition('/')[2]}.cls with a "
            "number or a word, or put it into a folder of its class."
        )
    found.places.append((number, *sample.members[payloads[0]]))
    name = f"{sample.key}.{payloads[0]}"
    found.names.extend([shown(str(about.get("name") or (name if len(found.tars) == 1 else f"{tar.stem}/{name}")))])
    found.labels.append(shown(label))
    found.parts.append(PARTS.get(str(about.get("part")), part))
    found.groups.append("" if about.get("group") is None else str(about["group"]))
    found.times.append("" if about.get("time") is None else str(about["time"]))
    return "npy" if payloads[0] == "npy" else "picture"


def _parts(tars: Sequence[Path]) -> list[int]:
    """The part that the name of each tar says it is; all train, unless one says "train"."""
    words = [tar.name.lower().replace("_", "-").replace(".", "-").split("-") for tar in tars]
    said = [next((PARTS[word] for word in several if word in PARTS), None) for several in words]
    if None in said or TRAIN not in said:
        return [TRAIN] * len(tars)
    return [part for part in said if part is not None]


def _labels(words: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers are sorted as such."""
    if all(word.isdecimal() for word in words):
        return indices(np.array([int(word) for word in words]), None)
    return codes(words)


def _values(
    files: Files, places: NDArray[np.int64], title: str, progress: Progress | None
) -> tuple[ShardManifest, ShardIndex]:
    """Samples that are arrays: all of one type and shape."""
    digests, bad = np.zeros(len(files), np.uint64), list[BadFileFound]()
    first: tuple[np.dtype[Any], tuple[int, ...]] | None = None  # Any: of any number type
    for row, content in enumerate(_contents(files)):
        try:
            dtype, shape = npy_header(content)
        except ValueError as error:
            bad.append(BadFileFound(files.names[row], str(error)))
            continue
        first = first or (dtype, shape)
        if (dtype, shape) != first:
            raise BadData(f"{title}: {files.names[row]} is {dtype} {shape}, the first is {first[0]} {first[1]}.")
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(content, dtype, count, len(content) - count * dtype.itemsize)
        values = values if dtype == np.uint8 else values.astype(np.float32)
        if np.isfinite(values).all():
            digests[row] = digest(values.data)
        else:
            bad.append(BadFileFound(files.names[row], "NaN or infinity"))
        if progress:
            progress(row + 1, len(files))
    if first is None or len(bad) == len(files):
        raise BadData(f"{title}: holds no .npy that can be read: {bad[0]}.")
    wrong = {one.path for one in bad}
    kept = np.array([row for row, name in enumerate(files.names) if name not in wrong], np.int64)
    groups, called = (None, ()) if files.groups is None else numbered(files.groups.take(kept))
    times = None
    if files.times is not None:
        times = np.array([seconds(files.times[row], files.names[row], title) for row in kept.tolist()])
    source = Source(
        images=np.empty((len(kept), 0), np.uint8),
        labels=files.labels[kept].astype(np.int64),
        names=files.names.take(kept),
        classes=files.classes,
        digests=digests[kept],
        parts=files.parts[kept],
        groups=groups,
        group_names=called,
        times=times,
        skipped=tuple(bad),
    )
    return manifest_of(source, "values", first[1], first[0], None), index_of(places[kept], source)


def _contents(files: Files) -> Iterator[bytes]:
    read: Callable[[int], bytes] = files.archive.content if files.archive else lambda _: b""
    return (read(place) for place in range(len(files)))
