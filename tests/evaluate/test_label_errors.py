"""Suspected label errors: what is planted is found."""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import MissingExtra
from holdfast.evaluate import label_errors

pytest.importorskip("cleanlab", reason="not installed: pip install 'holdfast[labels]'")


def planted(n: int = 600, k: int = 4) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Labels of which one in 20 is wrong, probabilities that know the truth more or less, and the wrong ones."""
    random = np.random.default_rng(0)
    truth = np.arange(n) % k
    logits = random.normal(0, 1, (n, k)) + 4 * np.eye(k)[truth]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = random.permutation(n)[: n // 20]
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + random.integers(1, k, len(wrong))) % k
    return labels, shares.astype(np.float32), wrong


def test_wrong_labels_come_first_and_are_suspected() -> None:
    labels, shares, wrong = planted()

    found = label_errors(labels, shares)

    assert sorted(found.order) == list(range(600))
    assert np.isin(wrong, found.order[:45]).mean() >= 0.9  # 7.5 %
    assert found.suspected[wrong].mean() >= 0.8
    assert set(found.order[: len(found)]) == set(np.flatnonzero(found.suspected))


def test_a_suspected_label_comes_with_another_suggestion() -> None:
    labels, shares, _ = planted()

    found = label_errors(labels, shares)

    assert (found.suggested == shares.argmax(1)).all()
    assert (found.suggested != labels)[found.suspected].all()
    np.testing.assert_allclose(found.quality, shares[np.arange(600), labels], rtol=1e-5)


def test_nothing_is_suspected_where_all_fits() -> None:
    found = label_errors([0, 1, 2] * 10, np.tile(np.eye(3) * 0.7 + 0.1, (10, 1)))

    assert len(found) == 0


def test_without_cleanlab_it_is_said_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.rank", None)

    with pytest.raises(MissingExtra, match=r"^cleanlab is not installed; run: pip install 'holdfast\[labels\]'$"):
        label_errors([0, 1], [[0.9, 0.1], [0.1, 0.9]])


def test_classes_of_few_or_no_samples_are_no_warning_each() -> None:
    labels, shares = np.repeat([0, 1], 20), np.full((40, 3), 1 / 3)  # warnings are errors here

    assert len(label_errors(labels, shares).order) == 40
