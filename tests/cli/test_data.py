"""`holdfast data`."""

from pathlib import Path

import pytest

from holdfast.runs import forecast

from .conftest import Says


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "SECONDS", 0.01)
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)


def test_it_prints_and_draws_what_is_there(photos: Path, says: Says) -> None:
    code, out, err = says("data", photos, "--model", "dense", "--batch-size", 8, "--device", "cpu")

    assert (code, err) == (0, "")
    assert out.startswith("data      my photos: 40 pictures, 2 classes, ")
    assert "forecast  dense, " in out
    assert " at batch 8; about " in out
    assert Path("data.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not Path("runs").exists()


def test_out_and_quiet(photos: Path, says: Says) -> None:
    assert says("data", photos, "--out", "look/at.html", "-q", "--device", "cpu") == (0, "", "")
    assert Path("look/at.html").is_file()


def test_files_that_cannot_be_read_do_not_stop_it(photos: Path, says: Says) -> None:
    (photos / "cat" / "bad.png").write_text("no picture")

    code, out, _ = says("data", photos, "--device", "cpu")

    assert code == 0
    assert "bad       cat/bad.png (not a picture of a known format)" in out


def test_without_data_it_lists_what_has_a_name(here: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(here / "cache"))

    code, out, err = says("data")

    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert {"name", "digits", "mnist", "fashion_mnist", "cifar10", "spoken_digits"} <= rows.keys()
    assert rows["mnist"].endswith("CC BY-SA 3.0  11.6 MB   to be fetched")
    assert rows["digits"].endswith("comes with holdfast")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing/there"], "nothing/there: no such file or folder."),
        (["digits", "--model", "convent"], "unknown model 'convent'; did you mean 'convnet'"),
        (["digits", "--out", "my photos/cat/0.png/x.html"], "0.png is no folder that can be written to"),
    ],
    ids=["data", "model", "out"],
)
def test_wrong_options_are_one_line(photos: Path, says: Says, words: list[str], message: str) -> None:
    code, out, err = says("data", *words)

    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
