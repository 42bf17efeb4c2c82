"""What a training would take: by arithmetic, and by steps on noise."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from holdfast import Sequential
from holdfast.core import BadShape
from holdfast.data import from_arrays
from holdfast.data.rows import Mapped, Rows
from holdfast.layers import Dense, Flatten, Input
from holdfast.runs import forecast as module
from holdfast.runs.forecast import PROCESS, Forecast, data_bytes, fetch_seconds, forecast
from holdfast.runs.plan import plan, session_for
from holdfast.runs.record import Settings

from .small import CLASSES, in_memory, with_dropout


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)


def test_it_says_what_fits_and_how_long_it_takes() -> None:
    found = forecast(in_memory(), "dense", epochs=3, batch_size=8, device="cpu")

    assert (found.batch_size, found.epochs, found.samples, found.device) == (8, 3, 84, "cpu")
    assert found.fits
    assert 0 < found.step_seconds < found.epoch_seconds < found.seconds
    assert found.needed == PROCESS + found.data + found.step
    assert str(found).startswith("fits: 50")
    assert " at batch 8; about " in str(found)
    assert str(found).endswith("for 3 epochs")


def test_the_data_counts_with_its_sealed_part_and_its_moved_copy() -> None:
    data = in_memory()
    settings, _ = plan(data, "dense", {"device": "cpu"})

    assert data_bytes(data, settings.model_copy(update={"shift": 0})) == 120 * 36
    assert data_bytes(data, settings.model_copy(update={"shift": 1})) == 120 * 36 + 84 * 64


def test_a_batch_is_chosen_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    data = from_arrays(random.integers(0, 256, (80, 96, 96, 1), np.uint8), [0, 1] * 40)
    roomy = forecast(data, "convnet", device="cpu")
    monkeypatch.setattr(module, "judged_at_once", lambda model: 1)
    monkeypatch.setattr(module, "memory_of", lambda device: (PROCESS + roomy.data + roomy.step / 30 + 99) / module.FULL)

    tight = forecast(data, "convnet", device="cpu")

    assert (roomy.batch_size, roomy.smaller) == (32, False)
    assert tight.batch_size < 32
    assert tight.smaller
    assert tight.fits


def test_a_batch_that_is_given_stays_and_may_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_of", lambda device: 1e6)

    found = forecast(in_memory(), "dense", batch_size=16, epochs=1, device="cpu")

    assert (found.batch_size, found.fits) == (16, False)
    assert str(found) == "does not fit: 501 MB of 1 MB at batch 16"


def test_what_does_not_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def measured(data: object, network: object, settings: Settings) -> tuple[float, float]:
        tried.append(settings.batch_size)
        return 1.0, 1.0

    monkeypatch.setattr(module, "measure", measured)
    monkeypatch.setattr(module, "judged_at_once", lambda model: 1)
    data = in_memory()
    settings, network = plan(data, "convnet", {"device": "cpu", "batch_size": 64})
    room = module.step_bytes(network, module.replace_batch(settings, 16))
    monkeypatch.setattr(
        module, "memory_of", lambda device: (PROCESS + data_bytes(data, settings) + room + 99) / module.FULL
    )

    found = forecast(data, "convnet", device="cpu", batch_size=64)
    monkeypatch.setattr(module, "memory_of", lambda device: 1.0)
    nothing = forecast(data, "convnet", device="cpu", batch_size=64)

    assert tried == [16]
    assert found.step_seconds == 4.0  # as many times as the batch is larger
    assert math.isnan(nothing.step_seconds)


def test_nothing_is_said_of_memory_that_nobody_knows() -> None:
    found = replace(Forecast("m", 1, 1, 1, 1, "cpu", 0, 0, None, 1.0, 1.0))

    assert found.fits
    assert str(found) == "fits: 500 MB at batch 1; about 1 s an epoch, 1 s for 1 epoch"


def test_a_model_of_another_shape_cannot_be_forecast() -> None:
    model = Sequential([Input((5,)), Dense(CLASSES, activation="softmax")])

    with pytest.raises(BadShape, match="takes"):
        forecast(in_memory(), model)


def test_numbers_that_are_no_bytes_are_forecast_too() -> None:
    values = np.random.default_rng(0).standard_normal((60, 12))

    assert forecast(from_arrays(values, [0, 1] * 30), "dense", epochs=1, device="cpu").epoch_seconds > 0


def test_the_data_is_not_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_memory()
    seen: list[torch.Tensor] = []
    real = session_for

    def spy(network: object, noise: object, *rest: object) -> object:
        seen.append(noise.train.images)  # type: ignore[attr-defined]  # a Dataset
        return real(network, noise, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "session_for", spy)

    forecast(data, with_dropout(), epochs=1, batch_size=8, device="cpu")

    known = {image.numpy().tobytes() for image in data.train.images[:]}
    assert not {image.numpy().tobytes() for image in seen[0]} & known


def test_a_model_may_be_any() -> None:
    model = Sequential([Input((6, 6, 1)), Flatten(), Dense(CLASSES, activation="softmax")])

    assert forecast(in_memory(), model, epochs=1, device="cpu").parameters == 111


def test_samples_in_memory_need_no_fetching_and_others_do() -> None:
    data = in_memory()
    array = data.train.images[:].numpy()
    stored = replace(data.train, images=cast(torch.Tensor, Rows(Mapped(array), np.arange(len(array)))))

    assert fetch_seconds(data.train) == 0
    assert fetch_seconds(stored) > 0
    assert data_bytes(replace(data, train=stored), plan(data, "dense", {"device": "cpu"})[0]) == 0
