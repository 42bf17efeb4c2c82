"""The L1 penalty: the same minimum as scikit-learn's, with true zeros."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from holdfast.features import L1LogisticRegression

Samples = tuple[NDArray[np.float64], NDArray[np.int64]]


def samples(n: int = 150, features: int = 20, classes: int = 2, telling: int = 4) -> Samples:
    """Of `features` numbers the first `telling` say something of the class."""
    random = np.random.default_rng(0)
    values, weights = random.normal(size=(n, features)), np.zeros((features, classes))
    weights[:telling] = 2 * random.normal(size=(telling, classes))
    return values, (values @ weights + random.gumbel(size=(n, classes))).argmax(1)


def cost(values: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64], bias: object) -> float:
    """What both minimise, for C of 0.3."""
    logits = values @ weights.T + np.asarray(bias)
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    return float(-log_softmax(logits, 1)[np.arange(len(labels)), labels].sum() + np.abs(weights).sum() / 0.3)


@pytest.mark.parametrize("classes", [2, 4], ids=["two classes", "four classes"])
def test_it_finds_the_minimum_that_scikit_learn_finds(classes: int) -> None:
    values, labels = samples(classes=classes)

    ours = L1LogisticRegression(C=0.3, tol=1e-9, max_iter=5000).fit(values, labels)

    theirs = LogisticRegression(C=0.3, l1_ratio=1, solver="saga", tol=1e-8, max_iter=20_000).fit(values, labels)
    assert cost(values, labels, ours.coef_, ours.intercept_) == pytest.approx(
        cost(values, labels, theirs.coef_, theirs.intercept_), rel=1e-6
    )
    np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=5e-3)
    np.testing.assert_array_equal(ours.predict(values), ours.classes_[ours.predict_proba(values).argmax(1)])


def test_zeros_are_zeros_and_grow_rarer_along_the_path() -> None:
    values, labels = samples()

    found = L1LogisticRegression().fit(values, labels)

    zeros = (found.coefs_ == 0).mean((1, 2))
    assert zeros[0] > 0.9
    assert (np.diff(zeros) <= 0.051).all()  # a weight may come back to zero now and then
    assert found.sparsity_ == zeros[list(found.Cs_).index(found.C_)]
    assert np.abs(found.coef_[0]).argmax() < 4


def test_of_noise_the_sparsest_model_is_chosen_among_equals() -> None:
    values = np.random.default_rng(0).normal(size=(60, 30))

    found = L1LogisticRegression().fit(values, np.arange(60) % 3)

    best = np.flatnonzero(found.scores_ == found.scores_.max())
    assert found.Cs_[best[0]] == found.C_


def test_the_path_says_what_each_point_of_it_says() -> None:
    values, labels = samples(classes=3)
    found = L1LogisticRegression().fit(values, labels)

    said = found.said_along(values)

    assert said.shape == (10, 150)
    np.testing.assert_array_equal(said[list(found.Cs_).index(found.C_)], found.predict(values))


def test_labels_may_be_words_and_a_clone_is_unfitted() -> None:
    values, labels = samples()
    words = np.array(["no", "yes"])[labels]

    found = L1LogisticRegression(C=1.0).fit(values, words)

    assert set(found.predict(values)) == {"no", "yes"}
    assert not hasattr(clone(found), "coef_")


def test_one_class_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2 classes"):
        L1LogisticRegression().fit(np.zeros((4, 2)), [1, 1, 1, 1])
