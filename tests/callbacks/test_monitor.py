"""Monitor: direction by name, improvements, and the errors of names."""

import math

import pytest

from holdfast.callbacks.monitor import Mode, Monitor
from holdfast.core import BadValue, UnknownName


@pytest.mark.parametrize("name", ["loss", "val_loss", "val_log_loss", "mean_squared_error", "val_mse", "out_1_loss"])
def test_losses_and_errors_fall(name: str) -> None:
    assert not Monitor("X", name).rises


@pytest.mark.parametrize(
    "name",
    ["accuracy", "val_accuracy", "val_auc", "f1_score", "top_k_categorical_accuracy", "recall", "val_precision_1"],
)
def test_scores_rise(name: str) -> None:
    assert Monitor("X", name).rises


@pytest.mark.parametrize(("mode", "rises"), [("min", False), ("max", True)])
def test_a_mode_overrules_the_name(mode: Mode, rises: bool) -> None:
    assert Monitor("X", "gain", mode=mode).rises is rises


def test_a_name_that_tells_nothing_is_refused_when_the_callback_is_made() -> None:
    with pytest.raises(
        BadValue, match=r"EarlyStopping\(monitor='val_gain'\): the name does not tell .* pass mode='min'"
    ):
        Monitor("EarlyStopping", "val_gain")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(BadValue, match=r"mode='down'.*must be 'auto', 'min' or 'max'"):
        Monitor("X", "loss", mode="down")  # type: ignore[arg-type]  # the mistake under test


def test_an_improvement_must_exceed_min_delta_whatever_its_sign() -> None:
    assert [Monitor("X", "loss", min_delta=-0.25).better(value, 1.0) for value in (0.5, 0.75, 1.5)] == [
        True,
        False,
        False,
    ]
    assert [Monitor("X", "auc", min_delta=0.25).better(value, 0.5) for value in (1.0, 0.75, 0.0)] == [
        True,
        False,
        False,
    ]


def test_anything_improves_on_nothing_but_nan() -> None:
    watch = Monitor("X", "loss")

    assert watch.better(math.inf, None)
    assert not watch.better(math.nan, None)
    assert not watch.better(math.nan, 1.0)


def test_a_name_the_logs_do_not_have_lists_what_they_have() -> None:
    with pytest.raises(UnknownName, match=r"X\(monitor='val_los'\): .* only loss, val_loss$"):
        Monitor("X", "val_los", mode="min").read({"loss": 1.0, "val_loss": 2.0, "learning_rate": 0.1})


def test_a_name_of_validation_without_validation_says_what_to_pass() -> None:
    with pytest.raises(UnknownName, match="only loss; pass validation data"):
        Monitor("X", "val_loss").read({"loss": 1.0})
