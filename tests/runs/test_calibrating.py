"""After training, the kept model is calibrated and knows what it does not know; its file and its record say so."""

from pathlib import Path

import numpy as np
import pytest

import holdfast
from holdfast import Sequential
from holdfast.core import BadValue
from holdfast.data import from_arrays
from holdfast.evaluate import calibration
from holdfast.layers import Dense, Flatten, Input, Rescaling, Softmax
from holdfast.models import load_keras
from holdfast.runs import Record, Run

from .small import CLASSES, arrays, in_memory, train


def test_a_temperature_is_in_the_model_and_in_the_record(tmp_path: Path) -> None:
    data = in_memory(validation=0.4)

    run = train(tmp_path / "runs", data, optimizer="adam", epochs=30, patience=30)

    temperature = Record.read(run.folder).temperature
    assert temperature is not None
    shares, labels = run.model.predict(data.validation), data.validation.labels.numpy()
    powers = shares.astype(np.float64) ** temperature
    before = powers / powers.sum(1, keepdims=True)  # what the model said without it
    losses = [-np.log(said[np.arange(len(labels)), labels]).mean() for said in (before, shares)]
    assert losses[1] < losses[0]
    assert (before.argmax(1) == shares.argmax(1)).all()
    assert calibration(labels, shares).n == len(labels)


def test_the_model_file_says_what_is_unknown(tmp_path: Path) -> None:
    data = in_memory(validation=0.4)

    run = train(tmp_path / "runs", data, coverage=0.8)

    kept = load_keras(run.folder / "model.keras").unknown
    assert kept is not None
    assert kept.coverage == Record.read(run.folder).settings.coverage == 0.8
    known = ~kept(run.model.predict(data.validation))
    assert known.mean() == pytest.approx(0.8, abs=2 / len(data.validation))  # of those that it was set by


def test_a_model_without_logits_of_its_own_is_not_divided(tmp_path: Path) -> None:
    layers = [Rescaling(1 / 255), Flatten(), Dense(CLASSES, "relu"), Softmax()]

    run = train(tmp_path / "runs", in_memory(), model=Sequential([Input((6, 6, 1)), *layers]), epochs=2)

    assert Record.read(run.folder).temperature is None


def test_little_validation_makes_nothing_unknown(tmp_path: Path) -> None:
    run = train(tmp_path / "runs", in_memory(validation=0.1), epochs=2)

    assert len(in_memory(validation=0.1).validation) < 19
    assert run.model.unknown is None


def test_a_resumed_run_is_calibrated_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    data = from_arrays(*arrays(), validation=0.4)

    def stop(event: holdfast.training.Event) -> None:
        if event.state.epoch == 2:
            raise KeyboardInterrupt

    whole = train(tmp_path / "whole", data, epochs=4, coverage=0.9)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", data, epochs=4, coverage=0.9, callbacks=[stop])
    resumed = holdfast.resume(tmp_path / "cut" / whole.folder.name, data, verbose=0)

    assert resumed.record.temperature == whole.record.temperature
    assert described(resumed) == described(whole)


def described(run: Run) -> dict[str, object]:
    assert run.model.unknown is not None
    return run.model.unknown.to_dict()


def test_a_wrong_coverage_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="coverage=95: must be a share between 0 and 1"):
        holdfast.train(tmp_path / "none", coverage=95, out=tmp_path / "runs", verbose=0)

    assert not (tmp_path / "runs").exists()
