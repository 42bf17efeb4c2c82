"""Volumes in folders and lists."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import load
from holdfast.data import volumes as module
from holdfast.data.reads import reads_from_dict, reads_to_dict
from holdfast.data.volume import Header
from holdfast.data.volumes import Volumes, chosen_size, holds_volumes

Make = Callable[..., Path]


@pytest.fixture
def make() -> Make:
    """`make(root, (4, 5, 6), a=6, b=6)` writes so many different volumes for each class."""

    def write(root: Path, *sizes: tuple[int, ...], **counts: int) -> Path:
        random = np.random.default_rng(0)
        for name, count in counts.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                np.save(root / name / f"v{index}.npy", random.normal(size=sizes[index % len(sizes)]).astype(np.float32))
        return root

    return write


def test_a_folder_of_volumes_is_read_as_it_is(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path / "scans", (4, 5, 6), a=6, b=6)

    data = load(root)

    assert (data.kind, data.shape, data.classes) == ("volumes", (4, 5, 6, 1), ("a", "b"))
    assert data.reads == Volumes((4, 5, 6), 1)
    paths = [root / name for name in data.train.names]
    assert_array_equal(data.reads.read(paths), np.asarray(data.train.images, np.float32))


def test_parts_on_top_and_progress(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "train", (4, 4, 4), a=6, b=6)
    random = np.random.default_rng(9)
    for name in "ab":
        (tmp_path / "test" / name).mkdir(parents=True)
        np.save(tmp_path / "test" / name / "v.npy", random.normal(size=(4, 4, 4)))
    told: list[tuple[int, int]] = []

    data = load(tmp_path, progress=lambda done, total: told.append((done, total)))

    assert len(data.test) == 2
    assert told[-1] == (14, 14)


def test_a_list_names_volumes_classes_and_groups(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path, (4, 4, 4), a=6, b=6)
    rows = [f"{name}/v{index}.npy,{name},p{index // 2}" for name in "ab" for index in range(6)]
    (root / "list.csv").write_text("path,label,group\n" + "\n".join(rows))

    data = load(root / "list.csv")

    assert (data.kind, data.facts.groups) == ("volumes", 3)


@pytest.mark.parametrize(
    ("shape", "found"), [((4, 5), False), ((4, 4, 4), True), ((2, 3, 4, 2), True)], ids=["series", "volume", "channels"]
)
def test_arrays_of_two_axes_are_no_volumes(tmp_path: Path, make: Make, shape: tuple[int, ...], found: bool) -> None:
    assert holds_volumes(make(tmp_path, shape, a=2)) == found


def test_sizes_that_differ_become_the_median_and_it_is_said(tmp_path: Path, make: Make) -> None:
    data = load(make(tmp_path, (4, 8, 8), (6, 8, 8), (6, 8, 8), a=6, b=6))

    assert data.shape == (6, 8, 8, 1)
    assert data.facts.notes[0] == "2 sizes of volumes were brought to 6x8x8 (fit)"


def test_the_size_is_what_all_have_or_what_is_asked_for_and_never_too_large() -> None:
    assert chosen_size([Header((30, 512, 512), 1)], None) == (30, 93, 93)
    assert chosen_size([Header((155, 240, 240), 1)], None) == (64, 64, 64)
    assert chosen_size([Header((155, 240, 240), 1)], (48, 40)) == (48, 48, 40)
    assert chosen_size([Header((20, 240, 240), 1)], (48, 40)) == (20, 48, 40)


def test_bad_files_are_all_named_before_training_or_left_out(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path, (4, 4, 4), a=6, b=6)
    (root / "a" / "cut.npy").write_bytes((root / "a" / "v0.npy").read_bytes()[:150])
    np.save(root / "b" / "nan.npy", np.full((4, 4, 4), np.nan))
    np.save(root / "b" / "two.npy", np.zeros((4, 4, 4, 2)))
    (root / "b" / "notes.txt").write_text("hello")

    with pytest.raises(BadData, match=r"4 of 16 files cannot be read: a/cut\.npy \(damaged: .* and 1 more; mend them"):
        load(root)
    data = load(root, skip_bad=True)

    assert [found.path for found in data.facts.skipped] == ["a/cut.npy", "b/nan.npy", "b/notes.txt", "b/two.npy"]
    assert str(data.facts.skipped[3]) == "b/two.npy (2 channels, not 1)"


def test_copies_count_whatever_they_are_stored_as(tmp_path: Path, make: Make) -> None:
    root = make(tmp_path, (4, 4, 4), a=6, b=6)
    np.savez_compressed(root / "a" / "copy.npz", np.load(root / "a" / "v0.npy"))

    assert load(root).facts.duplicates == 1


def test_what_does_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "scans", (32, 32, 32), a=6, b=6)
    monkeypatch.setattr(module, "free_memory", lambda: 2_000_000)

    with pytest.raises(BadData, match=r"12 volumes of 32x32x32x1 take 0\.0 GB.* --image-size 24 \(image_size=24\)"):
        load(root)


def test_a_way_of_reading_goes_through_json() -> None:
    reads = Volumes((4, 5, 6), 2, "crop")

    assert reads_from_dict(reads_to_dict(reads)) == reads
    with pytest.raises(BadValue, match="volumes are described by size, channels, fit; got kind"):
        Volumes.from_dict({"kind": 1})
    with pytest.raises(BadValue, match=r"Volumes\(size=\(0, 1, 2\)"):
        Volumes((0, 1, 2))


def test_reading_names_the_file_that_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.npy: missing"):
        Volumes((4, 4, 4)).read([tmp_path / "gone.npy"])
    with pytest.raises(BadValue, match="there are no volumes"):
        Volumes((4, 4, 4)).read([])
