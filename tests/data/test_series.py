"""Series: every layout of files gives the same samples, windows keep to one side, and files are read as in training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.core import BadData, BadFile, BadValue, MissingExtra
from holdfast.data import Dataset, load
from holdfast.data.reads import reads_from_dict, reads_to_dict
from holdfast.data.recordings import Recording
from holdfast.data.series import Series, cut, is_series, mended, series_source

N, STEPS = 40, 20
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(N, STEPS, 2)).astype(np.float32)
LABELS = ["cat", "dog"] * (N // 2)


def line(*cells: object) -> str:
    return ",".join(map(str, cells)) + "\n"


def ucr(folder: Path, ending: str = ".tsv") -> Path:
    """A class and then steps, one channel, without names."""
    rows = ["\t".join(map(str, [place % 2 + 1, *row[:, 0]])) for place, row in enumerate(VALUES)]
    path = folder / f"ucr{ending}"
    path.write_text("\n".join(rows))
    return path


def wide(folder: Path, lengths: Callable[[int], int] = lambda row: STEPS) -> Path:
    """A series a row, with names, of one channel."""
    path = folder / "wide.csv"
    rows = [line("label", "patient", *(f"t{step}" for step in range(STEPS)))]
    for row, (values, label) in enumerate(zip(VALUES, LABELS, strict=True)):
        held = [str(one) for one in values[: lengths(row), 0]]
        rows.append(line(label, f"p{row // 4}", *held, *[""] * (STEPS - len(held))))
    path.write_text("".join(rows))
    return path


def long(folder: Path) -> Path:
    """A step a row, in reverse order of time."""
    path = folder / "long.csv"
    rows = [line("id", "time", "x", "y", "label")]
    for row, (values, label) in enumerate(zip(VALUES, LABELS, strict=True)):
        rows += [line(f"s{row}", row * STEPS + step, *values[step], label) for step in reversed(range(STEPS))]
    path.write_text("".join(rows))
    return path


def csv_files(folder: Path) -> Path:
    root = folder / "csv"
    for row, (values, label) in enumerate(zip(VALUES, LABELS, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        steps = [line(step, *one) for step, one in enumerate(values)]
        (root / label / f"{row:02}.csv").write_text(line("time", "x", "y") + "".join(steps))
    return root


def npy_files(folder: Path) -> Path:
    root = folder / "npy"
    for row, (values, label) in enumerate(zip(VALUES, LABELS, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        np.save(root / label / f"{row:02}.npy", values)
    return root


def parquet_files(folder: Path) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    root = folder / "parquet"
    for row, (values, label) in enumerate(zip(VALUES, LABELS, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        table = pyarrow.table({"x": values[:, 0], "y": values[:, 1]})
        parquet.write_table(table, root / label / f"{row:02}.parquet")
    return root


def manifest(folder: Path) -> Path:
    csv_files(folder)
    path = folder / "list.csv"
    rows = [line(f"csv/{label}/{row:02}.csv", label) for row, label in enumerate(LABELS)]
    path.write_text(line("path", "label") + "".join(rows))
    return path


def archive(folder: Path) -> Path:
    path = folder / "all.npz"
    np.savez(path, x=VALUES, y=np.array(LABELS))
    return path


def whole(data: Dataset) -> NDArray[np.float32]:
    """All samples but those of the test part, sorted."""
    found: NDArray[np.float32] = data.pool.images[:].numpy()
    return found[np.argsort(found[:, 0, 0])]


def in_any_order(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[np.argsort(values[:, 0, 0])]


@pytest.mark.parametrize(
    ("write", "channels"),
    [(ucr, 1), (wide, 1), (long, 2), (csv_files, 2), (npy_files, 2), (parquet_files, 2), (manifest, 2), (archive, 2)],
    ids=["ucr", "wide", "long", "csv", "npy", "parquet", "manifest", "npz"],
)
def test_every_layout_is_read_and_files_again_as_in_training(
    write: Callable[[Path], Path], channels: int, tmp_path: Path
) -> None:
    path = write(tmp_path)

    data = load(path, test=0)

    assert data.kind == "series"
    assert len(data.classes) == 2
    np.testing.assert_allclose(whole(data), in_any_order(VALUES[..., :channels]), rtol=1e-6)
    assert data.reads is not None
    files = sorted(path.rglob("*.*")) if path.is_dir() else [path]
    files = sorted((tmp_path / "csv").rglob("*.csv")) if write is manifest else files
    read = data.reads.read([str(file) for file in files])
    np.testing.assert_allclose(in_any_order(read), in_any_order(VALUES[..., :channels]), rtol=1e-6)


def test_rows_without_a_class_are_read_by_a_model(tmp_path: Path) -> None:
    reads = load(ucr(tmp_path), test=0).reads
    assert reads is not None
    (tmp_path / "new.csv").write_text("".join(line(*row[:, 0]) for row in VALUES[:3]))

    np.testing.assert_allclose(reads.read([tmp_path / "new.csv"]), VALUES[:3, :, :1], rtol=1e-6)


def test_named_rows_without_a_class_are_read_by_a_model_and_refused_for_training(tmp_path: Path) -> None:
    """They ended in an IndexError."""
    reads = Series(STEPS, ("channel 0",))
    new = tmp_path / "new.csv"
    rows = [line(*(f"t{step}" for step in range(STEPS))), *(line(*row[:, 0]) for row in VALUES[:3])]
    new.write_text("".join(rows))

    np.testing.assert_allclose(reads.read([new]), VALUES[:3, :, :1], rtol=1e-6)
    with pytest.raises(BadData, match="says nothing of classes; a column called label is needed"):
        load(new)


def test_files_of_other_kinds_are_no_series(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("hi")

    with pytest.raises(BadFile, match=r"notes\.jpg: is no file of series; accepted are \.csv"):
        Series(STEPS, ("x", "y"), whole=True).read([tmp_path / "notes.jpg"])


def test_a_file_of_names_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,y\n")

    with pytest.raises(BadFile, match=r"new\.csv: has a line of names, and nothing below it"):
        Series(STEPS, ("x", "y"), whole=True).read([tmp_path / "new.csv"])


def test_series_of_other_lengths_are_padded_and_masked(tmp_path: Path) -> None:
    data = load(wide(tmp_path, lambda row: STEPS - row % 5), test=0)

    values = whole(data)

    assert data.shape == (STEPS, 2)
    assert set(values[..., 1].sum(1)) == {16.0, 17.0, 18.0, 19.0, 20.0}
    assert (values[..., 0][values[..., 1] == 0] == 0).all()
    assert "series have 16 to 20 measured steps of 20" in data.facts.notes[0]
    assert isinstance(data.reads, Series)
    assert data.reads.masked


def test_a_window_longer_than_all_series_is_told(tmp_path: Path) -> None:
    data = load(wide(tmp_path), test=0, window=200)

    assert "no series is as long as a window of 200 steps, the longest has 20; take --window 20 or less" in (
        data.facts.notes
    )


def test_a_column_of_groups_keeps_them_together(tmp_path: Path) -> None:
    data = load(wide(tmp_path), group_by="patient", test=0.2)

    assert data.facts.groups == 10
    assert data.train.groups is not None
    assert data.validation.groups is not None
    assert not set(data.train.groups) & set(data.validation.groups)


def test_windows_of_one_series_stay_on_one_side(tmp_path: Path) -> None:
    data = load(long(tmp_path), window=10, hop=5)

    assert data.shape == (10, 2)
    assert len(data.pool) + len(data.test) == 3 * N
    sides = [{name.split(" from ")[0] for name in part.names} for part in (data.train, data.validation)]
    assert not sides[0] & sides[1]
    assert f"{N} series are cut into {3 * N} windows of 10 steps" in data.facts.notes


def test_windows_by_time_do_not_overlap_over_a_border(tmp_path: Path) -> None:
    data = load(long(tmp_path), window=10, hop=5, time_by="time")

    assert data.train.times is not None
    assert data.validation.times is not None
    assert data.train.times.max() <= data.validation.times.min() - 10  # both are the ends of windows of 10 steps


def test_a_gap_leaves_out_what_is_near_a_border_and_says_so(tmp_path: Path) -> None:
    without, data = (load(long(tmp_path), window=10, hop=5, time_by="time", gap=gap) for gap in (0, 60))

    assert data.train.times is not None
    assert data.validation.times is not None
    assert data.validation.times.min() - 9 - data.train.times.max() >= 60
    lost = len(without.pool) - len(data.pool)
    assert lost > 0
    assert any("at the borders of the split by time" in note for note in data.facts.notes)
    assert data.facts.duplicates_removed == 0


def test_a_gap_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"long: all samples of a part are nearer than gap=1e\+06 to the next"):
        load(long(tmp_path), time_by="time", gap=1e6)


def test_windows_too_long_for_a_split_by_time_are_told_without_a_gap(tmp_path: Path) -> None:
    """It said: nearer than gap=0, take a shorter one."""
    rows = [line(number, step, number * step, "ab"[number % 2]) for number in range(20) for step in range(80)]
    (tmp_path / "steps.csv").write_text(line("id", "time", "x", "label") + "".join(rows))

    with pytest.raises(BadData, match="all samples of a part overlap the next; take shorter windows"):
        load(tmp_path / "steps.csv", time_by="time", window=20, hop=10)


def test_single_numbers_that_are_missing_lie_between_their_neighbours() -> None:
    values = np.array([[1.0, 9.0], [np.nan, 8.0], [3.0, np.nan], [np.nan, np.nan], [5.0, 5.0]])

    found = mended(Recording("one", values)).values

    np.testing.assert_array_equal(found, [[1, 9], [2, 8], [3, 7], [np.nan, np.nan], [5, 5]])


def test_a_step_without_any_number_is_masked() -> None:
    values = [np.array([[1.0], [np.nan], [3.0]]), np.array([[4.0], [5.0]])] * 6
    source = series_source(values, np.arange(12) % 2, ("a", "b"), [f"{n}" for n in range(12)], channels=("x",))

    np.testing.assert_array_equal(source.images[:2], [[[1, 1], [0, 0], [3, 1]], [[4, 1], [5, 1], [0, 0]]])  # type: ignore[index]  # an array


@pytest.mark.parametrize(
    ("lengths", "hop", "expected"),
    [
        ([10], None, [(0, 0, 10)]),
        ([10], 4, [(0, 0, 4), (0, 4, 8)]),
        ([3, 4], 4, [(0, 0, 3), (1, 0, 4)]),
        ([9], 2, [(0, 0, 4), (0, 2, 6), (0, 4, 8)]),
    ],
    ids=["whole", "a rest is left", "shorter", "overlapping"],
)
def test_windows_are_cut(lengths: list[int], hop: int | None, expected: list[tuple[int, int, int]]) -> None:
    found = cut([Recording("", np.zeros((length, 1))) for length in lengths], 4 if hop else 10, hop)

    assert [(one.recording, one.begin, one.end) for one in found] == expected


def test_bad_files_are_named_and_may_be_left_out(tmp_path: Path) -> None:
    root = csv_files(tmp_path)
    (root / "cat" / "lacks.csv").write_text("time,x\n1,2\n")
    (root / "cat" / "text.csv").write_text("time,x,y\n1,2,red\n")
    (root / "dog" / "empty.csv").write_text("")
    (root / "dog" / "infinite.csv").write_text("time,x,y\n1,2,inf\n")

    with pytest.raises(BadData, match="4 of 44 series cannot be used: "):
        load(root)
    data = load(root, skip_bad=True)

    reasons = {bad.path: bad.reason for bad in data.facts.skipped}
    assert reasons["cat/lacks.csv"] == "lacks the channel 'y'"
    assert reasons["cat/text.csv"] == "column 'y' holds 'red'; a channel is made of numbers"
    assert reasons["dog/infinite.csv"] == "holds infinite values"
    assert set(reasons) == {"cat/lacks.csv", "cat/text.csv", "dog/empty.csv", "dog/infinite.csv"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"window": 10.5}, BadValue, r"load\(window=10.5\): must be a whole number of steps"),
        ({"hop": 5}, BadValue, r"load\(hop=5\): .* say how long one is: window="),
        ({"label_by": "kind"}, BadData, r"label_by='kind' is no column"),
        ({"image_size": 8}, BadValue, r"load\(image_size=.*\): does not concern series; leave out --image-size"),
        ({"gap": 3}, BadValue, r"load\(gap=3\): is between the parts of a split by time; say the times: --time-by"),
    ],
    ids=["half a step", "hop alone", "no such column", "pictures", "a gap in no time"],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load(long(tmp_path), **options)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (VALUES[0, :18], "has 18 steps; the model takes 20 and learned from none that is shorter"),
        (np.tile(VALUES[0], (2, 1)), "has 40 steps; the model takes up to 20: cut it, or train with --window"),
        (VALUES[0, :, :1], "has 1 channels; 2 are needed"),
    ],
    ids=["shorter", "longer", "channels"],
)
def test_files_that_do_not_fit_a_model_are_told(values: NDArray[np.float32], words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", values)

    with pytest.raises(BadFile, match=words):
        Series(STEPS, ("x", "y")).read([tmp_path / "new.npy"])


def test_a_way_of_reading_goes_round_as_json() -> None:
    for reads in (Series(9, ("a",)), Series(9, ("a", "b"), masked=True, hop=3, whole=True)):
        assert reads_from_dict(reads_to_dict(reads)) == reads
    with pytest.raises(BadValue, match="series are described by steps, channels"):
        Series.from_dict({"steps": -1, "channels": ["a"]})


def test_a_model_trained_on_windows_reads_the_windows_of_a_file(tmp_path: Path) -> None:
    data = load(csv_files(tmp_path), window=8, hop=4)
    assert isinstance(data.reads, Series)
    path = tmp_path / "csv" / "cat" / "00.csv"

    assert data.reads.read([path]).shape == (4, 8, 2)
    assert data.reads.names([path]) == ["00.csv from 0", "00.csv from 4", "00.csv from 8", "00.csv from 12"]


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [((5, 40, 3), float, True), ((5, 28, 28), float, False), ((5, 40, 3), np.uint8, False), ((5, 9), float, False)],
    ids=["series", "pictures", "bytes", "features"],
)
def test_an_archive_holds_series_where_steps_outnumber_channels(
    shape: tuple[int, ...], kind: type, expected: bool, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(shape, kind), y=np.zeros(5))

    assert is_series(tmp_path / "a.npz") is expected


def test_an_archive_may_say_that_it_holds_series(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", series=VALUES[..., 0], labels=np.array(LABELS), patient=np.arange(N) // 4)

    data = load(tmp_path / "a.npz", group_by="patient")

    assert data.shape == (STEPS, 1)
    assert data.facts.groups == 10


def test_folders_of_volumes_and_pictures_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "v" / "a").mkdir(parents=True)
    np.save(tmp_path / "v" / "a" / "1.npy", np.zeros((4, 4, 4)))
    (tmp_path / "p" / "a").mkdir(parents=True)
    for name in ("1.png", "2.png", "0_notes.csv"):
        (tmp_path / "p" / "a" / name).write_bytes(b"")

    assert not is_series(tmp_path / "v")
    assert not is_series(tmp_path / "p")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"")

    with pytest.raises(MissingExtra, match=r"pyarrow is not installed; run: pip install 'holdfast\[parquet\]'"):
        load(tmp_path / "a.parquet")


def test_a_gap_in_the_way_of_reading_needs_a_mask(tmp_path: Path) -> None:
    values = VALUES[0].copy()
    values[5] = np.nan
    np.save(tmp_path / "new.npy", values)
    reads = Series(STEPS, ("x", "y"))

    with pytest.raises(BadFile, match="has steps without any number"):
        reads.read([tmp_path / "new.npy"])
    assert replace(reads, masked=True).read([tmp_path / "new.npy"])[0, :, 2].tolist() == [1] * 5 + [0] + [1] * 14


def test_a_file_of_one_series_is_read_by_a_model_of_files_with_many(tmp_path: Path) -> None:
    reads = load(long(tmp_path), test=0).reads
    assert reads is not None
    rows = [line(step, y, x) for step, (x, y) in enumerate(VALUES[0])]
    (tmp_path / "one.csv").write_text(line("time", "y", "x") + "".join(rows))

    np.testing.assert_allclose(reads.read([tmp_path / "one.csv"]), VALUES[:1], rtol=1e-6)
