"""Feature selection as a layer: of each sample only the features that tell most about the labels."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core import BadData, BadShape, BadValue
from .dense import Dense
from .fitted import Array, Fitted, flat_samples
from .layer import REQUIRED, Setting, Shape, integer, one_of, optional, positive, setting

Floats: TypeAlias = NDArray[np.float64]
Scores: TypeAlias = Callable[[Floats, NDArray[np.int64], int], Floats]  # of data, labels and k: (features,)

STEP = 1.5  # from each strength of the penalty that "l1" tries to the next
WEAKEST = 1e-4  # strength of the penalty below which "l1" goes no further


def _whole(value: Any) -> tuple[int, ...]:  # Any: whatever the user wrote
    if not isinstance(value, Sequence) and not isinstance(value, np.ndarray):
        raise ValueError("must be several whole numbers")
    return tuple(integer(one) for one in value)


def _rising(value: tuple[int, ...] | None) -> str | None:
    if value is None or (value and value[0] >= 0 and list(value) == sorted(set(value))):
        return None
    return "must be different features, counted from 0, in their order"


def _f_classif(x: Floats, y: NDArray[np.int64], k: int) -> Floats:
    from sklearn.feature_selection import f_classif

    found: Floats = f_classif(x, y)[0]
    return found


def _chi2(x: Floats, y: NDArray[np.int64], k: int) -> Floats:
    from sklearn.feature_selection import chi2

    found: Floats = chi2(x, y)[0]
    return found


def _mutual_info(x: Floats, y: NDArray[np.int64], k: int) -> Floats:
    from sklearn.feature_selection import mutual_info_classif

    found: Floats = mutual_info_classif(x, y, random_state=0)
    return found


def _l1(x: Floats, y: NDArray[np.int64], k: int) -> Floats:
    """Largest weight of each standardised feature in linear classifiers whose L1 penalty leaves k of them or more."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC, l1_min_c

    scaled = StandardScaler().fit_transform(x)
    strength = 1.0 / l1_min_c(scaled, y)
    while True:
        strength /= STEP
        model = LinearSVC(penalty="l1", dual=False, C=1 / strength, random_state=0).fit(scaled, y)
        found: Floats = np.abs(model.coef_).max(0)
        if (found > 0).sum() >= min(k, x.shape[1]) or strength < WEAKEST:
            return found


def _trees(x: Floats, y: NDArray[np.int64], k: int) -> Floats:
    from sklearn.ensemble import ExtraTreesClassifier

    found: Floats = ExtraTreesClassifier(200, random_state=0).fit(x, y).feature_importances_
    return found


SCORES: dict[str, Scores] = {
    "f_classif": _f_classif,
    "chi2": _chi2,
    "mutual_info": _mutual_info,
    "l1": _l1,
    "trees": _trees,
}


@dataclass(frozen=True, eq=False)
class SelectFeatures(Fitted):
    """The `k` features with the highest scores, in their order.  (features,) -> (k,).

    `adapt` finds them, by scikit-learn, in training data as it comes into the layer and its labels; training leaves
    them alone.  Samples that judge the model must not have been among these: chosen on all data, features of noise
    alone seem to tell classes apart.

    Args:
        k: how many.
        score: of each feature alone "f_classif" (analysis of variance), "chi2" (of counts) or "mutual_info" (also what
            is not linear); of all together "l1" (what the L1 penalty of a linear support vector machine on standardised
            features leaves) or "trees" (extremely randomised trees).
        chosen: which features, counted from 0 in the order of `Flatten`; found by `adapt`.

    Source: Guyon & Elisseeff 2003, "An introduction to variable and feature selection".
    """

    k: int = setting(REQUIRED, convert=integer, check=positive)
    score: str = setting("f_classif", check=one_of(*SCORES))
    chosen: Setting[object, tuple[int, ...] | None] = setting(None, convert=optional(_whole), check=_rising)

    def validate(self) -> None:
        if self.chosen is not None and len(self.chosen) != self.k:
            raise BadValue(f"SelectFeatures(k={self.k}): {len(self.chosen)} features were chosen; give {self.k}.")

    def adapt(self, data: Any, labels: Any) -> "SelectFeatures":  # Any: whatever NumPy can make arrays of
        """Chooses among the features of `data` (N, ...), training data only; to be called before the first use.

        Args:
            data: as it comes into the layer; samples of several axes are flattened.
            labels: (N,) classes, or one-hot (N, K).

        Raises:
            NotReady: a model was already built with this layer; it would not see the change.
            BadShape: fewer features than `k`, or not one label a sample.
            BadData: values that are no finite numbers, labels of one class or NaN, or negative values for "chi2".
        """
        x, y = flat_samples(self, data), self._classes(labels)
        if len(y) != len(x):
            raise BadShape(f"{self.label}.adapt: {len(x):,} samples and {len(y):,} labels; one for each is needed.")
        if self.k > x.shape[1]:
            raise BadShape(f"{self.label}.adapt: k={self.k:,}, the samples have {x.shape[1]:,} features.")
        if self.score == "chi2" and x.min() < 0:
            raise BadData(f"{self.label}.adapt: chi2 takes counts, the data go down to {x.min():g}; take 'f_classif'.")
        varied = np.ptp(x, axis=0) > 0
        scores = np.full(x.shape[1], -np.inf)
        if varied.any():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of features that tell classes apart without fault, or of convergence
                scores[varied] = np.nan_to_num(SCORES[self.score](x[:, varied], y, self.k), nan=-np.inf)
        best = np.argsort(-scores, kind="stable")[: self.k]
        self.set(chosen=tuple(sorted(best.tolist())))
        return self

    def _classes(self, labels: Any) -> NDArray[np.int64]:  # Any: as above
        array = np.asarray(labels)
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise BadData(f"{self.label}.adapt: labels have NaN; take these samples out.")
        array = array.argmax(1) if array.ndim == 2 and array.shape[1] > 1 else array.reshape(-1)
        names, found = np.unique(array, return_inverse=True)
        if len(names) < 2:
            raise BadData(f"{self.label}.adapt: labels of two classes or more are needed, got {len(names)}.")
        return found.astype(np.int64)

    @property
    def adapted(self) -> bool:
        return self.chosen is not None

    def dense(self) -> Dense:
        return Dense(self.k, use_bias=False, name=self.name, trainable=False)

    def arrays(self, features: int) -> list[Array]:
        kernel = np.zeros((features, self.k), np.float32)
        kernel[list(self._chosen()), range(self.k)] = 1
        return [kernel]

    def _chosen(self) -> tuple[int, ...]:
        if self.chosen is None:
            raise self.missing()
        return self.chosen

    def take(self, arrays: Sequence[NDArray[Any]]) -> None:  # Any: of any number
        raise self.missing()

    def out_shape(self, *shapes: Shape) -> Shape:
        self.require_flat(shapes[0])
        last = self.k - 1 if self.chosen is None else self.chosen[-1]
        if last >= shapes[0][0]:
            what = f"takes {self.k:,} features" if self.chosen is None else f"chose feature {last:,}, counted from 0"
            raise BadShape(f"{self.label}: {what}, the input has {shapes[0][0]:,}.")
        return (self.k,)

    def build(self, *shapes: Shape) -> nn.Module:
        columns = torch.from_numpy(np.array(self._chosen(), np.int64))
        self.used.append(True)
        return Columns(columns)

    def flops(self, *shapes: Shape) -> int:
        return 0


class Columns(nn.Module):
    """(N, features) to those of these numbers, (N, k)."""

    columns: Tensor

    def __init__(self, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.columns)
