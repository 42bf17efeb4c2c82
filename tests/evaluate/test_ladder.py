"""The Ladder: what chance gives is not told; what is clearly better is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.evaluate.ladder import climbs

Bits = NDArray[np.bool_]


@pytest.mark.parametrize(
    ("gained", "lost", "told"),
    [
        (0, 0, False),
        (1, 0, False),
        (2, 0, True),
        (0, 2, False),
        (3, 1, False),
        (4, 1, True),
        (10, 6, False),
        (11, 6, True),
    ],
)
def test_a_score_is_told_when_what_was_gained_exceeds_its_standard_error(gained: int, lost: int, told: bool) -> None:
    last = np.arange(100) < 50
    right = last.copy()
    right[50 : 50 + gained], right[:lost] = True, False

    assert climbs(right, last) is told


def test_it_is_the_formula_of_the_paper() -> None:
    """Error below the last error minus the standard deviation, with n - 1, of the loss differences over sqrt(n)."""
    draw = np.random.default_rng(0)
    for _ in range(2_000):
        n = int(draw.integers(2, 60))
        right, last = draw.random((2, n)) < draw.random((2, 1))
        loss, last_loss = 1.0 - right, 1.0 - last
        room = last_loss.mean() - (loss - last_loss).std(ddof=1) / np.sqrt(n) - loss.mean()

        assert climbs(right, last) == (room > 0) or abs(room) < 1e-12  # floats miss a tie


def test_one_sample_proves_nothing() -> None:
    assert not climbs(np.array([True]), np.array([False]))


def attack(seed: int, *, guarded: bool, submissions: int = 1_000, n: int = 1_000) -> tuple[float, float]:
    """Blum & Hardt, section 5: guess at random, let each guess vote by what its score is said to be, submit the votes.

    Returns:
        The best score that was told, and the true one of the votes.
    """
    draw = np.random.default_rng(seed)
    truth = draw.random(n) < 0.5
    told: list[Bits] = []  # which answers were right, of each score that was told

    def submit(answers: Bits) -> float:
        right = answers == truth
        if not guarded or not told or climbs(right, told[-1]):
            told.append(right)
        return float(told[-1].mean())

    votes = np.zeros(n)
    for _ in range(submissions - 1):
        guess = draw.random(n) < 0.5
        votes += (2.0 * guess - 1) * (1 if submit(guess) > 0.5 else -1)
    submit(votes > 0)
    return max(float(right.mean()) for right in told), float(((votes > 0) == truth).mean())


def test_a_thousand_submissions_climb_the_raw_scores_of_random_labels_and_not_the_ladder() -> None:
    """n = 1,000 labels that are fair coins, 20 attacks: whatever scores far from 50 % is an illusion."""
    raw = np.array([attack(seed, guarded=False) for seed in range(20)])
    guarded = np.array([attack(seed, guarded=True) for seed in range(20)])

    assert raw[:, 0].min() > 0.75
    assert guarded[:, 1].max() < 0.55
    assert abs(guarded[:, 1].mean() - 0.5) < 0.02
    assert guarded[:, 0].mean() < 0.55  # the luckiest of a thousand independent guesses: the attack adds nothing
    assert guarded[:, 0].max() < 0.57
