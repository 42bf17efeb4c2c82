"""Workers of a Ray cluster train one run together: what one would have trained; and what is said when one is lost."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import holdfast
import ray_session
from holdfast.core import BadValue, Lost
from holdfast.runs import on_ray, train_on_ray
from holdfast.runs.cluster import Cluster
from holdfast.training import EpochEnd, Event

from .small import Break, in_memory, train

RECIPE: dict[str, Any] = {"epochs": 2, "batch_size": 32, "device": "cpu", "precision": "float32"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_two_workers_train_what_one_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = holdfast.train(in_memory(), "dense", out=tmp_path / "alone", verbose=0, **RECIPE)

    run = train_on_ray(in_memory(), "dense", workers=2, out=tmp_path / "ray", **RECIPE)

    for one, other in zip(run.model.get_weights(), alone.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)  # sums of gradients are rounded in another order
    printed = capsys.readouterr().out
    assert printed.count("workers   2 train it together") == 1
    assert printed.count("score     validation accuracy") == 1
    assert {path.name for path in (tmp_path / "ray").iterdir()} == {"arrays-001", "ledger.db"}


@pytest.mark.soak  # in the slow suite torchrun's workers are lost: runs/test_torchrun.py
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_a_lost_worker_ends_the_run_which_goes_on_with_fewer(tmp_path: Path) -> None:
    driver = os.getpid()

    def kill(event: Event) -> None:
        """The first worker kills the other one."""
        if isinstance(event, EpochEnd) and event.state.epoch == 3:
            (other,) = set(ray_session.at_work("RayTrainWorker", below=driver)) - {os.getpid()}
            os.kill(other, signal.SIGKILL)

    cloudpickle = pytest.importorskip("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(ray_session)  # workers do not find the module
    with pytest.raises(Lost, match="arrays-001"):
        train_on_ray(
            in_memory(), "dense", workers=2, out=tmp_path, verbose=0, callbacks=[kill], **(RECIPE | {"epochs": 6})
        )
    cloudpickle.unregister_pickle_by_value(ray_session)

    run = holdfast.resume(tmp_path / "arrays-001", in_memory(), verbose=0)

    assert run.record.status == "finished"
    assert len(run.record.logs) == 6


def test_of_what_workers_say_the_cause_is_told(tmp_path: Path) -> None:
    """Rank 1 has only waited for rank 0 in vain."""

    failed = Exception()
    heard = {1: Lost("one of the 2 workers was lost"), 0: BadValue("training diverged"), 2: Lost("")}
    vars(failed)["worker_failures"] = heard

    assert str(on_ray._told(failed, tmp_path, set())) == "training diverged"


def test_workers_that_are_no_more_leave_word_of_the_run(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'holdfast[ray]'")
    out = tmp_path / "runs"
    with pytest.raises(RuntimeError):
        train(out, callbacks=[Break(RuntimeError(), epoch=1)])

    told = on_ray._told(ray.exceptions.WorkerCrashedError(), out, set())

    assert isinstance(told, Lost)
    assert str(told) == (
        f"a worker was lost; go on, on as many or fewer, with: holdfast train --resume {out}/small-001"
    )


def test_more_workers_than_gpus_are_refused() -> None:
    with pytest.raises(BadValue, match="workers=3: each takes a GPU, and the cluster has 2"):
        on_ray._share(Cluster(8, 2, False), 3, cpu=False)


def test_no_number_of_workers_is_told_before_anything_is_read(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'holdfast[ray]'")

    with pytest.raises(BadValue, match="workers=0: must be positive"):
        train_on_ray(tmp_path / "nothing", workers=0, out=tmp_path / "runs")
    with pytest.raises(BadValue, match="on='rai': is no cluster"):
        train_on_ray(tmp_path / "nothing", on="rai", out=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()
