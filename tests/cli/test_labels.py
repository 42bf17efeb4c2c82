"""`holdfast labels`, and what `holdfast predict` does not know."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Says

needs_labels = pytest.mark.usefixtures("extra")


@pytest.fixture
def extra() -> None:
    pytest.importorskip("cleanlab", reason="not installed: pip install 'holdfast[labels]'")


@pytest.fixture
def answers(here: Path) -> Path:
    """`answers.csv` of three annotators who are right in 95, 85 and 70 % of 300 items, and `gold.csv` of a third."""
    random = np.random.default_rng(0)
    words = np.array(["cat", "dog", "owl"])
    truth = random.integers(0, 3, 300)
    rows = ["item,annotator,label"]
    for name, accuracy in (("ann", 0.95), ("bob", 0.85), ("cem", 0.7)):
        said = np.where(random.random(300) < accuracy, truth, (truth + random.integers(1, 3, 300)) % 3)
        rows += [f"{n}.jpg,{name},{words[label]}" for n, label in enumerate(said)]
    (here / "answers.csv").write_text("\n".join(rows), encoding="utf-8")
    gold = [f"{n}.jpg,{words[truth[n]]}" for n in range(0, 300, 3)]
    (here / "gold.csv").write_text("\n".join(["item,label", *gold]), encoding="utf-8")
    return here / "answers.csv"


@needs_labels
def test_answers_of_annotators_give_agreement_accuracy_ceiling_and_consensus(answers: Path, says: Says) -> None:
    code, out, err = says("labels", "answers.csv", "--gold", "gold.csv")

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "answers   900 on 300 items by 3 annotators, 3 labels"
    assert lines[1].startswith("agreement Krippendorff's alpha 0.")
    assert "Fleiss' kappa 0." in lines[1]
    assert lines[2].strip().startswith("Cohen's kappa of ann and bob 0.")
    assert lines[5].startswith("annotator ann: 300 answers, estimated accuracy 9")
    assert " on gold 9" in lines[5]
    assert "n=100" in lines[5]
    assert lines[8].startswith("ceiling   a perfect model scores 8")
    assert "(n=300 on gold) against the answers of one annotator" in lines[8]
    assert "(n=100 on gold) against the consensus" in lines[9]
    assert lines[10] == "consensus answers-consensus.csv"
    with Path("answers-consensus.csv").open(newline="", encoding="utf-8") as file:
        consensus = list(csv.DictReader(file))
    with Path("gold.csv").open(newline="", encoding="utf-8") as file:
        gold = {row["item"]: row["label"] for row in csv.DictReader(file)}
    assert len(consensus) == 300
    assert np.mean([row["label"] == gold[row["item"]] for row in consensus if row["item"] in gold]) > 0.9
    assert {row["answers"] for row in consensus} == {"3"}


@needs_labels
def test_without_gold_the_ceiling_is_estimated(answers: Path, says: Says) -> None:
    code, out, _ = says("labels", "answers.csv")

    assert code == 0
    assert "% (estimated) against the answers of one annotator" in out
    assert "gold" not in out


@needs_labels
def test_wrong_labels_of_pictures_are_searched_and_a_sheet_is_written(photos: Path, says: Says) -> None:
    code, out, err = says("labels", "my photos", "--folds", 2, "--epochs", 2, "--model", "dense", "--device", "cpu")

    assert (code, err) == (0, "")
    assert "labels    " in out
    assert "suspected" in out
    assert (Path("runs") / "my-photos-crossval-001" / "labels.html").exists()
    assert (Path("runs") / "my-photos-crossval-001" / "labels.csv").exists()


def test_gold_is_for_answers(small: Path, says: Says) -> None:
    code, _, err = says("labels", "small.npz", "--gold", "gold.csv")

    assert code == 2
    assert err.startswith("holdfast: --gold goes with answers, and small.npz is no CSV with the columns item,annotator")
    assert err.count("\n") == 1


def test_answers_under_other_names_are_told_the_right_ones(here: Path, says: Says) -> None:
    Path("answers.csv").write_text("item,who,label\n1,ann,cat\n", encoding="utf-8")

    code, _, err = says("labels", "answers.csv")

    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("For answers of annotators its columns must be item,annotator,label.\n")


def test_without_the_extra_it_is_said_what_to_run(answers: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk.metrics.agreement", None)
    monkeypatch.setitem(sys.modules, "statsmodels.stats.inter_rater", None)

    code, _, err = says("labels", "answers.csv")

    assert code == 2
    assert err == "holdfast: statsmodels is not installed; run: pip install 'holdfast[labels]'\n"


def test_predict_says_unknown_of_pictures_unlike_those_it_learned_from(here: Path, says: Says) -> None:
    random = np.random.default_rng(0)
    for name, light in (("dark", 0), ("light", 200)):
        for number in range(60):
            folder = here / "shades" / name
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(light, light + 50, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    Image.fromarray(np.full((8, 8, 3), 20, np.uint8)).save(here / "night.png")
    Image.fromarray(np.full((8, 8, 3), 125, np.uint8)).save(here / "between.png")
    trained, _, err = says(
        "train", "shades", "--model", "dense", "--epochs", 20, "--validation", 0.3, "--coverage", 0.9, "--device", "cpu"
    )
    assert (trained, err) == (0, "")

    code, out, _ = says("predict", "runs/shades-001", "night.png", "between.png")

    assert code == 0
    known, unknown = out.splitlines()
    assert known.startswith("night.png  dark 9")
    assert unknown.startswith("between.png  unknown (best guess ")
    assert unknown.endswith(" %)")


def test_coverage_is_checked_before_the_data_is_read(here: Path, says: Says) -> None:
    code, _, err = says("train", "nowhere", "--coverage", 95)

    assert code == 2
    assert err == "holdfast: coverage=95.0: must be a share between 0 and 1, such as 0.95.\n"
