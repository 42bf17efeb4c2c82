"""The ledger under a crowd: 32 processes write 1,000 times each at once; 200 writers are killed at random moments."""

import time

import pytest

from evaluate.conftest import postgres, server, where  # noqa: F401  # fixtures
from evaluate.crowd import check_nothing_is_torn, crowd, kill_writers
from evaluate.making import rows
from holdfast.evaluate import Ledger
from holdfast.evaluate.ledger import HEARTBEAT_S


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_thirty_two_processes_write_a_thousand_times_each_at_once(where: str) -> None:  # noqa: F811
    began = time.perf_counter()
    codes = crowd(where, processes=32, count=1_000)

    print(f"\n32 x 1,000 writes in {time.perf_counter() - began:.0f} s")
    assert codes == [0] * 32  # one that had found it locked would have ended with 1
    with Ledger.open(where) as ledger:
        assert rows(ledger, "select count(*), count(distinct run) from looks") == [(32_000, 32)]
        if where.endswith(".db"):
            assert rows(ledger, "pragma integrity_check") == [("ok",)]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills_leave_a_sound_ledger_and_no_run_that_runs(where: str) -> None:  # noqa: F811
    writers = kill_writers(where, kills=200, writers=8, heartbeat_s=HEARTBEAT_S)
    time.sleep(2 * HEARTBEAT_S)

    with Ledger.open(where) as ledger:
        assert {run.status for run in ledger.runs()} == {"killed"}
        check_nothing_is_torn(ledger, writers)
        looks = rows(ledger, "select count(distinct number + run * 1000000) from looks")[0][0]
        print(f"\n200 kills, {len(ledger.runs())} runs, {looks:,} looks")
        if where.endswith(".db"):
            assert rows(ledger, "pragma integrity_check") == [("ok",)]
            assert rows(ledger, "pragma foreign_key_check") == []
