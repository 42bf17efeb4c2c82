"""Many processes write one ledger at once and some are killed: nothing is lost or torn.  In full: tests/soak."""

import time
from pathlib import Path

import pytest

from evaluate.crowd import check_nothing_is_torn, crowd, kill_writers
from evaluate.making import first_ledger, rows
from holdfast.evaluate import Ledger


@pytest.mark.slow
def test_eight_processes_that_make_and_write_one_ledger_at_once_lose_nothing(where: str) -> None:
    codes = crowd(where, processes=8, count=100)

    assert codes == [0] * 8
    with Ledger.open(where) as ledger:
        assert rows(ledger, "select count(*), count(distinct run) from looks") == [(800, 8)]
        assert rows(ledger, "select count(*) from datasets") == rows(ledger, "select count(*) from splits") == [(1,)]
        assert [run.looks for run in ledger.runs()] == [100] * 8
        if where.endswith(".db"):
            assert rows(ledger, "pragma integrity_check") == [("ok",)]


@pytest.mark.slow
def test_eight_processes_that_bring_one_old_ledger_up_to_date_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first_ledger(path)

    codes = crowd(str(path), processes=8, count=10)

    assert codes == [0] * 8
    with Ledger.open(path) as ledger:
        assert [run.looks for run in ledger.runs()] == [1, 0, *[10] * 8]


@pytest.mark.slow
def test_writers_that_are_killed_leave_a_sound_ledger_and_no_run_that_runs(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.evaluate.ledger.HEARTBEAT_S", 0.5)

    writers = kill_writers(where, kills=10, writers=3, heartbeat_s=0.5)
    time.sleep(2 * 0.5)

    with Ledger.open(where) as ledger:
        assert {run.status for run in ledger.runs()} == {"killed"}
        check_nothing_is_torn(ledger, writers)
        if where.endswith(".db"):
            assert rows(ledger, "pragma integrity_check") == [("ok",)]
