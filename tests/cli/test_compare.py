"""`holdfast compare`: what it prints, what it writes, what it refuses."""

from pathlib import Path

import pytest

from holdfast.runs import Record

from .conftest import Says

QUICK = ("--epochs", 2, "--device", "cpu", "-q")


@pytest.fixture
def two(small: Path, says: Says) -> None:
    """runs/small-001 and runs/small-002, of the convnet and its dense twin."""
    for model in ("convnet", "dense"):
        says("train", small, "--model", model, *QUICK)


def test_a_table_a_sentence_the_looks_and_the_page(two: None, says: Says) -> None:
    code, out, err = says("compare", "runs/small-001", "runs/small-002")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("run        model               validation accuracy")
    assert lines[1].startswith("small-001  convnet ")
    assert lines[2].startswith("small-002  convnet_dense_twin  ")
    assert "small-001" in lines[4]
    assert ", p" in lines[4]
    assert "n=14" in lines[4]
    assert lines[5].startswith("The validation samples were looked at ")
    assert lines[6] == "page      runs/compare-small-001-small-002.html"
    assert Path("runs/compare-small-001-small-002.html").is_file()


def test_quiet_prints_nothing_and_the_page_goes_where_it_is_told(two: None, says: Says) -> None:
    code, out, err = says("compare", "runs/small-001", "runs/small-002", "--quiet", "--out", "päges")

    assert (code, out, err) == (0, "", "")
    assert Path("päges/compare-small-001-small-002.html").is_file()


def test_the_twin_is_trained_and_compared_and_the_second_time_only_compared(small: Path, says: Says) -> None:
    says("train", small, *QUICK)

    code, out, _ = says("compare", "--twin", "runs/small-001")
    assert code == 0
    assert "model     convnet_dense_twin: 2 dense" in out
    assert "page      runs/compare-small-001-small-002.html" in out
    assert "dense twin" in Record.read(Path("runs/small-001")).scores["baselines"]

    code, out, _ = says("compare", "--twin", "runs/small-001")
    assert code == 0
    assert out.startswith("twin      runs/small-002 is the dense twin of small-001 already; it is not trained again\n")
    assert not Path("runs/small-003").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing argument 'RUN...'.  See: holdfast compare --help"),
        (("runs/small-001",), "runs/small-001 is one run; give another to compare it with, or --twin."),
        (("runs/small-001", "runs/small-001"), "it takes two or more different runs"),
        (("runs/small-001", "runs/no"), "runs/no: is no run, it has no run.json; `holdfast runs` lists them."),
        (("--twin", "runs/small-001", "runs/small-002"), "--twin compares one run with its dense twin; 2 are given."),
        (("--twin", "runs/small-002"), "runs/small-002: its model has no convolutions"),
    ],
)
def test_what_cannot_be_compared_is_one_line(two: None, says: Says, words: tuple[str, ...], message: str) -> None:
    code, out, err = says("compare", *words)

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert " ".join(message.split()) in err
