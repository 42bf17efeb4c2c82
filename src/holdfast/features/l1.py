"""L1: a logistic regression most of whose weights are exactly zero, and the path of them as its penalty is relaxed."""

# ruff: noqa: N803  # X and C are scikit-learn's names
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

Values = NDArray[np.float64]
STRENGTHS = 10  # on the path
REACH = 300.0  # the last C over the first, at which all weights are zero
SPLITS = 3
LOOSE = 1e-3  # the tolerance of inner splits, which only choose


class L1LogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A logistic regression with an L1 penalty, by proximal gradient steps; C is chosen along a path.

    Minimises sum of the losses + |w| / C, as scikit-learn's `LogisticRegression(l1_ratio=1)` does, with the intercept
    free.  A step against the gradient is followed by the proximal step of the penalty: every weight moves towards zero
    by as much and stops there, so zeros are true zeros.  Each C begins where the last one ended, from the one at which
    all weights are zero; so the whole path costs little more than its end.

    Args:
        C: the inverse of the penalty's strength; None chooses the one of the path that the inner splits find best, and
            of equals the sparsest.
        cv: the inner splits: pairs of (train, test) indices, a splitter, or a number of stratified folds.
        max_iter: steps for each C.  What separates the samples has no end, and stopping early is a penalty, too.
        tol: the largest step of a weight, as a share of the largest weight, at which it ends.

    Attributes:
        coef_, intercept_: (K, F) and (K,), of two classes K is 1.
        C_: that was taken.
        Cs_, coefs_: the path: (P,) and (P, K, F).
        scores_: (P,) mean accuracy on the inner splits; empty where C was given.
        sparsity_: the share of weights that are exactly zero.

    Source: Beck & Teboulle 2009, SIAM Journal on Imaging Sciences 2:183-202 (FISTA), with the restart of O'Donoghue &
    Candès 2015; the bounds of the curvature are Böhning's, 1992.

    Example:
        >>> random = np.random.default_rng(0)
        >>> x = random.normal(size=(200, 50))
        >>> found = L1LogisticRegression().fit(x, x[:, 3] > 0)
        >>> found.sparsity_ > 0.5, int(abs(found.coef_).argmax())
        (True, 3)
    """

    def __init__(self, C: float | None = None, *, cv: Any = SPLITS, max_iter: int = 1000, tol: float = 1e-5) -> None:
        self.C = C
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: ArrayLike, y: ArrayLike) -> "L1LogisticRegression":
        """Finds the path, and chooses on it."""
        from sklearn.utils.validation import validate_data

        values, labels = validate_data(self, X, y, dtype=(np.float64, np.float32))
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("L1LogisticRegression needs samples of at least 2 classes.")
        first = _first_c(values, _wanted(codes, len(self.classes_)))
        self.Cs_ = first * np.geomspace(1, REACH, STRENGTHS) if self.C is None else np.array([self.C])
        self.scores_ = np.zeros(0) if self.C is not None else self._inner_scores(values, codes)
        path = self._path(values, codes, self.tol)
        self.coefs_ = path[..., :-1]
        chosen = int(self.scores_.argmax()) if len(self.scores_) else 0  # the first of the best is the sparsest
        self.C_, self.coef_, self.intercept_ = float(self.Cs_[chosen]), self.coefs_[chosen], path[chosen, :, -1]
        self.sparsity_ = float((self.coef_ == 0).mean())
        self._last = path
        return self

    def _inner_scores(self, values: Values, codes: NDArray[np.int64]) -> Values:
        from sklearn.model_selection import check_cv

        scores = []
        for train, judged in check_cv(self.cv, codes, classifier=True).split(values, codes):
            path = self._path(values[train], codes[train], max(self.tol, LOOSE))
            scores.append([(_said(values[judged], one) == codes[judged]).mean() for one in path])
        return np.asarray(np.mean(scores, 0))

    def _path(self, values: Values, codes: NDArray[np.int64], tol: float) -> Values:
        """(P, K, F + 1) weights and, last, the intercept."""
        wanted = _wanted(codes, len(self.classes_))
        return np.stack(list(_walk(values, wanted, self.Cs_, self.max_iter, tol)))

    def said_along(self, X: ArrayLike) -> NDArray[Any]:  # Any: as the labels were
        """(P, N): what each point of the path answers."""
        values = np.asarray(X)
        return np.stack([self.classes_[_said(values, one)] for one in self._last])

    def decision_function(self, X: ArrayLike) -> Values:
        """(N,) of two classes, else (N, K): the logits."""
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        found = validate_data(self, X, reset=False) @ self.coef_.T + self.intercept_
        return np.asarray(found[:, 0] if len(self.classes_) == 2 else found)

    def predict_proba(self, X: ArrayLike) -> Values:
        """(N, K)."""
        from scipy.special import expit, softmax

        logits = self.decision_function(X)
        if logits.ndim == 1:
            return np.stack([expit(-logits), expit(logits)], 1)
        return np.asarray(softmax(logits, axis=1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # Any: as the labels were
        """(N,) the likeliest class."""
        logits = self.decision_function(X)
        return np.asarray(self.classes_[(logits > 0).astype(int) if logits.ndim == 1 else logits.argmax(1)])


def _wanted(codes: NDArray[np.int64], classes: int) -> Values:
    """(N, K) ones and zeros; of two classes (N, 1)."""
    return (codes == 1).astype(np.float64)[:, None] if classes == 2 else np.eye(classes)[codes]


def _first_c(values: Values, wanted: Values) -> float:
    """The smallest C at which a weight leaves zero."""
    steepest = float(np.abs(values.T @ (wanted - wanted.mean(0))).max())
    return 1 / steepest if steepest else 1.0


def _walk(values: Values, wanted: Values, strengths: Values, steps: int, tol: float) -> Iterable[Values]:
    """(K, F + 1) for each C, each from where the last one ended."""
    x = np.hstack([values, np.ones((len(values), 1), values.dtype)])
    goal = wanted.astype(x.dtype)
    curvature = _largest_eigenvalue(x) * (0.25 if goal.shape[1] == 1 else 0.5)
    weights = np.zeros((goal.shape[1], x.shape[1]), x.dtype)
    for strength in strengths:
        weights = _descend(x, goal, weights, 1 / (curvature * strength), 1 / curvature, steps, tol)
        yield weights.astype(np.float64)


def _descend(x: Values, goal: Values, start: Values, shrink: float, rate: float, steps: int, tol: float) -> Values:
    """FISTA from these weights."""
    weights, ahead, pace = start, start, 1.0
    for _ in range(steps):
        moved = ahead - x.dtype.type(rate) * ((_probabilities(x @ ahead.T) - goal).T @ x)
        moved[:, :-1] -= np.clip(moved[:, :-1], -shrink, shrink)  # the proximal step: to zero, and no further
        step = moved - weights
        if np.vdot(ahead - moved, step) > 0:  # it went too far: begin anew from here
            pace = 1.0
        following = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = moved + x.dtype.type((pace - 1) / following) * step
        weights, pace = moved, following
        if np.abs(step).max() <= tol * max(np.abs(weights).max(), 1e-6):
            break
    return weights


def _probabilities(logits: Values) -> Values:
    from scipy.special import expit, softmax

    return np.asarray(expit(logits) if logits.shape[1] == 1 else softmax(logits, axis=1))


def _said(values: Values, weights: Values) -> NDArray[np.int64]:
    """(N,) the place of the likeliest class."""
    logits = values @ weights[:, :-1].T + weights[:, -1]
    return (logits[:, 0] > 0).astype(np.int64) if logits.shape[1] == 1 else logits.argmax(1)


def _largest_eigenvalue(x: Values, rounds: int = 30) -> float:
    """Of x'x, by the power method; a little above it, for a step may not be too long."""
    vector = np.asarray(np.random.default_rng(0).normal(size=x.shape[1]), x.dtype)
    length = 0.0
    for _ in range(rounds):
        vector = (x @ (vector / np.linalg.norm(vector))) @ x
        length = float(np.linalg.norm(vector))
    return 1.02 * length or 1.0
