"""What workers of a cluster get, and what is said where there is none.  Ray itself is at work in test_on_ray.py."""

import os
import sys

import pytest

from holdfast.core import BadValue, MissingExtra
from holdfast.runs.cluster import Cluster, Portion, check_on, set_environment

SHARES = [
    (Cluster(8, 0, False), 1, True, Portion(8.0, 0.0), 8),
    (Cluster(8, 0, False), 3, True, Portion(2.0, 0.0), 2),
    (Cluster(2, 0, False), 3, True, Portion(0.66, 0.0), 1),
    (Cluster(16, 1, False), 1, True, Portion(16.0, 1.0), 16),
    (Cluster(16, 1, False), 3, True, Portion(5.0, 0.333), 5),
    (Cluster(64, 4, True), 4, True, Portion(16.0, 1.0), 16),
    (Cluster(64, 4, True), 6, True, Portion(10.0, 0.5), 10),
    (Cluster(64, 4, True), 6, False, Portion(10.0, 0.0), 10),
]


@pytest.mark.parametrize(
    ("there", "workers", "gpu", "expected", "threads"),
    SHARES,
    ids=[f"{there.cpus} cores, {there.gpus} GPUs, {workers} workers, {gpu}" for there, workers, gpu, *_ in SHARES],
)
def test_workers_share_cores_and_gpus(there: Cluster, workers: int, gpu: bool, expected: Portion, threads: int) -> None:
    share = there.share(workers, gpu=gpu)

    assert share == expected
    assert share.threads == threads
    assert workers * share.cpus <= there.cpus


@pytest.mark.parametrize("on", ["raye", "http://host", "10.0.0.1:6379"])
def test_what_names_no_cluster_is_one_line(on: str) -> None:
    with pytest.raises(BadValue, match="is no cluster; give 'ray' for this machine"):
        check_on(on, 2)


def test_no_workers_are_refused() -> None:
    with pytest.raises(BadValue, match="workers=0: must be positive"):
        check_on("ray", 0)


def test_without_ray_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtra, match=r"ray is not installed; run: pip install 'holdfast\[ray\]'"):
        check_on("ray", 2)


@pytest.mark.parametrize(("asked", "expected"), [({}, "0"), ({"RAY_worker_niceness": "7"}, "7")], ids=["", "asked"])
def test_workers_are_as_urgent_as_who_starts_them(
    asked: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside two busy programs they did not begin to train within five minutes."""
    monkeypatch.setattr(os, "environ", asked)

    set_environment()

    assert asked["RAY_worker_niceness"] == expected
