"""The mistake that is made most: features chosen with all labels at hand, and only then the folds."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .remedies import STEPS, USUAL


@dataclass(frozen=True)
class Faked:
    """One pipeline, judged by the same folds twice.

    Attributes:
        inside: the mean accuracy with the selection inside the folds, which new samples would show, too.
        outside: with the selection made before, on all samples; too good.
        features: that were kept of how many.
        samples: n.
    """

    inside: float
    outside: float
    features: tuple[int, int]
    samples: int

    @property
    def difference(self) -> float:
        """What the selection outside the folds adds, as a share."""
        return self.outside - self.inside

    def __str__(self) -> str:
        kept, all_of_them = self.features
        return (
            f"the {kept:,} best of {all_of_them:,} features, chosen before the folds, would have been said to reach "
            f"{100 * self.outside:.1f} %; chosen inside them they reach {100 * self.inside:.1f} %: "
            f"{100 * self.difference:z.1f} points are faked, n={self.samples:,}"
        )


def selection_outside_folds(values: ArrayLike, labels: ArrayLike, *, keep: int = 10, cv: Any = 5) -> Faked:
    """How much a selection of features outside the folds fakes on these samples.

    The `keep` features that differ most between the classes (F of the analysis of variance), then a logistic
    regression; once with the selection in the pipeline that each fold fits, once with it made before, when it has
    seen the labels that are to judge it.

    Args:
        values: (N, F).
        labels: (N,).
        keep: features.
        cv: as scikit-learn takes it: a number of folds, a splitter, or pairs of (train, test) indices.

    Source: Ambroise & McLachlan 2002, PNAS 99:6562-6566.

    Example:
        >>> random = np.random.default_rng(0)
        >>> noise, labels = random.normal(size=(100, 1000)), np.arange(100) % 2
        >>> faked = selection_outside_folds(noise, labels)
        >>> faked.outside > 0.75, faked.inside < 0.6
        (True, True)
    """
    samples, classes = np.asarray(values), np.asarray(labels)
    kept = min(keep, samples.shape[1])
    model = (StandardScaler(), LogisticRegression(C=USUAL, max_iter=STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant features
        best = SelectKBest(k=kept).fit_transform(samples, classes)
        inside = cross_val_score(make_pipeline(SelectKBest(k=kept), *model), samples, classes, cv=cv)
        outside = cross_val_score(make_pipeline(*model), best, classes, cv=cv)
    return Faked(float(inside.mean()), float(outside.mean()), (kept, samples.shape[1]), len(samples))
