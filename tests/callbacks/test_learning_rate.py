"""ReduceLROnPlateau and LearningRateScheduler."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbacks.moments import Moments
from holdfast.callbacks import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from holdfast.core import BadValue, UnknownName
from holdfast.training import ExponentialDecay

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]  # Any: JSON


def rates(callback: ReduceLROnPlateau, moments: Moments, key: str, values: list[float], start: int = 0) -> list[float]:
    callback(moments.begin(start))
    seen = []
    for epoch, value in enumerate(values, start=start):
        callback(moments.epoch_end(epoch, **{key: value}))
        seen.append(moments.state.learning_rate)
    return seen


@pytest.mark.parametrize("case", [case for case in GOLDEN if "rates" in case], ids=lambda case: str(case["settings"]))
def test_the_rate_falls_when_keras_lets_it(case: dict[str, Any]) -> None:
    settings = case["settings"]

    seen = rates(ReduceLROnPlateau(**settings), Moments(learning_rate=0.5), settings["monitor"], case["values"])

    assert seen == pytest.approx(case["rates"], rel=1e-6)  # Keras keeps it in float32


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_resumed_training_has_the_rates_of_an_unbroken_one(cut: int) -> None:
    values = [3.0, 2.0, 2.5, 2.4, 2.3, 2.2, 2.2, 2.2]
    expected = rates(ReduceLROnPlateau(patience=2, cooldown=1), Moments(), "val_loss", values)
    moments, first, second = Moments(), *(ReduceLROnPlateau(patience=2, cooldown=1) for _ in range(2))

    seen = rates(first, moments, "val_loss", values[:cut])
    second.load_state_dict(first.state_dict())
    seen += rates(second, moments, "val_loss", values[cut:], start=cut)

    assert seen == expected


def test_a_second_training_begins_with_no_memory() -> None:
    callback = ReduceLROnPlateau(patience=2)
    rates(callback, Moments(), "val_loss", [1.0, 2.0])

    assert rates(callback, Moments(), "val_loss", [5.0, 6.0]) == [0.5, 0.5]


def test_a_plateau_of_an_unknown_value_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"ReduceLROnPlateau\(monitor='val_loss'\).*only loss; pass validation data"):
        rates(ReduceLROnPlateau(), Moments(), "loss", [1.0])


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0])
def test_a_factor_must_reduce(factor: float) -> None:
    with pytest.raises(BadValue, match=r"ReduceLROnPlateau\(factor=.*\): must be between 0 and 1"):
        ReduceLROnPlateau(factor=factor)


@pytest.mark.parametrize(
    "callback", [ReduceLROnPlateau(), LearningRateScheduler(lambda epoch, rate: rate)], ids=["plateau", "scheduler"]
)
def test_a_program_with_a_schedule_is_refused(callback: ReduceLROnPlateau | LearningRateScheduler) -> None:
    moments = Moments(learning_rate=ExponentialDecay(0.1, 100, 0.9))

    with pytest.raises(BadValue, match="the program has a schedule, which sets the learning rate at each step"):
        callback(moments.begin())


def test_the_schedule_is_asked_before_each_epoch_with_the_rate_until_then() -> None:
    asked: list[tuple[int, float]] = []

    def halve(epoch: int, rate: float) -> float:
        asked.append((epoch, rate))
        return rate / 2

    moments, callback = Moments(epochs=3, learning_rate=1.0), LearningRateScheduler(halve)
    callback(moments.begin())
    seen = [moments.state.learning_rate]
    for epoch in range(3):
        callback(moments.epoch_end(epoch, loss=1.0))
        seen.append(moments.state.learning_rate)
    callback(moments.end())

    assert asked == [(0, 1.0), (1, 0.5), (2, 0.25)]
    assert seen == [0.5, 0.25, 0.125, 0.125]


@pytest.mark.parametrize("saved_after", [True, False])
def test_a_resumed_schedule_is_asked_once_an_epoch(saved_after: bool) -> None:
    first, second = (LearningRateScheduler(lambda epoch, rate: rate / 2) for _ in range(2))
    moments = Moments(epochs=3, learning_rate=1.0)
    first(moments.begin())
    memory, rate = first.state_dict(), moments.state.learning_rate
    first(moments.epoch_end(0, loss=1.0))
    if saved_after:
        memory, rate = first.state_dict(), moments.state.learning_rate

    moments.state.learning_rate = rate
    second.load_state_dict(memory)
    second(moments.begin(1))

    assert moments.state.learning_rate == 0.25


def test_a_second_training_asks_again() -> None:
    moments, callback = Moments(learning_rate=1.0), LearningRateScheduler(lambda epoch, rate: rate / 2)
    callback(moments.begin())

    callback(moments.begin())

    assert moments.state.learning_rate == 0.25


def test_a_rate_of_numpy_becomes_a_float() -> None:
    moments = Moments()

    LearningRateScheduler(lambda epoch, rate: np.float32(0.25))(moments.begin())  # type: ignore[arg-type]

    assert moments.state.learning_rate == 0.25
    assert type(moments.state.learning_rate) is float


@pytest.mark.parametrize("answer", [None, "fast", -1.0, float("nan"), float("inf")])
def test_a_schedule_that_gives_no_rate_is_named(answer: object) -> None:
    callback = LearningRateScheduler(lambda epoch, rate: answer)  # type: ignore[arg-type]  # the mistake

    with pytest.raises(
        BadValue, match=r"LearningRateScheduler: schedule\(0, 0.5\) gave .*; must be a finite number >= 0"
    ):
        callback(Moments().begin())


def test_a_schedule_of_the_epoch_alone_is_taken() -> None:
    """As Keras takes it; it used to be a TypeError about the arguments of the lambda."""
    moments = Moments()

    LearningRateScheduler(lambda epoch: 0.25 + epoch)(moments.begin())

    assert moments.state.learning_rate == 0.25


def test_a_type_error_in_a_schedule_stays_its_own() -> None:
    def schedule(epoch: int, rate: float) -> float:
        raise TypeError("my own")

    with pytest.raises(TypeError, match=r"^my own$"):
        LearningRateScheduler(schedule)(Moments().begin())


@pytest.mark.parametrize(
    "settings",
    [{"patience": -1}, {"patience": 2.5}, {"cooldown": "a"}, {"cooldown": -1}, {"patience": True}],
    ids=str,
)
def test_what_is_no_number_of_epochs_is_refused(settings: dict[str, Any]) -> None:
    """patience=-1 used to reduce the rate after each epoch, cooldown="a" to fail at the first reduction."""
    ((name, value),) = settings.items()

    with pytest.raises(
        BadValue, match=rf"^ReduceLROnPlateau\({name}={value!r}\): must be 0 or more epochs, a whole number"
    ):
        ReduceLROnPlateau(**settings)


def test_keras_s_verbose_is_taken_by_name() -> None:
    """Old snippets pass it; it used to be a TypeError."""
    made: list[object] = [
        EarlyStopping(patience=3, verbose=1),
        ReduceLROnPlateau(patience=3, verbose=1),
        LearningRateScheduler(lambda epoch: 0.1, verbose=1),
        ModelCheckpoint("best.keras", save_best_only=True, verbose=1),
    ]

    assert not [one for one in made if "verbose=" in repr(one)]
