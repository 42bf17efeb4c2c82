"""Who goes where: parts for samples that none claims yet, by class or by time, without cutting a block."""

import numpy as np
from numpy.typing import NDArray

from ..core import BadData
from .source import TEST, TRAIN, VALIDATION

Indices = NDArray[np.int64]
Shares = tuple[float, float, float]


def assign(
    labels: Indices, blocks: Indices, shares: Shares, *, seed: int, placed: Indices | None = None
) -> NDArray[np.int8]:
    """A part for each sample, so that no block is cut and each part gets its share of each class.

    Blocks of several samples are dealt out one by one, the largest first, each to the part that lacks its classes
    most; the single samples then fill what is missing exactly.

    Args:
        labels: (N,) class indices.
        blocks: (N,) samples with the same number stay together.
        shares: of train, validation and test; they add up to 1, and those of validation and test may be 0.
        seed: of the shuffling.
        placed: (3, K) samples of each class that the parts have already; what comes fills them up to their shares.

    Returns:
        (N,) int8 TRAIN, VALIDATION or TEST.
    """
    random = np.random.default_rng(seed)
    classes = int(labels.max()) + 1 if placed is None else placed.shape[1]
    placed = np.zeros((3, classes), np.int64) if placed is None else placed
    _, blocks, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    alone = sizes[blocks] == 1
    targets = _targets(np.bincount(labels, minlength=classes) + placed.sum(0), shares)
    left = targets - placed
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


def _targets(counts: Indices, shares: Shares) -> NDArray[np.int64]:
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


def assign_by_time(times: NDArray[np.float64], shares: Shares, *, name: str) -> NDArray[np.int8]:
    """The earliest train, then comes validation, the latest are the test part; what is of one time stays together.

    Args:
        times: (N,) of each sample the latest time in its block.
        shares: as for `assign`; classes do not count.
        name: how messages call the data.

    Raises:
        BadData: fewer different times than parts.
    """
    moments, places, counts = np.unique(times, return_inverse=True, return_counts=True)
    wanted = [part for part, share in enumerate(shares) if share > 0]
    if len(moments) < len(wanted):
        raise BadData(
            f"{name}: has {len(moments)} different time{'s' * (len(moments) != 1)}, of groups and copies the latest "
            f"counts; at least {len(wanted)} are needed, one for each part."
        )
    running = np.cumsum(counts) / len(times)
    parts, begin = np.zeros(len(moments), np.int8), 0
    for number, part in enumerate(wanted[:-1]):
        still = len(wanted) - 1 - number  # parts to come, each with one moment at least
        ends = np.arange(begin + 1, len(moments) - still + 1)
        begin = int(ends[np.abs(running[ends - 1] - sum(shares[: part + 1])).argmin()])
        parts[begin:] = wanted[number + 1]
    return parts[places]


def gap_before(
    times: NDArray[np.float64], sides: NDArray[np.int8], *, gap: float, span: float = 0.0
) -> NDArray[np.bool_]:
    """Samples that end less than `gap` before the first one of a later part begins; they are to be in none.

    Args:
        times: (N,) when each ends, as for `assign_by_time`.
        sides: (N,) the parts that it gave.
        gap: in the unit of the times.
        span: from the begin of a sample to its end; those that overlap one of a later part are found in any case.
    """
    near = np.zeros(len(times), np.bool_)
    for part in (VALIDATION, TEST):
        begin = times[sides == part].min(initial=np.inf) - span
        near |= (sides < part) & ((times > begin - gap) | (times >= begin))
    return near


def join_by_time(
    times: NDArray[np.float64], placed: NDArray[np.float64], sides: NDArray[np.int8], shares: Shares
) -> NDArray[np.int8]:
    """Parts of samples that come to a split by time: between its bounds, and what is later than all to its last part.

    Args:
        times: (N,) as for `assign_by_time`, of those that come.
        placed: (M,) the same of those that are there.
        sides: (M,) their parts.
        shares: as for `assign`.
    """
    last = TEST if shares[TEST] > 0 or (sides == TEST).any() else VALIDATION
    parts = np.full(len(times), last, np.int8)
    for part in (VALIDATION, TRAIN):
        parts[times <= placed[sides == part].max(initial=-np.inf)] = part
    return parts
