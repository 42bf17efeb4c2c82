"""Where a ledger is kept: files and servers, made once, brought up to date; what cannot be used is said in a line."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from evaluate.making import first_ledger, rows, small, write
from holdfast.core import BadFile, BadValue, MissingExtra
from holdfast.evaluate import Ledger, Revealed, tables
from holdfast.evaluate.database import VERSION


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


def test_a_ledger_of_the_first_holdfast_is_brought_up_to_date_and_goes_on(tmp_path: Path) -> None:
    first_ledger(tmp_path / "ledger.db")
    data = small()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert [(run.name, run.status, run.looks) for run in ledger.runs()] == [
            ("photos-001", "finished", 1),
            ("gone-001", "killed", 0),
        ]
        assert rows(ledger, "select fingerprint, name, n from datasets order by name") == [
            ("d2", "gone", None),
            (data.fingerprint, "photos", None),
        ]
        assert rows(ledger, "select dataset, train_n from splits order by fingerprint = 's2'") == [
            (data.fingerprint, None),
            ("d2", None),
        ]

        run = ledger.begin_run("photos-002", data)
        ledger.look(run, "test", data.test.fingerprint, {}, purpose="unseal")

        assert ledger.reveal(run, data.test.fingerprint, np.ones(10, bool)) == Revealed(1.0, 2, new=True)
        assert rows(ledger, f"select n, classes from datasets where fingerprint = '{data.fingerprint}'") == [(40, 2)]
        assert rows(ledger, "select train_n from splits where train_n is not null") == [(24,)]
        assert rows(ledger, "pragma integrity_check") == [("ok",)]


def test_the_migrations_make_the_tables_that_the_queries_see(where: str) -> None:
    with Ledger.open(where) as ledger, ledger.transaction(reading=True) as connection:
        found = compare_metadata(
            MigrationContext.configure(connection, opts={"version_table": VERSION}), tables.METADATA
        )

    assert found == []


def test_the_newest_migration_is_the_revision_that_is_compared() -> None:
    scripts = ScriptDirectory(str(Path(tables.__file__).parent / "migrations"))

    assert scripts.get_heads() == [tables.REVISION]


def test_a_ledger_that_is_up_to_date_is_opened_without_alembic(where: str) -> None:
    Ledger.open(where).close()
    code = (
        f"import sys; from holdfast.evaluate import Ledger; Ledger.open({where!r}).close(); "
        "print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("False True\n", "")


def test_a_ledger_of_a_newer_holdfast_is_left_alone(where: str) -> None:
    with Ledger.open(where) as ledger:
        write(ledger, "update ledger_version set version_num = '0999'")

    with pytest.raises(BadFile, match=r"^the ledger .* was written by a newer holdfast; run: pip install --upgrade"):
        Ledger.open(where)


def test_a_server_that_does_not_answer_is_said_in_one_line_without_the_password() -> None:
    pytest.importorskip("psycopg")

    with pytest.raises(
        BadFile, match=r"^cannot use postgresql\+psycopg://me:\*\*\*@/x\?host=.* as a ledger: "
    ) as caught:
        Ledger.open("postgresql+psycopg://me:secret@/x?host=/nowhere")

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_connection_that_the_server_has_dropped_is_made_anew(postgres: str) -> None:
    with Ledger.open(postgres) as ledger, Ledger.open(postgres) as other:
        ledger.begin_run("a", small())
        write(other, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")

        ledger.begin_run("b", small())

        assert [run.name for run in ledger.runs()] == ["a", "b"]


def test_the_revision_of_an_older_ledger_moves_to_a_table_of_its_own(where: str) -> None:
    with Ledger.open(where) as ledger:
        ledger.begin_run("a", small())
        write(ledger, "drop table ledger_version")
        write(ledger, "create table alembic_version (version_num varchar(32) not null)")
        write(ledger, "insert into alembic_version values ('0002')")

    with Ledger.open(where) as again:
        assert rows(again, "select version_num from ledger_version") == [(tables.REVISION,)]
        assert [run.name for run in again.runs()] == ["a"]
        with pytest.raises(BadFile, match="alembic_version"):
            rows(again, "select * from alembic_version")


def test_searches_of_optuna_are_kept_in_the_same_database(where: str) -> None:
    import optuna

    with Ledger.open(where) as ledger:
        url = ledger.url
        ledger.begin_run("a", small())
    storage = optuna.storages.RDBStorage(url)
    optuna.create_study(study_name="search", storage=storage)
    storage.engine.dispose()

    with Ledger.open(where) as again:
        assert [run.name for run in again.runs()] == ["a"]
        assert rows(again, "select version_num from ledger_version") == [(tables.REVISION,)]


def test_a_database_that_had_searches_before_gets_a_ledger_beside_them(where: str) -> None:
    import optuna

    url = where if "://" in where else f"sqlite:///{where}"
    storage = optuna.storages.RDBStorage(url)
    optuna.create_study(study_name="search", storage=storage)
    with Ledger.open(url) as ledger:
        ledger.begin_run("a", small())

    assert optuna.study.get_all_study_names(storage) == ["search"]
    storage.engine.dispose()


def test_the_url_of_a_file_holds_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with Ledger.open("ledger.db") as ledger:
        assert ledger.url == f"sqlite:///{tmp_path / 'ledger.db'}"
