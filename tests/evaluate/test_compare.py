"""Comparisons: exact values, who wins and how often by luck alone, and how alike seeds answer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadShape, BadValue
from holdfast.evaluate import Comparison, agreement_of_seeds, compare, wilson

TRUTH = np.zeros(100, np.int64)


def answers(*counts: int) -> dict[str, NDArray[np.int64]]:
    """Of two models: right in both, in the first only, in the second only; wrong in both, of 100 samples."""
    both, first, second = counts
    place = np.arange(100)
    return {
        "wide": np.where(place < both + first, 0, 1),
        "deep": np.where((place < both) | ((place >= both + first) & (place < both + first + second)), 0, 2),
    }


def test_every_figure_of_a_pair_can_be_counted_by_hand() -> None:
    (found,) = compare(TRUTH, answers(70, 15, 3))

    assert (found.first, found.second, found.n) == ("wide", "deep", 100)
    assert (found.first_accuracy, found.second_accuracy) == (0.85, 0.73)
    assert found.difference == pytest.approx(0.12)
    # 2 * (1 + 18 + 153 + 816) / 2**18: three or fewer of 18 tosses, or as many the other way.
    assert found.p == found.adjusted_p == pytest.approx(2 * 988 / 2**18)
    assert found.churn == pytest.approx(0.30)  # 18 that one gets right, 12 that both get wrong, differently
    assert found.both_wrong == pytest.approx(0.12)


def test_a_winner_is_named_with_effect_interval_p_and_n() -> None:
    (found,) = compare(TRUTH, answers(70, 15, 3))
    (other,) = compare(TRUTH, answers(70, 3, 15))

    assert found.winner == "wide"
    assert found.sentence == "wide beats deep by 12.0 points [3.7, 20.4], p=0.008, n=100"
    assert str(found) == found.sentence + "; 30.0 % of the answers differ"
    assert other.winner == "deep"
    assert other.sentence == "deep beats wide by 12.0 points [3.7, 20.4], p=0.008, n=100"


def test_where_no_difference_is_shown_nobody_wins() -> None:
    (found,) = compare(TRUTH, answers(70, 12, 6))

    assert found.winner is None
    assert found.sentence == "no difference shown between wide and deep: 6.0 points [-2.5, 14.6], p=0.238, n=100"


def test_models_that_answer_alike_differ_in_nothing() -> None:
    (found,) = compare(TRUTH, {"a": TRUTH, "b": TRUTH})

    assert (found.p, found.difference, found.churn, found.winner) == (1, 0, 0, None)
    assert found.interval == pytest.approx((-0.0370, 0.0370), abs=5e-5)  # one Wilson interval: nothing is certain


def test_holm_corrects_for_all_pairs_and_keeps_their_order() -> None:
    models = {"a": np.arange(100) >= 90, "b": np.arange(100) >= 80, "c": np.arange(100) >= 74}

    found = compare(TRUTH, models)

    # Alone: 10 of 10, 16 of 16, 6 of 6 discordant samples one way.
    raw = {("a", "b"): 2 / 2**10, ("a", "c"): 2 / 2**16, ("b", "c"): 2 / 2**6}
    assert {(one.first, one.second): one.p for one in found} == pytest.approx(raw)
    assert [one.adjusted_p for one in found] == pytest.approx([2 * 2 / 2**10, 3 * 2 / 2**16, 2 / 2**6])


def test_an_adjusted_p_is_at_most_one_and_never_below_that_of_a_smaller_p() -> None:
    found = compare(TRUTH, {"a": TRUTH, "b": np.arange(100) >= 95, "c": np.arange(100) >= 94, "d": np.arange(100) < 3})

    ordered = sorted(found, key=lambda one: one.p)
    assert [one.adjusted_p for one in ordered] == sorted(one.adjusted_p for one in ordered)
    assert max(one.adjusted_p for one in found) == 1


def alike(random: np.random.Generator, models: int, n: int = 300) -> dict[str, NDArray[np.int64]]:
    """Models of one accuracy, 80 %, whose mistakes have half in common."""
    hard = random.random(n) < 0.1
    return {f"model {index}": (hard | (random.random(n) < 1 / 9)).astype(np.int64) for index in range(models)}


def test_of_a_thousand_pairs_without_a_difference_at_most_six_percent_have_a_winner() -> None:
    random = np.random.default_rng(1)

    found = [compare(np.zeros(300), alike(random, 2))[0] for _ in range(1000)]

    assert sum(one.winner is not None for one in found) <= 60
    zero = sum(one.interval[0] <= 0 <= one.interval[1] for one in found)
    assert 930 <= zero <= 970  # the interval of the difference


def test_of_several_models_without_a_difference_at_most_six_percent_of_the_families_have_a_winner() -> None:
    random = np.random.default_rng(2)

    winners = [any(one.winner for one in compare(np.zeros(300), alike(random, 4))) for _ in range(200)]

    assert sum(winners) <= 12


def test_a_true_difference_is_mostly_found() -> None:
    random = np.random.default_rng(3)

    def pair() -> Comparison:
        models = {"good": random.random(1000) < 0.1, "poor": random.random(1000) < 0.15}
        return compare(np.zeros(1000), models)[0]

    assert [pair().winner for _ in range(100)].count("good") > 85


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(BadValue, match=r"^compare: 1 model given; it takes two or more.$"):
        compare(TRUTH, {"a": TRUTH})
    with pytest.raises(BadShape, match=r"^compare: targets have shape \(100,\), the answers of 'b' \(99,\); both must"):
        compare(TRUTH, {"a": TRUTH, "b": TRUTH[1:]})
    with pytest.raises(BadShape, match="with N of 1 or more"):
        compare([], {"a": [], "b": []})


def test_agreement_of_seeds_is_the_mean_over_pairs() -> None:
    said = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2]])  # pairs agree on 3, 2 and 2 of 4

    found = agreement_of_seeds(said)

    assert found.value == pytest.approx((3 + 2 + 2) / 12)
    assert (found.seeds, found.n) == (3, 4)
    assert str(found) == "58.3 % [19.5, 89.0] of the answers agree, 3 seeds, n=4"


def test_the_interval_of_an_agreement_holds_the_true_one() -> None:
    random = np.random.default_rng(4)

    def interval() -> tuple[float, float]:
        return agreement_of_seeds(random.random((5, 400)) < 0.2).interval  # two agree in 0.8² + 0.2² = 68 %

    found = [interval() for _ in range(200)]

    assert 182 <= sum(low <= 0.68 <= high for low, high in found) <= 198


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("n", [20, 200])
def test_the_interval_holds_the_true_agreement_where_nearly_all_answers_agree(seeds: int, n: int) -> None:
    random = np.random.default_rng(seeds + n)  # Student's t held 98.01 % in a third of cases of n = 20

    found = [agreement_of_seeds(random.random((seeds, n)) < 0.01).interval for _ in range(200)]

    assert sum(low <= 0.9802 <= high for low, high in found) >= 180


def test_full_agreement_of_few_samples_is_no_certainty() -> None:
    assert str(agreement_of_seeds(np.zeros((3, 20)))).startswith("100.0 % [83.9, 100.0]")
    assert agreement_of_seeds([[0], [0]]).interval == wilson(1, 1)


def test_agreement_needs_two_seeds() -> None:
    with pytest.raises(BadShape, match=r"^agreement_of_seeds: predictions have shape \(1, 3\); they must be \(S, N\)"):
        agreement_of_seeds([[0, 1, 2]])
