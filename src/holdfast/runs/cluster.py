"""A Ray cluster, for as long as a block works on it: one of this machine alone, or one that is there already."""

import logging
import os
import shutil
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import Any

from ..core import BadValue, need

LOCAL, AUTO = "ray", "ray://auto"
TOKEN = ".ray/auth_token"  # in the home: where Ray keeps one


@dataclass(frozen=True)
class Portion:
    """What one of several workers gets; of a GPU perhaps a fraction."""

    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """How many its arithmetic may take."""
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class Cluster:
    """What there is to work with.

    Attributes:
        cpus, gpus: of all machines together.
        elsewhere: some of them are not this one.
    """

    cpus: float
    gpus: float
    elsewhere: bool

    def share(self, workers: int, *, gpu: bool = True) -> Portion:
        """An equal share for each of so many workers.  Those of one GPU divide it equally, whatever they need of it."""
        each = self.cpus / workers
        cpus = float(int(each)) if each >= 1 else int(each * 100) / 100
        if not gpu or self.gpus < 1:
            return Portion(max(cpus, 0.01), 0.0)
        together = -(-workers // int(self.gpus))  # on one GPU
        return Portion(max(cpus, 0.01), 1.0 if together == 1 else int(1000 / together) / 1000)


def check_on(on: str, workers: int) -> None:
    """Raises BadValue for what names no cluster, or no number of workers; MissingExtra without Ray."""
    if on != LOCAL and not on.startswith("ray://"):
        raise BadValue(
            f"on={on!r}: is no cluster; give 'ray' for this machine, 'ray://auto' on a machine of a cluster, or "
            "'ray://HOST:10001' for one elsewhere."
        )
    if workers < 1:
        raise BadValue(f"workers={workers}: must be positive.")
    need("ray", extra="ray")


@contextmanager
def cluster(on: str) -> Iterator[Cluster]:
    """Connects to a cluster, or starts one on this machine, which ends with the block and leaves no file.

    A program that has called `ray.init` itself works on that cluster, and keeps it.

    Args:
        on: "ray", this machine; "ray://auto", the cluster that it belongs to; "ray://HOST:10001", any other.

    Raises:
        BadValue: no such cluster.
        MissingExtra: Ray is not installed.
    """
    check_on(on, 1)
    ray = need("ray", extra="ray")
    if ray.is_initialized():
        yield _what_there_is(ray)
        return
    # Sockets lie in it, whose paths must be short.
    folder = Path(mkdtemp(prefix="ray-", dir="/tmp" if Path("/tmp").is_dir() else None)) if on == LOCAL else None
    if on == LOCAL:
        set_environment()
    try:
        _connect(ray, on, folder)
        try:
            yield _what_there_is(ray)
        finally:
            ray.shutdown()
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def set_environment() -> None:
    """What Ray takes from the environment alone: it tells nobody that it is used, and writes no token into the home.

    Workers are as urgent as this process: by Ray's default all else on the machine is served before them, and beside
    two busy programs they take five times as long.  Those that are slow to begin are not begun again and again.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")
    if not any(name.startswith("RAY_AUTH") for name in os.environ) and not Path.home().joinpath(TOKEN).exists():
        os.environ["RAY_AUTH_TOKEN"] = token_hex(32)  # for as long as the process lives, as Ray keeps it so, too


def _connect(ray: Any, on: str, folder: Path | None) -> None:  # Any: a module without types
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if folder is not None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        options |= {"address": "local", "num_cpus": cores, "include_dashboard": False, "_temp_dir": str(folder)}
    else:
        options["address"] = "auto" if on == AUTO else on
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what will change in Ray
            ray.init(**options)
        # What a raylet has to say of workers that died comes to standard output whatever is asked for: we say it.
        vars(import_module("ray._private.worker"))["print_to_stdstream"] = lambda *_, **__: None
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        if folder is not None:
            raise
        remedy = "start one by `ray start --head`, or work on this machine alone: --on ray"
        if "InvalidAuthToken" in str(error) + str(error.__cause__):
            remedy = "it asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to what its machines have"
        raise BadValue(
            f"on={on!r}: no Ray cluster answers there ({' '.join(str(error).split())[:200]}); {remedy}."
        ) from error


def _what_there_is(ray: Any) -> Cluster:  # Any: a module without types
    found = ray.cluster_resources()
    hosts = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    return Cluster(found.get("CPU", 1.0), found.get("GPU", 0.0), hosts != {socket.gethostname()})
