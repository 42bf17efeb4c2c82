"""When the answer is "unknown": coverage, other kinds of samples, and the way through the model file."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadShape, BadValue
from holdfast.layers import Dense, Input
from holdfast.models import Sequential, Unknown, load_keras

K = 5
Shares = NDArray[np.float64]


def softmax(logits: Shares) -> Shares:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    found: Shares = powers / powers.sum(1, keepdims=True)
    return found


def known(n: int, seed: int) -> Shares:
    """Of a net that knows: one class stands out, the others lie where they usually do."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, K, n)
    usual = 6 * np.eye(K) + np.random.default_rng(7).normal(0, 1, (K, K))
    return softmax(usual[labels] + random.normal(0, 0.7, (n, K)))


@pytest.mark.parametrize("coverage", [0.8, 0.95, 0.99])
def test_the_share_that_is_answered_is_the_coverage(coverage: float) -> None:
    shares = []
    for seed in range(20):
        found = Unknown.fit(known(500, 3 * seed), known(1000, 3 * seed + 1), coverage)
        assert found is not None
        shares.append(1 - found(known(2000, 3 * seed + 2)).mean())

    assert np.mean(shares) == pytest.approx(coverage, abs=0.004)  # the spread of one is about 0.8 points at 95 %
    assert min(shares) > coverage - 0.04


def test_few_held_out_samples_answer_at_least_the_coverage_on_average() -> None:
    shares = []
    for seed in range(300):
        found = Unknown.fit(known(200, 3 * seed), known(25, 3 * seed + 1), 0.9)
        assert found is not None
        shares.append(1 - found(known(200, 3 * seed + 2)).mean())

    assert 0.885 < np.mean(shares) < 0.95


def test_unsure_answers_are_unknown() -> None:
    found = Unknown.fit(known(500, 0), known(1000, 1))
    assert found is not None

    assert found(np.full((1, K), 1 / K)).all()
    assert found([[0.5, 0.49, 0.003, 0.003, 0.004]]).all()


def test_sure_answers_that_are_unlike_the_usual_ones_are_unknown() -> None:
    """A net is often surer of what it has never seen than of what it knows."""
    found = Unknown.fit(known(500, 0), known(1000, 1))
    assert found is not None
    strange = softmax(12 * np.eye(K)[[0, 3]])

    assert (strange.max(1) > known(500, 0).max()).all()
    assert found(strange).all()


def test_too_few_samples_promise_nothing() -> None:
    assert Unknown.fit(known(50, 0), known(18, 1), 0.95) is None
    assert Unknown.fit(known(50, 0), known(19, 1), 0.95) is not None
    assert Unknown.fit(known(50, 0), known(9, 1), 0.9) is not None
    assert Unknown.fit(known(50, 0), known(0, 1), 0.9) is None


def test_a_class_that_was_never_answered_and_probabilities_of_zero_do_no_harm() -> None:
    certain = np.eye(3)[np.arange(60) % 2]

    found = Unknown.fit(certain, certain)

    assert found is not None
    assert found.usual[2].tolist() == [0, 0, 0]
    assert not found(certain).any()
    assert found(np.eye(3)).tolist() == [False, False, True]


def test_it_is_kept_in_the_model_file(tmp_path: Path) -> None:
    model = Sequential([Input(4), Dense(K, "softmax")])
    model.unknown = Unknown.fit(known(500, 0), known(1000, 1), 0.9)
    assert model.unknown is not None

    model.save(tmp_path / "m.keras")
    again = load_keras(tmp_path / "m.keras").unknown

    assert again is not None
    assert (again.below, again.beyond, again.coverage) == (model.unknown.below, model.unknown.beyond, 0.9)
    np.testing.assert_array_equal(again.usual, model.unknown.usual)
    np.testing.assert_array_equal(again(known(300, 5)), model.unknown(known(300, 5)))


def test_a_model_without_it_knows_everything(tmp_path: Path) -> None:
    model = Sequential([Input(4), Dense(K, "softmax")])
    model.save(tmp_path / "m.keras")

    assert load_keras(tmp_path / "m.keras").unknown is None


def test_training_on_forgets_it() -> None:
    model = Sequential([Input(4), Dense(2, "softmax")])
    model.unknown = Unknown.fit(known(50, 0)[:, :2], known(50, 1)[:, :2])

    model.fit(np.zeros((8, 4), np.float32), np.arange(8) % 2, verbose=0)

    assert model.unknown is None


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0, float("nan")])
def test_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(BadValue, match=r"must be a share between 0 and 1, such as 0\.95"):
        Unknown.fit(known(50, 0), known(50, 1), coverage)


def test_probabilities_are_rows_of_the_same_classes() -> None:
    with pytest.raises(BadShape, match=r"have shapes \(50, 5\) and \(50, 4\)"):
        Unknown.fit(known(50, 0), known(50, 1)[:, :4])
