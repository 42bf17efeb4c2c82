"""Searches: they come to their end whatever happens on the way, and touch nothing that is sealed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
from sklearn.model_selection import ShuffleSplit

from holdfast import Sequential
from holdfast.core import BadData, BadValue, UnknownName
from holdfast.data import RandomShift, from_arrays, load
from holdfast.evaluate import Ledger
from holdfast.layers import Dense, Flatten, Input
from holdfast.models import Net, Variant
from holdfast.runs.folds import Fold
from holdfast.runs.record import Record
from holdfast.training import SGD
from holdfast.tune.search import resume_search, search
from holdfast.tune.space import Categorical, Dimension, Float, Int, Space
from holdfast.tune.study import Desk
from holdfast.tune.task import Task, Told
from holdfast.tune.told_options import how_from, how_to, pairs_from, space_from, space_to, write_pairs
from holdfast.tune.trial import _ended as ended
from holdfast.tune.trial import carry_out
from runs.small import arrays, in_memory, npz
from tune.searching import but_seconds

SPACE = {"units": [8, 16], "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
SHORT: dict[str, Any] = {"model": "dense", "trials": 4, "epochs": 2, "device": "cpu", "verbose": 0, "refit": None}


Found: TypeAlias = list[tuple[Task, tuple[Told, ...]]]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    """What searches found, in the place of their reports."""
    kept = Found()

    def conclude(desk: Desk, record: Record, told: tuple[Told, ...], *rest: object) -> tuple[Told, ...]:
        kept.append((desk.task, told))
        return told

    monkeypatch.setattr("holdfast.tune.found.conclude", conclude)
    return kept


def interrupt(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Breaks off in place of the trial with this number, once it has been drawn."""

    def broken(task: Task, at: int, *rest: Any, **options: Any) -> Told:  # Any: of carry_out
        if at == number:
            raise KeyboardInterrupt
        return carry_out(task, at, *rest, **options)

    monkeypatch.setattr(sys.modules["holdfast.tune.search"], "carry_out", broken)


def test_a_search_that_was_interrupted_ends_as_if_it_had_not_been(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load(npz(tmp_path / "small.npz"))
    search(data, SPACE, out=tmp_path / "whole", **SHORT)
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            search(data, SPACE, out=tmp_path / "parts", **(SHORT | {"verbose": 1}))
    folder = tmp_path / "parts" / "small-tune-001"
    assert f"go on     holdfast tune --resume {folder}" in capsys.readouterr().out
    assert Record.read(folder).status == "interrupted"

    resume_search(folder, verbose=1)

    assert "resumed" in capsys.readouterr().out
    whole, parts = (tuple(map(but_seconds, told)) for _, told in found)
    assert parts == whole
    assert len(parts) == 4
    assert Record.read(folder).status == "finished"


def test_a_search_that_has_finished_is_not_resumed(found: Found, tmp_path: Path) -> None:
    search(in_memory(), SPACE, out=tmp_path, **(SHORT | {"trials": 1}))

    with pytest.raises(BadValue, match=r"tune-001: this search has finished; there is nothing to resume\.$"):
        resume_search(next(tmp_path.glob("*-tune-001")))


def test_a_search_by_a_function_is_resumed_with_the_function(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(trial: Any) -> Sequential:  # Any: Optuna's trial
        units = trial.suggest_int("units", 2, 16)
        return Sequential([Input((6, 6, 1)), Flatten(), Dense(units, "relu"), Dense(3, activation="softmax")])

    data = in_memory()
    with monkeypatch.context() as patch:
        interrupt(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            search(data, build, out=tmp_path, **SHORT)
    folder = next(tmp_path.glob("*-tune-001"))
    with pytest.raises(BadValue, match=r"is a function; give it: resume_search\(folder, space=function\)"):
        resume_search(folder, data, verbose=0)

    resume_search(folder, data, space=build, verbose=0)

    assert [one.state for one in found[0][1]] != ["failed"] * 4
    assert all("units" in one.values for one in found[0][1])


def test_trials_that_fail_do_not_end_a_search(found: Found, tmp_path: Path) -> None:
    def build(trial: Any) -> Sequential:  # Any: Optuna's trial
        side = trial.suggest_categorical("side", [6, 7])
        return Sequential([Input((side, side, 1)), Flatten(), Dense(3, activation="softmax")])

    search(in_memory(), build, out=tmp_path, **(SHORT | {"trials": 8, "pruner": "none"}))

    states = {one.state for one in found[0][1]}
    assert states == {"complete", "failed"}


def test_a_search_whose_first_five_trials_fail_says_why(found: Found, tmp_path: Path) -> None:
    def build(trial: Any) -> Sequential:  # Any: Optuna's trial
        return Sequential([Input((7, 7, 1)), Flatten(), Dense(3, activation="softmax")])

    with pytest.raises(BadValue, match=r"^the first 5 trials all failed; the last: .*\(7, 7, 1\)"):
        search(in_memory(), build, out=tmp_path, **(SHORT | {"trials": 8}))

    assert Record.read(next(tmp_path.glob("*-tune-001"))).status == "failed"


def test_a_search_whose_few_trials_all_fail_says_why(found: Found, tmp_path: Path) -> None:
    def build(trial: Any) -> str:  # Any: Optuna's trial
        raise LookupError("nothing there")

    with pytest.raises(BadValue, match=r"^none of 2 trials came to its end: LookupError: nothing there"):
        search(in_memory(), build, out=tmp_path, **(SHORT | {"trials": 2}))


def test_the_time_limit_begins_no_trial_and_says_how_many_are_left(
    found: Found, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search(in_memory(), SPACE, out=tmp_path, time_s=1e-3, **(SHORT | {"verbose": 1, "pruner": "none"}))

    assert len(found[0][1]) == 1  # without one there is nothing to find
    assert "the time was too short for 3 more" in capsys.readouterr().out


@pytest.mark.parametrize(("share", "state"), [(1.4, "complete"), (1.6, "pruned")])
def test_a_trial_under_way_ends_unless_it_takes_half_as_long_again_as_there_was_time(
    share: float, state: str, found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def build(trial: Any) -> Sequential:  # Any: Optuna's trial
        now[0] = 100 * share * trial.number  # it is that late once the second trial is under way
        return Sequential([Input((6, 6, 1)), Flatten(), Dense(3, activation="softmax")])

    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(sys.modules["holdfast.tune.search"], "time", clock)
    search(in_memory(), build, out=tmp_path, time_s=100, **(SHORT | {"pruner": "none"}))

    assert [(one.state, one.reason) for one in found[0][1]] == [
        ("complete", ""),
        (state, "out of time" if state == "pruned" else ""),
    ]


def test_a_grid_ends_a_search_early(found: Found, tmp_path: Path) -> None:
    search(in_memory(), {"units": [4, 8]}, out=tmp_path, sampler="grid", **SHORT)

    assert sorted(one.values["units"] for one in found[0][1]) == [4, 8]  # type: ignore[type-var]  # numbers


@pytest.mark.parametrize("cv", [None, 3], ids=["validation", "folds"])
def test_no_search_opens_the_test_part(cv: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("the seal was broken")

    monkeypatch.setattr(sys.modules["holdfast.evaluate.unseal"], "open_seal", opened)
    data = in_memory()

    result = search(data, SPACE, out=tmp_path, cv=cv, **(SHORT | {"refit": "auto"}))

    assert result.record.status == "finished"
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        assert ledger.openings(data.test.fingerprint) == 0
        part = data.validation if cv is None else data.pool
        assert ledger.looks(part.fingerprint) >= 4


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"trials": 0}, BadValue, r"^search\(trials=0\): must be"),
        ({"time_s": 0}, BadValue, r"^search\(time_s=0\): must be positive\.$"),
        ({"workers": 2}, BadValue, r"^search\(workers=2\): a process carries out one trial at a time; add on='ray'\.$"),
        ({"sampler": "tpf"}, UnknownName, "^sampler 'tpf' is not known"),
        ({"optimiser": "sgd"}, UnknownName, "^unknown option 'optimiser'; did you mean 'optimizer'"),
        ({"space": {"unit": [1, 2]}}, UnknownName, "^unit: "),
        ({"refit": "some"}, BadValue, "some"),
    ],
    ids=["trials", "time", "workers", "sampler", "option", "space", "refit"],
)
def test_what_cannot_be_searched_is_said_before_anything_is_made(
    changes: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    options = {"space": SPACE} | SHORT | changes

    with pytest.raises(error, match=words):
        search(in_memory(), out=tmp_path / "runs", **options)

    assert not (tmp_path / "runs").exists()


def test_without_a_validation_part_trials_are_compared_on_folds(found: Found, tmp_path: Path) -> None:
    whole = in_memory()
    data = whole.with_parts(whole.pool, whole.pool.take([]))

    with pytest.raises(BadData, match=r"^arrays: has no validation part to compare trials on; .*--cv 5"):
        search(data, SPACE, out=tmp_path, **SHORT)
    search(data, SPACE, out=tmp_path, cv=2, **(SHORT | {"trials": 1}))

    assert found[0][1][0].state == "complete"


def test_every_trial_has_the_precision_that_was_decided_once(found: Found, tmp_path: Path) -> None:
    search(in_memory(), SPACE, out=tmp_path, **(SHORT | {"trials": 1}))

    assert found[0][0].how["precision"] == "float32"


def test_a_model_that_is_given_is_not_changed(found: Found, tmp_path: Path) -> None:
    model = Sequential([Input((6, 6, 1)), Flatten(), Dense(4, "relu"), Dense(3, activation="softmax")], seed=3)
    before = [weight.copy() for weight in model.get_weights()]

    search(in_memory(), {"learning_rate": [0.01, 0.02]}, out=tmp_path, **(SHORT | {"model": model}))

    assert [one.state for one in found[0][1] if one.state == "failed"] == []
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_folds_of_a_splitter_are_there_again_after_an_interruption(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = in_memory()
    with monkeypatch.context() as patch:
        interrupt(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            search(data, SPACE, cv=ShuffleSplit(2, random_state=5), out=tmp_path, **(SHORT | {"trials": 2}))

    resume_search(next(tmp_path.glob("*-tune-001")), data, verbose=0)

    assert [one.state for one in found[0][1]].count("failed") == 0


def test_what_a_search_was_told_comes_back_from_its_record(tmp_path: Path) -> None:
    dimensions: dict[str, Dimension] = {
        "a.filters": Int(1, 8, log=True),
        "momentum": Float(0, 0.9, step=0.1, when={"optimizer": ("sgd", None)}),
        "optimizer": Categorical(("sgd", None)),
    }
    space = Space(dimensions, {"epochs": 3})
    how: dict[str, Any] = {"optimizer": SGD(0.1, momentum=0.9), "augment": RandomShift(2), "epochs": 3, "seed": 1}
    pairs = [(np.array([0, 1]), np.array([2])), (np.array([2, 1]), np.array([0]))]
    write_pairs(tmp_path / "folds.npz", [Fold("fold", 0, *pair) for pair in pairs])

    assert space_from(json.loads(json.dumps(space_to(space)))) == space
    assert how_from(json.loads(json.dumps(how_to(how)))) == how  # type: ignore[arg-type]  # as the user wrote it
    for pair, kept in zip(pairs, pairs_from(tmp_path / "folds.npz"), strict=True):
        np.testing.assert_array_equal(pair[0], kept[0])
        np.testing.assert_array_equal(pair[1], kept[1])


TWO_AT_ONCE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import holdfast.tune.found as module
module.conclude = lambda desk, record, told, *rest: print(len(told), flush=True)
from holdfast.tune.search import search
from runs.small import in_memory
search(in_memory(), {"units": [4, 8, 16]}, model="dense", trials=3, epochs=1, device="cpu", verbose=0, out=sys.argv[2])
"""


@pytest.mark.slow
def test_two_processes_that_begin_to_search_in_one_new_ledger_do_not_collide(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", TWO_AT_ONCE, tests, str(tmp_path / "runs")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}

    both = [subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment) for _ in range(2)]

    assert [one.communicate(timeout=120) for one in both] == [("3\n", "")] * 2


def test_data_with_two_classes_of_few_samples_is_searched(found: Found, tmp_path: Path) -> None:
    images, labels = arrays(60)

    search(from_arrays(images, labels % 2), None, out=tmp_path, **(SHORT | {"trials": 2}))

    assert len(found[0][1]) == 2


def test_trials_that_do_not_wait_for_scores_are_trained_together_and_go_on_so(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, space = in_memory(), {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    options = SHORT | {"trials": 5, "sampler": "random", "pruner": "none", "precision": "float32"}
    search(data, space, out=tmp_path / "alone", **options)
    monkeypatch.setattr(sys.modules["holdfast.tune.search"], "at_once", lambda session, count: 3)
    search(data, space, out=tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.tune.trial._ended", KilledAt(2))
        with pytest.raises(KeyboardInterrupt):
            search(data, space, out=tmp_path / "parts", **options)

    resume_search(next((tmp_path / "parts").glob("*-tune-001")), data, verbose=0)

    alone, whole, parts = (tuple(map(but_seconds, told)) for _, told in found)
    assert parts == whole
    assert [one[0] for one in parts] == [0, 1, 2, 3, 4]
    for one, other in zip(alone, whole, strict=True):
        assert one[4] == pytest.approx(other[4], abs=1e-5)  # log-loss


def test_trials_of_which_one_has_failed_go_on_one_by_one_as_they_were(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others were trained together after an interruption, and alone without one."""
    data, space = in_memory(), {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    options = SHORT | {"trials": 3, "sampler": "random", "pruner": "none", "precision": "float32"}
    monkeypatch.setattr(sys.modules["holdfast.tune.search"], "at_once", lambda session, count: 3)
    with monkeypatch.context() as patch:
        patch.setattr("holdfast.tune.trial._ended", KilledAt(2, failed=1))
        with pytest.raises(KeyboardInterrupt):
            search(data, space, out=tmp_path, **options)

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.tune.trial.trained", interrupted)
        resume_search(next(tmp_path.glob("*-tune-001")), data, verbose=0)

    assert [one.state for one in found[0][1]] == ["complete", "failed", "complete"]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


class KilledAt:
    """Judges trials, until one with this number comes."""

    def __init__(self, number: int, *, failed: int | None = None) -> None:
        self.number, self.failed = number, failed

    def __call__(self, begun: Any) -> Told:  # Any: a trial under way
        if begun.way.trial.number == self.number:
            raise KeyboardInterrupt
        if begun.way.trial.number == self.failed:
            raise BadValue("diverged")
        return ended(begun)


def test_folds_that_cannot_be_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadData):
        search(in_memory(), SPACE, out=tmp_path, cv=9999, **SHORT)

    assert not list(tmp_path.glob("*-tune-*"))


def test_a_search_that_ended_before_it_began_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["holdfast.tune.search"], "keep_base", broken)
    with pytest.raises(KeyboardInterrupt):
        search(in_memory(), SPACE, out=tmp_path, **SHORT)
    folder = next(tmp_path.glob("*-tune-*"))

    with pytest.raises(BadValue, match="this search ended before its first trial; begin a new one"):
        resume_search(folder, in_memory())


def test_a_search_over_a_variant_goes_on_with_what_was_said_of_it(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SHORT | {"model": Variant("dense", Net(dropout=0.3)), "out": tmp_path}
    with monkeypatch.context() as patch:
        interrupt(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            search(in_memory(), SPACE, **options)

    resume_search(next(tmp_path.glob("*-tune-*")), in_memory(), verbose=0)

    task, told = found[-1]
    assert task.model == Variant("dense", Net(dropout=0.3))
    assert all(one.state != "failed" for one in told)


def test_nested_searches_do_not_choose_what_is_read_again(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^image_size: cannot be chosen for data from memory, or with --nested"):
        search("digits", {"image_size": [8, 16]}, out=tmp_path, nested=2, **SHORT)


def test_a_search_on_data_from_memory_asks_for_it_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            search(in_memory(), SPACE, out=tmp_path, **SHORT)

    with pytest.raises(BadValue, match=r"its data came from memory; give it in Python: resume_search\(folder, data\)"):
        resume_search(next(tmp_path.glob("*-tune-*")))
