from pathlib import Path

import numpy as np
import pytest

from .conftest import Says

QUICK = ("--epochs", 2, "--model", "dense", "--device", "cpu")


def test_crossval_tells_each_fold_and_the_score(small: Path, says: Says) -> None:
    code, out, err = says("crossval", small, "--folds", 3, *QUICK)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in lines[3:6]] == [["fold", "1"], ["fold", "2"], ["fold", "3"]]
    assert lines[-2].startswith("score     out-of-fold accuracy ")
    assert "n=76" in lines[-2]  # 90 without the sealed 14
    assert lines[-1].startswith("saved     runs/small-crossval-001 ")
    code, listed, _ = says("runs")
    assert "small-crossval-001" in listed
    assert "n=76, cross-validated" in listed


def test_folds_of_several_repeats_say_which(small: Path, says: Says) -> None:
    _, out, _ = says("crossval", small, "--folds", 2, "--repeats", 2, *QUICK)

    folds = [line for line in out.splitlines() if line.startswith("fold")]
    assert [line.rpartition(", ")[2] for line in folds] == [f"repeat {n} of 2" for n in (1, 1, 2, 2)]


def test_quiet_says_nothing(small: Path, says: Says) -> None:
    assert says("crossval", small, "--folds", 2, *QUICK, "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--folds", "group"), "must be a number of folds, 'groups'"),
        (("--folds", "1"), "at least 2 folds"),
        (("--folds", "99"), "too few for 99 folds"),
        (("--folds", "groups"), "has no groups to leave out"),
        (("--model", "convnot"), "did you mean 'convnet'"),
    ],
)
def test_wrong_words_are_one_line(small: Path, says: Says, words: tuple[str, ...], message: str) -> None:
    code, _, err = says("crossval", small, *QUICK, *words)

    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not Path("runs").exists() or not list(Path("runs").glob("small-*"))


def test_a_cross_validation_is_no_run_to_predict_with(small: Path, says: Says) -> None:
    says("crossval", small, "--folds", 2, *QUICK)

    code, _, err = says("evaluate", "runs/small-crossval-001")

    assert (code, err.count("\n")) == (2, 1)
    assert "is a cross-validation" in err


def test_of_few_groups_none_is_sealed_as_in_training(tmp_path: Path, says: Says) -> None:
    """One of four was sealed here and none by `train`, so that four folds of four speakers were refused."""
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "four.npz", images=images, labels=np.arange(48) % 2, who=np.arange(48) // 12)

    code, out, err = says("crossval", tmp_path / "four.npz", "--group-by", "who", "--folds", 4, *QUICK)

    assert (code, err) == (0, "")
    assert "no test part" in out
    assert sum(line.startswith("fold ") for line in out.splitlines()) == 4
