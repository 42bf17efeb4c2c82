"""Trials on Ray: the same as in one process, whoever is killed meanwhile."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from evaluate.conftest import postgres, server, where  # noqa: F401  # fixtures
from holdfast.core import BadValue
from holdfast.data import Dataset, from_arrays
from holdfast.runs import cluster as cluster_module
from holdfast.runs.cluster import Cluster
from holdfast.tune import found, on_ray
from holdfast.tune.found import Search
from holdfast.tune.search import resume_search, search
from holdfast.tune.study import Desk, ask
from holdfast.tune.trial import carry_out
from ray_session import at_work, kill_one
from runs.small import arrays

SPACE = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
TITLE = "_carry_out"  # of a worker that carries out a trial


def data() -> Dataset:
    return from_arrays(*arrays(240))


def searched(out: Path, *, trials: int, epochs: int, **changes: Any) -> Search:  # Any: what search takes
    settings: dict[str, Any] = {"model": "dense", "sampler": "random", "pruner": "none", "refit": None, "verbose": 0}
    settings |= {"device": "cpu", "precision": "float32", "optimizer": "adam", "patience": epochs}
    return search(data(), SPACE, trials=trials, epochs=epochs, out=out, **(settings | changes))


def answers(of: Search) -> list[tuple[object, ...]]:
    """All that a trial is, but for the time that it took."""
    return [(one.number, one.state, one.values, one.value, one.log_loss, one.epochs) for one in of.trials]


@contextmanager
def killed(times: int, out: Path | None = None) -> Iterator[list[bool]]:
    """Workers die meanwhile, so many of them; gives whether one was there for each."""
    done, over = list[bool](), threading.Event()

    def kill() -> None:
        for _ in range(times):
            done.append(kill_one(TITLE, over, out=out))

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield done
    finally:  # those of the next test are not ours to kill
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_interrupted_and_killed_searches_lose_and_change_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends the workers, also one that hangs, before it returns; later two workers are killed."""
    alone = searched(tmp_path / "alone", trials=4, epochs=200)

    def interrupt(told: object) -> None:
        if hanging := at_work(TITLE):
            os.kill(hanging[0], signal.SIGSTOP)
            threading.Timer(1.0, lambda: os.kill(hanging[0], signal.SIGCONT)).start()
            raise KeyboardInterrupt

    monkeypatch.setattr(on_ray, "check_first", interrupt)
    monkeypatch.setattr(on_ray, "WAIT_S", 0.05)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, trials=4, epochs=200, on="ray", workers=2)
    monkeypatch.undo()
    assert not at_work(TITLE)
    with killed(2) as done:
        found = resume_search(tmp_path / "arrays-tune-001", data(), verbose=1)

    assert all(done)
    assert answers(found) == answers(alone)
    assert capsys.readouterr().out.count("goes on from its checkpoint") == 2


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("ray_session")
def test_twenty_kills_lose_no_trial(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    alone = searched(tmp_path / "alone", trials=12, epochs=1000)
    monkeypatch.setenv("HOLDFAST_LEDGER", where)

    with killed(20, tmp_path / "ray") as done:
        found = searched(tmp_path / "ray", trials=12, epochs=1000, on="ray", workers=2)

    assert all(done)
    assert answers(found) == answers(alone)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_a_trial_that_kills_its_workers_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "DEATHS", 2)
    driver = os.getpid()

    def build(trial: Any) -> Any:  # Any: Optuna's; our layers are imported where it is called
        from holdfast import Sequential
        from holdfast.layers import Dense, Flatten, Input, Rescaling

        if trial.suggest_int("units", 1, 8) and trial.number == 1 and os.getpid() != driver:
            os.kill(os.getpid(), signal.SIGKILL)
        return Sequential([Input((6, 6, 1)), Rescaling(1 / 255), Flatten(), Dense(3, activation="softmax")])

    found = search(data(), build, trials=3, epochs=2, on="ray", workers=2, refit=None, out=tmp_path, verbose=0)

    assert [one.state for one in found.trials] == ["complete", "failed", "complete"]
    assert found.trials[1].reason == "its worker died 2 times (WorkerCrashedError)"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_the_time_ends_a_search(tmp_path: Path) -> None:
    found = searched(tmp_path, trials=1000, epochs=3, on="ray", workers=2, time_s=2.0)

    assert 0 < len(found.trials) < 1000


def test_a_ledger_in_a_file_is_refused_where_workers_are_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'holdfast[ray]'")

    @contextmanager
    def elsewhere(on: str) -> Iterator[Cluster]:
        yield Cluster(8, 0, True)

    monkeypatch.delenv("HOLDFAST_LEDGER", raising=False)
    monkeypatch.setattr(on_ray, "cluster", elsewhere)

    with pytest.raises(BadValue, match="set HOLDFAST_LEDGER to the URL of a PostgreSQL database"):
        searched(tmp_path, trials=2, epochs=1, on="ray://head:10001", workers=2)


def test_the_winner_is_trained_again_with_as_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With others its answers were no longer those of the trial, bit for bit."""
    own, heard = torch.get_num_threads(), list[int]()

    def drive(desk: Desk, *others: object) -> int:
        number = ask(desk)
        assert number is not None
        carry_out(desk.task, number, desk=desk)
        return own + 1

    pytest.importorskip("ray", reason="ray is not installed: pip install 'holdfast[ray]'")
    monkeypatch.setattr(on_ray, "drive", drive)
    monkeypatch.setattr(found, "conclude", lambda *given, **others: heard.append(torch.get_num_threads()))

    searched(tmp_path, trials=1, epochs=1, on="ray")

    assert heard == [own + 1]
    assert torch.get_num_threads() == own


def test_a_cluster_that_is_none_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="on='rai': is no cluster"):
        search(tmp_path / "nothing", on="rai", out=tmp_path / "runs")

    assert not (tmp_path / "runs").exists()
    assert cluster_module.LOCAL == "ray"
