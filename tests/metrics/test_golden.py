"""Metrics against what real Keras made of the same numbers: tests/golden/metrics.npz."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.metrics import METRICS

GOLDEN = Path(__file__).parents[1] / "golden"
NOT_OURS = {"class_id", "num_thresholds"}  # Keras's settings that we do not have
CASES: list[dict[str, Any]] = [  # Any: JSON values
    case for case in json.loads((GOLDEN / "metrics.json").read_text()) if not NOT_OURS & set(case["kwargs"])
]


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN / "metrics.npz") as arrays:
        return {key: torch.tensor(arrays[key]) for key in arrays}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_two_updates_give_keras_s_values(case: dict[str, Any], weighted: bool, golden: dict[str, Tensor]) -> None:
    metric = METRICS[case["metric"]](**case["kwargs"])
    data, values = f"data/{case['data']}", case["name"] + ("/weighted" if weighted else "")

    for update in range(2):
        weights = golden[f"{data}/weights_{update}"] if weighted else None
        metric.update(golden[f"{data}/targets_{update}"], golden[f"{data}/predictions_{update}"], weights)

        expected = golden[f"{values}/value_{update}"].double()
        torch.testing.assert_close(metric.compute(), expected, rtol=1e-6, atol=1e-6)  # float32 in Keras


def test_nearly_all_of_keras_s_cases_are_compared() -> None:
    assert len(CASES) >= 30
