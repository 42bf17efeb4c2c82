"""What must stay on one side: copies, near copies, groups, and whatever these connect."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .near import near_pairs
from .source import POOL, Source

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Together:
    """Blocks of samples that no split may cut.

    Attributes:
        blocks: (N,) the number of the block that each sample is in.
        near: (N,) whether a sample is nearly a copy of one before it.
        searched: whether near copies were looked for, or could be told from others at all.
    """

    blocks: Indices
    near: NDArray[np.bool_]
    searched: bool = True

    def names(self, source: Source) -> dict[int, str]:
        """What the given groups in each block are called; several, which copies connect, are joined by "+"."""
        if source.groups is None:
            return {}
        called: dict[int, set[str]] = {}
        for block, group in np.unique(np.stack([self.blocks, source.groups]), axis=1).T:
            if group >= 0:
                called.setdefault(int(block), set()).add(source.group_names[group])
        return {block: "+".join(sorted(names)) for block, names in called.items()}


def together(source: Source) -> Together:
    """The blocks of all samples, in numbers from 0 on."""
    contents = np.unique(source.digests, return_inverse=True)[1].astype(np.int64)
    pairs = find_near(source)
    near = np.zeros(len(contents), np.bool_)
    if pairs is None:
        return Together(_connected(contents, np.empty((0, 2), np.int64), source.groups), near, searched=False)
    near[pairs[:, 1]] = True
    return Together(_connected(contents, contents[pairs], source.groups), near)


def copies_of_labelled(source: Source, *, near: bool) -> NDArray[np.bool_]:
    """(N,) whether a sample is, or is a copy of, a labelled one; by `near` also nearly, be it through others."""
    labelled = source.parts != POOL
    if not near:
        return np.isin(source.digests, source.digests[labelled])
    # Without classes: near copies are told from others, the labelled samples have shown that.
    blocks = together(replace(source, labels=np.zeros_like(source.labels), groups=None)).blocks
    return np.isin(blocks, blocks[labelled])


def find_near(source: Source) -> Indices | None:
    """(P, 2) pairs of samples of which the second is nearly a copy of the first; exact copies are none of them.

    Empty where they are not looked for; None where they cannot be told from others, see `near_pairs`.
    """
    if source.thumbnails is None:
        return np.empty((0, 2), np.int64) if source.near is None else source.near
    first = np.unique(source.digests, return_index=True)[1]
    first.sort()  # copies are left out; the order of the data, not of the digests
    small = source.thumbnails if len(first) == len(source.digests) else source.thumbnails.take(first)
    pairs = near_pairs(small, source.labels[first])
    return None if pairs is None else first[pairs]


def _connected(contents: Indices, pairs: Indices, groups: Indices | None) -> Indices:
    """(N,) the component of each sample in the graph of contents, pairs (P, 2) of them, and groups."""
    if groups is None and not len(pairs):
        return contents
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(contents.max()) + 1
    edges = [pairs]
    if groups is not None:  # a node for each group, an edge for each sample of one
        grouped = groups >= 0
        edges.append(np.stack([contents[grouped], size + groups[grouped]], 1))
        size += int(groups.max()) + 1
    ends = np.concatenate(edges)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    found: Indices = connected_components(graph, directed=False)[1].astype(np.int64)[contents]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)
