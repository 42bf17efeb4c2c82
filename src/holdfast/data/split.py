"""Splits: which samples train, which select, which judge.  Reading the samples is for the readers."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadData, BadValue, derive
from .assign import Shares, assign, assign_by_time, gap_before, join_by_time
from .dataset import Dataset, Facts, split_fingerprint
from .manifest import UNKNOWN, Manifest, keep
from .names import names_at
from .part import Part
from .reads import Learns, Pictures
from .sealed import Sealed
from .source import POOL, TEST, TRAIN, VALIDATION, Source
from .together import Together, copies_of_labelled, together

Indices = NDArray[np.int64]
REMOVED = -1  # from all parts
BETWEEN = -2  # the parts of a split by time
TEST_SHARE = 0.15  # of the samples, where nothing else is asked for


def check_shares(validation: float, test: float) -> None:
    """Raises BadValue for shares that no split can have."""
    if not 0 < validation < 1:
        raise BadValue(
            f"split(validation={validation}): must be more than 0 and less than 1; "
            "without validation nothing can tell when to stop or which model is better."
        )
    if not 0 <= test < 1:
        raise BadValue(f"split(test={test}): must be at least 0 and less than 1.")


def usual_test(source: Source) -> float:
    """The share of a test part where none is asked for: 0 where that would be less than one of the given groups.

    A single group, as one speaker or patient, says little of the next one: sealed it would be a weak judge, and
    training would lack it.  `runs.left_out` leaves out each in turn instead.
    """
    if source.groups is None or not source.group_names or source.times is not None:
        return TEST_SHARE
    groups = source.groups[source.parts == TRAIN]
    few = len(groups) > 0 and bool((groups >= 0).all()) and 1 < _count(groups) < 1 / TEST_SHARE
    return 0.0 if few else TEST_SHARE


def split(
    source: Source,
    *,
    name: str,
    validation: float,
    test: float,
    seed: int,
    origin: Mapping[str, Any] | None = None,  # Any: JSON values
    manifest: Path | None = None,
    gap: float | None = None,
) -> Dataset:
    """Divides the samples that no part claims yet; with copies, near copies and groups kept together.

    Stratified: each class stands in every part as far as its groups allow, so shares of classes with few samples are
    rounded up.  By time, if the source has times: the earliest train, the latest are the test part.

    Args:
        source: the samples; those it gives to validation or test itself stay there, and no other part of that kind is
            made.  What is in a block with them is removed from train, and what is in one with test from validation.
        name: how messages and people call the data.
        validation: share of the samples to divide, 0 < validation < 1.
        test: as validation; 0 gives an empty test part.
        seed: another seed, another split.
        origin: for `Dataset.origin`.
        manifest: a JSON file of the sides that contents are on; they stay there, and what is new fills the parts up to
            their shares.  Made when it is not there, and written when all went well.
        gap: of times; what ends less than that before the next part of a split by time begins goes to no part.

    Raises:
        BadValue: shares that leave nothing for training.
        BadData: one class only, classes, groups or times too few to stand in every part.
        BadFile: a manifest that cannot be read or written.
    """
    check_shares(validation, test)
    source, pool = apart(source, name)
    tied = together(source)
    shares = _open_shares(source.parts, validation, test)

    def divided(known: Manifest) -> tuple[Dataset, NDArray[np.int8]]:
        parts = _parts(source, tied.blocks, shares, known.known(source), name=name, seed=seed, gap=gap or 0.0)
        return _dataset(source, tied, parts, known.notes(source), name=name, origin=origin, pool=pool), parts

    return divided(Manifest())[0] if manifest is None else keep(manifest, source, divided)


def undivided(source: Source, *, name: str, origin: Mapping[str, Any] | None = None) -> Dataset:  # Any: JSON values
    """All samples that no part claims yet as the training part: to look at data that `split` refuses."""
    source, pool = apart(source, name)
    return _dataset(source, together(source), source.parts, (), name=name, origin=origin, pool=pool)


def apart(source: Source, name: str) -> tuple[Source, Part | None]:
    """The labelled samples, and the pool of those without labels, less what is a copy of a labelled one.

    Raises:
        BadData: no sample has a label.
    """
    labelled, pool = source.apart()
    if pool is None:
        return source, None
    if not len(labelled.labels):
        raise BadData(f"{name}: no sample has a label; learn from them as they are with: holdfast pretrain")
    left = ~copies_of_labelled(source, near=together(labelled).searched)[source.parts == POOL]
    gone = int((~left).sum())
    less = f"; {gone:,} more, copies of labelled ones, are left out" if gone else ""
    note = f"{int(left.sum()):,} samples without labels are a pool for pre-training{less}"
    return replace(labelled, notes=(*labelled.notes, note)), unlabelled_part(pool, np.flatnonzero(left))


def pool_alone(source: Source, *, name: str, origin: Mapping[str, Any]) -> Dataset:  # Any: JSON values
    """A dataset of samples without labels: its pool is all that it has."""
    pool = unlabelled_part(source, np.arange(len(source.labels)))
    none = replace(pool.take([]), labels=torch.empty(0, dtype=torch.int64))
    return Dataset(
        name=name,
        train=none,
        validation=none,
        test=Sealed(none),
        classes=(),
        origin=dict(origin),
        facts=Facts(skipped=source.skipped, notes=source.notes),
        fingerprint=_hex(source.digests.tobytes().hex()),
        split_fingerprint=split_fingerprint(*3 * [none.fingerprint]),
        reads=source.reads or Pictures.of_values(pool.images),
        unlabelled=pool,
    )


def unlabelled_part(pool: Source, chosen: Indices) -> Part:
    """Samples of a pool; a label of -1 stands for none."""
    return Part(
        pool.samples(chosen),
        torch.full((len(chosen),), -1),
        names_at(pool.names, chosen.tolist()),
        digests=pool.digests[chosen],
    )


def _parts(
    source: Source, blocks: Indices, shares: Shares, known: NDArray[np.int8], *, name: str, seed: int, gap: float
) -> NDArray[np.int8]:
    """(N,) the part of each sample, or REMOVED or BETWEEN; what is known already keeps its side."""
    parts = source.parts.copy()
    parts[parts < _highest(blocks, parts)] = REMOVED  # a part that the data brings has it, or one of its block
    if VALIDATION in source.parts and VALIDATION not in parts:
        raise BadData(
            f"{name}: every sample of its validation part is a copy of a test sample; give other ones or none."
        )
    pool = np.flatnonzero(parts == TRAIN)
    if not len(pool):
        raise BadData(f"{name}: nothing is left to train on: every group stands in validation or test, too.")
    _check_classes(source, pool, name, needed=sum(share > 0 for share in shares))
    blocks, labels, known = blocks[pool], source.labels[pool], known[pool]
    sides = _highest(blocks, known)
    new = sides == UNKNOWN
    if source.times is not None:
        latest = _latest(blocks, source.times[pool])
        if new.all():
            sides[new] = assign_by_time(latest, shares, name=name)
        else:
            sides[new] = join_by_time(latest[new], latest[~new], sides[~new], shares)
        sides[gap_before(latest, sides, gap=gap, span=source.span)] = BETWEEN
    else:
        placed = np.zeros((3, len(source.classes)), np.int64)
        np.add.at(placed, (sides[~new], labels[~new]), 1)
        sides[new] = assign(labels[new], blocks[new], shares, seed=derive(seed, "split"), placed=placed)
    sides[(known != UNKNOWN) & (known < sides)] = REMOVED  # what came connects it to a part that ranks higher
    parts[pool] = sides
    if not all((parts == part).any() for part, share in enumerate(shares) if share):
        if (parts == BETWEEN).any():
            near = f"are nearer than gap={gap:g} to" if gap else "overlap"
            remedy = "a shorter gap, or shorter windows" if gap else "shorter windows"
            raise BadData(f"{name}: all samples of a part {near} the next; take {remedy}.")
        if UNKNOWN not in known:
            raise BadData(
                f"{name}: was split before, into other parts than those asked for now; ask for the same ones, or take "
                "another --seed (seed=)."
            )
        n = len(np.unique(blocks))
        few = "one group is" if n == 1 else f"{n} groups are"
        raise BadData(f"{name}: {few} too few for train, validation and test; give more.")
    learned = np.unique(source.labels[parts == TRAIN])
    if len(learned) < 2:
        which = "the training part" + (" by these times" if source.times is not None else "")
        raise BadData(
            f"{name}: {which} has samples of class {source.classes[learned[0]]!r} only; two classes are needed to "
            "learn from, so give more samples, or divide them otherwise."
        )
    return parts


def _highest(blocks: Indices, values: NDArray[np.int8]) -> NDArray[np.int8]:
    """(N,) of each sample the highest value in its block."""
    top = np.full(int(blocks.max()) + 1, -1, np.int8)
    np.maximum.at(top, blocks, values)
    return top[blocks]


def _latest(blocks: Indices, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) of each sample the latest time in its block."""
    latest = np.full(int(blocks.max()) + 1, -np.inf)
    np.maximum.at(latest, blocks, times)
    return latest[blocks]


def _dataset(
    source: Source,
    tied: Together,
    parts: NDArray[np.int8],
    notes: tuple[str, ...],
    *,
    name: str,
    origin: Mapping[str, Any] | None,  # Any: JSON values
    pool: Part | None,
) -> Dataset:
    source = _learned(source, parts == TRAIN)
    train, selecting, judging = (
        _part(source, np.flatnonzero(parts == part), tied.blocks) for part in (TRAIN, VALIDATION, TEST)
    )
    return Dataset(
        name=name,
        train=train,
        validation=selecting,
        test=Sealed(judging),
        classes=source.classes,
        origin=dict(origin or {}),
        facts=_facts(source, tied, parts, notes),
        fingerprint=_fingerprint(source, pool),
        split_fingerprint=split_fingerprint(train.fingerprint, selecting.fingerprint, judging.fingerprint),
        group_names=tied.names(source),
        reads=source.reads or Pictures.of_values(train.images),
        unlabelled=pool,
    )


def _learned(source: Source, train: NDArray[np.bool_]) -> Source:
    """The samples as a way of reading has them that learned from those of the training part."""
    if not isinstance(source.reads, Learns) or not isinstance(source.images, np.ndarray):
        return source
    reads = source.reads.fitted(source.images[train].astype(np.float32, copy=False))
    return replace(source, reads=reads, images=reads.filled(source.images.astype(np.float32, copy=False)))


def _open_shares(parts: NDArray[np.int8], validation: float, test: float) -> Shares:
    """Shares of the pool: nothing goes to a part that the data brings itself."""
    validation = 0.0 if (parts == VALIDATION).any() else validation
    test = 0.0 if (parts == TEST).any() else test
    if validation + test >= 1:
        raise BadValue(
            f"split(test={test}, validation={validation}): the parts add up to {validation + test:.4g} of the data; "
            "they must leave some for training."
        )
    return 1 - validation - test, validation, test


def _check_classes(source: Source, pool: Indices, name: str, *, needed: int) -> None:
    """Raises BadData unless there are two classes, each with enough distinct samples to stand in `needed` parts."""
    if len(source.classes) < 2:
        only = source.classes[0]
        raise BadData(f"{name}: all {len(source.labels)} samples are of class {only!r}; two classes are needed.")
    digests, labels = source.digests[pool], source.labels[pool]
    counts = [len(np.unique(digests[labels == label])) for label in range(len(source.classes))]
    few = [label for label, count in enumerate(counts) if count < needed]
    if few:
        named = ", ".join(f"{source.classes[label]!r} has {counts[label]}" for label in few[:3])
        more = f" and {len(few) - 3} more" if len(few) > 3 else ""
        raise BadData(
            f"{name}: class {named}{more} distinct samples; at least {needed} are needed, "
            "one for each part that is split off, so add samples or leave the class out."
        )


def _part(source: Source, chosen: Indices, blocks: Indices) -> Part:
    images, labels = source.samples(chosen), torch.from_numpy(source.labels[chosen])
    together = source.groups is not None or int(blocks.max()) + 1 < len(blocks)
    times = None if source.times is None else source.times[chosen]
    names, groups = names_at(source.names, chosen.tolist()), blocks[chosen] if together else None
    return Part(images, labels, names, groups, times, source.digests[chosen])


def _facts(source: Source, tied: Together, parts: NDArray[np.int8], notes: tuple[str, ...]) -> Facts:
    unsearched = (
        () if tied.searched else ("near copies were not looked for: pictures of different classes are too alike",)
    )
    return Facts(
        skipped=source.skipped,
        duplicates=len(source.digests) - len(np.unique(source.digests)),
        near_duplicates=int(tied.near.sum()),
        duplicates_removed=int((parts == REMOVED).sum()),
        conflicts=_conflicts(source),
        groups=None if source.groups is None else _count(source.groups[source.parts == TRAIN]),
        test_counts=tuple(np.bincount(source.labels[parts == TEST], minlength=len(source.classes)).tolist()),
        notes=source.notes + notes + unsearched + _between(parts) + _absences(source, parts),
    )


def _count(groups: Indices) -> int:
    return len(np.unique(groups[groups >= 0]))


def _conflicts(source: Source) -> tuple[str, ...]:
    """A sentence for each content that stands under several labels."""
    _, content, counts = np.unique(source.digests, return_inverse=True, return_counts=True)
    copies: dict[int, list[int]] = {}
    for index in np.flatnonzero(counts[content] > 1):
        copies.setdefault(int(content[index]), []).append(int(index))
    return tuple(
        " = ".join(f"{source.names[index]} ({source.classes[source.labels[index]]})" for index in same)
        for same in copies.values()
        if len(np.unique(source.labels[same])) > 1
    )


def _between(parts: NDArray[np.int8]) -> tuple[str, ...]:
    """A sentence on the samples that a split by time leaves out."""
    count = int((parts == BETWEEN).sum())
    which = "1 sample lies" if count == 1 else f"{count:,} samples lie"
    return (f"{which} at the borders of the split by time and in none of its parts",) if count else ()


def _absences(source: Source, parts: NDArray[np.int8]) -> tuple[str, ...]:
    """A sentence for each part in which a class is missing."""
    notes = []
    for part, name in ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test")):
        missing = np.setdiff1d(source.labels, source.labels[parts == part])
        if len(missing) and (parts == part).any():
            notes.append(f"no sample of {', '.join(source.classes[label] for label in missing)} in the {name} part")
    return tuple(notes)


def _fingerprint(source: Source, pool: Part | None) -> str:
    """Of the data before the split.  Contents, labels, given parts and groups count; names and seeds do not."""
    groups = b"" if source.groups is None else source.groups.tobytes()
    known = [source.digests.tobytes(), source.labels.tobytes(), source.parts.tobytes(), groups]
    known += [] if source.times is None else [source.times.tobytes()]
    known += [] if pool is None or pool.digests is None else [pool.digests.tobytes()]
    return _hex(repr(source.classes), *(block.hex() for block in known))


def _hex(*texts: str) -> str:
    return hashlib.blake2b("/".join(texts).encode(), digest_size=8).hexdigest()
