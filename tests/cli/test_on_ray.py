"""`--on` and `--workers` of `holdfast train`: what is given on goes to the workers, what is wrong is one line."""

from pathlib import Path
from typing import Any

import pytest

from holdfast import runs

from .conftest import Says


def test_what_is_asked_for_reaches_the_workers(small: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, Any] = {}  # Any: arguments of train_on_ray
    monkeypatch.setattr(
        runs, "train_on_ray", lambda data, model, **others: heard.update(others, data=data, model=model)
    )

    code, _, error = says(
        "train", "small.npz", "--on", "ray://auto", "--workers", 3, "--epochs", 2, "--test", 0.2, "-q"
    )

    assert (code, error) == (0, "")
    expected = {"data": "small.npz", "model": "convnet", "on": "ray://auto", "workers": 3, "epochs": 2, "verbose": 0}
    assert {name: heard[name] for name in expected} == expected
    assert (heard["reading"]["test"], heard["reading"]["validation"]) == (0.2, 0.15)


def test_a_run_is_resumed_on_other_workers(here: Path, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []  # Any: arguments of resume_on_ray
    monkeypatch.setattr(runs, "resume_on_ray", lambda *given, **others: heard.append((given, others)))

    code, _, _ = says("train", "--resume", "runs/small-001", "--on", "ray", "--workers", 2)

    assert code == 0
    assert heard == [((Path("runs/small-001"), None), {"on": "ray", "workers": 2, "verbose": 1})]


def test_workers_need_a_cluster(small: Path, says: Says) -> None:
    code, _, error = says("train", "small.npz", "--workers", 2)

    assert (code, error) == (2, "holdfast: --workers 2 needs --on ray, or start them by torchrun -m holdfast train.\n")


def test_a_cluster_that_is_none_is_one_line(small: Path, says: Says) -> None:
    code, _, error = says("train", "small.npz", "--on", "rai")

    assert code == 2
    assert error.startswith("holdfast: on='rai': is no cluster; give 'ray' for this machine")
    assert not (small.parent / "runs").exists()
