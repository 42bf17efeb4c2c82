"""Splits: which samples train, which select, which judge.  Reading the samples is for the readers."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadData, BadValue, derive
from .dataset import Dataset, Facts, split_fingerprint
from .part import Part
from .sealed import Sealed
from .source import TEST, TRAIN, VALIDATION, Source

Indices = NDArray[np.int64]


def check_shares(validation: float, test: float) -> None:
    """Raises BadValue for shares that no split can have."""
    if not 0 < validation < 1:
        raise BadValue(
            f"split(validation={validation}): must be more than 0 and less than 1; "
            "without validation nothing can tell when to stop or which model is better."
        )
    if not 0 <= test < 1:
        raise BadValue(f"split(test={test}): must be at least 0 and less than 1.")


def split(
    source: Source,
    *,
    name: str,
    validation: float,
    test: float,
    seed: int,
    origin: Mapping[str, Any] | None = None,  # Any: JSON values
) -> Dataset:
    """Divides the samples that no part claims yet; stratified, with copies and groups kept together.

    Each class stands in every part as far as its groups allow, so shares of classes with few samples are rounded up.

    Args:
        source: the samples; those it gives to validation or test itself stay there, and no other part of that kind is
            made.  Copies of them are removed from train, and copies of test samples from validation.
        name: how messages and people call the data.
        validation: share of the samples to divide, 0 < validation < 1.
        test: as validation; 0 gives an empty test part.
        seed: another seed, another split.
        origin: for `Dataset.origin`.

    Raises:
        BadValue: shares that leave nothing for training.
        BadData: one class only, classes or groups too few to stand in every part.
    """
    check_shares(validation, test)
    parts = source.parts.copy()
    shares = _open_shares(parts, validation, test)
    parts[_copies(source, parts < TEST, TEST) | _copies(source, parts < VALIDATION, VALIDATION)] = -1
    if VALIDATION in source.parts and VALIDATION not in parts:
        raise BadData(
            f"{name}: every sample of its validation part is a copy of a test sample; give other ones or none."
        )
    pool = np.flatnonzero(parts == TRAIN)
    _check_classes(source, pool, name, needed=sum(share > 0 for share in shares))
    blocks = _blocks(source.digests, source.groups)
    parts[pool] = assign(source.labels[pool], blocks[pool], shares, seed=derive(seed, "split"))
    if not all((parts == part).any() for part, share in enumerate(shares) if share):
        raise BadData(
            f"{name}: {len(np.unique(blocks[pool]))} groups are too few for train, validation and test; give more."
        )

    train, selecting, judging = (
        _part(source, np.flatnonzero(parts == part), blocks) for part in (TRAIN, VALIDATION, TEST)
    )
    return Dataset(
        name=name,
        train=train,
        validation=selecting,
        test=Sealed(judging),
        classes=source.classes,
        origin=dict(origin or {}),
        facts=_facts(source, parts),
        fingerprint=_fingerprint(source),
        split_fingerprint=split_fingerprint(train.fingerprint, selecting.fingerprint, judging.fingerprint),
        group_names=_group_names(source, blocks),
    )


def assign(labels: Indices, blocks: Indices, shares: tuple[float, float, float], *, seed: int) -> NDArray[np.int8]:
    """A part for each sample, so that no block is cut and each part gets its share of each class.

    Blocks of several samples are dealt out one by one, the largest first, each to the part that lacks its classes
    most; the single samples then fill what is missing exactly.

    Args:
        labels: (N,) class indices.
        blocks: (N,) samples with the same number stay together.
        shares: of train, validation and test; they add up to 1, and those of validation and test may be 0.
        seed: of the shuffling.

    Returns:
        (N,) int8 TRAIN, VALIDATION or TEST.
    """
    random = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    _, blocks, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    alone = sizes[blocks] == 1
    targets = _targets(np.bincount(labels), shares)
    left = targets.copy()
    parts = np.zeros(len(labels), np.int8)

    _, blocks = np.unique(blocks[~alone], return_inverse=True)
    tables = np.zeros((len(sizes) - alone.sum(), classes), np.int64)  # samples of each class in each block
    np.add.at(tables, (blocks, labels[~alone]), 1)
    coming = (tables > 0).sum(0) + np.bincount(labels[alone], minlength=classes)  # blocks of each class to be dealt out
    part_of = np.zeros(len(tables), np.int8)
    order = random.permutation(len(tables))
    for block in order[np.argsort(-tables[order].sum(1), kind="stable")]:
        part_of[block] = part = _neediest(tables[block], targets, left, coming)
        left[part] -= tables[block]
        coming -= tables[block] > 0
    parts[~alone] = part_of[blocks]

    for label in range(classes):
        here = random.permutation(np.flatnonzero(alone & (labels == label)))
        parts[here] = _slots(targets[:, label], left[:, label], random)[: len(here)]
    return parts


def _targets(counts: Indices, shares: tuple[float, float, float]) -> NDArray[np.int64]:
    """(3, K) whole numbers of samples that add up to `counts` over the parts.

    What rounding takes from one class goes to the next, so the totals are right too; at least one sample for each part.
    """
    running = np.cumsum(np.outer(shares, counts), axis=1)
    wanted = np.diff(np.rint(running), axis=1, prepend=0).astype(np.int64)
    least = np.array([share > 0 for share in shares], np.int64)
    validation = np.clip(wanted[VALIDATION], least[VALIDATION], np.maximum(counts - 1 - least[TEST], 0))
    test = np.clip(wanted[TEST], least[TEST], np.maximum(counts - 1 - validation, 0))
    return np.stack([counts - validation - test, validation, test])


def _neediest(table: Indices, targets: Indices, left: Indices, coming: Indices) -> int:
    """The part for a block with `table[k]` samples of each class k.

    If a class has no more blocks to come than parts without it, one of these gets the block, train first.  Else a part
    that has room for all of its classes, or else for as many samples, or else any; of these the one that lacks most.
    """
    wanted = targets > 0
    without = wanted & (left == targets)
    scarce = (table > 0) & (coming <= without.sum(0))
    last_chance = (without & scarce).any(1)
    if last_chance[TRAIN]:
        return TRAIN
    fits = wanted.any(1) & (table <= left).all(1)
    room = wanted.any(1) & (table.sum() <= left.sum(1))
    candidates = next(choice for choice in (last_chance, fits, room, wanted.any(1)) if choice.any())
    need = ((left / np.maximum(targets, 1)) @ table).round(9)  # so that ties are ties on every machine
    return int(np.where(candidates, need, -np.inf).argmax())


def _slots(target: Indices, left: Indices, random: np.random.Generator) -> Indices:
    """Parts for the single samples of one class, most urgent first: one for each part that has none, then the rest."""
    first = ((target > 0) & (left == target)).astype(np.int64)
    rest = np.repeat(np.arange(3), np.maximum(left - first, 0))
    return np.concatenate([np.flatnonzero(first), random.permutation(rest)])


def _open_shares(parts: NDArray[np.int8], validation: float, test: float) -> tuple[float, float, float]:
    """Shares of the pool: nothing goes to a part that the data brings itself."""
    validation = 0.0 if (parts == VALIDATION).any() else validation
    test = 0.0 if (parts == TEST).any() else test
    if validation + test >= 1:
        raise BadValue(
            f"split(test={test}, validation={validation}): the parts add up to {validation + test:.4g} of the data; "
            "they must leave some for training."
        )
    return 1 - validation - test, validation, test


def _copies(source: Source, where: NDArray[np.bool_], of: int) -> NDArray[np.bool_]:
    """Which samples in `where` are copies of one in the part `of`."""
    return where & np.isin(source.digests, source.digests[source.parts == of])


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


def _blocks(digests: NDArray[np.uint64], groups: Indices | None) -> Indices:
    """Numbers for what must stay together: copies, groups, and whatever these connect."""
    copies = np.unique(digests, return_inverse=True)[1].astype(np.int64)
    if groups is None:
        return copies
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = int(copies.max()) + 1  # nodes: contents, then groups; each sample of a group is an edge
    size = first + int(groups.max()) + 1
    grouped = groups >= 0
    edges = coo_array((np.ones(grouped.sum()), (copies[grouped], first + groups[grouped])), shape=(size, size))
    return connected_components(edges, directed=False)[1].astype(np.int64)[copies]


def _group_names(source: Source, blocks: Indices) -> dict[int, str]:
    """What the given groups in each block are called; several, which copies connect, are joined by "+"."""
    if source.groups is None:
        return {}
    names: dict[int, set[str]] = {}
    for block, group in np.unique(np.stack([blocks, source.groups]), axis=1).T:
        if group >= 0:
            names.setdefault(int(block), set()).add(source.group_names[group])
    return {block: "+".join(sorted(called)) for block, called in names.items()}


def _part(source: Source, chosen: Indices, blocks: Indices) -> Part:
    images, labels = torch.from_numpy(source.images[chosen]), torch.from_numpy(source.labels[chosen])
    together = source.groups is not None or int(blocks.max()) + 1 < len(blocks)
    times = None if source.times is None else source.times[chosen]
    return Part(images, labels, [source.names[index] for index in chosen], blocks[chosen] if together else None, times)


def _facts(source: Source, parts: NDArray[np.int8]) -> Facts:
    return Facts(
        skipped=source.skipped,
        duplicates=len(source.digests) - len(np.unique(source.digests)),
        duplicates_removed=int((parts == -1).sum()),
        conflicts=_conflicts(source),
        groups=None if source.groups is None else _count(source.groups[source.parts == TRAIN]),
        notes=source.notes + _absences(source, parts),
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


def _absences(source: Source, parts: NDArray[np.int8]) -> tuple[str, ...]:
    """A sentence for each part in which a class is missing."""
    notes = []
    for part, name in ((VALIDATION, "validation"), (TEST, "test")):
        missing = np.setdiff1d(source.labels, source.labels[parts == part])
        if len(missing) and (parts == part).any():
            notes.append(f"no sample of {', '.join(source.classes[label] for label in missing)} in the {name} part")
    return tuple(notes)


def _fingerprint(source: Source) -> str:
    """Of the data before the split.  Contents, labels, given parts and groups count; names and seeds do not."""
    groups = b"" if source.groups is None else source.groups.tobytes()
    known = (source.digests.tobytes(), source.labels.tobytes(), source.parts.tobytes(), groups)
    return _hex(repr(source.classes), *(block.hex() for block in known))


def _hex(*texts: str) -> str:
    return hashlib.blake2b("/".join(texts).encode(), digest_size=8).hexdigest()
