"""Whether a base pays: what is compared, under which time, what is said of it, what is kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from holdfast import Sequential
from holdfast.core import BadShape, BadValue, UnknownName
from holdfast.data import Dataset, from_arrays
from holdfast.layers import Conv2D, Dense, GlobalMaxPooling2D, Input, MaxPooling2D, Rescaling
from holdfast.models import BaseModel
from holdfast.runs import Pays, Record, pays, train
from holdfast.runs.budget import Pace
from holdfast.runs.compare import check_comparable
from holdfast.runs.curve import nested_order
from holdfast.runs.payoff import WAYS, WITH_BASE, Way, crossing, said_of, sizes_of, ways_of
from holdfast.transfer import FromBase

from .small import rows

WIDTH, HIDDEN = 60, 2  # numbers of a sample; of them the class depends on so many directions


def directions() -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(7).normal(size=(WIDTH, HIDDEN)))[0]


def samples(n: int = 900) -> Dataset:
    """Rows of noise, of which two hidden directions tell the class; the labels of one in twenty are wrong."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(n, HIDDEN))
    labels = 2 * (hidden[:, 0] > 0) + (hidden[:, 1] > 0)
    labels[::20] = random.integers(0, 4, len(labels[::20]))
    noise = random.normal(size=(n, WIDTH))
    noise -= noise @ directions() @ directions().T
    return from_arrays(noise + 1.5 * hidden @ directions().T, labels)


def knowing() -> BaseModel:
    """A base that has learned the two directions."""
    model = Sequential([Input((WIDTH,)), Dense(HIDDEN, name="learned"), Dense(9, activation="softmax")])
    model.get_layer("learned").set_weights([3 * directions(), np.zeros(HIDDEN)])
    return model


def ignorant() -> BaseModel:
    """A base that has learned nothing."""
    return Sequential([Input((WIDTH,)), Dense(HIDDEN), Dense(9, activation="softmax")], seed=3)


def study(out: Path, **changes: Any) -> Pays:  # Any: what pays takes
    """At most 30 epochs a training, so that it takes milliseconds."""
    settings: dict[str, Any] = {"data": samples(), "base": knowing(), "model": "dense", "labels": [0.05, 1], "seeds": 2}
    settings |= {"epochs": 3, "device": "cpu", "precision": "float32", "verbose": 0, "out": out}
    return pays(**(settings | changes))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Pays:
    """A small study, which several tests look at."""
    return study(tmp_path_factory.mktemp("pays") / "runs")


def test_a_base_that_knows_gains_with_few_labels(tmp_path: Path) -> None:
    found = study(tmp_path / "runs", labels=[0.15], epochs=10)

    first = found.points[0].of("transfer")
    assert found.pays
    assert first.gains
    assert first.gain == pytest.approx(first.accuracy.value - found.points[0].of("scratch").accuracy.value)
    assert found.sentences["transfer"].startswith(f"transfer gains {100 * first.gain:.1f} points [")
    assert "(n=135, 2 seeds)" in found.sentences["transfer"]


def test_a_base_that_knows_nothing_has_no_gain(tmp_path: Path) -> None:
    found = study(tmp_path / "runs", base=ignorant())

    assert not found.pays
    assert found.crossings == {}
    assert [said.partition(":")[0] for said in found.sentences.values()] == ["no gain", "no gain"]


def test_the_folder_holds_record_numbers_and_report(found: Pays) -> None:
    assert found.folder.name == "arrays-pays-001"
    assert sorted(path.name for path in found.folder.iterdir()) == ["pays.json", "report.html", "run.json"]
    record, plain = Record.read(found.folder), json.loads((found.folder / "pays.json").read_text(encoding="utf-8"))
    assert (record.kind, record.status) == ("pays", "finished")
    assert record.scores["pays"] == plain
    assert [point["n"] for point in plain["points"]] == [point.n for point in found.points] == [32, 630]
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert all(
        said.split(" points")[0].replace(" %", "\N{NO-BREAK SPACE}%") in page for said in found.sentences.values()
    )
    assert page.count('class="band"') == 3
    assert "http" not in page.replace("http-equiv", "")


def test_every_training_is_a_look_and_the_test_part_stays_sealed(found: Pays) -> None:
    looks = rows(found.folder.parent, "select part, purpose, value from looks order by id")
    assert [(part, purpose) for part, purpose, _ in looks] == [("validation", "report")] * 12
    told = sorted(value for point in found.points for one in point.outcomes for value in one.repeats)
    assert sorted(value for *_, value in looks) == told
    assert found.points[0].outcomes[0].accuracy.looks == 12


def test_the_ways_have_the_same_time_and_as_many_epochs_as_fit(found: Pays) -> None:
    for point in found.points:
        assert tuple(one.way for one in point.outcomes) == WAYS
        assert all(3 <= one.epochs <= 30 for one in point.outcomes)
        assert any(one.epochs <= 3 for one in point.outcomes)  # the slowest, by its own recipe


def test_a_pace_tells_epochs_and_counts_features() -> None:
    pace = Pace(features_s=4.0, epoch_s=0.5, recipe=10)

    assert pace.own_s == 9.0
    assert [pace.epochs(budget) for budget in (3.0, 4.4, 4.6, 9.0, 1000.0)] == [0, 0, 1, 10, 100]


def test_smaller_sets_lie_within_larger_ones_and_shares_without_all_classes_are_left_out() -> None:
    data = samples(200)
    orders = [nested_order(data.train, seed) for seed in range(2)]

    sizes, notes = sizes_of(data, [1, 0.001, 0.02, 0.021, 0.5], orders)

    assert sizes == [(0.5, 70), (1, 140)]
    assert notes[0] == "0.1 %: 0 labels are not one of each of the 4 classes"
    assert len(notes) == 3


def test_shares_that_come_to_the_same_number_are_told_once() -> None:
    data = samples(200)

    sizes, notes = sizes_of(data, [0.5, 0.501], [nested_order(data.train, 0)])

    assert sizes == [(0.5, 70)]
    assert notes == ("50.1 %: as many samples as at 50 %",)


@pytest.mark.parametrize(
    ("gains", "end"), [("+--", 20), ("++-", 40), ("+-+", None), ("-+-", 40), ("+++", None)], ids=str
)
def test_scratch_has_caught_up_behind_the_last_gain(gains: str, end: int | None) -> None:
    assert crossing([10, 20, 40], [one == "+" for one in gains]) == end


def test_what_is_said_follows_from_the_gains(found: Pays) -> None:
    points = found.points
    last = (1.0, 2.0), (-1.0, 1.0), (-3.0, -1.0), (-2.0, 9.0)

    def said(*intervals: tuple[float, float]) -> str:
        made = []
        for point, (low, high) in zip(points, intervals, strict=True):
            outcome = replace(point.of("transfer"), gain=(low + high) / 200, interval=(low / 100, high / 100))
            made.append(replace(point, outcomes=(*point.outcomes[:2], outcome)))
        gains = [one.of("transfer").gains for one in made]
        crossings: dict[Way, int | None] = {"transfer": crossing([one.n for one in made], gains)} if any(gains) else {}
        return said_of("transfer", made, crossings, "samples")

    first, n = (10.0, 30.0), "(n=135, 2 seeds)"
    gain = "transfer gains 20.0 points [10.0, 30.0] at 32 labels"
    assert said(first, last[0]) == (
        f"{gain}, and still 1.5 points [1.0, 2.0] at 630; with all these samples scratch is worse {n}"
    )
    assert said(first, last[1]) == f"{gain}; from 630 on no difference can be told {n}"
    assert said(first, last[2]) == f"{gain}; from 630 on it gains nothing, and loses 2.0 points [1.0, 3.0] at 630 {n}"
    assert (
        said(last[1], last[3])
        == f"no gain: over scratch transfer has at best 3.5 points [-2.0, 9.0], at 630 labels {n}"
    )
    assert said(last[1], last[2]) == f"no gain: transfer loses 2.0 points [1.0, 3.0] at 630 labels {n}"


def test_progress_is_a_line_a_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study(tmp_path / "runs", seeds=1, epochs=1, labels=[0.05], verbose=1)

    lines = capsys.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("labels "))
    assert lines[start] == "labels    32 (5 %); 1 seed of scratch, fine-tuned, transfer"
    assert "3 trainings, about " in lines[start + 1]
    trained = [line.split()[:2] for line in lines if " seed 1 of 1" in line]
    assert trained == [["32", way] for way in WAYS]
    assert [line.split()[0] for line in lines[-3:]] == ["verdict", "verdict", "saved"]


def test_a_study_is_nothing_to_compare(found: Pays) -> None:
    with pytest.raises(BadValue, match="is a study of a base; compare takes trainings or cross-validations"):
        check_comparable(found.folder, found.record)


def test_the_fine_tuning_of_a_from_base_is_heeded() -> None:
    ways = ways_of(FromBase(knowing(), fine_tune=1), "dense")

    assert [ways[way].fine_tune for way in WITH_BASE] == [0, 1]  # type: ignore[union-attr]  # both are a FromBase


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {  # Any: what pays takes
    "labels": ({"labels": [0.1, 5]}, BadValue, r"pays\(labels=\[0.1, 5\]\): 5 is no share; give shares"),
    "no labels": ({"labels": []}, BadValue, r"pays\(labels=\[\]\): there are none; give shares"),
    "few": ({"labels": [0.001]}, BadValue, "nothing is left to train on; 0.1 %: 1 labels are not one of each"),
    "seeds": ({"seeds": 0}, BadValue, r"pays\(seeds=0\): must be a positive whole number"),
    "time": ({"time_s": 1e-6}, BadValue, r"one epoch of scratch on 32 samples takes .* s; give so much \(--time\), or"),
    "name": ({"model": "dens"}, UnknownName, "did you mean 'dense'"),
    "shape": ({"base": Sequential([Input((5,)), Dense(3), Dense(2)])}, BadShape, "made for"),
    "option": ({"epoch": 3}, UnknownName, "unknown option 'epoch'; did you mean 'epochs'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_studied_is_one_sentence_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    changes, error, message = WRONG[case]

    with pytest.raises(error, match=message):
        study(tmp_path / "runs", **changes)

    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_base_that_has_learned_what_judges_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = samples()
    run = train(data.with_parts(data.validation, data.train), "dense", epochs=1, out=tmp_path, verbose=0, device="cpu")

    found = study(tmp_path / "runs", data=data, base=run.folder, labels=[0.1], verbose=1)

    (note,) = found.notes
    assert "has learned the labels of samples that are now to judge, so the score is too good" in note
    assert f"warning   {note}" in capsys.readouterr().out
    assert "has learned the labels" in (found.folder / "report.html").read_text()


def moved_digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits of 8x8 at random places of 14x14."""
    digits, random = load_digits(), np.random.default_rng(0)
    pictures = np.zeros((len(digits.target), 14, 14), np.uint8)
    for picture, digit, (down, right) in zip(
        pictures, digits.images, random.integers(0, 7, (len(pictures), 2)), strict=True
    ):
        picture[down : down + 8, right : right + 8] = 15 * digit
    return pictures, digits.target


@pytest.mark.slow
def test_a_net_that_has_seen_digits_pays_on_others(tmp_path: Path) -> None:
    """Wherever they stand: a net from scratch would need many to learn that it does not matter."""
    x, y = moved_digits()
    layers = [Rescaling(1 / 255), Conv2D(16, 3, activation="relu"), MaxPooling2D(2), Conv2D(32, 3, activation="relu")]
    base = Sequential([Input((14, 14, 1)), *layers, GlobalMaxPooling2D(), Dense(10, activation="softmax")], seed=0)
    base.fit(x[:1200], y[:1200], epochs=12, augment=None, verbose=0)
    data = from_arrays(x[1200:], y[1200:], validation=0.5, test=0)

    found = pays(data, base, labels=[0.3], time_s=1, device="cpu", out=tmp_path / "runs", verbose=0)

    assert found.points[0].of("transfer").gains
