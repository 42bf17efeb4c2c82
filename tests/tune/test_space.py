"""Spaces in Python and TOML."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core import BadFile, BadValue, UnknownName
from holdfast.tune import Categorical, Float, Int, Space, as_space, read_values, write_values
from holdfast.tune.space import WORDS, Value

optuna = pytest.importorskip("optuna")

SGD = {
    "optimizer": ["sgd", "adam"],
    "momentum": {"low": 0.0, "high": 0.9, "step": 0.3, "when": {"optimizer": "sgd"}},
    "epochs": 10,
}


def _trial(**params: Any) -> Any:  # Any: of Optuna, as are its trials
    return optuna.trial.FixedTrial(params)


def test_a_list_is_a_choice_a_table_a_range_and_any_other_value_is_fixed() -> None:
    space = as_space(
        {"units": [8, 16], "filters": {"low": 8, "high": 32, "step": 8}, "l2": {"low": 1e-6, "high": 0.01, "log": True}}
        | {"activation": {"choices": ["relu", "elu"]}, "epochs": 10}
    )

    assert space.dimensions == {
        "units": Categorical((8, 16)),
        "filters": Int(8, 32, step=8),
        "l2": Float(1e-6, 0.01, log=True),
        "activation": Categorical(("relu", "elu")),
    }
    assert space.fixed == {"epochs": 10}


def test_toml_says_the_same_as_python(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(
        'epochs = 10\noptimizer = ["sgd", "adam"]\n'
        '[momentum]\nlow = 0.0\nhigh = 0.9\nstep = 0.3\nwhen = {optimizer = "sgd"}\n'
    )

    assert as_space(tmp_path / "space.toml") == as_space(SGD)


def test_a_path_into_the_model_needs_quotes_only_where_it_has_brackets(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text('conv2d_1.filters = [8, 16]\n"layers[2].filters" = {low = 8, high = 16}\n')

    names = list(as_space(tmp_path / "space.toml").dimensions)

    assert names == ["conv2d_1.filters", "layers[2].filters"]


def test_whole_numbers_are_numbers_where_the_word_takes_numbers() -> None:
    space = as_space({"dropout": {"low": 0, "high": 1}, "l2": [0, 0.1], "learning_rate": 1})

    assert space.dimensions == {"dropout": Float(0.0, 1.0), "l2": Categorical((0.0, 0.1))}
    assert repr(space.fixed["learning_rate"]) == "1.0"


def test_a_conditional_dimension_is_asked_only_where_it_applies() -> None:
    space = as_space(SGD)

    assert space.suggest(_trial(optimizer="sgd", momentum=0.3)) == {"epochs": 10, "optimizer": "sgd", "momentum": 0.3}
    assert space.suggest(_trial(optimizer="adam")) == {"epochs": 10, "optimizer": "adam"}


def test_conditions_may_stand_before_what_they_wait_for_and_follow_each_other() -> None:
    space = Space(
        {
            "optimizer.nesterov": Categorical((False, True), {"momentum": 0.9}),
            "momentum": Categorical((0.0, 0.9), {"optimizer": ("sgd", "rmsprop")}),
            "optimizer": Categorical(("sgd", "rmsprop", "adam")),
        }
    )

    assert space.order() == ("optimizer", "momentum", "optimizer.nesterov")
    assert space.suggest(_trial(optimizer="adam")) == {"optimizer": "adam"}
    assert space.suggest(_trial(optimizer="sgd", momentum=0.0)) == {"momentum": 0.0, "optimizer": "sgd"}


def test_a_condition_may_wait_for_a_fixed_value() -> None:
    space = as_space({"optimizer": "sgd", "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}}})

    assert "momentum" in space.suggest(_trial(momentum=0.5))


def test_true_is_not_1_in_a_condition() -> None:
    space = Space({"fine_tune": Categorical((0, 1)), "batch_normalization": Categorical((False, True))})
    waiting = Space(
        {**space.dimensions, "l2": Float(0.0, 1.0, when={"batch_normalization": True})},
    )

    assert "l2" not in waiting.suggest(_trial(fine_tune=1, batch_normalization=False))


def test_has_tells_whether_a_trial_may_have_these_values() -> None:
    space = as_space(SGD)

    assert space.has({"optimizer": "sgd", "momentum": 0.6})
    assert space.has({"optimizer": "adam", "epochs": 10})
    assert not space.has({"optimizer": "sgd"})
    assert not space.has({"optimizer": "adam", "momentum": 0.6})
    assert not space.has({"optimizer": "sgd", "momentum": 0.5})
    assert not space.has({"optimizer": "adam", "epochs": 9})


def test_the_grid_has_conditional_dimensions_only_where_they_apply() -> None:
    grid = as_space(SGD).grid()

    assert grid == [{"optimizer": "sgd", "momentum": value} for value in (0.0, 0.3, 0.6, 0.9)] + [{"optimizer": "adam"}]


def test_a_grid_over_a_range_of_numbers_says_what_to_list() -> None:
    space = as_space({"learning_rate": {"low": 0.0001, "high": 0.01, "log": True}})

    with pytest.raises(
        BadValue, match=r"^learning_rate: a grid cannot try .* list some, such as \[0.0001, 0.001, 0.01"
    ):
        space.grid()


def test_a_grid_that_nobody_has_the_time_for_is_refused() -> None:
    with pytest.raises(BadValue, match="the grid has 1,000,000 trials"):
        as_space({"units": {"low": 1, "high": 1000}, "filters": {"low": 1, "high": 1000}}).grid()


def test_distributions_are_those_of_optuna() -> None:
    found = as_space(SGD).distributions()

    assert found == {
        "optimizer": optuna.distributions.CategoricalDistribution(("sgd", "adam")),
        "momentum": optuna.distributions.FloatDistribution(0.0, 0.9, step=0.3),
    }


def test_a_space_goes_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(as_space(SGD))) == as_space(SGD)


WRONG: dict[str, tuple[str, str]] = {
    "no high": (
        "filters = {low = 8}",
        "filters: high is missing; a range is {low = 1, high = 8}, a choice ['a', 'b'].",
    ),
    "exchanged": ("filters = {low = 32, high = 8}", "filters: low=32 is above high=8; exchange them."),
    "steps": (
        "filters = {low = 8, high = 33, step = 8}",
        "filters: steps of 8 from 8 do not reach high=33; the last is at 32.",
    ),
    "name": ("filtres = [8]", "filtres: is nothing that can be chosen; did you mean 'filters'?"),
    "text": ('filters = ["a"]', 'filters: takes a whole number, got "a".'),
    "point": ("epochs = 2.5\nunits = [8]", "epochs: takes a whole number, got 2.5."),
    "log of 0": (
        "learning_rate = {low = 0, high = 1, log = true}",
        "learning_rate: low=0.0: with log it must be positive; 0 has no logarithm.",
    ),
    "log of 0 filters": (
        "filters = {low = 0, high = 8, log = true}",
        "filters: low=0: with log it must be at least 1; 0 has no logarithm.",
    ),
    "log and step": (
        "units = {low = 8, high = 64, log = true, step = 8}",
        "units: log and step exclude each other; list the values instead, such as [8, 16, 32].",
    ),
    "setting": ("units = {low = 8, high = 64, lgo = true}", "units: has no 'lgo'; did you mean 'low' or 'log'?"),
    "unquoted": ("optimizer = [false, true]", "optimizer: false is no text; put it in quotes."),
    "no augmentation": ("augment = false\nunits = [8]", 'augment: false is no text; write "none" for none.'),
    "number for a switch": ("batch_normalization = [0, 1]", "batch_normalization: takes true or false, got 0."),
    "nothing to choose": ("optimizer = []", "optimizer: there is nothing to choose from; list at least one value."),
    "twice": ("units = [8, 8]", "units: 8 stands in the list twice."),
    "luck": (
        "seed = [1, 2]",
        "seed: luck is nothing to choose; give one seed, or see what luck does with `train --seeds 5`.",
    ),
    "date": (
        "learning_rate = [2020-01-01]",
        "learning_rate: datetime.date(2020, 1, 1) cannot be chosen; values are numbers, text, true or false.",
    ),
    "all fixed": ("epochs = 10", "leaves nothing to choose; give a list or a range, such as filters = [16, 32]."),
    "unknown condition": (
        'optimizer = ["sgd"]\nmomentum = {low = 0, high = 1, when = {optimiser = "sgd"}}',
        "momentum: `when` names 'optimiser', which the space does not have; did you mean 'optimizer'?",
    ),
    "condition never met": (
        'optimizer = ["sgd"]\nmomentum = {low = 0, high = 1, when = {optimizer = "sdg"}}',
        'momentum: `when` waits for optimizer = "sdg", which the space never chooses.',
    ),
    "circle": (
        "filters = {low = 1, high = 2, when = {units = 8}}\nunits = {choices = [8], when = {filters = 1}}",
        "the conditions go round in a circle: filters -> units -> filters; leave one `when` out.",
    ),
    "condition without values": (
        'optimizer = ["sgd"]\nmomentum = {low = 0, high = 1, when = {optimizer = []}}',
        "momentum: `when` waits for no value of optimizer; list at least one.",
    ),
    "too large": (
        "units = {low = 1, high = 9007199254740993}",
        "units: high=9007199254740993: must be at most 2 ** 53, so that it is kept exactly.",
    ),
    "condition without a table": ("units = {low = 1, high = 2, when = 3}", "units: when=3: must be a table, "),
    "no list": ("units = {choices = 8}", "units: choices=8: must be a list."),
    "brackets": (
        "layers[2].filters = [8]",
        "is no TOML: Expected '=' after a key in a key/value pair (at line 1, column 7); "
        "text and names with brackets stand in quotes, 'layers[2].filters'.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_with_file_name_and_remedy(case: str, tmp_path: Path) -> None:
    text, message = WRONG[case]
    path = tmp_path / "space.toml"
    path.write_text(text)

    with pytest.raises(BadFile) as caught:
        as_space(path)

    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"space.toml: No such file or directory\.$"):
        as_space(tmp_path / "space.toml")


def test_python_errors_keep_their_class() -> None:
    with pytest.raises(UnknownName, match=r"^filtres: is nothing that can be chosen; did you mean 'filters'"):
        as_space({"filtres": [8]})
    with pytest.raises(BadValue, match=r"^units: has a value and a range; keep one of them\.$"):
        Space({"units": Categorical((8,))}, {"units": 8})


def test_values_come_back_as_they_were_written(tmp_path: Path) -> None:
    values: dict[str, Value] = {
        "learning_rate": 1e-05,
        "layers[2].filters": 3,
        "conv2d.activation": 'a "b" \\ c',
        "epochs": 10,
    }
    values |= {"batch_normalization": True, "l2": 0.1 + 0.2}

    write_values(tmp_path / "best.toml", {**values, "patience": None}, "accuracy 97 %\nn=270")

    assert read_values(tmp_path / "best.toml") == values
    assert (tmp_path / "best.toml").read_text().startswith("# accuracy 97 %\n# n=270\nlearning_rate = 1e-05\n")


def test_values_that_are_still_to_be_chosen_are_refused(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("units = [8, 16]\n")

    with pytest.raises(
        BadFile, match="units: is to be chosen; give it a value, or this file to `holdfast tune --space`"
    ):
        read_values(tmp_path / "space.toml")


def test_values_that_cannot_be_written_leave_the_file_as_it_was(tmp_path: Path) -> None:
    write_values(tmp_path / "best.toml", {"units": 8})

    with pytest.raises(UnicodeEncodeError):
        write_values(tmp_path / "best.toml", {"activation": "\ud800"})

    assert read_values(tmp_path / "best.toml") == {"units": 8}
    assert [path.name for path in tmp_path.iterdir()] == ["best.toml"]


def test_every_word_has_a_kind() -> None:
    assert set(WORDS.values()) == {bool, int, float, str}


def test_ranges_of_a_billion_steps_are_not_counted_through() -> None:
    assert Int(0, 10**9, step=10).nearest(123_456_784) == 123_456_780
    assert Float(0, 1, step=1e-9).nearest(0.3) == 0.3
    assert Float(0, 1, step=1e-9).has(0.3)
    assert not Float(0, 1, step=0.1).has(0.35)
    with pytest.raises(BadValue, match=r"^its 1,000,000,001 steps are too many for a grid"):
        Float(0, 1, step=1e-9).grid()


def test_true_and_one_are_not_choices_beside_each_other_for_optuna_takes_one_for_the_other() -> None:
    with pytest.raises(BadValue, match=r"^1 stands in the list twice"):
        Categorical((True, 1))


def test_numbers_of_numpy_are_kept_and_written_as_those_of_python(tmp_path: Path) -> None:
    space = as_space({"units": [np.int64(8)], "dropout": np.float64(0.5)})

    write_values(tmp_path / "best.toml", {**space.fixed, "units": space.dimensions["units"].grid()[0]})

    assert (tmp_path / "best.toml").read_text() == "dropout = 0.5\nunits = 8\n"


def test_what_is_no_space_is_said() -> None:
    with pytest.raises(BadValue, match=r"^space=\[1, 2\]: must be a Space, a dict by name, or the path"):
        as_space([1, 2])  # type: ignore[arg-type]  # the point
