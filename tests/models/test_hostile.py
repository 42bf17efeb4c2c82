"""Files that mean harm are refused, each in one line, at once, for little memory, and with nothing touched."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models import hostile

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="measures itself by /proc")]

READER = Path(__file__).with_name("hostile_reader.py")
MOST_S = 2.0
MOST_MIB = 256.0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each file, in a process that reads one after another."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = hostile.make(folder)
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    lines = subprocess.run(
        [sys.executable, READER, *paths.values()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60 + MOST_S * len(paths),
        cwd=folder,
    ).stdout.splitlines()
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before
    found = {name: json.loads(line) for name, line in zip(paths, lines, strict=False)}
    return {name: found.get(name, {"error": "the process died", "text": ""}) for name in paths}


def test_there_are_forty_and_more() -> None:
    assert len(hostile.MADE) >= 40


@pytest.mark.parametrize("name", hostile.MADE)
def test_a_hostile_file_is_refused(name: str, told: dict[str, dict[str, Any]]) -> None:
    found = told[name]

    assert found["error"] in ("BadFile", "BadValue", "BadShape", "UnknownName"), found
    assert name in found["text"]
    assert found["text"].isprintable()  # one line, and no signs that steer a terminal
    assert len(found["text"].partition(name)[2]) < 500
    assert found["seconds"] < MOST_S
    assert found["mib"] < MOST_MIB
    assert found["touched"] == []
