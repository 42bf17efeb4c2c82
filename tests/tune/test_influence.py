"""What mattered: a planted effect is found, none is invented, and too few trials say nothing."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from holdfast.runs.formats import setting
from holdfast.tune.influence import LEAST, Influence, best_of, counted, in_order, influences, merits
from holdfast.tune.task import Told
from holdfast.tune.words import region_words, values_words

SPACE: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
    "units": IntDistribution(8, 64),
    "optimizer": CategoricalDistribution(("sgd", "adam")),
    "momentum": FloatDistribution(0.0, 0.9),
}


def told(number: int, value: float | None, state: str = "complete", **more: object) -> Told:
    plain = {"values": {}, "log_loss": 1.0, "epochs": 9, "seconds": 1.0} | more
    return Told(number=number, state=state, value=value, **plain)  # type: ignore[arg-type]  # as they are given


def searched(n: int, *, rate: float = 1.0, optimizer: float = 0.0) -> list[Told]:
    """Trials at random; a learning rate off 0.01 and the optimizer sgd cost accuracy, as much as is said."""
    random, rows = np.random.default_rng(3), []
    for number in range(n):
        chosen = str(random.choice(["sgd", "adam"]))
        values = {"learning_rate": float(10 ** random.uniform(-4, 0)), "units": int(random.integers(8, 65))}
        momentum = {"momentum": float(random.uniform(0, 0.9))} if chosen == "sgd" else {}
        off = abs(np.log10(values["learning_rate"]) + 2)
        value = 0.9 - rate * 0.1 * off - optimizer * (chosen == "sgd") + random.normal(0, 0.02)
        rows.append(told(number, float(value), values=values | {"optimizer": chosen} | momentum))
    return rows


@cache
def planted() -> tuple[list[Told], tuple[Influence, ...]]:
    """60 trials in which the learning rate matters, and what is found of them."""
    trials = searched(60)
    return trials, influences(trials, SPACE)


def test_the_best_come_first_and_pruned_ones_after_all_that_came_to_their_end() -> None:
    trials = [
        told(0, 0.5),
        told(1, 0.9, log_loss=0.4),
        told(2, 0.9, log_loss=0.3),
        told(3, None, "failed", log_loss=None),
        told(4, 0.95, "pruned", epochs=1),
        told(5, 0.60, "pruned", epochs=3),
    ]

    assert [one.number for one in in_order(trials)] == [2, 1, 0, 5, 4, 3]
    assert merits(trials[:3]).tolist() == [0.0, 0.5, 1.0]


def test_what_matters_is_found_and_what_does_not_is_not_invented() -> None:
    found = {one.name: one for one in planted()[1]}

    assert [name for name, one in found.items() if one.clear] == ["learning_rate"]
    assert next(iter(found)) == "learning_rate"  # the most important first
    low, high = found["learning_rate"].region
    assert 1e-3 < low < 0.01 < high < 0.1  # type: ignore[operator]  # numbers
    assert sum(one.importance for one in found.values()) == pytest.approx(1)
    assert found["momentum"].n < found["units"].n == 60  # only some trials have it


@pytest.mark.parametrize("n", [10, 11, 16])
def test_an_interval_holds_the_share_also_of_few_trials(n: int) -> None:
    """Of 16 trials that of the learning rate lay above what all but one bootstrap sample in forty have."""
    found = influences(searched(n), SPACE)

    assert all(one.interval[0] <= one.importance <= one.interval[1] for one in found)


def test_a_choice_is_found_beside_the_dimension_that_hangs_on_it() -> None:
    found = {one.name: one for one in influences(searched(60, optimizer=0.3), SPACE)}

    assert found["optimizer"].clear
    assert not found["momentum"].clear
    assert found["optimizer"].region == ("adam",)


def test_pure_chance_is_called_so() -> None:
    trials = searched(60, rate=0.0)

    found = influences(trials, SPACE)

    assert not any(one.clear for one in found)
    assert (
        region_words(trials, SPACE, found, 270) == "no dimension made a difference that 60 trials can tell from chance"
    )


def test_what_is_drawn_together_with_a_good_value_gets_none_of_its_credit() -> None:
    """A sampler that learns draws good values of all dimensions together: later trials are better, and alike."""
    random, rows = np.random.default_rng(0), []
    for number in range(60):
        near = number / 60  # the later, the nearer to the best rate, and to any one number of units
        rate = float(10 ** (-2 + (1 - near) * random.uniform(-2, 2)))
        units = int(np.clip(40 + (1 - near) * random.integers(-32, 25), 8, 64))
        value = 0.9 - 0.1 * abs(np.log10(rate) + 2) + random.normal(0, 0.02)
        rows.append(told(number, float(value), values={"learning_rate": rate, "units": units}))

    found = {one.name: one.clear for one in influences(rows, SPACE)}

    assert found == {"learning_rate": True, "units": False}


def test_the_trial_of_the_defaults_and_failed_ones_say_nothing_of_the_space() -> None:
    trials = [told(0, 0.9), told(1, None, "failed", values={"units": 8}), told(2, 0.8, values={"units": 8})]

    assert [one.number for one in counted(trials, SPACE)] == [2]


def test_few_trials_say_so_in_words() -> None:
    trials = searched(LEAST - 1)

    assert influences(trials, SPACE) == ()
    assert (
        region_words(trials, SPACE, (), 270)
        == "9 trials with drawn values are too few to say what mattered; it takes 10"
    )


def test_the_best_region_is_told_in_words_with_what_it_rests_on() -> None:
    trials, found = planted()

    said = region_words(trials, SPACE, found, 270)

    assert said.startswith("the best 6 of 60 trials (")
    assert "as seen, n=270 each) have learning_rate 0.0" in said
    assert "(searched 0.0001 to 1)" in said
    assert said.endswith("these trials show no effect beyond chance")


def test_the_best_are_filled_up_with_pruned_ones_and_that_is_said() -> None:
    trials, found = planted()
    trials = [replace(one, state="pruned", epochs=3) if one.number > 1 else one for one in trials]

    assert [one.state for one in best_of(trials)] == ["complete"] * 2 + ["pruned"] * 4
    assert "(2 of them came to their end, at " in region_words(trials, SPACE, found, 50)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0012345, "0.00123"), (64, "64"), (True, "true"), (None, "none"), ("adam", "adam")],
    ids=str,
)
def test_values_are_spelled_short(value: float | str | None, said: str) -> None:
    assert setting(value) == said
    assert values_words({"x": value}) == f"x {said}"
