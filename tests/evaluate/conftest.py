"""Databases to keep a ledger in: an SQLite file, and a PostgreSQL server that runs while the tests do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import pytest

NUMBERS = count()


@pytest.fixture(autouse=True)
def no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own ledger is written by tests."""
    monkeypatch.delenv("HOLDFAST_LEDGER", raising=False)


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The folder of the socket of a PostgreSQL server, in which anybody may do anything; it ends with the tests."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'holdfast[postgres]'")
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))
    initdb = shutil.which("initdb", path=programs)
    if initdb is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    if user is not None:
        shutil.chown(folder, user, user)
    data, pg_ctl = folder / "data", str(Path(initdb).with_name("pg_ctl"))
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, user=user, group=user, extra_groups=[] if user else None)

    run(initdb, "--pgdata", str(data), "--username", "postgres", "--auth", "trust", "--no-sync")
    run(pg_ctl, "start", "--wait", "--pgdata", str(data), "--log", str(folder / "log"), "--options", options)
    yield folder
    run(pg_ctl, "stop", "--mode", "immediate", "--pgdata", str(data))
    shutil.rmtree(folder)


@pytest.fixture
def postgres(server: Path) -> str:
    """The URL of an empty database."""
    import psycopg

    name = f"ledger_{next(NUMBERS)}"
    with psycopg.connect(host=str(server), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://postgres@/{name}?host={server}"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a ledger, of each kind in turn."""
    return str(tmp_path / "ledger.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres"))
