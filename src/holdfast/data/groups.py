"""Groups in the names of files: read by a regular expression, and suggested when names look as if they had some."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core import BadData, BadValue
from .listing import Files, Listed, Listing, codes, names_of
from .source import POOL

SEPARATORS = re.compile(r"[_\-. ]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
WORDS = re.compile(  # for what comes in numbers, and has one body, voice or camera
    "patient|subject|speaker|person|participant|user|case|id|burst|scene|session|series|study|video|clip|film|"
    "sequence|seq|animal|mouse|site|slide|plate|plant|house|household|device|camera|batch",
    re.IGNORECASE,
)
CAMERAS = re.compile("img|image|dsc|dscn|dscf|dji|pxl|mvimg|pic|picture|photo|frame|scan|screenshot", re.IGNORECASE)
BURST = r"([^/]+)[_. -](\d+)\.[^/.]+$"
FEWEST = 3  # groups, for a split into three parts
LOOKED_AT = 100_000  # files


@dataclass(frozen=True)
class Suggestion:
    """Groups that names seem to hold.

    Attributes:
        pattern: the regular expression that reads them.
        names: of the groups, sorted.
    """

    pattern: str
    names: tuple[str, ...]


def compiled(pattern: str, option: str) -> re.Pattern[str]:
    """The regular expression.  Raises BadValue, which names the option, when it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise BadValue(f"load({option}={pattern!r}): is not a regular expression: {error}.") from error


def read_names(listing: Listing, title: str, *, group_by: str | None, time_by: str | None) -> Listing:
    """The files with groups and times as regular expressions find them in their names; columns are read already.

    Raises:
        BadValue: no regular expression.
        BadData: a name that it does not match.
    """
    files = listing.files
    for option, pattern in (("group_by", group_by), ("time_by", time_by)):
        if pattern is None or pattern in listing.columns:
            continue
        found = _matches(compiled(pattern, option), listing, title, option)
        word = option.removesuffix("_by")
        if isinstance(files, Files):
            files = files.known(**{f"{word}s": found})
        else:
            pairs = zip(files, found, strict=True)
            files = [replace(file, group=text) if word == "group" else replace(file, time=text) for file, text in pairs]
    return replace(listing, files=files)


def _matches(pattern: re.Pattern[str], listing: Listing, title: str, option: str) -> Iterator[str]:
    """For each name the first capture group, or the whole match of a pattern without one."""
    pool = _pool(listing)
    for place, name in enumerate(names_of(listing.files)):
        match = pattern.search(name)
        text = match and match.group(1 if pattern.groups else 0)
        if not text and place in pool:
            yield "0" if option == "time_by" else ""  # such samples are in no part, whatever their time
            continue
        if not text:
            columns = f"is no column ({', '.join(listing.columns)}) and " if listing.columns else ""
            raise BadData(
                f"{title}: {option}={pattern.pattern!r} {columns}does not match {name}; "
                "a regular expression must find something in every name."
            )
        yield text


def _pool(listing: Listing) -> set[int]:
    """The places of files without labels."""
    files = listing.files
    parts = files.parts if isinstance(files, Files) else np.array([file.part for file in files])
    return set(np.flatnonzero(parts == POOL).tolist())


def suggest_groups(files: Sequence[Listed]) -> Suggestion | None:
    """The groups that the names of files seem to hold, if they do.

    The first part of the names, as separators divide them, that repeats itself and yet says more than the class: at
    least three values, two of them in most classes, and at least two files of each in the mean.  Running numbers,
    dates, names of cameras and hashes are no such parts; a number is after a word such as "patient".  Then bursts.
    Of very many files the first of each class are looked at; what they suggest must be found in all.
    """
    if len(files) <= LOOKED_AT:
        return _suggested(files)
    found = _suggested(_first_of_classes(files))
    if found is None:
        return None
    names: set[str] = set()
    for name in names_of(files):
        if (match := re.search(found.pattern, name)) is None:
            return None
        names.add(match[1])
    return Suggestion(found.pattern, tuple(sorted(names)))


def _first_of_classes(files: Sequence[Listed]) -> list[Listed]:
    """As many of each class, in their order."""
    labels = files.labels if isinstance(files, Files) else codes(file.label for file in files)[0]
    classes = np.unique(labels)
    places = [np.flatnonzero(labels == label)[: LOOKED_AT // len(classes)] for label in classes]
    return [files[place] for place in np.sort(np.concatenate(places)).tolist()]


def _suggested(files: Sequence[Listed]) -> Suggestion | None:
    """What the names of these files suggest."""
    stems = [file.name.rpartition("/")[2].rpartition(".")[0] for file in files]
    if len(files) < 2 * FEWEST or any(UUID.search(stem) for stem in stems[:100]):
        return None
    rows = [SEPARATORS.split(stem) for stem in stems]
    for place in range(min(6, max(map(len, rows)))):
        values = [row[place] if place < len(row) else "" for row in rows]
        if not _varies(values) or not _is_name(rows, place, values):
            continue
        if _repeats(values) and _says_more(values, [file.label for file in files]):
            pattern = _pattern(files, stems, rows, place, values)
            return Suggestion(pattern, tuple(sorted(set(values)))) if pattern else None
    return _bursts(files)


def _bursts(files: Sequence[Listed]) -> Suggestion | None:
    """Groups of names that differ in a last number only, which counts from 0 or 1 in each: DSC_0012-1, DSC_0012-2."""
    matches = [re.search(BURST, file.name) for file in files]
    counted: dict[str, set[int]] = defaultdict(set)
    for match in matches:
        if match is None:
            return None
        counted[match[1]].add(int(match[2]))
    values = [match[1] for match in matches if match]
    up = all(min(found) <= 1 and max(found) - min(found) == len(found) - 1 for found in counted.values())
    if up and _varies(values) and _repeats(values) and _says_more(values, [file.label for file in files]):
        return Suggestion(BURST.replace(r"(\d+)", r"\d+"), tuple(sorted(counted)))
    return None


def _varies(values: Sequence[str]) -> bool:
    return len(set(values)) >= FEWEST and all(values)


def _is_name(rows: Sequence[Sequence[str]], place: int, values: Sequence[str]) -> bool:
    """Whether this part of the names may be what something is called, rather than counted."""
    kinds = set(values)
    worded = place > 0 and all(WORDS.fullmatch(row[place - 1]) for row in rows)
    if all(value.isdecimal() for value in kinds):
        return worded
    last = any(len(row) == place + 1 for row in rows)
    words = {value.rstrip("0123456789") for value in kinds}
    if last and not (worded or all(map(WORDS.fullmatch, words))):
        return False
    return all(re.search(r"[^\W\d_]", value) for value in kinds) and not all(map(CAMERAS.fullmatch, words))


def _repeats(values: Sequence[str]) -> bool:
    counts = Counter(values)
    return len(counts) <= len(values) / 2 and sum(n for n in counts.values() if n > 1) >= 0.8 * len(values)


def _says_more(values: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether most classes hold several values, so that these are not the classes under another name."""
    held: dict[str, set[str]] = defaultdict(set)
    for value, label in zip(values, labels, strict=True):
        held[label].add(value)
    return sum(len(names) > 1 for names in held.values()) > len(held) / 2


def _pattern(
    files: Sequence[Listed], stems: Sequence[str], rows: Sequence[Sequence[str]], place: int, values: Sequence[str]
) -> str | None:
    """The shortest of a few regular expressions that reads these values out of the names."""
    skipped = f"(?:[^/_. -]+[_. -]+){{{place}}}" if place else ""
    before = {match[0] for stem in stems if (match := re.match(skipped, stem))}
    literal = re.sub(r"([.+()\[\]{}^$*?|\\])", r"\\\1", before.pop()) if len(before) == 1 else ""
    candidates = (
        rf"{literal}([^/_]+)_",
        rf"{literal}([^/_. -]+)",
        rf"(?:^|/){literal}([^/_]+)_",
        rf"(?:^|/){skipped}([^/_. -]+)[^/]*$",
    )
    for pattern in candidates:
        matches = [re.search(pattern, file.name) for file in files]
        if [match and match[1] for match in matches] == list(values):
            return pattern
    return None
