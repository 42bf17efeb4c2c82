"""What is kept: nothing is decoded twice, nothing that changed is taken for what it was, nothing is half written."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.core import BadData, BadValue
from holdfast.data import Dataset, decoding, load, read_image
from holdfast.data import pictures as reading
from holdfast.data.kept import ENDING, Columns, Keep, prune, rows_of
from holdfast.data.listing import Listed
from holdfast.data.rows import Rows

MakePhotos = Callable[..., Path]  # the fixture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is kept in these tests."""
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files as they are decoded or looked at."""
    names: list[str] = []

    def told(function: Callable[..., object]) -> Callable[..., object]:
        def call(file: Listed, *rest: object) -> object:
            names.append(file.name)
            return function(file, *rest)

        return call

    for name in ("_decode", "_header"):
        monkeypatch.setattr(decoding, name, told(getattr(decoding, name)))
    return names


def content(data: Dataset) -> dict[str, bytes]:
    return {
        name: image.numpy().tobytes()
        for part in (data.train, data.validation)
        for name, image in zip(part.names, part.images, strict=True)
    }


def test_a_second_load_opens_no_file(tmp_path: Path, make_photos: MakePhotos, opened: list[str]) -> None:
    folder = make_photos(tmp_path / "photos", cat=9, dog=9)
    first = load(folder)
    assert len(opened) == 36  # each is looked at and decoded
    opened.clear()

    again = load(folder, seed=3)

    assert opened == []
    assert again.fingerprint == first.fingerprint
    assert first.facts == load(folder).facts


def test_only_what_has_changed_is_decoded(tmp_path: Path, make_photos: MakePhotos, opened: list[str]) -> None:
    folder = make_photos(tmp_path / "photos", cat=9, dog=9)
    load(folder)
    Image.new("RGB", (8, 8), "red").save(folder / "cat" / "3.png")
    (folder / "dog" / "8.png").rename(folder / "dog" / "a.png")
    (folder / "dog" / "2.png").unlink()
    opened.clear()

    data = load(folder, test=0)

    assert set(opened) == {"cat/3.png", "dog/a.png"}
    found = content(data)
    assert len(found) == 17
    assert all(found[name] == read_image(folder / name, (8, 8, 3)).numpy().tobytes() for name in found)


def test_the_same_size_and_another_time_of_change_is_another_file(
    tmp_path: Path, make_photos: MakePhotos, opened: list[str]
) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    load(folder)
    os.utime(folder / "cat" / "0.png", ns=(0, 10**18))
    opened.clear()

    load(folder)

    assert set(opened) == {"cat/0.png"}


def test_bad_files_are_tried_again_and_nothing_is_written_anew(
    tmp_path: Path, make_photos: MakePhotos, opened: list[str], cache: Path
) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    half = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "half.png").write_bytes(half[: len(half) // 2])
    first = load(folder, skip_bad=True)
    before = {path: path.stat().st_ino for path in cache.iterdir()}
    opened.clear()

    again = load(folder, skip_bad=True)

    assert set(opened) == {"cat/half.png"}
    assert again.facts == first.facts
    assert {path: path.stat().st_ino for path in cache.iterdir()} == before
    with pytest.raises(BadData, match=r"1 of 11 files cannot be read: cat/half\.png \(truncated\)"):
        load(folder)


def test_sizes_and_ways_to_resize_are_kept_apart(tmp_path: Path, make_photos: MakePhotos, cache: Path) -> None:
    folder = make_photos(tmp_path / "photos", size=(12, 9), cat=5, dog=5)

    shapes = [
        load(folder, image_size=side, resize=fit).shape for side in (8, 6) for fit in ("stretch", "crop") for _ in "ab"
    ]

    assert [shape[0] for shape in shapes] == [8] * 4 + [6] * 4
    assert len(list(cache.iterdir())) == 5  # and one of the headers


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_file_is_as_none(
    tmp_path: Path, make_photos: MakePhotos, opened: list[str], cache: Path, damage: str
) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    first = content(load(folder))
    for path in cache.iterdir():
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[:-1], "other": b"x" * len(whole), "empty": b""}[damage])
    opened.clear()

    assert content(load(folder)) == first
    assert len(opened) == 20


def test_interrupted_reading_leaves_nothing(tmp_path: Path, make_photos: MakePhotos, cache: Path) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(folder, progress=interrupt)
    assert [path.name.split("-")[0] for path in cache.iterdir()] == ["photos"]  # the headers


def test_without_room_on_the_disk_pictures_are_held_in_memory(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    monkeypatch.setattr(Keep, "fits", lambda keep, columns, rows: False)

    assert len(load(folder).train) == 6
    assert not cache.exists()


def test_more_than_half_of_the_memory_stays_on_the_disk(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "photos", cat=5, dog=5)
    in_memory = content(load(folder))
    monkeypatch.setattr(reading, "free_memory", lambda: 1000)

    data = load(folder)

    assert isinstance(data.train.images, Rows)
    assert content(data) == in_memory


def test_parts_that_stay_on_the_disk_are_joined_for_folds(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "photos", cat=9, dog=9)
    known = load(folder).pool
    monkeypatch.setattr(reading, "free_memory", lambda: 1000)

    pool = load(folder).pool

    assert isinstance(pool.images, Rows)
    assert pool.names == known.names
    assert pool.images[:].equal(known.images)


def test_threads_that_read_the_same_data_write_one_after_the_other(cache: Path) -> None:
    keep, columns = Keep(cache / f"photos{ENDING}"), {"values": (np.uint8, ())}

    def write(value: int) -> None:
        with keep.write(columns, 4) as writing:
            writing.arrays["values"][:] = value

    with ThreadPoolExecutor(1) as pool:
        with keep.write(columns, 4) as writing:
            other = pool.submit(write, 2)
            assert not wait([other], timeout=0.05).done
            writing.arrays["values"][:] = 1
        other.result()

    assert keep.read(columns)["values"].tolist() == [2, 2, 2, 2]


def test_what_was_not_used_for_longest_is_removed_first(tmp_path: Path, make_photos: MakePhotos, cache: Path) -> None:
    for name in ("old", "used", "new"):
        load(make_photos(tmp_path / name, size=(40, 40), cat=5, dog=5))
    for path in cache.iterdir():
        if not path.name.startswith("new"):
            os.utime(path, (1, 1))
    load(tmp_path / "used")
    largest = sum(path.stat().st_size for path in cache.iterdir() if not path.name.startswith("old"))

    prune(largest=largest)

    assert {path.name.split("-")[0] for path in cache.glob(f"*{ENDING}")} == {"used", "new"}


def test_a_limit_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE_GB", "50GB")

    with pytest.raises(BadValue, match=r"^HOLDFAST_CACHE_GB=50GB: must be a number of gigabytes, such as 50\.$"):
        prune()


def test_what_a_killed_process_left_half_written_is_removed_in_time(cache: Path) -> None:
    cache.mkdir(parents=True)
    left, new = cache / f".photos-12{ENDING}.7.tmp", cache / f".photos-12{ENDING}.8.tmp"
    left.touch()
    new.touch()
    os.utime(left, (1, 1))

    prune()

    assert [*cache.iterdir()] == [new]


def test_files_are_found_again_by_their_stamps() -> None:
    stamps = np.array([7, 0, 5, 9], np.uint64)

    assert rows_of(stamps, np.array([9, 7, 8, 0], np.uint64)).tolist() == [1, -1, -1, 0]
    assert rows_of(stamps, np.array([], np.uint64)).tolist() == [-1] * 4


def test_a_file_that_takes_its_place_while_it_is_read_mixes_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns: Columns = {"stamps": (np.uint64, ()), "values": (np.uint64, ())}
    keep, plain = Keep(cache / "one.kept"), os.utime

    def write(rows: int) -> None:
        with keep.write(columns, rows) as writing:
            for array in writing.arrays.values():
                array[:] = np.arange(rows, dtype=np.uint64)
            writing.rows = rows

    def grow(path: Path) -> None:
        plain(path)
        write(2000)

    write(10)
    monkeypatch.setattr(os, "utime", grow)
    kept = keep.read(columns)

    np.testing.assert_array_equal(kept["values"], np.arange(10))
