"""Searches so small that a trial takes milliseconds."""

from pathlib import Path
from typing import Any

from holdfast.data import Dataset
from holdfast.evaluate import Ledger
from holdfast.tune.space import Categorical, Float, Space
from holdfast.tune.task import Task, Told, without_test
from runs.small import in_memory

SPACE = Space({"units": Categorical((8, 16)), "learning_rate": Float(1e-3, 0.1, log=True)}, {"layers": 1})


def task_in(folder: Path, data: Dataset | None = None, **changes: Any) -> Task:  # Any: fields of a Task
    """A search in a folder of its own, with its run in a ledger there."""
    folder.mkdir(parents=True, exist_ok=True)
    data = in_memory() if data is None else data
    url = f"sqlite:///{folder / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        run = ledger.begin_run(folder.name, data)
    settings: dict[str, Any] = {
        "name": folder.name,
        "storage": url,
        "folder": str(folder),
        "data": without_test(data),
        "space": SPACE,
        "model": "dense",
        "how": {"epochs": 4, "device": "cpu", "precision": "float32"},
        "cv": None,
        "sampler": "random",
        "pruner": "none",
        "seed": 0,
        "run": run,
    }
    return Task(**(settings | changes))


def but_seconds(told: Told) -> tuple[Any, ...]:  # Any: fields of a Told
    """All but how long it took, for that differs."""
    return told.number, told.values, told.state, told.value, told.log_loss, told.epochs, told.reason, told.seen
