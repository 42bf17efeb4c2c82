"""Learning curves: which samples each size has, what is kept, what the ledger hears of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import holdfast
from holdfast.core import BadValue, UnknownName
from holdfast.data import Dataset, from_arrays
from holdfast.runs import LearningCurve, Record
from holdfast.runs.curve import checked_sizes, nested_order

from .small import CLASSES, arrays, in_memory, rows, with_dropout


def curve(out: Path, **changes: Any) -> LearningCurve:  # Any: what learning_curve takes
    settings: dict[str, Any] = {"model": "dense", "epochs": 3, "device": "cpu", "verbose": 0, "out": out}
    settings |= {"sizes": [20, 40, 84], "repeats": 2}
    return holdfast.learning_curve(**({"data": in_memory()} | settings | changes))


def sizes_of(data: Dataset, sizes: list[int] | None) -> list[int]:
    return checked_sizes(data, sizes, [nested_order(data.train, seed) for seed in range(3)])


def test_every_beginning_of_the_order_is_stratified() -> None:
    part = in_memory().train
    labels = part.labels.numpy()
    shares = np.bincount(labels) / len(labels)

    order, ends = nested_order(part, seed=0)

    assert sorted(order) == list(range(len(part)))
    assert ends.tolist() == list(range(1, len(part) + 1))
    assert set(labels[order[:CLASSES]]) == set(range(CLASSES))
    for size in range(1, len(part)):
        assert np.abs(np.bincount(labels[order[:size]], minlength=CLASSES) - size * shares).max() <= 2


def test_another_seed_is_another_order() -> None:
    part = in_memory().train

    first, again, other = (nested_order(part, seed)[0].tolist() for seed in (0, 0, 1))

    assert first == again != other


def test_groups_are_cut_nowhere() -> None:
    images, labels = arrays(120)
    part = from_arrays(images, labels, groups=np.arange(120) // 4).train
    assert part.groups is not None

    order, ends = nested_order(part, seed=0)

    groups = part.groups[order]
    assert sorted(order) == list(range(len(part)))
    assert all(groups[end - 1] != groups[end] for end in ends[:-1])
    assert len(ends) == len(np.unique(groups))


def test_without_sizes_the_training_part_is_halved_as_long_as_each_class_has_ten() -> None:
    data = in_memory()
    rarest = np.bincount(data.train.labels.numpy()).min()

    sizes = sizes_of(data, None)

    assert sizes == [42, 84]
    assert rarest / 2 >= 10 > rarest / 4


def test_a_curve_has_six_sizes_at_most() -> None:
    random = np.random.default_rng(0)
    data = from_arrays(random.integers(0, 255, (3000, 2, 2), np.uint8), np.arange(3000) % 2)

    assert sizes_of(data, None) == [2100 >> power for power in (5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([50], r"learning_curve\(sizes=\[50\]\): a curve needs at least two sizes"),
        ([50, 50], "at least two sizes"),
        ([50, 85], "holds|has 84 training samples, no 85"),
        ([2, 50], "2 samples are too few for one of each of the 3 classes"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: list[int], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        sizes_of(in_memory(), sizes)


def test_a_class_too_rare_to_be_halved_is_named() -> None:
    images, labels = arrays(40)

    with pytest.raises(BadValue, match=r"half of its 28 .* class '\d' has \d, and at least 10 of each are needed; say"):
        sizes_of(from_arrays(images, labels), None)


def test_only_halvings_that_cut_no_group_are_taken() -> None:
    images, labels = arrays(400)
    data = from_arrays(images, labels, groups=np.arange(400) // 50)
    n = len(data.train)

    assert sizes_of(data, None) in ([n // 2, n], [n // 4, n // 2, n])
    with pytest.raises(BadValue, match="groups are never cut, and those of arrays are too large to tell these apart"):
        sizes_of(data, [99, 101])


def test_repeats_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"learning_curve\(repeats=0\): must be a positive whole number"):
        curve(tmp_path / "runs", repeats=0)
    assert not (tmp_path / "runs").exists()


def test_what_is_no_number_of_samples_or_no_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"learning_curve\(sizes=\[20, 40.5\]\): must be a positive whole number"):
        curve(tmp_path / "runs", sizes=[20, 40.5])
    with pytest.raises(UnknownName, match=r"unknown option 'epoch'; did you mean 'epochs'\?"):
        curve(tmp_path / "runs", epoch=3)
    assert not (tmp_path / "runs").exists()


def test_points_gain_and_sentences_fit_each_other(tmp_path: Path) -> None:
    found = curve(tmp_path / "runs")

    assert [point.n for point in found.points] == [20, 40, 84]
    assert all(len(point.repeats) == 2 for point in found.points)
    assert all(point.validation.value == pytest.approx(np.mean(point.repeats)) for point in found.points)
    assert all(
        point.validation.interval[0] < point.validation.value < point.validation.interval[1] for point in found.points
    )
    assert found.gain.value == pytest.approx(found.points[2].validation.value - found.points[1].validation.value)
    assert found.forecast is not None
    assert found.forecast.n == 168
    assert found.sentences[0].startswith("from 40 to 84 pictures the accuracy ")
    assert found.sentences[1].startswith("of 84 training pictures it gets ")
    assert str(found) == f"{found.folder}: {found.sentences[0]}"


def test_the_folder_holds_record_curve_and_report(tmp_path: Path) -> None:
    found = curve(tmp_path / "runs")

    assert found.folder == tmp_path / "runs" / "arrays-curve-001"
    assert sorted(path.name for path in found.folder.iterdir()) == ["curve.json", "report.html", "run.json"]
    plain = json.loads((found.folder / "curve.json").read_text(encoding="utf-8"))
    assert [point["n"] for point in plain["points"]] == [20, 40, 84]
    assert plain["gain"]["value"] == found.gain.value
    record = Record.read(found.folder)
    assert (record.kind, record.status) == ("curve", "finished")
    assert record.scores["curve"] == plain
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert found.sentences[0].replace(" %", "\N{NO-BREAK SPACE}%") in page
    assert "http" not in page.replace("http-equiv", "")


def test_every_training_is_a_look_at_validation_and_the_test_part_stays_sealed(tmp_path: Path) -> None:
    found = curve(tmp_path / "runs")

    looks = rows(tmp_path / "runs", "select part, purpose, value from looks order by id")
    assert [(part, purpose) for part, purpose, _ in looks] == [("validation", "report")] * 6
    assert [value for *_, value in looks] == [value for point in found.points for value in point.repeats]
    assert rows(tmp_path / "runs", "select name, status from runs") == [("arrays-curve-001", "finished")]
    assert found.points[0].validation.looks == 6


def test_the_same_seed_gives_the_same_curve_and_a_given_model_is_not_changed(tmp_path: Path) -> None:
    model = with_dropout()
    before = [array.copy() for array in model.get_weights()]

    first, again = (curve(tmp_path / "runs", model=model, sizes=[40, 84], epochs=1) for _ in range(2))

    assert first.points == again.points or [one.repeats for one in first.points] == [
        one.repeats for one in again.points
    ]
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


def test_whole_groups_are_drawn_and_widen_the_intervals(tmp_path: Path) -> None:
    images, labels = arrays(160)
    data = from_arrays(images, labels, groups=np.arange(160) // 4)

    found = curve(tmp_path / "runs", data=data, sizes=[40, len(data.train)])

    assert len(found.points) == 2
    assert found.forecast is None


def test_progress_is_told_by_size_and_repeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curve(tmp_path / "runs", verbose=1, sizes=[40, 84])

    lines = capsys.readouterr().out.splitlines()
    lines = lines[lines.index("sizes     40, 84; 2 trainings each") :]
    assert [line.split()[0] for line in lines[1:5]] == ["40", "40", "84", "84"]
    assert "repeat 2 of 2" in lines[2]
    assert lines[5].startswith("more data from 40 to 84 pictures")
    assert lines[6].startswith("model     of 84 training pictures")
    assert lines[7].startswith("saved     ")
