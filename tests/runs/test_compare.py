"""Comparing runs: the part they have in common, what is said, the looks that it costs, the page, the dense twin."""

import json
import re
import shutil
from html import escape
from pathlib import Path

import numpy as np
import pytest

import holdfast
from holdfast.core import BadData, BadFile, BadValue
from holdfast.data import from_arrays
from holdfast.evaluate import Report
from holdfast.runs import Record, Run, compare_runs, train_twin
from holdfast.runs.pages.compare import Shown, changed_classes, curves
from holdfast.runs.predictions import Predictions

from .small import arrays, in_memory, npz, rows, train


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and a worse one, on the same file; tests may look, and copy."""
    out = tmp_path_factory.mktemp("two") / "runs"
    return train(out, epochs=12).folder, train(out, epochs=1, model="dense", learning_rate=1e-5).folder


def copied(runs: tuple[Path, Path], to: Path) -> list[Path]:
    """The runs with their ledger, to be changed."""
    shutil.copytree(runs[0].parent, to)
    return [to / run.name for run in runs]


def test_runs_are_compared_on_validation_where_test_is_sealed(two: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = copied(two, tmp_path / "runs")

    compared = compare_runs([first, second])

    (pair,) = compared.pairs
    kept = [Predictions.read(folder / "validation.npz") for folder in (first, second)]
    assert (compared.part, pair.first, pair.second, pair.n) == ("validation", "small-001", "small-002", 18)
    assert pair.difference == pytest.approx(kept[0].right.mean() - kept[1].right.mean())
    assert [row.accuracy.naive for row in compared.rows] == pytest.approx([one.right.mean() for one in kept])
    assert [row.parameters for row in compared.rows] == [Run.load(one).model.count_params() for one in (first, second)]
    assert [row.seconds for row in compared.rows] == [Record.read(one).seconds for one in (first, second)]
    assert all(0 < row.latency_ms < 1000 for row in compared.rows)


def test_one_sample_says_nothing_of_the_best(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 1), np.uint8)
    data = from_arrays(images, [0, 1] * 15, times=range(30), validation=0.03, test=0.03)

    compared = compare_runs([train(tmp_path, data, model="dense", epochs=1, seed=seed).folder for seed in (0, 1)])

    assert compared.pairs[0].n == 1
    assert compared.leaning.endswith("leans on them.  Judge the one you choose on its test part.")


def test_the_table_the_pairs_and_what_they_lean_on_are_told(two: tuple[Path, Path], tmp_path: Path) -> None:
    compared = compare_runs(copied(two, tmp_path / "runs"))

    lines = str(compared).splitlines()
    assert lines[0].split() == [
        "run",
        "model",
        "validation",
        "accuracy",
        "parameters",
        "training",
        "one",
        "sample",
        "looks",
    ]
    assert re.match(
        r"small-001  convnet +\d+\.\d % \[\d+\.\d, \d+\.\d\] n=18  [\d,]+ +[\d.]+ s +[\d.]+ ms +\d+$", lines[1]
    )
    assert lines[3] == ""
    assert lines[4] == str(compared.pairs[0])
    assert lines[5].startswith(
        f"The validation samples were looked at {compared.rows[0].looks} times, this time included"
    )
    assert "a choice between runs leans on them" in lines[5]


def test_every_comparison_on_validation_is_a_look_of_each_run(two: tuple[Path, Path], tmp_path: Path) -> None:
    folders = copied(two, tmp_path / "runs")
    before = rows(tmp_path / "runs", "select count(distinct run || '/' || number) from looks")[0][0]

    first = compare_runs(folders)
    second = compare_runs(folders)

    query = "select distinct run, part, number from looks where purpose = 'selection'"
    assert len(rows(tmp_path / "runs", query)) == 4
    assert [row.looks for row in first.rows] == [before + 2] * 2
    assert [row.looks for row in second.rows] == [before + 4] * 2


def test_test_parts_are_compared_where_all_are_open_and_that_is_no_look(two: tuple[Path, Path], tmp_path: Path) -> None:
    worse, better = reversed(copied(two, tmp_path / "runs"))
    holdfast.evaluate_run(worse, open_test=True)
    assert compare_runs([worse, better]).part == "validation"
    told = holdfast.evaluate_run(better, open_test=True)
    assert told.test is not None  # better than the first by far, so the Ladder tells it
    before = rows(tmp_path / "runs", "select count(*) from looks")

    compared = compare_runs([worse, better])

    assert (compared.part, compared.rows[1].accuracy) == ("test", told.test.accuracy)
    assert compared.leaning.startswith("The test part was opened 2 times")
    assert rows(tmp_path / "runs", "select count(*) from looks") == before


def test_cross_validations_are_compared_out_of_fold(tmp_path: Path) -> None:
    found = [
        holdfast.cross_validate(
            "dense", in_memory(), cv=3, epochs=epochs, device="cpu", verbose=0, out=tmp_path / "runs"
        )
        for epochs in (1, 3)
    ]

    compared = compare_runs([one.folder for one in found])

    assert compared.part == "out-of-fold"
    assert [row.accuracy for row in compared.rows] == [one.score for one in found]
    assert compared.pairs[0].n == len(found[0].labels)
    assert "A cross-validation keeps no curves." in compared.page.read_text(encoding="utf-8")
    assert rows(tmp_path / "runs", "select distinct part from looks where purpose = 'selection'") == [("out-of-fold",)]


def test_three_runs_are_three_pairs_with_holm_s_correction(two: tuple[Path, Path], tmp_path: Path) -> None:
    folders = copied(two, tmp_path / "runs")
    third = holdfast.train(
        tmp_path.parent / two[0].parent.parent / "small.npz",
        "dense",
        epochs=2,
        device="cpu",
        verbose=0,
        out=tmp_path / "runs",
    )

    compared = compare_runs([*folders, third.folder])

    assert [(pair.first[-1], pair.second[-1]) for pair in compared.pairs] == [("1", "2"), ("1", "3"), ("2", "3")]
    assert any(pair.adjusted_p > pair.p for pair in compared.pairs)
    assert "corrected by Holm for 3 pairs" in compared.page.read_text(encoding="utf-8")


def test_runs_of_one_name_are_told_apart_by_their_folders(two: tuple[Path, Path], tmp_path: Path) -> None:
    first, other = copied(two, tmp_path / "a")[0], copied(two, tmp_path / "b")[0]

    compared = compare_runs([first, other], out=tmp_path / "pages")

    assert [row.name for row in compared.rows] == [str(first), str(other)]
    assert compared.page == tmp_path / "pages" / "compare-small-001-small-001.html"
    assert compared.pairs[0].difference == 0


def test_the_page_holds_table_pairs_curves_and_classes_and_asks_the_network_for_nothing(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    compared = compare_runs(copied(two, tmp_path / "runs"))

    page = compared.page.read_text(encoding="utf-8")
    assert compared.page == tmp_path / "runs" / "compare-small-001-small-002.html"
    assert escape(compared.pairs[0].sentence) in page
    assert page.count('<polyline class="curve"') == 4  # accuracy and loss of two runs
    assert 'class="zero"' in page
    assert "Most changed" in page
    assert not re.search(r"https?:|<script|@import|url\(", page)


def test_names_are_escaped(tmp_path: Path) -> None:
    path = npz(tmp_path / "<b>&amp;.npz")
    folders = [train(tmp_path / "runs", holdfast.data.load(path), epochs=1, seed=seed).folder for seed in (0, 0)]

    assert "<b>&" not in compare_runs(folders).page.read_text(encoding="utf-8").partition("</style>")[2]


def shown(name: str, said: list[int], labels: list[int]) -> Shown:
    kept = Predictions(np.eye(3, dtype=np.float32)[said], np.array(labels), [""] * len(said), "f")
    return Shown(name, [{"val_loss": 1.0}, {"val_loss": None}], kept)


def test_classes_come_by_how_many_answers_differ() -> None:
    labels = [0, 0, 1, 1, 1, 1]
    found = changed_classes([shown("a", [0, 0, 1, 1, 1, 2], labels), shown("b", [0, 2, 1, 1, 1, 1], labels)], "xyz")

    assert [(row.name, row.n, row.changed, row.recalls) for row in found] == [
        ("x", 2, 0.5, (1.0, 0.5)),
        ("y", 4, 0.25, (0.75, 1.0)),
    ]


def test_curves_leave_out_what_is_not_there() -> None:
    runs = [shown("a", [0], [0]), shown("b", [0], [0])]

    chart = curves(runs, "val_loss")

    assert curves(runs, "val_accuracy") is None
    assert chart is not None
    assert [line.points.count(",") for line in chart.lines] == [1, 1]
    assert abs(chart.lines[0].label_y - chart.lines[1].label_y) >= 17


def test_what_cannot_be_compared_is_told_in_a_line(two: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = copied(two, tmp_path / "runs")
    out = tmp_path / "runs"
    images, labels = arrays(90, seed=5)
    other = train(out, from_arrays(images, labels, name="other"), epochs=1).folder
    divided = holdfast.train(
        two[0].parent.parent / "small.npz", epochs=1, seed=4, device="cpu", verbose=0, out=out
    ).folder
    folds = holdfast.cross_validate(
        "dense", two[0].parent.parent / "small.npz", cv=2, epochs=1, device="cpu", verbose=0, out=out
    ).folder
    for folders, message in (
        ([first], "takes two or more different runs"),
        ([first, first], "takes two or more different runs"),
        ([], "got nothing; it takes two or more"),
        ([first, other], "are of different data (small, other); compare runs on the same data."),
        ([first, divided], "the data is the same, but divided differently, so no samples judge them all; give all"),
        ([first, folds], "are a training and a cross-validation; compare two of one kind."),
    ):
        with pytest.raises(BadValue, match=re.escape(message)):
            compare_runs(folders)
    with pytest.raises(BadFile, match=r"is no run, it has no run\.json"):
        compare_runs([first, tmp_path])
    (second / "validation.npz").unlink()
    with pytest.raises(BadFile, match=r"its answers were not kept; write them: holdfast evaluate .*small-002"):
        compare_runs([first, second])
    assert list(out.glob("*.html")) == []


def test_an_unfinished_run_and_a_curve_are_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = copied(two, tmp_path / "runs")
    record = Record.read(second)
    record.status = "interrupted"
    record.write(second)
    with pytest.raises(BadValue, match="this run has not finished; go on with: holdfast train --resume"):
        compare_runs([first, second])
    record.kind = "curve"
    record.write(second)
    with pytest.raises(BadValue, match="is a learning curve; compare takes trainings or cross-validations"):
        compare_runs([first, second])
    record.kind = "crossval"
    record.write(second)
    with pytest.raises(BadValue, match="this cross-validation has not finished"):
        compare_runs([first, second])


def test_the_dense_twin_is_trained_under_equal_settings(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=3, seed=2)

    folder = train_twin(run.folder, verbose=0)

    twin, record = Run.load(folder), Record.read(run.folder)
    same = {"epochs", "batch_size", "patience", "seed", "device", "precision", "optimizer", "shift", "recipe"}
    assert folder == tmp_path / "runs" / "small-002"
    assert twin.record.settings.model_dump(include=same) == run.record.settings.model_dump(include=same)
    assert twin.record.prints == run.record.prints
    assert all(parameter.dim() < 3 for parameter in twin.model.module.parameters())
    assert twin.model.count_params() == pytest.approx(run.model.count_params(), rel=0.02)
    assert record.twin == "small-002"
    assert record.scores["baselines"]["dense twin"]["value"] == twin.validation.accuracy.value
    assert Report.from_dict(record.scores["validation"]).accuracy == run.validation.accuracy


def test_the_recipe_gives_the_twin_a_rate_of_its_own(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=2, optimizer=None, learning_rate=None, patience=None)

    twin = Run.load(train_twin(run.folder, verbose=0))

    assert twin.record.settings.recipe
    assert twin.record.settings.patience is None
    assert twin.record.settings.epochs == 2


def test_a_twin_is_trained_once_and_again_when_it_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path / "runs", epochs=1)
    first = train_twin(run.folder, verbose=0)
    capsys.readouterr()

    assert train_twin(run.folder) == first
    assert capsys.readouterr().out.strip().endswith("is the dense twin of small-001 already; it is not trained again")

    shutil.rmtree(first)
    assert train_twin(run.folder, verbose=0).is_dir()


def test_a_twin_keeps_the_other_baselines_and_the_run_can_be_judged_again(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    before = Record.read(run.folder).scores["baselines"]
    train_twin(run.folder, verbose=0)

    again = holdfast.evaluate_run(run.folder)

    assert before.items() < again.record.scores["baselines"].items()
    assert again.record.twin == "small-002"


def test_the_twin_s_model_is_kept_as_a_file_that_train_takes(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", epochs=1)
    twin = Run.load(train_twin(run.folder, verbose=0))

    path = Path(twin.record.settings.model)

    assert path == (run.folder / "dense-twin.json").resolve()
    assert json.loads(path.read_text(encoding="utf-8")) == twin.record.config


def test_a_twin_that_learned_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path / "runs", epochs=1, learning_rate=1e-7)
    train_twin(run.folder, verbose=0)
    capsys.readouterr()

    train_twin(run.folder)

    warning = capsys.readouterr().out.splitlines()[-1]
    units = Run.load(tmp_path / "runs" / "small-002").model.layers[-2].units  # type: ignore[attr-defined]  # a Dense
    assert warning.startswith(f"warning   the dense twin, of {units} hidden units, learned nothing (train ")
    assert "so the difference says little of convolutions" in warning


def test_what_can_have_no_twin_is_told(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    flat = train(out, epochs=1, model="dense").folder
    memory = train(out, in_memory(), epochs=1)
    with pytest.raises(BadValue, match="its model has no convolutions"):
        train_twin(flat)
    with pytest.raises(BadValue, match=re.escape("its data came from memory; give it: holdfast.runs.train_twin(")):
        train_twin(memory.folder)
    with pytest.raises(BadData, match="the data has changed"):
        train_twin(memory.folder, in_memory(seed=1))
    with pytest.raises(BadFile, match="is no run"):
        train_twin(tmp_path)
    assert train_twin(memory.folder, in_memory(), verbose=0).name == "arrays-002"
