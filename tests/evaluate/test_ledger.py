"""The ledger: what is written can be counted, by many processes at once; what cannot be written is said in a line."""

import multiprocessing
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluate.making import small
from holdfast.core import BadFile, BadValue, MissingExtra
from holdfast.evaluate import Ledger


@pytest.fixture(autouse=True)
def no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own ledger is written by tests."""
    monkeypatch.delenv("HOLDFAST_LEDGER", raising=False)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What SQLite itself finds in the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_look_has_a_row_a_metric_and_counts_once(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        run = ledger.begin_run("photos-001", small())
        for epoch in (1, 2):
            values = {"accuracy": 0.8, "loss": float("nan")}
            ledger.look(run, "validation", "part", values, purpose="early stopping", epoch=epoch)
        looks = ledger.looks("part")

    assert looks == 2
    assert rows(tmp_path / "ledger.db", "select run, number, part, metric, value, epoch, purpose from looks") == [
        (run, 1, "validation", "accuracy", 0.8, 1, "early stopping"),
        (run, 1, "validation", "loss", None, 1, "early stopping"),
        (run, 2, "validation", "accuracy", 0.8, 2, "early stopping"),
        (run, 2, "validation", "loss", None, 2, "early stopping"),
    ]


def test_looks_are_counted_by_part_and_by_run(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        first, second = (ledger.begin_run(name, small()) for name in ("a", "b"))
        ledger.look(first, "validation", "part", {"accuracy": 0.5}, purpose="early stopping")
        ledger.look(first, "validation", "part", {"accuracy": 0.6}, purpose="report")
        ledger.look(second, "validation", "part", {"accuracy": 0.7}, purpose="selection")
        ledger.look(second, "validation", "other", {"accuracy": 0.7}, purpose="selection")

        assert ledger.looks("part") == 3
        assert ledger.looks("part", first) == 2
        assert ledger.looks("part", second) == 1
        assert ledger.looks("never seen") == 0


def test_openings_are_counted_over_all_runs_and_scores_of_them_are_not(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for name in ("a", "b"):
            run = ledger.begin_run(name, small())
            ledger.look(run, "test", "part", {}, purpose="unseal")
            ledger.look(run, "test", "part", {"accuracy": 0.7}, purpose="report")

        assert ledger.openings("part") == 2
        assert ledger.openings("other") == 0


def test_runs_are_listed_with_their_looks_and_the_best_accuracy_they_saw(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        done = ledger.begin_run("photos-001", small())
        ledger.begin_run("photos-002", small())
        for value in (0.7, 0.8, 0.75):
            ledger.look(done, "validation", "part", {"accuracy": value, "loss": 9.0}, purpose="early stopping")
        ledger.look(done, "test", "sealed", {"accuracy": 0.99}, purpose="report")
        ledger.end_run(done, "finished")

        first, second = ledger.runs()

    assert (first.id, first.name, first.dataset, first.status) == (done, "photos-001", "photos", "finished")
    assert (first.looks, first.best) == (3, 0.8)
    assert (second.status, second.looks, second.best) == ("running", 0, None)
    assert before <= first.started <= second.started <= before + timedelta(minutes=1)
    assert rows(tmp_path / "ledger.db", "select ended >= started, ended from runs")[1] == (None, None)
    assert rows(tmp_path / "ledger.db", "select ended >= started from runs")[0] == (1,)


def test_a_run_that_was_never_begun_is_refused_and_leaves_no_row(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with pytest.raises(BadValue, match=r"ledger\.db has no run 7; begin_run gives the ids\.$"):
            ledger.look(7, "validation", "part", {"accuracy": 0.5}, purpose="report")
        with pytest.raises(BadValue, match=r"ledger\.db has no run 7; begin_run gives the ids\.$"):
            ledger.end_run(7, "finished")

        assert ledger.looks("part") == 0


def test_what_was_written_is_there_when_the_ledger_is_opened_again(tmp_path: Path) -> None:
    where = tmp_path / "Läufe und so" / "ledger.db"
    with Ledger.open(where) as ledger:
        ledger.begin_run("a", small())

    with Ledger.open(str(where)) as again:
        assert [run.name for run in again.runs()] == ["a"]


def test_nothing_of_a_closed_ledger_stays_beside_its_file(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.begin_run("a", small())

    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_sqlite_writes_ahead_syncs_fully_waits_and_checks_references(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger, ledger.transaction() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.begin_run("a", small())
        writer = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")

        names = [run.name for run in ledger.runs()]
        writer.close()

    assert names == ["a"]


def _write(path: str, name: str, count: int) -> None:
    with Ledger.open(path) as ledger:
        run = ledger.begin_run(name, small())
        for epoch in range(count):
            values = {"accuracy": epoch / count, "loss": 1.0}
            ledger.look(run, "validation", "part", values, purpose="early stopping", epoch=epoch)


@pytest.mark.slow
def test_eight_processes_that_make_and_write_one_ledger_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    context = multiprocessing.get_context("forkserver")  # torch is imported once, not by each
    context.set_forkserver_preload(["holdfast.evaluate"])
    processes = [context.Process(target=_write, args=(str(path), f"run-{index}", 50)) for index in range(8)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 8
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "select count(*), count(distinct run) from looks") == [(8 * 50 * 2, 8)]
    with Ledger.open(path) as ledger:
        assert ledger.looks("part") == 8 * 50
        assert [run.looks for run in ledger.runs()] == [50] * 8


def test_the_variable_goes_before_a_file_but_not_before_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LEDGER", f"sqlite:///{tmp_path / 'team.db'}")

    for where in (tmp_path / "mine.db", f"sqlite:///{tmp_path / 'named.db'}"):
        with Ledger.open(where) as ledger:
            ledger.begin_run("a", small())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["named.db", "team.db"]


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadFile, match=r"^cannot make the folder .*file/runs for the ledger: Not a directory\.$"):
        Ledger.open(tmp_path / "file" / "runs" / "ledger.db")


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"^cannot use .* as a ledger: unable to open database file\.$"):
        Ledger.open(tmp_path)


def test_a_ledger_that_may_only_be_read_can_be_read(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.db").close()

    with Ledger.open(f"sqlite:///file:{tmp_path / 'ledger.db'}?mode=ro&uri=true") as ledger:
        assert ledger.runs() == []
        with pytest.raises(BadFile, match=r"^cannot use .* as a ledger: attempt to write a readonly database\.$"):
            ledger.begin_run("a", small())


def test_a_file_that_is_no_database_is_said_in_one_line_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"holiday pictures" * 100)

    with pytest.raises(BadFile, match=r"^cannot use .*ledger\.db as a ledger: file is not a database\.$"):
        Ledger.open(path)

    assert path.read_bytes() == b"holiday pictures" * 100


def test_urls_that_nobody_knows_are_refused_without_their_password() -> None:
    with pytest.raises(BadValue, match=r"^the ledger's URL is none that SQLAlchemy knows .*; give a file") as caught:
        Ledger.open("postgresql+nothing://me:secret@host/name")

    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(
        MissingExtra, match=r"psycopg is not installed; the ledger .*:\*\*\*@host/name needs it; run: pip "
    ):
        Ledger.open("postgresql+psycopg://me:secret@host/name")
