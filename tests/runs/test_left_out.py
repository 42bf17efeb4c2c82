"""Few groups: each left out in turn, beside a random split; and when none is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.data import Dataset, from_arrays, load
from holdfast.evaluate import Score, wilson
from holdfast.runs import Run
from holdfast.runs.left_out import LeftOut

from .small import arrays, rows, train


def grouped(groups: int, **changes: Any) -> Dataset:  # Any: what from_arrays takes
    images, labels = arrays(180)
    names = [f"speaker {number}" for number in np.arange(180) // 3 % groups]
    return from_arrays(images, labels, groups=names, **({"test": 0.0} | changes))


def test_each_group_is_judged_by_a_model_that_has_not_seen_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path, grouped(3), epochs=2, patience=None, optimizer=None, verbose=1)

    kept = LeftOut.from_dict(run.record.scores["left_out"])
    assert kept.names == ("speaker 0", "speaker 1", "speaker 2")
    assert [one.n for one in kept.scores] == [60, 60, 60]
    assert kept.random.n == pytest.approx(60, abs=3)
    said = capsys.readouterr().out
    assert "groups    each of 3 is left out in turn, then as many samples of all" in said
    assert f"groups    random split {kept.random.text}" in said
    assert f"one group left out {100 * kept.mean:.1f} %" in said


def test_the_model_of_the_run_stands_for_the_group_that_is_its_validation_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = grouped(3)

    run = train(tmp_path, data, epochs=2, patience=None, optimizer=None, verbose=1)

    kept = LeftOut.from_dict(run.record.scores["left_out"])
    assert data.validation.groups is not None
    (own,) = {data.group_names[number] for number in data.validation.groups.tolist()}
    assert kept.scores[kept.names.index(own)].value == run.validation.accuracy.naive
    assert capsys.readouterr().out.count("the model of this run") == 1


def test_the_same_seed_gives_the_same_scores_and_the_look_is_written_down(tmp_path: Path) -> None:
    settings = {"epochs": 2, "patience": None, "optimizer": None}

    one, other = (train(tmp_path / name, grouped(4), **settings) for name in "ab")

    assert one.record.scores["left_out"] == other.record.scores["left_out"]
    assert ("out-of-fold", "report") in rows(tmp_path / "a", "select distinct part, purpose from looks")


def test_all_are_trained_at_the_learning_rate_of_the_run(tmp_path: Path) -> None:
    # It used to be the recipe's own rate, whatever the run was told.
    settings = {"epochs": 2, "patience": None, "optimizer": None}

    slow = train(tmp_path, grouped(4), learning_rate=1e-9, **settings)

    untrained = LeftOut.from_dict(slow.record.scores["left_out"])
    assert max(one.value for one in (*untrained.scores, untrained.random)) < 0.5


def test_the_sealed_test_part_stays_out(tmp_path: Path) -> None:
    data = grouped(5, test=0.2)
    sealed = set(data.group_names.values()) - {
        data.group_names[number]
        for part in (data.train, data.validation)
        if part.groups is not None
        for number in part.groups.tolist()
    }

    run = train(tmp_path, data, epochs=1, patience=None, optimizer=None)

    assert len(sealed) == 1
    assert not sealed & set(run.record.scores["left_out"]["names"])
    assert len(run.record.scores["left_out"]["names"]) == 4
    assert run.openings == 0


@pytest.mark.parametrize("groups", [11, 30], ids=["eleven", "thirty"])
def test_of_many_groups_none_is_left_out(groups: int, tmp_path: Path) -> None:
    run = train(tmp_path, grouped(groups), epochs=1, patience=None, optimizer=None)

    assert "left_out" not in run.record.scores


def test_without_groups_none_is_left_out(tmp_path: Path) -> None:
    images, labels = arrays()

    run = train(tmp_path, from_arrays(images, labels), epochs=1, patience=None, optimizer=None)

    assert "left_out" not in run.record.scores


def test_what_would_take_too_long_is_told_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("holdfast.runs.left_out.LONGEST_S", 0.0)

    run = train(tmp_path, grouped(3), epochs=1, patience=None, optimizer=None, verbose=1)

    assert "left_out" not in run.record.scores
    assert "groups    to leave out each of 3 takes about" in capsys.readouterr().out


def test_report_and_card_tell_both_side_by_side(tmp_path: Path) -> None:
    run = train(tmp_path, grouped(3), epochs=1, patience=None, optimizer=None)

    kept = LeftOut.from_dict(run.record.scores["left_out"])
    page, told = (run.folder / "report.html").read_text(), json.loads((run.folder / "report.json").read_text())
    assert 'id="groups"' in page
    assert "random split" in page
    assert told["left_out"]["mean"] == kept.mean
    assert "Groups: random split" in (run.folder / "card.md").read_text()
    assert LeftOut.from_dict(Run.load(run.folder).record.scores["left_out"]) == kept


def test_the_interval_is_student_s_over_the_groups() -> None:
    scores = tuple(Score("accuracy", value, wilson(value * 100, 100), 100, "out-of-fold") for value in (0.7, 0.8, 0.9))

    found = LeftOut(("a", "b", "c"), scores, scores[2])

    assert found.mean == pytest.approx(0.8)
    assert found.interval == pytest.approx((0.8 - 4.3027 * 0.1 / 3**0.5, 1.0), abs=1e-4)  # cut at 1
    assert str(found) == (
        "random split 90.0 % [82.6, 94.5] of 100 · one group left out 80.0 % [55.2, 100.0], the mean of 3, few for an "
        "interval: a 70.0 %, b 80.0 %, c 90.0 %"
    )
    assert LeftOut.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(("groups", "sealed"), [(2, 0), (6, 0), (7, 1)], ids=str)
def test_where_a_share_of_the_groups_would_be_less_than_one_none_is_sealed(
    groups: int, sealed: int, tmp_path: Path
) -> None:
    from PIL import Image

    for number in range(groups * 6):
        path = tmp_path / "photos" / "xy"[number % 2] / f"{'abcdefgh'[number // 6]}_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)).save(path)

    data = load(tmp_path / "photos", group_by=r"/(\w)_", test=None)

    assert bool(len(data.test)) == bool(sealed)
    assert any("groups are few: none is sealed" in note for note in data.facts.notes) == (not sealed)
    assert data.origin["test"] == (0.15 if sealed else 0.0)
