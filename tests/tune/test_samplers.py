"""The samplers find what they are to find: a known function stands for the trainings, the rest is as in a search."""

import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from holdfast.data import from_arrays
from holdfast.tune.space import Categorical, Float, Int, Space, Value
from holdfast.tune.study import Desk, all_told, ask, close, running
from holdfast.tune.task import Task, Told
from tune import searching

Values = Mapping[str, Value]
HILL = Space(
    {
        "learning_rate": Float(1e-4, 1.0, log=True),
        "units": Int(8, 128),
        "optimizer": Categorical(("adam", "sgd", "rmsprop")),
        "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
    },
    {},
)
PLAIN = Space({name: HILL.dimensions[name] for name in ("learning_rate", "units")}, {"optimizer": "adam"})
DEFAULTS: Values = {"learning_rate": 0.3, "units": 16, "optimizer": "rmsprop"}  # what the trial without values has


def hill(values: Values) -> float:
    """How good values are, 0 to 1: best with sgd, a rate of 0.01, 64 units and a momentum of 0.9."""
    rate, units = values["learning_rate"], values["units"]
    assert isinstance(rate, float)
    assert isinstance(units, int)
    far = (math.log10(rate) + 2) ** 2 / 2 + ((units - 64) / 60) ** 2
    if values["optimizer"] == "sgd":
        momentum = values["momentum"]
        assert isinstance(momentum, float)
        return math.exp(-far - 3 * (momentum - 0.9) ** 2)
    return 0.6 * math.exp(-far)


def task_in(folder: Path, space: Space, sampler: str, seed: int) -> Task:
    """A search whose books are in a folder of its own."""
    data = from_arrays([[[index]] for index in range(20)], [0, 1] * 10, test=0)
    return searching.task_in(folder, data, space=space, how={}, sampler=sampler, seed=seed)


def drive(task: Task, trials: int, worth: Callable[[Values], float]) -> list[float]:
    """The worth of each trial of a search that goes on until it has so many, or has tried all."""
    with Desk.open(task) as desk:
        space = task.space
        assert isinstance(space, Space)
        while len(all_told(desk)) < trials:
            number = ask(desk)
            if number is None:
                break
            values = {**(desk.trial(number).params or DEFAULTS), **space.fixed}
            close(desk, Told(number, values, "complete", worth(values), 0.0, 1, 0.1))
        assert running(desk) == []
        return [told.value or 0.0 for told in all_told(desk)]


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "space"), [("tpe", HILL), ("cmaes", PLAIN)], ids=["tpe", "cmaes"])
def test_a_sampler_that_learns_beats_chance(sampler: str, space: Space, tmp_path: Path) -> None:
    learned, chance = (drive(task_in(tmp_path / name, space, name, 0), 22, hill) for name in (sampler, "random"))

    assert statistics.mean(learned[11:]) > 1.3 * statistics.mean(chance[11:])


def test_a_grid_is_tried_once_however_often_the_search_is_interrupted(tmp_path: Path) -> None:
    space = Space({"units": Categorical((8, 16, 32)), "dropout": Float(0.0, 0.5, step=0.25)}, {})
    task = task_in(tmp_path, space, "grid", 0)
    seen: list[Values] = []

    def worth(values: Values) -> float:
        seen.append(values)
        return 0.5

    for trials in (4, 5, 100):
        drive(task, trials, worth)

    assert sorted((one["units"], one["dropout"]) for one in seen) == [
        (units, dropout) for units in (8, 16, 32) for dropout in (0.0, 0.25, 0.5)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp", "qmc"])
def test_a_search_that_was_interrupted_draws_what_it_would_have_drawn(sampler: str, tmp_path: Path) -> None:
    whole = drive(task_in(tmp_path / "whole", HILL, sampler, 1), 12, hill)
    parts = task_in(tmp_path / "parts", HILL, sampler, 1)

    for trials in (3, 11, 12):
        found = drive(parts, trials, hill)

    assert found == whole
