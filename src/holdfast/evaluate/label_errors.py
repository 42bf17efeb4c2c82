"""Suspected label errors, from what models say of samples that they have not seen."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import need
from .score import checked


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Labels in the order in which they should be looked at.

    Attributes:
        order: (N,) the samples, the most suspicious first.
        suspected: (N,) whether the label is probably wrong.
        quality: (N,) the probability of the label that was given.
        suggested: (N,) the likeliest class, which is another one wherever a label is suspected.
    """

    order: NDArray[np.int64]
    suspected: NDArray[np.bool_]
    quality: NDArray[np.float64]
    suggested: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.suspected.sum())


def label_errors(labels: ArrayLike, probabilities: ArrayLike) -> LabelErrors:
    """Which labels are probably wrong: confident learning, by cleanlab.

    Args:
        labels: (N,) class indices in 0..K-1, as they were given.
        probabilities: (N, K) of models that have not learned from the sample, as those out of fold are; from a model
            that has, its errors look right.

    Raises:
        MissingExtra: cleanlab is not installed.
        BadShape, BadData, BadValue: as `score` does.

    Source: Northcutt, Jiang & Chuang 2021, Journal of Artificial Intelligence Research 70:1373-1411.
    """
    rank, filters = (need(f"cleanlab.{name}", extra="labels") for name in ("rank", "filter"))
    given, shares = checked(labels, probabilities)
    shares = shares / shares.sum(1, keepdims=True)  # float32 sums to 1 less exactly than cleanlab wants
    quality = np.asarray(rank.get_label_quality_scores(given, shares, method="self_confidence"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues")  # a line for each rare class
        suspected = np.asarray(filters.find_label_issues(given, shares, n_jobs=1))
    # What is suspected comes first, also where another sample is less probable.
    return LabelErrors(np.lexsort((quality, ~suspected)), suspected, quality, shares.argmax(1))
