"""`holdfast ledger`."""

from pathlib import Path

import numpy as np

from holdfast.data import from_arrays
from holdfast.evaluate import Ledger

from .conftest import Says


def fill(path: Path) -> None:
    """Three runs that look, and four openings."""
    data = from_arrays(
        np.arange(800, dtype=np.uint16).view(np.uint8).reshape(800, 1, 2, 1), np.arange(800) % 2, name="coins"
    )
    validation, test = data.validation.fingerprint, data.test.fingerprint
    with Ledger.open(path) as ledger:
        runs = [ledger.begin_run(f"coins-{number:03d}", data) for number in (1, 2, 3)]
        for run, value in zip(runs, (0.6, 0.65, 0.625), strict=True):
            for _ in range(2):
                ledger.look(run, "validation", validation, {"accuracy": value}, purpose="early stopping")
            ledger.look(run, "validation", validation, {"accuracy": value}, purpose="report")
        for run, right in ((runs[1], 60), (runs[0], 60), (runs[0], 61), (runs[2], 90)):
            ledger.look(run, "test", test, {}, purpose="unseal")
            if ledger.reveal(run, test, np.arange(120) < right).new:
                ledger.look(run, "test", test, {"accuracy": right / 120}, purpose="report")
        ledger.begin_run("other-001", from_arrays([[[number]] for number in range(20)], [0, 1] * 10, name="other"))


def test_it_tells_looks_openings_and_what_choosing_did(here: Path, says: Says) -> None:
    fill(here / "runs" / "ledger.db")

    code, out, err = says("ledger")

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "coins: 800 samples of 2 classes, 3 runs"
    assert lines[2].startswith("  validation ")
    assert lines[2].endswith(", n=120, looked at 9 times")
    assert lines[3:6] == [
        "    early stopping   6 looks by 3 runs",
        "    report           3 looks by 3 runs",
        "    best seen        65.0 %, coins-002, the best of 3",
    ]
    assert lines[6].startswith("    without the luck 6")
    assert lines[6].endswith("points of luck in choosing taken off")
    assert lines[8].endswith(", n=120, opened 4 times")
    assert [line[:13] + line[35:] for line in lines[9:12]] == [
        "    1        coins-002  told 50.0 % [41.2, 58.8]",
        "    2 to 3   coins-001  stays sealed: not clearly better",
        "    4        coins-003  told 75.0 % [66.6, 81.9]",
    ]
    assert lines[13:] == ["other: 20 samples of 2 classes, 1 run", "", "  never looked at; the test part is sealed"]
    assert max(map(len, lines)) <= 100


def test_one_run_was_not_chosen(here: Path, says: Says) -> None:
    assert says("train", "digits", "--epochs", 1, "--device", "cpu", "-q")[0] == 0

    _, out, _ = says("ledger", "--out", "runs")

    assert "    report           1 look by 1 run\n" in out
    assert "], the same: nothing was chosen\n" in out


def test_without_a_ledger_it_says_so_in_a_line(here: Path, says: Says) -> None:
    assert says("ledger", "--out", "nowhere") == (
        2,
        "",
        "holdfast: nowhere: there is no ledger.db, which every folder of runs has; try: holdfast train digits\n",
    )
    assert not Path("nowhere").exists()


def test_an_empty_ledger_is_told(here: Path, says: Says) -> None:
    Ledger.open("runs/ledger.db").close()

    assert says("ledger") == (0, "no runs yet; try: holdfast train digits\n", "")


def test_its_help_teaches(says: Says) -> None:
    _, out, _ = says("ledger", "--help")

    for words in ("what is left of it", "Ladder of Blum & Hardt 2015", "--unseal"):
        assert words in " ".join(out.split())
