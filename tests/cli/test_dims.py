from pathlib import Path
from typing import Any

import pytest

from .conftest import Says


def test_options_reach_what_python_takes(small: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict[str, Any]()
    monkeypatch.setattr("holdfast.runs.dimensions", lambda data, **options: given.update(options, data=data.name))

    code, _, err = says("dims", small, "--folds", 4, "--repeats", 1, "--seed", 3, "--out", "elsewhere")

    assert (code, err) == (0, "")
    assert given == {
        "data": "small",
        "cv": 4,
        "repeats": 1,
        "seed": 3,
        "out": Path("elsewhere"),
        "verbose": 1,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--folds", 2), "at least 3 folds are needed"), (("--folds", 99), "too few for 99 folds")],
    ids=["two", "99"],
)
def test_folds_that_cannot_be_are_one_line(small: Path, says: Says, words: tuple[str, int], message: str) -> None:
    code, _, err = says("dims", small, *words)

    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not list(Path("runs").glob("*-dims-*"))


@pytest.mark.slow
def test_dims_tells_folds_remedies_and_verdict(small: Path, says: Says) -> None:
    code, out, err = says("dims", small, "--folds", 3, "--repeats", 1)

    assert (code, err) == (0, "")
    words = [line.split()[0] for line in out.splitlines()]
    assert sum(line.startswith("fold") and "baseline" in line for line in out.splitlines()) == 3
    assert words.count("remedy") == 6
    assert [line for line in out.splitlines() if line.startswith(("verdict", "remedies", "more data", "outside"))]
    _, listed, _ = says("runs")
    assert "small-dims-001" in listed
    assert "best of 7, without luck" in listed
