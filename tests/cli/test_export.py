"""`holdfast export`: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from holdfast.export import onnx as onnx_format
from holdfast.models import extras

from .conftest import Says


@pytest.fixture
def run(small: Path, says: Says) -> Path:
    assert says("train", small, "--epochs", 2, "--quiet")[0] == 0
    return Path("runs/small-001")


def test_it_prints_where_it_is_and_how_alike_it_is(run: Path, says: Says) -> None:
    code, out, err = says("export", run, "--to", "onnx")

    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 3)
    assert lines[0].startswith("onnx      runs/small-001/export/onnx/model.onnx, ")
    assert lines[1].startswith("parity    n=14 arrays of validation, by onnxruntime ")
    assert "max |dp| " in lines[1]
    assert "100 % agree" in lines[1]
    assert lines[2].startswith("latency   ")
    assert json.loads(Path("runs/small-001/export/onnx/parity.json").read_text())["passed"]


def test_all_formats_go_into_a_folder_that_is_named(run: Path, says: Says) -> None:
    assert says("export", run, "--to", "all", "--out", "site", "--quiet")[:2] == (0, "")

    assert sorted(path.as_posix() for path in Path("site").glob("*/model.*")) == [
        "site/keras/model.keras",
        "site/onnx/model.onnx",
        "site/tfjs/model.json",
    ]


def test_all_quantised_says_what_is_not(run: Path, says: Says) -> None:
    code, out, _ = says("export", run, "--to", "all", "--quantize", "float16")

    assert code == 0
    assert "keras     has no float16 form; exported in float32" in out.splitlines()
    assert Path("runs/small-001/export/tfjs-float16/model.json").exists()


def test_a_missed_gate_is_one_line_and_exit_code_1(run: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "extras", lambda model: extras(model) | {"classes": ["x", "y", "z"]})

    code, out, err = says("export", run, "--to", "onnx")

    assert code == 1
    assert out.startswith("onnx      not handed over")
    assert err == (
        "holdfast: onnx: it names other classes than the model; it is not handed over, "
        "runs/small-001/export/onnx/parity.json has the figures.\n"
    )


@pytest.mark.parametrize(
    ("words", "says_"),
    [
        (["--to", "onix"], "'onix' is not one of"),
        (["--to", "keras", "--quantize", "int8"], "keras has no int8 form; these have: tfjs, onnx."),
        (["--to", "onnx", "--quantize", "int4"], "'int4' is not one of"),
        ([], "Missing option '--to'"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(run: Path, says: Says, words: list[str], says_: str) -> None:
    code, out, err = says("export", run, *words)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says_ in err


def test_no_run_is_named(here: Path, says: Says) -> None:
    code, _, err = says("export", "nowhere", "--to", "onnx")

    assert (code, err) == (2, "holdfast: nowhere: is no run, it has no run.json; `holdfast runs` lists them.\n")
