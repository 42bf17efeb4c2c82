"""The classic remedies for too many dimensions: what is put before a logistic regression, or instead of its penalty."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ..core import BadValue
from .autoencoder import AutoencoderFeatures
from .l1 import L1LogisticRegression
from .statistics import SampleStatistics

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # C of the logistic regression, chosen within each fold
USUAL = 0.1  # where nothing can be chosen by
SIZES = 4  # numbers of features that a remedy chooses among
FEWEST, CODE = 8, 32  # features that are left at least; units of the autoencoder at most
TREES, A_TREE = 30, 1000  # trees, and the samples that each sees at most
STEPS = 100  # of the solver
PATH_STEPS, PATH_TOL = 300, 1e-4  # of L1: a third of the time that it takes else, and the same answers

Pairs = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class Remedy:
    """A pipeline of scikit-learn, and what is chosen by inner splits when it is fitted.

    Attributes:
        name: "PCA".
        pipeline: unfitted.
        grid: settings of the pipeline to choose among, as `GridSearchCV` takes them.
    """

    name: str
    pipeline: Pipeline
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # Any: of the pipeline's parameters

    def fitted(self, values: NDArray[Any], labels: NDArray[np.int64], inner: Pairs) -> Pipeline:
        """A copy of the pipeline, fitted to these samples alone.

        Args:
            values: (N, F).
            labels: (N,).
            inner: pairs of (train, test) indices into them by which settings are chosen; with none the usual ones stay.
        """
        own = clone(self.pipeline)
        if "l1" in own.named_steps:
            own.set_params(l1__cv=inner) if len(inner) else own.set_params(l1__C=USUAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant features, and solvers that were stopped: see STEPS
            if not len(inner):
                return own.fit(values, labels)
            if self.grid:
                own = GridSearchCV(own, dict(self.grid), cv=list(inner), scoring="accuracy").fit(values, labels)
                own = own.best_estimator_
            else:
                own.fit(values, labels)
            if "logistic" in own.named_steps and "logistic__C" not in self.grid:
                _choose_strength(own, values, labels, inner)
        return own


def _choose_strength(fitted: Pipeline, values: NDArray[Any], labels: NDArray[np.int64], inner: Pairs) -> None:
    """Fits the logistic regression anew, with the C that inner splits find best for what comes before it.

    Few statistics want another C than the thousands of values that they were made of.  What looks at labels is fitted
    anew in each split; what does not is as it is.
    """
    before, last, scores = fitted[:-1], fitted[-1], []
    given = before.transform(values)
    for train, judged in inner:
        if "select" in fitted.named_steps:
            own = clone(before).fit(values[train], labels[train])
            learned, asked = own.transform(values[train]), own.transform(values[judged])
        else:
            learned, asked = given[train], given[judged]
        models = (clone(last).set_params(C=strength).fit(learned, labels[train]) for strength in STRENGTHS)
        scores.append([model.score(asked, labels[judged]) for model in models])
    last.set_params(C=STRENGTHS[int(np.mean(scores, 0).argmax())]).fit(given, labels)


def baseline() -> Remedy:
    """The logistic regression on standardised values that every remedy is compared with; it chooses its C."""
    return Remedy("baseline", Pipeline([("scale", StandardScaler()), _head()]), {"logistic__C": STRENGTHS})


def remedies(
    shape: tuple[int, ...], samples: int, *, strength: float = USUAL, masked: bool = False, seed: int = 0
) -> tuple[Remedy, ...]:
    """The four remedies, six pipelines: two selections, two reductions, L1, and statistics.

    Each is the baseline with one thing changed.  What it learns, the scale, which features, which directions, which
    penalty, it learns from the samples that it is fitted to; so it belongs inside the folds, whole.

    Args:
        shape: of a sample before it became (values,): (28, 28, 1), (64,).
        samples: that it will be fitted to; they and the features bound what may be kept.
        strength: C of the logistic regression while sizes are chosen, such as the baseline chose in this fold; after
            that each chooses its own.
        masked: of series, whether the last channel says what was measured.
        seed: of the trees and the autoencoder.

    Raises:
        BadValue: fewer than two features, of which nothing can be left out.

    Example:
        >>> [one.name for one in remedies((8, 8, 1), 1200)]
        ['univariate selection', 'selection by trees', 'PCA', 'autoencoder', 'L1', 'statistics']
    """
    features = int(np.prod(shape))
    if features < 2:
        raise BadValue(f"remedies(shape={shape}): one feature is not too many; nothing can be left out.")
    sizes = sizes_of(features, samples)
    trees = ExtraTreesClassifier(
        TREES, min_samples_leaf=2, bootstrap=True, max_samples=min(1.0, A_TREE / samples), random_state=seed
    )
    choose = SelectFromModel(trees, threshold=-np.inf, max_features=sizes[-1])
    middle = min(CODE, max(2, min(features, samples) // 2))
    first = (("scale", StandardScaler()),)
    count = [("statistics", SampleStatistics(shape if len(shape) > 1 else None, masked=masked))]
    whole = [*first, *count, ("again", StandardScaler())] if len(shape) == 1 else [*count, *first]
    return (
        Remedy(
            "univariate selection", _before(strength, *first, ("select", SelectKBest(k=sizes[0]))), {"select__k": sizes}
        ),
        Remedy(
            "selection by trees",
            _before(strength, *first, ("select", choose)),
            {"select__max_features": sizes[::-2][::-1]},
        ),
        Remedy(
            "PCA", _before(strength, *first, ("pca", PCA(sizes[0], random_state=seed))), {"pca__n_components": sizes}
        ),
        Remedy(
            "autoencoder",
            _before(strength, *first, ("code", AutoencoderFeatures(middle, seed=seed)), ("again", StandardScaler())),
        ),
        Remedy("L1", Pipeline([*first, ("l1", L1LogisticRegression(max_iter=PATH_STEPS, tol=PATH_TOL))])),
        Remedy("statistics", _before(strength, *whole)),
    )


def sizes_of(features: int, samples: int) -> list[int]:
    """Numbers of features to choose among: from 8 to half of what there is, features or samples, in equal steps."""
    most = max(1, min(features, samples) // 2)
    return sorted({round(size) for size in np.geomspace(min(FEWEST, most), most, SIZES)})


def _head(strength: float = USUAL) -> tuple[str, LogisticRegression]:
    return "logistic", LogisticRegression(C=strength, max_iter=STEPS)


def _before(strength: float, *steps: tuple[str, Any]) -> Pipeline:  # Any: a transformer
    return Pipeline([*steps, _head(strength)])
