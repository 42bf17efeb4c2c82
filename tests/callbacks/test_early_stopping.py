"""EarlyStopping: Keras's decisions, and where it goes its own way."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.moments import Moments
from holdfast.callbacks import EarlyStopping
from holdfast.core import BadValue, UnknownName
from holdfast.training import Stop

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]  # Any: JSON


@pytest.mark.parametrize(
    "case", [case for case in GOLDEN if "restored" in case], ids=lambda case: str(case["settings"])
)
def test_it_stops_and_restores_as_keras_does(case: dict[str, Any]) -> None:
    moments, callback = Moments(), EarlyStopping(**case["settings"])

    stop = moments.play(callback, case["settings"]["monitor"], case["values"])

    last = moments.state.epoch - 1
    assert (last if stop else None) == case["stopped"]
    assert moments.weight == case["restored"] + 1
    assert callback.best_epoch == case["restored"]


def test_the_reason_names_epochs_from_one() -> None:
    stop = Moments().play(EarlyStopping(patience=2), "val_loss", [3.0, 2.0, 2.5, 2.5, 1.0])

    assert stop == Stop("epoch 4: val_loss has not improved for 2 epochs; weights of epoch 2 restored")


def test_the_reason_says_when_nothing_is_restored() -> None:
    moments = Moments()

    stop = moments.play(EarlyStopping(restore_best_weights=False), "val_loss", [3.0, 3.0])

    assert stop == Stop("epoch 2: val_loss has not improved for 1 epoch; the best was epoch 1")
    assert moments.weight == 2


def test_the_reason_names_a_baseline_that_was_never_beaten() -> None:
    stop = Moments().play(EarlyStopping(patience=2, baseline=0.5), "val_loss", [3.0, 2.0, 2.5])

    assert stop == Stop("epoch 3: val_loss has not beaten its baseline 0.5 for 3 epochs; weights of epoch 2 restored")


def test_the_best_weights_are_restored_though_the_last_epoch_was_reached_without_a_stop() -> None:
    moments, callback = Moments(epochs=3), EarlyStopping(patience=5)

    stop = moments.play(callback, "val_loss", [2.0, 1.0, 1.5])

    assert stop is None
    assert moments.weight == 2  # Keras before 3 used to leave the last epoch's weights here
    assert (callback.best, callback.best_epoch, callback.wait) == (1.0, 1, 1)


def test_the_best_weights_are_restored_when_another_callback_stops_in_mid_epoch() -> None:
    moments, callback = Moments(), EarlyStopping(patience=5)
    callback(moments.begin())
    callback(moments.epoch_end(0, val_loss=1.0))
    moments.set_weight(77)

    callback(moments.end(Stop("the time is up")))

    assert moments.weight == 1


def test_an_end_before_the_first_epoch_leaves_the_weights() -> None:
    moments, callback = Moments(), EarlyStopping()
    callback(moments.begin())
    moments.set_weight(77)

    callback(moments.end())

    assert moments.weight == 77


def test_the_kept_weights_are_a_copy_on_the_same_device() -> None:
    moments, callback = Moments(), EarlyStopping(patience=5)
    callback(moments.begin())
    callback(moments.epoch_end(0, val_loss=1.0))
    moments.set_weight(77)

    kept = callback.state_dict()["weights"]["weight"]

    assert kept.item() == 1
    assert kept.device == moments.state.model.get_parameter("weight").device


def test_nan_is_never_the_best() -> None:
    moments = Moments()

    stop = moments.play(EarlyStopping(patience=2), "val_loss", [math.nan, 2.0, math.nan, math.nan])

    assert stop == Stop("epoch 4: val_loss has not improved for 2 epochs; weights of epoch 2 restored")


def test_nothing_but_nan_stops_and_restores_nothing() -> None:
    moments = Moments()

    stop = moments.play(EarlyStopping(patience=2), "val_loss", [math.nan, math.nan, 1.0])

    assert stop == Stop("epoch 2: val_loss has not improved for 2 epochs")
    assert moments.weight == 2


def test_an_unknown_monitor_is_told_at_the_first_epoch_even_before_start_from_epoch() -> None:
    moments, callback = Moments(), EarlyStopping("val_accuracy", start_from_epoch=9)
    callback(moments.begin())

    with pytest.raises(UnknownName, match=r"EarlyStopping\(monitor='val_accuracy'\).*only loss, val_loss"):
        callback(moments.epoch_end(0, loss=1.0, val_loss=1.0))


def test_a_second_training_begins_with_no_memory() -> None:
    callback = EarlyStopping(patience=2)
    Moments().play(callback, "val_loss", [1.0, 2.0, 3.0])
    moments = Moments()

    stop = moments.play(callback, "val_loss", [5.0, 4.0])

    assert stop is None
    assert (callback.best, callback.best_epoch, moments.weight) == (4.0, 1, 2)


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_resumed_training_stops_and_restores_as_an_unbroken_one(cut: int) -> None:
    values = [3.0, 2.0, 2.5, 2.4, 2.3, 1.0]
    unbroken, first, second = Moments(), EarlyStopping(patience=3), EarlyStopping(patience=3)
    expected = unbroken.play(EarlyStopping(patience=3), "val_loss", values)
    broken = Moments()
    broken.play(first, "val_loss", values[:cut])
    memory = first.state_dict()

    second.load_state_dict(memory)
    stop = broken.play(second, "val_loss", values[cut:], start=cut)

    assert stop == expected
    assert broken.weight == unbroken.weight == 2


def test_weights_keep_their_memory_format() -> None:
    moments, callback = Moments(), EarlyStopping(patience=5)
    moments.state.model = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weight = moments.state.model.get_parameter("weight")
    before = weight.detach().clone()
    callback(moments.begin())
    moments.state.model.register_parameter("weight", weight)
    moments.set_weight = lambda value: None  # type: ignore[method-assign]
    callback(moments.epoch_end(0, val_loss=1.0))
    with torch.no_grad():
        weight.zero_()

    callback(moments.end())

    assert torch.equal(weight, before)
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_negative_patience_is_refused() -> None:
    with pytest.raises(BadValue, match=r"EarlyStopping\(patience=-1\): must be 0 or more epochs"):
        EarlyStopping(patience=-1)
