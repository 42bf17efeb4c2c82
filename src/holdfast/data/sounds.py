"""Sounds in files: decoded once in threads, at one rate and length, and held as one float32 array."""

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue
from .csv_kind import csv_kind, is_csv, read_grid
from .dataset import BadFileFound
from .files import read_listed
from .image import content_of
from .listing import Listed, Listing
from .memory import free_memory
from .near_sounds import near_recordings
from .options import Reading
from .pictures import seconds
from .reads import Json, reads_kind
from .sound import CLIPPED, ENDINGS, FASTEST_HZ, SLOWEST_HZ, Sound, Wave, decode, resampled, trimmed
from .source import Source, digest

LOOKED_AT = 50  # files of a folder, to see what it holds
DECODERS = min(8, os.cpu_count() or 1)
TRIM_DB = 40.0  # what is softer at both ends, against the loudest of a recording, is left out
CLIPS, LONGEST_CLIP_S = 0.99, 4.0  # share of recordings that a chosen window holds whole; if they are no longer
WINDOW_S = 3.0  # of longer recordings; the next begins after half of it
LONGEST_WINDOW = 2**26  # samples
UNSEARCHED = "near copies were not looked for: there are too many recordings"
T = TypeVar("T")
R = TypeVar("R")


@reads_kind
@dataclass(frozen=True)
class Sounds:
    """How sound files become the input of a model.  `read` does it; the words say it to other programs.

    Channels are mixed to one by their mean, the sound is resampled, trimmed at both ends, and cut or padded with zeros
    around it.

    Attributes:
        rate: samples a second.
        samples: how many make a sample of the data.
        trim_db: ends that are so much softer than the loudest hundredth second are left out; None: nothing is.
        hop: samples after which the next window of a longer recording begins, the last one ends with it; None: one
            window of it is taken, the loudest.
    """

    kind: ClassVar[str] = "sounds"
    rate: int
    samples: int
    trim_db: float | None = TRIM_DB
    hop: int | None = None

    def __post_init__(self) -> None:
        limits = {"rate": (SLOWEST_HZ, FASTEST_HZ), "samples": (1, LONGEST_WINDOW), "hop": (1, LONGEST_WINDOW)}
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if value is None and name == "hop":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise BadValue(f"Sounds({name}={value!r}): must be a whole number from {least:,} to {most:,}.")
        if self.trim_db is not None and not 0 < self.trim_db < 1000:
            raise BadValue(f"Sounds(trim_db={self.trim_db!r}): must be decibels above 0, or None.")

    @property
    def shape(self) -> tuple[int]:
        """(samples,)."""
        return (self.samples,)

    def read(self, paths: Sequence[str | Path]) -> Wave:
        """The sounds in these files, (N, samples) float32; of long recordings each window in its turn.

        Raises:
            BadFile: a file that is no sound; the message names it.
        """
        if not paths:
            raise BadValue("there are no sounds: the list of files is empty.")
        found: Wave = np.concatenate(list(_mapped(self._read_one, list(map(Path, paths)))))
        return found

    def sample(self, content: bytes) -> Wave:
        """The sound in a file with this content, (samples,).  Raises BadFile with the bare reason."""
        found: Wave = replace(self, hop=None).cut(self.heard(decode(content)))[0]
        return found

    def heard(self, sound: Sound) -> Wave:
        """What is to be heard of a sound, at the rate."""
        wave = resampled(sound.wave, sound.rate, self.rate)
        return wave if self.trim_db is None else trimmed(wave, self.rate, self.trim_db)

    def starts(self, wave: Wave) -> list[int]:
        """Where the windows of what is heard begin; one only, at 0, where it fits into one."""
        spare = len(wave) - self.samples
        if spare <= 0:
            return [0]
        if self.hop is not None:
            return [*range(0, spare, self.hop), spare]
        energy = np.concatenate([[0.0], np.square(wave, dtype=np.float64).cumsum()])
        return [int((energy[self.samples :] - energy[: spare + 1]).argmax())]

    def cut(self, wave: Wave) -> Wave:
        """The windows of what is heard, (n, samples); what is too short lies in the middle of zeros."""
        windows = np.zeros((len(starts := self.starts(wave)), self.samples), np.float32)
        before = max(0, self.samples - len(wave)) // 2
        for window, start in zip(windows, starts, strict=True):
            piece = wave[start : start + self.samples]
            window[before : before + len(piece)] = piece
        return windows

    def to_dict(self) -> dict[str, Json]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> "Sounds":
        """What `to_dict` was made from.  Raises BadValue for words that holdfast does not know."""
        known = [item.name for item in fields(cls)]
        if not {"rate", "samples"} <= plain.keys() <= set(known):
            raise BadValue(f"sounds are described by {', '.join(known)}; got {', '.join(map(str, plain))}.")
        return cls(**plain)

    def _read_one(self, path: Path) -> Wave:
        try:
            return self.cut(self.heard(decode(content_of(path))))
        except BadFile as error:
            raise BadFile(f"{path}: {error}") from error


def holds_sounds(path: Path) -> bool:
    """Whether most of the first files in a folder or .zip, or of those that a CSV lists, are named like sounds."""
    if is_csv(path) and csv_kind(path) == "files":
        rows = read_grid(path, most=LOOKED_AT).rows
        return sum(any(map(is_sound, row)) for row in rows) > len(rows) / 2
    if path.is_dir():
        found: Iterable[PurePath] = (
            Path(folder) / name for folder, _, names in os.walk(path) if folder != str(path) for name in sorted(names)
        )
    elif path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = [PurePath(name) for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
    else:
        return False
    files = list(islice((file for file in found if file.name[0] != "."), LOOKED_AT))
    return sum(is_sound(file.name) for file in files) > len(files) / 2


def is_sound(name: str) -> bool:
    """Whether a file is named like a sound."""
    return name.lower().endswith(ENDINGS)


def read_sounds(path: Path, reading: Reading) -> Source:
    """The sounds of a folder, a .zip or a CSV; see `read_recordings`."""
    reading.only("sounds", "group_by", "time_by", "sample_rate", "window", "hop")
    return read_listed(path, reading, partial(read_recordings, title=str(path), reading=reading))


def read_recordings(listing: Listing, title: str, reading: Reading) -> Source:
    """Every file of the listing, decoded, at one rate and cut to one length.

    The rate is the commonest unless one is asked for.  Without a window asked for, it is as long as 99 of 100 trimmed
    recordings where these are clips of up to 4 seconds, of longer ones the loudest stretch is taken; else recordings
    are cut into windows of 3 seconds, every 1.5 seconds.  Windows of one file are one group.

    Args:
        listing: the candidates.
        title: how messages call the data.
        reading: what was asked for.

    Raises:
        BadData: files that cannot be read (unless `skip_bad`), none that can, or too many for the memory.
    """
    if reading.sample_rate is not None and not SLOWEST_HZ <= reading.sample_rate <= FASTEST_HZ:
        raise BadValue(
            f"load(sample_rate={reading.sample_rate}): must be samples a second, {SLOWEST_HZ:,} to {FASTEST_HZ:,}."
        )
    good, bad = _decoded(listing, title, reading)
    rate = reading.sample_rate or Counter(one.sound.rate for one in good).most_common(1)[0][0]
    waves = list(_mapped(Sounds(rate, 1).heard, [one.sound for one in good]))
    reads = _chosen(rate, [len(wave) / rate for wave in waves], reading)
    starts = [reads.starts(wave) for wave in waves]
    pieces = [
        _Piece(one, start if reads.hop else None) for one, each in zip(good, starts, strict=True) for start in each
    ]
    _check_memory(4 * len(pieces) * reads.samples, title)
    groups, called = _groups(pieces)
    near = near_recordings(waves, rate, np.array([one.digest for one in good], np.uint64))
    first = np.cumsum([0, *map(len, starts)])[:-1]  # the piece that stands for a recording
    times = None
    if any(one.file.time is not None for one in good):
        times = np.array([seconds(piece.of.file.time or "", piece.of.file.name, title) for piece in pieces])
    return Source(
        images=np.concatenate([reads.cut(wave) for wave in waves]),
        labels=np.array([listing.classes.index(piece.of.file.label) for piece in pieces], np.int64),
        names=[piece.name(rate) for piece in pieces],
        classes=listing.classes,
        digests=np.array([piece.digest for piece in pieces], np.uint64),
        parts=np.array([piece.of.file.part for piece in pieces], np.int8),
        groups=groups,
        group_names=called,
        times=times,
        reads=reads,
        skipped=bad,
        notes=(*listing.notes, *_notes(good, reads, len(pieces)), *([UNSEARCHED] if near is None else [])),
        near=None if near is None else first[near],
    )


@dataclass(frozen=True, eq=False)
class _Recording:
    """A file that could be decoded; `rate` and `digest` are of its samples as they were stored, in whatever format."""

    file: Listed
    sound: Sound
    rate: int
    digest: int


@dataclass(frozen=True, eq=False)
class _Piece:
    """A sample of the data: a recording, or the window of it that begins at a sample."""

    of: _Recording
    start: int | None

    def name(self, rate: int) -> str:
        """How people find it: "owl/3.wav@4.50s"."""
        return self.of.file.name if self.start is None else f"{self.of.file.name}@{self.start / rate:.2f}s"

    @property
    def digest(self) -> int:
        return self.of.digest if self.start is None else digest(f"{self.of.digest}@{self.start}".encode())


def _decoded(listing: Listing, title: str, reading: Reading) -> tuple[list[_Recording], tuple[BadFileFound, ...]]:
    """All files that hold a sound, and those that do not.  Raises BadData as `read_recordings` does."""
    good, bad, taken, free = list[_Recording](), list(listing.bad), 0, free_memory()
    for file, found in zip(listing.files, _mapped(partial(_decode, reading.sample_rate), listing.files), strict=False):
        if isinstance(found, BadFile):
            bad.append(BadFileFound(file.name, str(found)))
        else:
            good.append(found)
            taken += found.sound.wave.nbytes
        done = len(good) + len(bad) - len(listing.bad)
        if free is not None and taken > free / 2:
            raise _too_much(title, f"{done:,} of {len(listing.files):,} files", taken, free)
        if reading.progress:
            reading.progress(done, len(listing.files))
    if bad and not reading.skip_bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise BadData(
            f"{title}: {len(bad)} of {len(bad) + len(good)} files cannot be read: "
            f"{', '.join(map(str, bad[:3]))}{more}; mend them, or go on without them: --skip-bad (skip_bad=True)."
        )
    if not good:
        raise BadData(f"{title}: holds no sound that can be read" + (f": {bad[0]}." if bad else "."))
    return good, tuple(bad)


def _decode(rate: int | None, file: Listed) -> _Recording | BadFile:
    try:
        sound = decode(file.content())
    except BadFile as error:
        return error
    known = digest(f"{sound.rate}".encode(), sound.wave.data)
    was = sound.rate
    if rate is not None:  # at once: it may be far less to hold
        sound = replace(sound, wave=resampled(sound.wave, was, rate), rate=rate)
    return _Recording(file, sound, was, known)


def _chosen(rate: int, lengths_s: Sequence[float], reading: Reading) -> Sounds:
    """How recordings of these lengths are cut, see `read_recordings`."""
    usual = float(np.quantile(lengths_s, CLIPS))
    clips = usual <= (LONGEST_CLIP_S if reading.window is None else 2 * reading.window)
    window = reading.window or (usual if clips else WINDOW_S)
    if max(window, reading.hop or 0) * rate > LONGEST_WINDOW:
        raise BadValue(
            f"load(window={window:g}): of {rate:,} samples a second a window and its hop last at most "
            f"{LONGEST_WINDOW // rate:,} s."
        )
    hop = reading.hop or (None if clips else window if reading.window else window / 2)
    return Sounds(rate, max(1, round(window * rate)), hop=None if hop is None else max(1, round(hop * rate)))


def _groups(pieces: Sequence[_Piece]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Groups that are given; else the recording of each window."""
    files = [piece.of.file for piece in pieces]
    if any(file.group is not None for file in files):
        names = [file.group or "" for file in files]
    elif any(piece.start is not None for piece in pieces):
        names = [file.name for file in files]
    else:
        return None, ()
    called = tuple(sorted(set(names)))
    place = {name: number for number, name in enumerate(called)}
    return np.array([place[name] for name in names], np.int64), called


def _notes(good: Sequence[_Recording], reads: Sounds, samples: int) -> Iterator[str]:
    """What is to be known of how these recordings were read."""
    rates = Counter(one.rate for one in good)
    others = {rate: count for rate, count in sorted(rates.items()) if rate != reads.rate}
    if others:
        named = ", ".join(f"{count:,} of {rate:,} Hz" for rate, count in others.items())
        up = sum(count for rate, count in others.items() if rate < reads.rate)
        warning = f"; {up:,} of them upwards, which adds no higher notes" if up else ""
        yield f"sounds were resampled to {reads.rate:,} Hz: {named}{warning}"
    if reads.hop:
        yield (
            f"{len(good):,} recordings were cut into {samples:,} windows of {reads.samples / reads.rate:.4g} s, one "
            f"every {reads.hop / reads.rate:.4g} s; those of one recording stay on one side, and scores are of windows"
        )
    longest = max(len(one.sound.wave) / one.sound.rate for one in good)
    if reads.samples > 1.5 * longest * reads.rate:
        yield (
            f"a window of {reads.samples / reads.rate:.4g} s is mostly silence: the longest recording lasts "
            f"{longest:.3g} s, take a shorter one: --window {longest:.2g}"
        )
    clipped = [one for one in good if one.sound.clipped >= CLIPPED]
    if clipped:
        worst = sorted(clipped, key=lambda one: -one.sound.clipped)[:3]
        named = ", ".join(f"{one.file.name} {100 * one.sound.clipped:.0f} %" for one in worst)
        yield f"{len(clipped):,} sounds are clipped, with samples at the limits: {named}"


def _check_memory(needed: int, title: str) -> None:
    """Raises BadData when the samples take more than half of the free memory: the split needs a second copy."""
    free = free_memory()
    if free is not None and needed > free / 2:
        raise _too_much(title, "its sounds", needed, free)


def _too_much(title: str, what: str, needed: int, free: int) -> BadData:
    return BadData(
        f"{title}: {what} take {needed / 1e9:.1f} GB, more than half of the {free / 1e9:.1f} GB of free memory; "
        "take fewer samples a second: --sample-rate 8000 (sample_rate=8000)."
    )


def _mapped(function: Callable[[T], R], values: Sequence[T]) -> Iterator[R]:
    """As `map`, in threads."""
    pool = ThreadPoolExecutor(DECODERS)
    try:
        yield from pool.map(function, values)
    finally:
        pool.shutdown(cancel_futures=True)
