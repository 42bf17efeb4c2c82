"""Decoding of many pictures: threads and processes give the same, and a decoder that crashes ends nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holdfast.data import decoding, load, pictures
from holdfast.data.decoding import Task, Workers, columns_of
from holdfast.data.folder import list_folder
from holdfast.data.kept import Keep
from holdfast.data.reads import Pictures

MakePhotos = Callable[..., Path]  # the fixture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_processes_decode_as_threads_do(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "photos", size=(50, 40), cat=40, dog=40)
    half = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "half.png").write_bytes(half[: len(half) // 2])
    before = load(folder, skip_bad=True)
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(decoding, "PROCESSES_FROM", (1, 10))
    monkeypatch.setattr(decoding, "decode_rows", None)  # it must not be called here

    data = load(folder, skip_bad=True)

    assert data.facts == before.facts
    assert data.fingerprint == before.fingerprint
    assert np.array_equal(data.train.images[:], before.train.images[:])


@pytest.mark.slow
def test_a_file_that_crashes_its_process_is_named_and_the_others_are_decoded(
    tmp_path: Path, make_photos: MakePhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_photos(tmp_path / "photos", size=(50, 40), cat=4, dog=4)
    crash = "import os, holdfast.data.decoding as d; f = d._decode; "
    crash += "d._decode = lambda file, *rest: os._exit(1) if file.name == 'dog/1.png' else f(file, *rest); d.serve()"
    monkeypatch.setattr(decoding, "START", f"import sys; sys.path[:] = {{path!r}}; {crash}")
    files, reads = list_folder(folder).files, Pictures((8, 8), 3)
    columns = columns_of(reads, 0)
    keep = Keep(tmp_path / "kept")
    with keep.write(columns, 8) as writing:
        with Workers(Task(files, reads, columns, 8), writing.path, 1) as workers:
            outcomes = workers.decode([(place, place) for place in range(8)])
        processes = workers._all

        assert [index for index, outcome in enumerate(outcomes) if not isinstance(outcome, int)] == [5]
        assert outcomes[5] == "the decoder crashed on it"
        assert np.array_equal(writing.arrays["pictures"][7], reads.read([folder / "dog" / "3.png"])[0])
    assert all(process.poll() is not None for process in processes)


def test_the_processes_need_nothing_of_the_users_program() -> None:
    assert "__main__" not in decoding.START  # as multiprocessing's do, which run it again
    assert sys.executable


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(3, 4)] * 50, "stretch"),
        ([(1, 9)] * 50, "stretch"),  # all alike
        ([(3, 4)] * 40 + [(4, 4)] * 10, "stretch"),  # within 4/3 of the median
        ([(3, 4)] * 40 + [(4, 3)] * 10, "stretch"),  # one in 5
        ([(3, 4)] * 30 + [(4, 3)] * 20, "fit"),
        ([], "stretch"),
    ],
    ids=["one", "one flat", "near", "few", "upright ones", "none"],
)
def test_pictures_of_like_shapes_are_stretched_and_others_fitted(shapes: list[tuple[int, int]], expected: str) -> None:
    sides = np.array(shapes, np.int32).reshape(-1, 2)

    assert pictures.chosen_fit(sides[:, 0], sides[:, 1]) == expected


def test_the_choice_is_recorded_and_a_word_overrides_it(tmp_path: Path, make_photos: MakePhotos) -> None:
    folder = make_photos(tmp_path / "photos", size=(30, 40), cat=5, dog=5)
    make_photos(folder, size=(40, 30), fox=5, seed=1)

    assert [load(folder, resize=word).reads for word in ("auto", "stretch", "crop")] == [
        Pictures((24, 24), 3, fit) for fit in ("fit", "stretch", "crop")
    ]


def test_a_small_jpeg_is_decoded_whole_and_a_large_one_as_large_as_needed(tmp_path: Path) -> None:
    from holdfast.data.image import decode

    Image.new("RGB", (1600, 1200)).save(tmp_path / "a.jpg")

    sizes = [decode(tmp_path / "a.jpg", 3, size).size for size in (None, (32, 32), (224, 224), (256, 256), (600, 900))]

    assert sizes == [(1600, 1200), (400, 300), (400, 300), (400, 300), (1600, 1200)]
