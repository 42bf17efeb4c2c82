"""Files appear whole or not at all."""

import os
import re
from pathlib import Path

import pytest

from holdfast.core import BadFile, whole_file, whole_folder


def test_a_file_appears_when_the_block_ends_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "Läufe von heute" / "数 1.txt"

    with whole_file(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()

    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


def test_what_was_there_stays_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()

    with pytest.raises(BadFile, match=r"^cannot write .*taken: Is a directory$"), whole_file(path) as temporary:
        temporary.write_text("x")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)

    with pytest.raises(BadFile, match=r"^cannot write .*a\.txt: Permission denied$"), whole_file(folder / "a.txt") as p:
        p.write_text("x")


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = pytest.raises(BadFile, match=r"^cannot write .*: (Not a directory|File exists)$")

    with refused, whole_file(tmp_path / "file" / "a.txt") as temporary:
        temporary.write_text("x")


def test_an_error_of_the_writer_s_own_names_the_final_path(tmp_path: Path) -> None:
    """It used to name the temporary file: cannot write /proc/.a.keras.19802.tmp."""
    path = tmp_path / "a.keras"

    with pytest.raises(BadFile) as caught, whole_file(path) as temporary:
        raise BadFile(f"cannot write {temporary}: no space left")

    assert str(caught.value) == f"cannot write {path}: no space left"


def test_a_folder_that_fails_half_way_leaves_the_one_before(tmp_path: Path) -> None:
    path, ours = tmp_path / "out", re.compile("[ab]")
    with whole_folder(path, ours) as temporary:
        (temporary / "a").write_text("first")

    with pytest.raises(RuntimeError), whole_folder(path, ours) as temporary:
        raise RuntimeError((temporary / "b").write_text("half"))

    assert [one.name for one in tmp_path.rglob("*")] == ["out", "a"]
    with whole_folder(path, ours) as temporary:
        (temporary / "b").write_text("second")
    assert [one.name for one in tmp_path.rglob("*")] == ["out", "b"]


def test_stopped_between_the_two_folders_the_one_before_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the old folder was put aside and before the new one took its place lost both."""
    path, ours = tmp_path / "out", re.compile("[ab]")
    with whole_folder(path, ours) as temporary:
        (temporary / "a").write_text("first")
    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt), whole_folder(path, ours) as temporary:
        (temporary / "b").write_text("second")

    assert [one.name for one in tmp_path.rglob("*")] == ["out", "a"]
