"""TargetReached, TimeBudget, TerminateOnNaN."""

import math
import time

import pytest

from callbacks.moments import Moments
from holdfast.callbacks import TargetReached, TerminateOnNaN, TimeBudget
from holdfast.core import BadValue, UnknownName
from holdfast.training import Stop


def test_the_target_stops_at_the_epoch_that_reaches_it() -> None:
    moments = Moments()

    stop = moments.play(TargetReached(target=0.75), "val_accuracy", [0.5, 0.7499, 0.75, 0.9])

    assert stop == Stop("epoch 3: val_accuracy 0.75 has reached its target 0.75")


def test_the_target_of_a_loss_is_reached_from_above() -> None:
    stop = Moments().play(TargetReached("val_loss", target=0.5), "val_loss", [1.0, 0.25])

    assert stop == Stop("epoch 2: val_loss 0.25 has reached its target 0.5")


def test_a_target_of_an_unknown_value_lists_what_there_is() -> None:
    moments = Moments()

    with pytest.raises(UnknownName, match=r"TargetReached\(monitor='val_accuracy'\).*only loss, val_loss"):
        TargetReached(target=0.9)(moments.epoch_end(0, loss=1.0, val_loss=1.0))


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test turns: its one entry is the time."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_the_time_budget_ends_training_after_the_step_that_exceeds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now, moments, callback = clock(monkeypatch), Moments(), TimeBudget(60)
    callback(moments.begin())

    now[0] += 59
    early = callback(moments.step_end(2, 1))
    now[0] += 1
    late = callback(moments.step_end(2, 2))

    assert early is None
    assert late == Stop("epoch 3: the time budget of 60 s is spent")


def test_the_time_of_validation_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now, moments, callback = clock(monkeypatch), Moments(), TimeBudget(60)
    callback(moments.begin())

    now[0] += 61

    assert callback(moments.epoch_end(0, loss=1.0)) is not None


def test_a_resumed_training_has_spent_what_its_checkpoint_had(monkeypatch: pytest.MonkeyPatch) -> None:
    now, moments, first, second = clock(monkeypatch), Moments(), TimeBudget(60), TimeBudget(60)
    first(moments.begin())
    now[0] += 40
    memory = first.state_dict()
    now[0] += 10_000

    second.load_state_dict(memory)
    second(moments.begin(1))
    now[0] += 15

    assert second.spent == 55
    assert second(moments.step_end(1, 1)) is None
    now[0] += 5
    assert second(moments.step_end(1, 2)) is not None


def test_a_second_training_has_the_whole_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    now, moments, callback = clock(monkeypatch), Moments(), TimeBudget(60)
    callback(moments.begin())
    now[0] += 100

    callback(moments.begin())

    assert callback(moments.step_end(0, 1)) is None


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_budget_must_be_positive(seconds: float) -> None:
    with pytest.raises(BadValue, match=r"TimeBudget\(seconds=.*\): must be positive"):
        TimeBudget(seconds)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training(value: float) -> None:
    moments, callback = Moments(), TerminateOnNaN(every=2)

    stop = callback(moments.step_end(2, 4, loss=value))

    assert stop == Stop(f"epoch 3, step 4: loss is {value}; try a smaller learning rate, or look for NaN in the data")


def test_the_running_loss_is_read_only_every_so_often() -> None:
    moments, callback = Moments(), TerminateOnNaN()

    answers = [callback(moments.step_end(0, step, loss=1.0)) for step in range(1, 251)]

    assert answers == [None] * 250
    assert moments.reads == 2


def test_the_end_of_an_epoch_is_looked_at_too() -> None:
    moments, callback = Moments(), TerminateOnNaN()

    assert callback(moments.epoch_end(0, loss=1.0, val_loss=2.0)) is None
    assert "epoch 1: loss is nan" in str(callback(moments.epoch_end(0, loss=math.nan)))
    assert "epoch 1: val_loss is inf" in str(callback(moments.epoch_end(0, loss=1.0, val_loss=math.inf)))


def test_never_looking_is_refused() -> None:
    with pytest.raises(BadValue, match="must be 1 step or more"):
        TerminateOnNaN(every=0)
