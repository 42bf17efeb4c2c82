"""Agreement between annotators, against published examples, and annotators that are known."""

import tracemalloc
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadFile
from holdfast.evaluate import Answers, agreement, holds_answers, read_answers, read_gold
from holdfast.evaluate.agreement import dawid_skene

Row = tuple[str, str, str]
pytest.importorskip("cleanlab", reason="not installed: pip install 'holdfast[labels]'")

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units.
KRIPPENDORFF = ["123321412***", "1233224125*3", "*3332342251*", "12332441251*"]
# Fleiss 1971, the ratings of 10 subjects by 14 psychiatrists, as Wikipedia's "Fleiss' kappa" has them.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def table(*annotators: str) -> list[Row]:
    """A word an annotator, a sign an item, * for none."""
    return [
        (f"item {n}", f"annotator {a}", sign)
        for a, signs in enumerate(annotators)
        for n, sign in enumerate(signs)
        if sign != "*"
    ]


def simulated(accuracies: dict[str, float], n: int, k: int, seed: int) -> tuple[list[Row], NDArray[np.int64]]:
    """Answers of annotators who are wrong so often, and the truth; a tenth of the answers is missing."""
    random = np.random.default_rng(seed)
    truth, rows = random.integers(0, k, n), list[Row]()
    for name, accuracy in accuracies.items():
        wrong = (truth + random.integers(1, k, n)) % k
        said = np.where(random.random(n) < accuracy, truth, wrong)
        rows += [(f"{i}", name, f"{said[i]}") for i in range(n) if random.random() < 0.9]
    return rows, truth


def test_krippendorffs_alpha_is_that_of_his_own_example() -> None:
    found = agreement(Answers.of(table(*KRIPPENDORFF)))

    assert found.krippendorff == pytest.approx(0.743, abs=5e-4)


def test_fleiss_kappa_is_that_of_the_published_example() -> None:
    rows = [
        (f"subject {n}", f"rating {place}", f"{label}")
        for n, counts in enumerate(FLEISS)
        for place, label in enumerate(np.repeat(np.arange(5), counts))
    ]

    found = agreement(Answers.of(rows))

    assert found.fleiss == pytest.approx(0.210, abs=5e-4)
    assert found.fleiss_n == 10


def test_fleiss_kappa_is_over_the_items_with_as_many_answers_as_most() -> None:
    found = agreement(Answers.of([*table("abab", "abba", "abab"), ("one more", "annotator 0", "a")]))

    assert found.fleiss_n == 4
    assert found.fleiss == pytest.approx(1 - (4 / 12) / (1 - 0.5**2 - 0.5**2))  # 8 of 12 pairs agree; 6 a and 6 b


def test_cohens_kappa_is_that_of_the_published_example() -> None:
    """Wikipedia, "Cohen's kappa": 20 times both say yes, 15 times both no, 5 and 10 times they differ."""
    first, second = "y" * 25 + "n" * 25, "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15

    (pair,) = agreement(Answers.of(table(first, second))).cohen

    assert pair.kappa == pytest.approx(0.4)
    assert (pair.first, pair.second, pair.n) == ("annotator 0", "annotator 1", 50)


def test_cronbachs_alpha_is_that_of_the_published_example() -> None:
    """Zach 2021 at statology.org, "How to calculate Cronbach's alpha in Python", by pingouin: 0.7734375."""
    found = agreement(Answers.of(table("1223223323", "1112332333", "1121233323")))

    assert found.cronbach == pytest.approx(0.7734375)


def test_cronbachs_alpha_takes_numbers() -> None:
    assert isnan(agreement(Answers.of(table("abab", "abba"))).cronbach)


def test_the_consensus_is_that_of_crowd_kit() -> None:
    """crowd-kit 1.4.2, DawidSkene(n_iter=300, tol=0), on the same answers; the first eight items."""
    random = np.random.default_rng(1)
    rows = list[Row]()
    for n in range(80):
        truth = "abc"[n % 3]
        for annotator, accuracy in zip("wxyz", (0.8, 0.7, 0.6, 0.5), strict=True):
            if random.random() < 0.85:
                said = truth if random.random() < accuracy else str(random.choice(list("abc")))
                rows.append((f"i{n}", annotator, said))

    found = dawid_skene(Answers.of(rows))

    wanted = [
        [0.9827, 0.0022, 0.0151],
        [0.0137, 0.9863, 0.0],
        [0.0, 0.0, 1.0],
        [0.9823, 0.0015, 0.0163],
        [0.0, 1.0, 0.0],
        [0.0, 0.1471, 0.8529],
        [0.8661, 0.0071, 0.1269],
        [0.0, 0.2138, 0.7862],
    ]
    np.testing.assert_allclose(found[:8], wanted, atol=1e-4)


@pytest.mark.parametrize("k", [3, 10])
def test_three_simulated_annotators_are_recovered_within_2_points_without_gold(k: int) -> None:
    accuracies = {"ann": 0.95, "bob": 0.85, "cem": 0.7}
    rows, truth = simulated(accuracies, 2000, k, seed=0)

    found = agreement(answers := Answers.of(rows))

    for one in found.annotators:
        right = np.mean([label == f"{truth[int(item)]}" for item, name, label in rows if name == one.name])
        assert one.accuracy == pytest.approx(right, abs=0.02)
        assert one.accuracy == pytest.approx(accuracies[one.name], abs=0.02)
        assert one.gold is None
    shares = [one.accuracy for one in found.annotators]
    assert found.single.value == pytest.approx(np.mean(shares), abs=0.005)
    said = np.array([int(answers.classes[place]) for place in found.consensus])
    asked = truth[[int(item) for item in answers.items]]
    assert (said == asked).mean() > 0.945  # as good as the best of them, of whom nobody told
    assert found.against_consensus.value == pytest.approx((said == asked).mean(), abs=0.02)


def test_a_crowd_costs_what_it_answers() -> None:
    random = np.random.default_rng(0)
    truth, items = random.integers(0, 20, 4000), np.repeat(np.arange(4000), 5)
    table = np.full((4000, 300), -1)
    said = np.where(random.random(20_000) < 0.8, truth[items], random.integers(0, 20, 20_000))
    table[items, (items * 7 + np.arange(20_000) * 11) % 300] = said
    names = [tuple(map(str, range(size))) for size in (4000, 300, 20)]
    tracemalloc.start()

    found = dawid_skene(Answers(names[0], names[1], names[2], table))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # who did not answer, too, counted once: 192 MB an array, and minutes
    assert (found.argmax(1) == truth).mean() > 0.95


def test_gold_measures_annotators_and_the_ceiling() -> None:
    rows, truth = simulated({"ann": 0.9, "bob": 0.6}, 400, 4, seed=0)
    gold = {f"{n}": f"{truth[n]}" for n in range(0, 400, 2)}

    found = agreement(Answers.of(rows), gold)

    counts = []
    for one in found.annotators:
        judged = [label == gold[item] for item, who, label in rows if who == one.name and item in gold]
        counts.append((sum(judged), len(judged)))
        assert one.gold == counts[-1]
        assert isnan(one.accuracy)  # two cannot be told apart without gold
    right, n = np.sum(counts, axis=0)
    assert found.single.n == n
    assert found.single.interval is not None
    assert found.single.value == pytest.approx(right / n)
    assert found.against_consensus.interval is not None


def test_two_annotators_without_gold_have_no_ceiling() -> None:
    found = agreement(Answers.of(table("abab", "abba")))

    assert isnan(found.single.value)
    assert isnan(found.against_consensus.value)


def test_annotators_who_always_say_the_same_have_no_kappa() -> None:
    found = agreement(Answers.of([("1", "ann", "a"), ("1", "bob", "a"), ("2", "ann", "b")]))

    assert [pair.kappa for pair in found.cohen] == pytest.approx([nan], nan_ok=True)
    assert isnan(found.krippendorff)
    assert isnan(found.fleiss)


def test_answers_are_read_from_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("label, annotator ,seconds,item\n10,ann,3,x.jpg\n9,bob,4,x.jpg\n\n", encoding="utf-8-sig")

    found = read_answers(path)

    assert holds_answers(path)
    assert (found.items, found.annotators, found.classes) == (("x.jpg",), ("ann", "bob"), ("9", "10"))
    assert found.table.tolist() == [[1, 0]]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("path,label\na,b\n", BadFile, "has no column 'item'; its first line must name item,annotator,label"),
        ("", BadFile, "has no column 'item'"),
        ("item,annotator,label\n1,ann,\n", BadData, "row 2 has no item or annotator or label"),
        ("item,annotator,label\n1,ann,a\n1,ann,b\n1,bob,a\n", BadData, "annotator 'ann' answers item '1' twice"),
        ("item,annotator,label\n1,ann,a\n", BadData, "answers: 1, annotators: 1, labels: 1; agreement needs 2"),
    ],
)
def test_what_is_wrong_with_answers_is_said_in_one_line(
    tmp_path: Path, text: str, error: type[Exception], said: str
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(error, match=said):
        read_answers(path)


def test_gold_must_not_contradict_itself_and_must_be_of_these_items(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("item,label\n1,a\n1,b\n", encoding="utf-8")

    with pytest.raises(BadData, match="item '1' has two labels, 'a' and 'b'"):
        read_gold(path)
    with pytest.raises(BadData, match="none of the 1 gold items was answered; the first is 'other'"):
        agreement(Answers.of(table("ab", "ab")), {"other": "a"})


def test_a_folder_and_other_files_hold_no_answers(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("path,label\na.png,cat\n", encoding="utf-8")

    assert [holds_answers(tmp_path / name) for name in ("", "data.csv", "none.csv")] == [False, False, False]
