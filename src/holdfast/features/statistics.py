"""Engineered statistics: what few numbers say of a sample, whatever its size."""

# ruff: noqa: N803  # X and C are scikit-learn's names
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ..layers import Statistics

CHUNK = 256  # samples at once


class SampleStatistics(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The statistics of each sample, as the layer `Statistics` computes them; nothing is learned.

    Of each channel mean, median, spread, extremes and quantiles; of series and sounds slopes and the shares of fast
    and slow swings, too.  The values of a row of a table are taken for one series; standardise them before.

    Args:
        shape: of a sample, channels last, (28, 28, 1); it is given as (N, values).  None: rows of values.
        masked: of series, whether the last channel says which steps were measured.

    Example:
        >>> SampleStatistics((28, 28, 1)).fit_transform(np.ones((3, 784))).shape
        (3, 9)
    """

    def __init__(self, shape: tuple[int, ...] | None = None, *, masked: bool = False) -> None:
        self.shape = shape
        self.masked = masked

    def fit(self, X: ArrayLike, y: Any = None) -> "SampleStatistics":  # Any: it is not looked at
        """Learns nothing but how many values there are."""
        from sklearn.utils.validation import validate_data

        values = validate_data(self, X, dtype=np.float32)
        self.shape_ = tuple(self.shape or values.shape[1:])
        if np.prod(self.shape_) != values.shape[1]:
            raise ValueError(f"SampleStatistics(shape={self.shape_}): samples have {values.shape[1]} values.")
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """(N, statistics) of (N, values)."""
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float32, reset=False)
        samples = torch.from_numpy(values).reshape(len(values), *self.shape_)
        samples = samples if samples.dim() == 2 else samples.movedim(-1, 1)
        module = Statistics(masked=self.masked).build(self.shape_)
        with torch.no_grad():
            return np.concatenate([module(some).numpy() for some in torch.split(samples, CHUNK)])
