"""Folds: scikit-learn's splitters, chosen by what the data is like; no group and no copy ever stands on two sides."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadValue
from ..data import Dataset, Part

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold: indices into the pool of train and validation.

    Attributes:
        name: "fold 2", or the group that is left out.
        repeat: which time the pool was dealt out, from 0.
        train, judged: (n,) indices.
    """

    name: str
    repeat: int
    train: Indices
    judged: Indices


def folds_of(
    data: Dataset, pool: Part, cv: Any = 5, *, repeats: int = 1, seed: int = 0
) -> list[Fold]:  # Any: see the Args
    """The folds of the pool of train and validation; the sealed test part stays out.

    Args:
        data: names the classes and the groups.
        pool: its `pool`, with groups, copies and times as far as they are known.
        cv: a number of folds: StratifiedKFold, with groups or copies StratifiedGroupKFold, with times TimeSeriesSplit;
            "groups": LeaveOneGroupOut; a splitter of scikit-learn; or pairs of (train, test) indices into `data.pool`.
        repeats: how often the pool is dealt out, shuffled by `seed`, `seed` + 1, ...
        seed: of the shuffling.

    Raises:
        BadValue: a number, a word or an object that gives no folds; repeats of folds that are not shuffled.
        BadData: too few samples or groups of a class, or no groups to leave out.
    """
    if repeats < 1:
        raise BadValue(f"cross_validate(repeats={repeats}): must be positive.")
    labels, together = pool.labels.numpy(), pool.groups
    shuffled = isinstance(cv, int) and pool.times is None
    if repeats > 1 and not shuffled:
        raise BadValue(f"cross_validate(repeats={repeats}): only folds by number, without times, are shuffled anew.")
    found = []
    for repeat in range(repeats):
        for number, (train, judged) in enumerate(_pairs(data, pool, cv, seed + repeat)):
            left_out = data.group_names[int(together[judged[0]])] if cv == "groups" and together is not None else None
            name = left_out or f"fold {number + 1}"
            found.append(Fold(name, repeat, *_checked(train, judged, labels, together, name)))
    if len(found) < 2:
        raise BadValue(f"cross_validate(cv={cv!r}): gives {len(found)} folds; at least 2 are needed.")
    return found


def _pairs(data: Dataset, pool: Part, cv: Any, seed: int) -> Iterable[tuple[Indices, Indices]]:  # Any: as above
    from sklearn import model_selection as splitters

    labels, together = pool.labels.numpy(), pool.groups
    samples = np.zeros((len(labels), 1))
    if cv == "groups":
        if not data.group_names:
            raise BadData(f"{data.name}: has no groups to leave out; say what they are with --group-by (group_by=).")
        return list(splitters.LeaveOneGroupOut().split(samples, labels, together))
    if isinstance(cv, int) and not isinstance(cv, bool):
        if cv < 2:
            raise BadValue(f"cross_validate(cv={cv}): at least 2 folds are needed.")
        if pool.times is not None:
            return _in_time(pool.times, cv, data)
        _check_counts(data, labels, together, cv)
        if together is None:
            return list(splitters.StratifiedKFold(cv, shuffle=True, random_state=seed).split(samples, labels))
        chosen = splitters.StratifiedGroupKFold(cv, shuffle=True, random_state=seed)
        return list(chosen.split(samples, labels, together))
    if hasattr(cv, "split") and not isinstance(cv, str):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")  # what is tied is left out below
            try:
                return list(cv.split(samples, labels, together))
            except ValueError as error:
                raise BadValue(f"cross_validate(cv={cv!r}): does not fit {data.name}: {error}") from error
    if isinstance(cv, Sequence) and not isinstance(cv, str):
        try:
            return [(np.asarray(train, np.int64), np.asarray(judged, np.int64)) for train, judged in cv]
        except (TypeError, ValueError) as error:
            raise BadValue(f"cross_validate: cv holds what is no pair of (train, test) indices: {error}.") from error
    raise BadValue(
        f"cross_validate(cv={cv!r}): must be a number of folds, 'groups', a splitter of scikit-learn or index pairs."
    )


def _in_time(times: NDArray[np.float64], cv: int, data: Dataset) -> list[tuple[Indices, Indices]]:
    """TimeSeriesSplit on the samples in the order of their times."""
    from sklearn.model_selection import TimeSeriesSplit

    order = np.argsort(times, kind="stable")
    try:
        return [(order[train], order[judged]) for train, judged in TimeSeriesSplit(cv).split(order)]
    except ValueError as error:
        raise BadData(f"{data.name}: {len(times)} samples are too few for {cv} folds in time.") from error


def _check_counts(data: Dataset, labels: Indices, together: Indices | None, cv: int) -> None:
    """Raises BadData unless every class can stand in every fold."""
    apart = np.arange(len(labels)) if together is None else together
    for label, name in enumerate(data.classes):
        n = len(np.unique(apart[labels == label]))
        if n < cv:
            kind = "samples" if together is None else "groups or samples that may stand apart"
            raise BadData(
                f"{data.name}: class {name!r} has {n} {kind} outside the test part, too few for {cv} folds; "
                f"take {'fewer folds' if n > 1 else 'more samples'} or leave the class out."
            )


def _checked(
    train: Indices, judged: Indices, labels: Indices, together: Indices | None, name: str
) -> tuple[Indices, Indices]:
    """The indices, without training samples that are tied to one that is judged."""
    for indices in (train, judged):  # -1 would be the last sample under another number
        if len(indices) and (indices.min() < 0 or indices.max() >= len(labels)):
            raise BadValue(f"cross_validate: {name} has indices that are not in 0..{len(labels) - 1}.")
    if np.intersect1d(train, judged).size:
        raise BadValue(f"cross_validate: {name} trains on samples that it judges.")
    if together is not None:
        train = train[~np.isin(together[train], together[judged])]
    if not len(judged) or len(np.unique(labels[train])) < 2:
        raise BadData(f"cross_validate: {name} has {len(judged)} samples to judge and too few classes to learn.")
    return train, judged
