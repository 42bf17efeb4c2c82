"""Studies: what is drawn, what stops a trial, and what is kept of one that has ended."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core import BadValue, UnknownName
from holdfast.data import from_arrays
from holdfast.tune.space import Categorical, Float, Int, Space, Value
from holdfast.tune.study import (
    SAMPLERS,
    TOLD,
    Desk,
    all_told,
    ask,
    check_names,
    close,
    fail,
    objective,
    running,
    worse,
)
from holdfast.tune.task import Task, Told
from tune import searching

SPACE = Space(
    {
        "learning_rate": Float(1e-3, 0.1, log=True),
        "units": Int(8, 24, step=8),
        "optimizer": Categorical(("sgd", "adam")),
        "momentum": Float(0.0, 0.9, when={"optimizer": "sgd"}),
    }
)
LISTED = Space({name: SPACE.dimensions[name] for name in ("units", "optimizer")})


def task_in(folder: Path, **changes: Any) -> Task:  # Any: fields of a Task
    """A search on 20 numbers."""
    data = from_arrays([[[index]] for index in range(20)], [0, 1] * 10)
    return searching.task_in(folder, data, **({"space": SPACE, "how": {}} | changes))


def told(number: int, value: float = 0.5, log_loss: float = 1.0) -> Told:
    return Told(number, {}, "complete", value, log_loss, 1, 0.1)


def drawn(task: Task, trials: int) -> list[dict[str, Value]]:
    """The values of the first trials; each is told a score that follows from its number."""
    with Desk.open(task) as desk:
        for _ in range(trials):
            number = ask(desk)
            if number is None:
                break
            close(desk, told(number, value=(7 * number % 10) / 10))
        return [trial.params for trial in desk.trials()]


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"])
def test_what_is_drawn_follows_from_the_seed_and_the_trials_before(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.tune.study.STARTUP", 3)
    one = drawn(task_in(tmp_path / "one", sampler=sampler), 7)
    other = task_in(tmp_path / "other", sampler=sampler)
    drawn(other, 2)

    assert drawn(other, 5) == one  # another process would have gone on
    assert all(SPACE.has(values) for values in one)
    assert drawn(task_in(tmp_path / "third", sampler=sampler, seed=1), 2)[1] != one[1]


def test_the_first_trial_is_what_of_the_space_is_nearest_to_what_train_does(tmp_path: Path) -> None:
    space = Space({"batch_size": Int(8, 16), "units": Int(1, 1000)})

    found = drawn(task_in(tmp_path, space=space), 1)

    assert space.has(found[0])
    assert found[0]["batch_size"] == 16  # of 32


def test_points_of_a_sobol_sequence_spread_evenly(tmp_path: Path) -> None:
    found = drawn(task_in(tmp_path, sampler="qmc"), 17)[1:]

    rates = np.log10([float(values["learning_rate"]) for values in found])  # type: ignore[arg-type]
    counts = np.histogram(rates, np.linspace(-3, -1, 5))[0]
    assert counts.min() >= 3  # of 4
    assert {values["units"] for values in found} == {8, 16, 24}


def test_a_grid_is_tried_in_an_order_by_chance_and_then_ends(tmp_path: Path) -> None:
    found = drawn(task_in(tmp_path, sampler="grid", space=LISTED), 100)

    assert sorted(map(str, found)) == sorted(map(str, LISTED.grid()))
    assert found != LISTED.grid()


def test_a_function_that_fails_gives_a_failed_trial_and_no_running_one(tmp_path: Path) -> None:
    def broken(trial: Any) -> str:  # Any: Optuna's trial
        trial.suggest_int("units", 1, 8)
        raise LookupError("no such thing")

    task = task_in(tmp_path, space=broken)
    with Desk.open(task) as desk:
        ask(desk)

        assert running(desk) == []
        assert [(one.state, one.reason) for one in all_told(desk)] == [("failed", "LookupError: no such thing")]


def test_what_was_told_is_told_again(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    given = Told(0, {"units": 8}, "complete", 0.75, 0.5, 3, 1.5, seen=(0.5, 0.75))
    with Desk.open(task) as desk:
        ask(desk)
        assert running(desk) == [0]
        close(desk, given)

    with Desk.open(task) as again:
        assert all_told(again) == [given]
        assert running(again) == []


def test_a_trial_can_be_given_up(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    with Desk.open(task) as desk:
        ask(desk)

        assert fail(desk, 0, "its worker died 5 times").state == "failed"
        assert [one.reason for one in all_told(desk)] == ["its worker died 5 times"]


@pytest.mark.parametrize("ended", [True, False])
def test_a_trial_that_has_told_its_end_is_not_given_up(tmp_path: Path, *, ended: bool) -> None:
    """A worker may be killed behind either of the two writes of `close`."""
    task = task_in(tmp_path)
    with Desk.open(task) as desk:
        ask(desk)
        if ended:
            close(desk, told(0))
        else:
            desk.storage.set_trial_user_attr(desk.key(0), TOLD, asdict(told(0)))

        assert fail(desk, 0, "out of time") == told(0)
        assert all_told(desk) == [told(0)]


def test_one_sample_more_counts_more_than_any_log_loss() -> None:
    assert objective(0.51, 1e9, 100) > objective(0.50, 0.0, 100)
    assert objective(0.50, 0.1, 100) > objective(0.50, 0.2, 100)


def test_the_best_is_first_by_accuracy_then_by_log_loss_then_by_number() -> None:
    trials = [told(0, 0.5, 0.1), told(1, 0.6, 0.9), told(2, 0.6, 0.2), told(3, 0.6, 0.2)]

    assert max(trials, key=lambda one: one.order).number == 2


def test_a_trial_is_worse_when_more_than_chance_speaks_against_it() -> None:
    best = np.ones(100, bool)
    few, many = best.copy(), best.copy()
    few[:2], many[:20] = False, False

    assert not worse(best, best)
    assert not worse(few, best)
    assert worse(many, best)
    assert not worse(best, many)


def reported(desk: Desk, task: Task, value: float, step: int = 1) -> bool:
    """Whether a new trial that reports this is stopped."""
    number = ask(desk)
    assert number is not None
    trial = desk.trial(number)
    desk.storage.set_trial_intermediate_value(trial._trial_id, step, value)
    stopped = desk.study.pruner.prune(desk.study, desk.trial(number))
    close(desk, told(number, value))
    return stopped


@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median"])
def test_pruners_stop_what_looks_bad_and_keep_what_looks_good(pruner: str, tmp_path: Path) -> None:
    task = task_in(tmp_path, pruner=pruner)
    with Desk.open(task) as desk:
        for _ in range(9):
            reported(desk, task, 0.5)

        assert any(reported(desk, task, 0.1) for _ in range(3))
        assert not any(reported(desk, task, 0.9) for _ in range(3))


def test_hyperband_deals_out_by_number_whatever_the_search_is_called(tmp_path: Path) -> None:
    stops = []
    for name in ("one", "other"):
        task = task_in(tmp_path / name, pruner="hyperband")
        with Desk.open(task) as desk:
            stops.append([reported(desk, task, 0.5 - 0.01 * n) for n in range(8)])

    assert stops[0] == stops[1]
    assert len(set(stops[0])) == 2


def test_without_a_pruner_no_trial_is_stopped(tmp_path: Path) -> None:
    task = task_in(tmp_path, pruner="none")
    with Desk.open(task) as desk:
        assert not any(reported(desk, task, 1 - 0.1 * place) for place in range(9))


@pytest.mark.parametrize(
    ("sampler", "pruner", "folds", "error", "words"),
    [
        ("tpf", "auto", False, UnknownName, r"^sampler 'tpf' is not known; did you mean 'tpe'\?"),
        ("tpe", "ascha", False, UnknownName, r"^pruner 'ascha' is not known; did you mean 'asha'\?"),
        ("tpe", "asha", True, BadValue, "take 'wilcoxon' or 'median'"),
        ("tpe", "wilcoxon", False, BadValue, "give cv=5"),
        ("grid", "auto", False, BadValue, "^learning_rate: a grid cannot try every number of a range"),
    ],
    ids=["sampler", "pruner", "epochs with folds", "folds without", "grid of a range"],
)
def test_names_that_do_not_suit_are_refused(
    sampler: str, pruner: str, folds: bool, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        check_names(sampler, pruner, SPACE, folds=folds)


def test_a_grid_of_a_function_is_refused() -> None:
    with pytest.raises(BadValue, match="needs a space whose values can be listed"):
        check_names("grid", "auto", lambda trial: "dense", folds=False)
