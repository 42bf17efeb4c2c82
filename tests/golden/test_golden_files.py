"""The golden files are whole: every case has its numbers, and none is left over."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import CASES, FILES, Case

HERE = Path(__file__).parent
ARRAYS = [*FILES, "layers_adapt", "augment", "log_mel", "losses", "optimizers", "metrics", "fit", "fit_options"]
TEXTS = ["losses", "optimizers", "metrics", "initializers", "fit_options", "versions"]
SIZE_LIMIT = 3_000_000  # bytes, of all golden files


def keys(name: str) -> set[str]:
    with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
        return set(file.files)


def text(name: str) -> Any:  # Any: JSON values
    return json.loads((HERE / f"{name}.json").read_text())


def tops(found: set[str]) -> set[str]:
    return {key.split("/")[0] for key in found}


@pytest.fixture(scope="module")
def layers() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    files = [np.load(HERE / f"{name}.npz", allow_pickle=False) for name in FILES]
    return {key: file[key] for file in files for key in file.files}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_is_finite_and_needs_no_pickle(name: str) -> None:
    with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
        assert file.files
        for key in file.files:
            assert np.isfinite(file[key]).all(), key


def test_no_file_is_missing_and_all_of_them_stay_small() -> None:
    files = [HERE / f"{name}.npz" for name in ARRAYS] + [HERE / f"{name}.json" for name in TEXTS]

    assert sum(file.stat().st_size for file in files) < SIZE_LIMIT
    assert set(HERE.glob("*.npz")) | set(HERE.glob("*.json")) == set(files)


def test_the_versions_are_those_of_the_requirements() -> None:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    wanted = dict(line.split("==") for line in lines if not line.startswith("#"))

    found = text("versions")

    assert found["python"].startswith("3.")
    assert found["backend"] == "torch"
    assert found["image_data_format"] == "channels_last"
    for package in ("keras", "numpy", "torch"):
        assert found[package].split("+")[0] == wanted[package]


def test_cases_have_names_of_their_own_and_json_settings() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        assert json.loads(json.dumps(case.settings)) == case.settings, case


@pytest.mark.parametrize("name", FILES)
def test_every_case_has_golden_numbers_and_no_number_lacks_a_case(name: str) -> None:
    assert tops(keys(name)) == {case.name for case in FILES[name]}, f"run tests/golden/make.py {name}.npz"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_has_its_inputs_and_either_training_steps_or_input_gradients(case: Case, layers: dict[str, Any]) -> None:
    prefix = f"{case.name}/"
    found = {key.removeprefix(prefix): value for key, value in layers.items() if key.startswith(prefix)}
    inputs = {f"input_{index}" for index in range(len(case.shapes))}
    weights = {key for key in found if key.startswith("weight_")}
    trained = {"loss_0", "loss_9"} | {f"after_{steps}/{weight}" for steps in (1, 10) for weight in weights}
    gradients = {f"input_gradient_{index}" for index in range(len(case.shapes))}
    always = {*inputs, *weights, "targets", "output"}

    assert [found[f"input_{index}"].shape[1:] for index in range(len(case.shapes))] == list(case.shapes)
    assert found["output"].shape == found["targets"].shape
    assert set(found) - {"output_training"} in (always | trained, always | gradients)
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}
    if "loss_9" in found:
        assert found["loss_9"] < found["loss_0"]
    if case.random:
        assert "input_gradient_0" in found


@pytest.mark.parametrize(("name", "wanted"), [("losses", {"value", "gradient", "values"}), ("metrics", {"value_1"})])
def test_every_entry_of_a_side_file_has_its_numbers(name: str, wanted: set[str]) -> None:
    found = keys(name)

    names = {entry["name"] for entry in text(name)}

    assert tops(found) - {"data"} == names
    for one in names:
        assert {f"{one}/{key}" for key in wanted} <= found
        assert any(key.startswith(f"{one}/weighted/") for key in found)


def test_every_optimizer_and_schedule_has_its_numbers() -> None:
    found, told = keys("optimizers"), text("optimizers")

    names = {entry["name"] for entry in told["optimizers"]}

    assert tops(found) == names | {"x", "y", "schedules", *(f"weight_{index}" for index in range(4))}
    assert {key for key in found if key.startswith("schedules/")} == {f"schedules/{name}" for name in told["schedules"]}
    for one in names:
        assert {f"{one}/after_{steps}/weight_{index}" for steps in (1, 10) for index in range(4)} <= found


def test_every_fit_has_its_history_or_its_error() -> None:
    found, told = keys("fit_options"), text("fit_options")

    assert tops(found) - {"data", *(entry["model"] for entry in told)} == {
        entry["name"] for entry in told if "error" not in entry
    }
    for entry in told:
        for key in entry.get("keys", []):
            assert f"{entry['name']}/history/{key}" in found


def test_measured_initializers_lie_near_what_they_should_be() -> None:
    for entry in text("initializers"):
        measured, exact = entry["measured"], entry["exact"]

        assert measured["draws"] >= 200_000
        assert measured["std"] == pytest.approx(exact["std"], rel=0.01, abs=1e-9), entry  # 6 standard errors
        assert measured["mean"] == pytest.approx(exact["mean"], rel=1e-6, abs=max(0.01 * exact["std"], 1e-7)), entry
