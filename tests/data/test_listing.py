"""Listings: texts and files in columns, small however many there are."""

import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from holdfast.data.folder import TOLD, list_folder
from holdfast.data.groups import suggest_groups
from holdfast.data.listing import UNKNOWN, Files, codes, shown
from holdfast.data.names import Names, names_at

TEXTS = ["a", "", "Größe 猫.png", b"\xff.png".decode(errors="surrogateescape")]


def test_names_are_a_sequence_of_texts() -> None:
    names = Names(TEXTS)

    assert list(names) == TEXTS
    assert names == TEXTS
    assert names != [*TEXTS[:3], "b"]
    assert (names[-2], list(names[1:3]), len(names)) == (TEXTS[2], TEXTS[1:3], 4)
    assert names_at(names, [2, 0]) == [TEXTS[2], "a"]
    assert pickle.loads(pickle.dumps(names)) == TEXTS
    assert repr(Names(["a"])) == "['a']"
    with pytest.raises(IndexError):
        names[4]


def test_codes_are_places_among_the_sorted_words() -> None:
    found, words = codes(["dog", "cat", "dog", "eel"])

    assert (found.tolist(), words) == ([1, 0, 1, 2], ("cat", "dog", "eel"))


def test_files_know_what_is_said_about_them(tmp_path: Path) -> None:
    files = Files(
        tmp_path,
        Names(["cat/a\n.png", "dog/1.png"]),
        np.array([0, 1], np.int32),
        ("cat", "dog"),
        np.array([0, 2], np.int8),
        np.array([[3, 4], [UNKNOWN, UNKNOWN]], np.int64),
    ).known(groups=["anna", "ben"])

    first, second = files

    assert (first.path, first.name) == (tmp_path / "cat/a\n.png", shown("cat/a\n.png"))
    assert (second.label, second.part, second.group, second.time) == ("dog", 2, "ben", None)
    assert files[-1] == second
    assert files[:1] == [first]


def test_a_file_takes_less_than_500_bytes_and_progress_is_told(tmp_path: Path) -> None:
    count = 2 * TOLD
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(count // 2):
            os.close(os.open(tmp_path / name / f"IMG_20260101_{index:07}_as_cameras_call_it.jpg", os.O_CREAT))
    told: list[tuple[int, int]] = []

    tracemalloc.start()
    files = list_folder(tmp_path, lambda done, total: told.append((done, total))).files
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(files) == count
    assert held / count < 120
    assert peak / count < 500
    assert told == [(TOLD, 0), (2 * TOLD, 0)]  # nobody knows how many there are


def test_of_very_many_files_some_are_looked_at_for_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(
        f"{kind}/{who}_{take}.png" for kind in ("a", "b") for who in ("ann", "ben", "cas") for take in range(9)
    )
    labels = np.repeat(np.arange(2, dtype=np.int32), 27)
    files = Files(Path(), names, labels, ("a", "b"), np.zeros(54, np.int8), np.zeros((54, 2), np.int64))
    expected = suggest_groups(files)
    monkeypatch.setattr("holdfast.data.groups.LOOKED_AT", 50)

    assert expected is not None
    assert expected.names == ("ann", "ben", "cas")
    assert suggest_groups(files) == expected
