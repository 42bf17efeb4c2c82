"""`holdfast tune`: from a file and a space to a run, and one line for what is wrong."""

from pathlib import Path

import pytest

from holdfast.cli.tune import seconds
from holdfast.core import BadValue

from .conftest import Says

SPACE = "units = [4, 8]\nlearning_rate = { low = 0.001, high = 0.1, log = true }\n"
SHORT = ("--model", "dense", "--trials", "3", "--epochs", "2", "--pruner", "none", "--device", "cpu")


@pytest.fixture
def searched(small: Path, says: Says) -> Path:
    """The folder of a search."""
    (small.parent / "space.toml").write_text(SPACE, encoding="utf-8")
    code, out, err = says("tune", small.name, "--space", "space.toml", *SHORT)
    assert (code, err) == (0, "")
    assert "bit for bit" in out
    return Path("runs/small-tune-001")


def test_a_search_becomes_a_report_a_file_of_values_and_a_run(searched: Path, small: Path, says: Says) -> None:
    code, out, err = says("runs")
    lines = out.splitlines()

    assert (code, err) == (0, "")
    assert "the best of 3 trials without the luck (seen: " in next(line for line in lines if "small-tune-001" in line)
    assert sorted(path.name for path in searched.iterdir()) == [
        "best.toml",
        "report.html",
        "report.json",
        "run.json",
        "trials",
        "trials.csv",
    ]
    assert says("evaluate", "runs/small-001")[0] == 0
    assert says("train", small.name, "--model", "dense", "--config", searched / "best.toml", "--epochs", 2)[0] == 0


def test_one_line_says_what_goes_on_with_what(searched: Path, says: Says) -> None:
    for words, said in (
        (("train", "--resume", searched), "is a search; go on with: holdfast tune --resume runs/small-tune-001"),
        (("tune", "--resume", searched), "this search has finished; there is nothing to resume."),
        (("tune", "--resume", "runs/small-001"), "is no search; go on with: holdfast train --resume runs/small-001"),
        (("tune", "--resume", searched, "--trials", 9), "leave --trials out."),
        (("evaluate", searched), "is a search, not a run; what it found is in"),
        (("compare", searched, "runs/small-001"), "is a search; compare takes trainings or cross-validations."),
    ):
        code, _, err = says(*words)

        assert code == 2
        assert said in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "DATA is missing; try: holdfast tune digits"),
        (("digits", "--time", "5"), "--time 5: must be a number with its unit, such as 90s, 30m, 2h or 1h30m."),
        (("digits", "--nested", "3", "--cv", "5"), "nested and cv exclude each other"),
        (("digits", "--refit", "same", "--cv", "5"), "with folds that is several models; take 'all'."),
        (("digits", "--nested", "1"), "nested=1: must be a number of outer folds, 2 or more."),
        (("digits", "--space", "nowhere.toml"), "nowhere.toml: No such file or directory."),
        (("digits", "--workers", "2"), "add on='ray'"),
        (("--resume", "nowhere"), "nowhere: is no run, it has no run.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_line_before_anything_is_read(
    words: tuple[str, ...], said: str, here: Path, says: Says
) -> None:
    code, out, err = says("tune", *words)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("0.5h", 1800)], ids=str
)
def test_a_time_has_a_unit(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["90", "0s", "m", "1h 30", "-5m", "soon"], ids=str)
def test_a_wrong_time_is_told(text: str) -> None:
    with pytest.raises(BadValue, match=r"^--time .+: must be "):
        seconds(text)


def test_help_teaches(says: Says) -> None:
    out = says("tune", "--help")[1]

    for word in ("--trials", "--time", "--space", "--cv", "--nested", "--refit", "--resume", "best.toml"):
        assert word in out
