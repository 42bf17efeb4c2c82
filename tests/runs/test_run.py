"""A finished run: loading it, asking it, judging it again, opening its test part."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import holdfast
from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import Dataset, load
from holdfast.evaluate import Ledger
from holdfast.runs import Run
from holdfast.runs.run import openings

from .small import in_memory, npz, rows, train

QUESTION = "select purpose, part, metric from looks where part = 'test' order by id"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """For tests that change nothing."""
    return train(tmp_path_factory.mktemp("finished") / "runs")


def told(run: Run) -> list[Any]:  # Any: whatever
    """All that a run says, comparably."""
    reports = [report and report.to_dict() for report in (run.train, run.validation, run.test)]
    return [run.folder, run.record.model_dump_json(), reports, run.verdict, run.openings]


def test_loading_gives_what_training_gave(finished: Run) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 6, 6, 1), np.uint8)

    loaded = Run.load(finished.folder)

    assert told(loaded) == told(finished)
    assert np.array_equal(loaded.predict(images), finished.predict(images))
    assert str(loaded) == str(finished) == f"{finished.folder}: {finished.validation}"


def test_loading_computes_looks_at_and_writes_nothing(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object, **__: object) -> None:
        raise AssertionError("loading must not do this")

    monkeypatch.setattr("holdfast.runs.run.score", no)
    monkeypatch.setattr("holdfast.runs.run.load_shown", no)
    monkeypatch.setattr(Ledger, "open", no)
    before = {path: path.stat().st_mtime_ns for path in finished.folder.parent.rglob("*")}

    Run.load(str(finished.folder))

    assert {path: path.stat().st_mtime_ns for path in finished.folder.parent.rglob("*")} == before


def test_a_run_works_without_its_ledger_and_its_data(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    moved = run.folder.rename(tmp_path / "moved")
    (tmp_path / "small.npz").unlink()

    assert Run.load(moved).predict(np.zeros((1, 6, 6, 1), np.uint8)).shape == (1, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved", "runs"]


def test_pictures_are_predicted_from_files_as_from_arrays(finished: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (6, 6), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    Image.fromarray(pixels).convert("RGB").save(tmp_path / "colour.png")
    Image.new("L", (60, 40), 77).save(tmp_path / "large.png")

    shares = finished.predict([tmp_path / "small.png", str(tmp_path / "colour.png"), tmp_path / "large.png"])

    arrays = np.stack([pixels, pixels, np.full((6, 6), 77, np.uint8)])[..., np.newaxis]
    np.testing.assert_allclose(shares, finished.predict(arrays), rtol=1e-5)
    assert shares.sum(1) == pytest.approx([1, 1, 1])


def test_a_file_that_is_no_picture_is_said(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(BadFile, match=r"notes\.txt: not a picture"):
        finished.predict([tmp_path / "notes.txt"])


def test_a_model_of_features_takes_arrays_only(tmp_path: Path) -> None:
    from holdfast import Input, Sequential
    from holdfast.layers import Dense

    points = np.eye(4)[np.arange(60) % 4] + np.arange(60)[:, None] / 1000
    data = holdfast.data.from_arrays(points, np.arange(60) % 4)
    run = train(tmp_path / "runs", data, model=Sequential([Input((4,)), Dense(4, activation="softmax")]), epochs=1)

    assert run.predict(points[:2].astype(np.float32)).shape == (2, 4)
    with pytest.raises(BadValue, match="was trained on numbers of its own range, not on files; give an array"):
        run.predict(["a.png"])


def test_judging_again_gives_the_same_and_counts_as_a_look(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=3)

    again = holdfast.evaluate_run(run.folder)

    assert again.validation.accuracy.value == run.validation.accuracy.value
    assert again.validation.accuracy.looks == run.validation.accuracy.looks + 1
    assert again.verdict == run.verdict
    assert again.test is None
    assert rows(tmp_path / "runs", "select count(*) from looks where purpose = 'report'") == [(4,)]  # 2 of 2 metrics
    assert told(Run.load(run.folder)) == told(again)


def test_opening_the_test_part_is_counted_and_told_everywhere(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=3)

    opened = holdfast.evaluate_run(run.folder, open_test=True)

    assert opened.test is not None
    assert (opened.test.accuracy.part, opened.test.accuracy.n, opened.test.accuracy.looks) == ("test", 18, 1)
    assert opened.openings == openings(run.folder) == 1
    assert rows(tmp_path / "runs", QUESTION) == [
        ("unseal", "test", None),
        ("report", "test", "accuracy"),
        ("report", "test", "loss"),
    ]
    assert f"{opened.test.accuracy}" in (run.folder / "card.md").read_text(encoding="utf-8")
    assert "opened once" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert told(Run.load(run.folder)) == told(opened)


def test_the_score_on_test_is_that_of_the_model(tmp_path: Path) -> None:
    path = npz(tmp_path / "small.npz")
    with np.load(path) as arrays:
        images, labels = arrays["x"], arrays["y"]
    np.savez(path, x_train=images[:90], y_train=labels[:90], x_test=images[90:], y_test=labels[90:])
    run = train(tmp_path / "runs", epochs=5)

    opened = holdfast.evaluate_run(run.folder, open_test=True)

    assert opened.test is not None
    said = run.predict(images[90:, :, :, np.newaxis]).argmax(1)
    assert opened.test.accuracy.value == pytest.approx((said == labels[90:]).mean())
    assert opened.test.accuracy.n == 30


def test_openings_are_counted_over_all_runs_of_the_data(tmp_path: Path) -> None:
    first, second = (train(tmp_path / "runs", epochs=1, model=model) for model in ("convnet", "dense"))
    other = train(tmp_path / "runs", in_memory(seed=1), epochs=1)

    holdfast.evaluate_run(first.folder, open_test=True)
    opened = holdfast.evaluate_run(second.folder, open_test=True)

    assert opened.test is not None
    assert opened.test.accuracy.looks == 2
    assert [openings(run.folder) for run in (first, second, other)] == [2, 2, 0]
    assert "opened 2 times" in str(opened.test)


def test_openings_are_counted_over_all_image_sizes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(24):
        path = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).save(path)

    for opening, size in enumerate((8, 12), 1):
        run = train(tmp_path / "runs", load(tmp_path / "photos", image_size=size), model="dense", epochs=1)
        assert holdfast.evaluate_run(run.folder, open_test=True).openings == opening


def test_the_ledger_is_written_before_the_test_part_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(tmp_path / "runs", epochs=1)

    def crash(_: object) -> None:
        raise RuntimeError("the power fails")

    monkeypatch.setattr(sys.modules["holdfast.evaluate.unseal"], "open_seal", crash)
    with pytest.raises(RuntimeError, match="the power fails"):
        holdfast.evaluate_run(run.folder, open_test=True)

    assert openings(run.folder) == 1
    assert Run.load(run.folder).test is None


def test_the_test_part_stays_shut_where_the_ledger_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tmp_path / "runs", epochs=1)
    opened: list[object] = []

    def refuse(*_: object, **settings: object) -> None:
        if settings["purpose"] == "unseal":
            raise BadFile("the ledger cannot be written")

    monkeypatch.setattr(Ledger, "look", refuse)
    monkeypatch.setattr(sys.modules["holdfast.evaluate.unseal"], "open_seal", opened.append)
    with pytest.raises(BadFile, match="the ledger cannot be written"):
        holdfast.evaluate_run(run.folder, open_test=True)

    assert opened == []


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise BadFile("the disk is full")

    monkeypatch.setattr(Ledger, "begin_run", full)
    for begin in (train, crossval):
        with pytest.raises(BadFile, match="disk is full"):
            begin(tmp_path, in_memory())

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def crossval(out: Path, data: Dataset) -> None:
    holdfast.cross_validate("dense", data, cv=2, epochs=1, out=out, verbose=0)


def test_a_later_judging_keeps_the_score_on_test(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    opened = holdfast.evaluate_run(run.folder, open_test=True)

    later = holdfast.evaluate_run(run.folder)

    assert later.test is not None
    assert opened.test is not None
    assert later.test.to_dict() == opened.test.to_dict()
    assert openings(run.folder) == 1


def test_judging_again_keeps_what_it_does_not_measure(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    run.record.scores["later"] = {"mean": 0.5}
    run.record.write(run.folder)

    holdfast.evaluate_run(run.folder)

    assert Run.load(run.folder).record.scores["later"] == {"mean": 0.5}


def test_data_that_has_changed_is_refused_and_nothing_is_opened(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    npz(tmp_path / "small.npz", seed=1)

    with pytest.raises(
        BadData, match=r"^small: the data has changed since small-001 was trained, so its parts are not"
    ):
        holdfast.evaluate_run(run.folder, open_test=True)

    assert openings(run.folder) == 0


def test_data_that_has_gone_is_named_with_the_run(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    (tmp_path / "small.npz").rename(tmp_path / "moved.npz")

    with pytest.raises(BadFile, match=r"small\.npz: is not there, and .*small-001 was trained on it; put it back"):
        holdfast.evaluate_run(run.folder)


def test_data_from_memory_is_given_again(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", in_memory(), epochs=1)

    with pytest.raises(BadValue, match=r"its data came from memory; give it in Python: .* holdfast\.evaluate_run\("):
        holdfast.evaluate_run(run.folder)
    with pytest.raises(BadData, match="arrays: the data has changed"):
        holdfast.evaluate_run(run.folder, in_memory(validation=0.2))

    assert holdfast.evaluate_run(run.folder, in_memory(), open_test=True).openings == 1


def test_a_run_is_judged_from_within_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(tmp_path / "runs", epochs=1)
    monkeypatch.chdir(run.folder)

    judged = holdfast.evaluate_run(".")

    assert judged.validation.accuracy.value == run.validation.accuracy.value
    assert not (run.folder / "ledger.db").exists()


def test_a_ledger_elsewhere_is_used_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LEDGER", str(tmp_path / "team.db"))

    run = train(tmp_path / "runs", epochs=1)
    holdfast.evaluate_run(run.folder, open_test=True)

    assert openings(run.folder) == 1
    assert not (tmp_path / "runs" / "ledger.db").exists()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("{", r"run\.json: is damaged:"),
        ("{}", r"run\.json: is damaged: name field required\.$"),
        ("[]", r"run\.json: is damaged:"),
    ],
)
def test_a_damaged_record_is_said_in_one_line(tmp_path: Path, damage: str, text: str) -> None:
    (tmp_path / "run.json").write_text(damage)

    with pytest.raises(BadFile, match=text) as caught:
        Run.load(tmp_path)

    assert "\n" not in str(caught.value)


def test_a_record_with_unknown_words_is_refused(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))

    with pytest.raises(BadFile, match=r"run\.json: is damaged: colour extra inputs are not permitted\.$"):
        Run.load(run.folder)


def test_a_damaged_model_file_is_said(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    (run.folder / "model.keras").write_text("nonsense")

    with pytest.raises(BadFile, match=r"model\.keras: is no \.keras model file, or a damaged one"):
        Run.load(run.folder)


def test_a_run_that_has_not_finished_is_not_loaded(tmp_path: Path) -> None:
    run = train(tmp_path / "my runs", epochs=1)
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace('"finished"', '"interrupted"'))

    for function in (Run.load, holdfast.evaluate_run):
        with pytest.raises(
            BadValue, match=r"this run has not finished; go on with: holdfast train --resume '.*my runs/"
        ):
            function(run.folder)


@pytest.mark.parametrize("top", [1.0, 16.0], ids=["to 1", "to 16"])
def test_pictures_of_another_range_than_bytes_are_learned_as_well(tmp_path: Path, top: float) -> None:
    """Floats from 0 to 1 used to be divided by 255, so that hardly anything was learned."""
    labels = np.arange(200) % 2
    pictures = np.random.default_rng(0).random((200, 8, 8)) * top / 4
    pictures[labels == 1, 2:6, 2:6] += top / 2

    run = train(tmp_path / "runs", holdfast.data.from_arrays(pictures, labels), epochs=5)

    assert run.validation.accuracy.value > 0.95
    with pytest.raises(BadValue, match="was trained on numbers of its own range"):
        run.predict(["a.png"])


def test_a_model_keeps_the_optimizer_that_it_was_compiled_with(tmp_path: Path) -> None:
    """It used to be replaced by adam, in silence."""
    from holdfast import Input, Sequential
    from holdfast.layers import Dense

    model = Sequential([Input((4,)), Dense(2, activation="softmax")])
    data = holdfast.data.from_arrays(np.random.default_rng(0).random((60, 4)), np.arange(60) % 2)
    model.compile("sgd")

    run = train(tmp_path / "runs", data, model=model, epochs=1, optimizer=None)

    assert run.record.settings.optimizer["class_name"] == "SGD"
    with pytest.raises(BadValue, match="the model is compiled with 'mse'; a run minimises plain cross-entropy"):
        train(tmp_path / "runs", data, model=model.compile("sgd", "mse"), epochs=1, optimizer=None)
