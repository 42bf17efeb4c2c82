"""A fitted pipeline as a model: the same answers, also after it was saved."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA, FastICA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from holdfast.core import BadValue
from holdfast.features import Remedy, as_model, baseline, remedies
from holdfast.models import load_keras

SHAPE, N = (4, 3, 1), 90
VALUES = np.random.default_rng(0).normal(2, 3, size=(N, 12)).astype(np.float32)
LABELS = np.arange(N) % 3
EVERY = (baseline(), *remedies(SHAPE, N))


@pytest.mark.parametrize("remedy", EVERY, ids=[one.name for one in EVERY])
def test_the_model_answers_as_the_pipeline(remedy: Remedy, tmp_path: Path) -> None:
    fitted = remedy.fitted(VALUES, LABELS, [])

    model = as_model(fitted, SHAPE)

    wanted = fitted.predict_proba(VALUES)
    samples = VALUES.reshape(N, *SHAPE)
    np.testing.assert_allclose(model.predict(samples), wanted, atol=2e-5)  # float32 against float64
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(load_keras(tmp_path / "model.keras").predict(samples), wanted, atol=2e-5)


def test_two_classes_have_two_probabilities() -> None:
    fitted = remedies((12,), N)[0].fitted(VALUES, LABELS % 2, [])

    np.testing.assert_allclose(as_model(fitted, (12,)).predict(VALUES), fitted.predict_proba(VALUES), atol=2e-5)


def test_a_whitened_pca_is_one_too() -> None:
    fitted = make_pipeline(PCA(3, whiten=True), LogisticRegression()).fit(VALUES, LABELS)

    np.testing.assert_allclose(as_model(fitted, (12,)).predict(VALUES), fitted.predict_proba(VALUES), atol=2e-5)


def test_a_step_without_a_layer_is_named() -> None:
    fitted = make_pipeline(FastICA(2, whiten="unit-variance", random_state=0), LogisticRegression())

    with pytest.raises(BadValue, match="no layer stands for FastICA"):
        as_model(fitted, (12,))


def test_a_pipeline_without_a_classifier_is_no_model() -> None:
    with pytest.raises(BadValue, match="the last step is PCA; it must be a logistic regression"):
        as_model(make_pipeline(PCA(2)), (12,))
