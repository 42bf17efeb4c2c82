"""A run that the workers of a Ray cluster train together: Ray Train starts them, and all of them call `train`."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import TextIOBase
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ..core import BadFile, BadValue, HoldfastError, Lost, need
from ..data import Dataset
from .cluster import Cluster, Portion, check_on, cluster
from .job import CHECKPOINT, resume, train
from .lines import Say, quiet, resume_line, say
from .loading import load_for
from .plan import ModelChoice
from .record import Record
from .run import Run

POLL_S = 0.2


def train_on_ray(
    data: Dataset | str | Path,
    model: ModelChoice = "convnet",
    *,
    on: str = "ray",
    workers: int = 2,
    reading: Mapping[str, Any] | None = None,  # Any: options of `load`
    out: str | Path = "runs",
    verbose: int = 1,
    **options: Any,  # Any: of `train`
) -> Run:
    """`train`, on several workers that share each batch; the run is the same as of one, to 1e-5 in its weights.

    Args:
        data, model: as in `train`.  What is named by a path must be seen by all workers, under the same path.
        on: "ray", this machine; "ray://auto", the cluster that it belongs to; "ray://HOST:10001", any other.
        workers: how many; where there are GPUs each takes one.
        reading: how `load` is to read the data, where that is a path.
        out: on a disk that all workers see.
        verbose: 0 silent, else what the first worker prints.
        options: all others of `train`.

    Raises:
        Lost: a worker died; the message says how the run goes on, on fewer if need be.
        BadValue: no such cluster, or fewer GPUs than workers.
        MissingExtra: Ray is not installed.
    """
    job = _Train(data, model, dict(reading or {}), {**options, "out": out, "verbose": verbose})
    said = say if verbose else quiet
    return _joined(job, on, workers, Path(out), said, cpu=options.get("device") == "cpu")


def resume_on_ray(
    folder: str | Path, data: Dataset | None = None, *, on: str = "ray", workers: int = 2, verbose: int = 1
) -> Run:
    """`resume`, on several workers; they need not be as many as before.  Raises what `train_on_ray` does."""
    said, cpu = say if verbose else quiet, Record.read(Path(folder)).settings.device == "cpu"
    return _joined(_Resume(folder, data, verbose), on, workers, Path(folder).parent, said, cpu=cpu, known=Path(folder))


@dataclass(frozen=True)
class _Train:
    """Begins a run; called in every worker."""

    data: Dataset | str | Path
    model: ModelChoice
    reading: dict[str, Any]  # Any: options of `load`
    options: dict[str, Any]  # Any: options of `train`

    def __call__(self) -> Run:
        from ..training.parallel import in_turn, joined, leads

        with joined() as team:
            data = self.data
            if not isinstance(data, Dataset):
                with in_turn(team):
                    seed, quiet = self.options.get("seed", 0), not (self.options["verbose"] and leads(team))
                    data = load_for(
                        self.model, path=data, out=self.options["out"], quiet=quiet, seed=seed, **self.reading
                    )
            return train(data, self.model, **self.options)


@dataclass(frozen=True)
class _Resume:
    """Goes on with a run; called in every worker."""

    folder: str | Path
    data: Dataset | None
    verbose: Any  # 0, 1 or 2

    def __call__(self) -> Run:
        return resume(self.folder, self.data, verbose=self.verbose)


def _joined(
    job: Callable[[], Run], on: str, workers: int, out: Path, say: Say, *, cpu: bool, known: Path | None = None
) -> Run:
    """The run that workers make together, with what the first of them prints; `known` is its folder."""
    check_on(on, workers)
    ray = need("ray", extra="ray")
    out.mkdir(parents=True, exist_ok=True)
    before = set(out.iterdir()) - {known}
    with cluster(on) as machines:
        share = _share(machines, workers, cpu=cpu)
        screen = ray.remote(num_cpus=0)(Screen).remote()
        own = Path(mkdtemp(prefix=".ray-", dir=out.absolute()))  # what Ray Train writes for itself
        config = {
            "job": [ray.put(job)],
            "screen": screen,
            "place": str(Path.cwd()),
            "threads": share.threads,
            "columns": shutil.get_terminal_size().columns if sys.stdout.isatty() else None,
        }
        fitting = ray.remote(num_cpus=0, max_retries=0)(_fit).remote(config, workers, share, str(own))
        try:
            while not ray.wait([fitting], timeout=POLL_S)[0]:
                _show(ray.get(screen.take.remote()))
            _show(ray.get(screen.take.remote()))
            ray.get(fitting)
        except ray.exceptions.RayTaskError as error:
            raise _told(error.cause, out, before) from error
        except KeyboardInterrupt:
            if line := _remedy(out, before):
                say("go on", line)
            raise
        finally:
            with suppress(Exception):  # it has ended, or its cluster has
                ray.cancel(fitting, force=True)
            shutil.rmtree(own, ignore_errors=True)
        return Run.load(ray.get(screen.folder.remote()))


def _share(machines: Cluster, workers: int, *, cpu: bool) -> Portion:
    """What each worker gets."""
    if not cpu and 0 < machines.gpus < workers:
        raise BadValue(
            f"workers={workers}: each takes a GPU, and the cluster has {machines.gpus:g}; take as many workers, or "
            "device='cpu'."
        )
    return machines.share(workers, gpu=not cpu)


def _fit(config: dict[str, Any], workers: int, share: Portion, own: str) -> None:  # Any: see _joined
    """Ray Train's part, in a process of its own, so that this one can print meanwhile, and end it."""
    import logging

    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    logging.getLogger("ray").setLevel(logging.ERROR)
    resources = {"CPU": share.cpus} | ({"GPU": 1.0} if share.gpus else {})
    TorchTrainer(
        _work,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=share.gpus > 0, resources_per_worker=resources),
        run_config=RunConfig(name="holdfast", storage_path=own, failure_config=FailureConfig(max_failures=0)),
    ).fit()


def _work(config: dict[str, Any]) -> None:  # Any: see _joined
    """What each worker does."""
    import ray
    import torch
    from ray.train import get_context
    from ray.train.torch import get_device

    if Path(config["place"]).is_dir():
        os.chdir(config["place"])  # paths mean what they mean to whoever gave them
    torch.set_num_threads(config["threads"])
    if torch.cuda.is_available():
        torch.cuda.set_device(get_device())
    job: Callable[[], Run] = ray.get(config["job"][0])
    if get_context().get_world_rank():
        job()
        return
    with redirect_stdout(Printer(config["screen"], config["columns"])):
        run = job()
    ray.get(config["screen"].found.remote(str(run.folder)))  # this worker may be ended at once; so all has arrived


class Screen:
    """An actor: keeps what the first worker prints until it is shown, and knows the folder of the run."""

    def __init__(self) -> None:
        self.text, self.place = list[str](), ""

    def write(self, text: str) -> None:
        self.text.append(text)

    def take(self) -> str:
        """What has been printed since the last time."""
        text, self.text = "".join(self.text), []
        return text

    def found(self, folder: str) -> None:
        self.place = folder

    def folder(self) -> str:
        return self.place


class Printer(TextIOBase):
    """Standard output of a worker: what is written appears where the run was started, `columns` wide if a terminal."""

    encoding = "utf-8"

    def __init__(self, screen: Any, columns: int | None) -> None:  # Any: the handle of an actor
        self.screen, self.columns = screen, columns
        if columns is not None:
            os.environ["COLUMNS"] = str(columns)

    def write(self, text: str) -> int:
        if text:
            self.screen.write.remote(text)
        return len(text)

    def isatty(self) -> bool:
        return self.columns is not None


def _show(text: str) -> None:
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def _told(error: Any, out: Path, before: set[Path]) -> BaseException:  # Any: Ray's error
    """What the workers raised, in one line; of a lost one how the run goes on."""
    failures = list(getattr(error, "worker_failures", {}).values()) or [error]
    causes = [getattr(one, "cause", None) or getattr(one, "_base_exc", None) or one for one in failures]
    ours = [one for one in causes if isinstance(one, HoldfastError) and str(one)]
    if ours:
        return min(ours, key=lambda one: isinstance(one, Lost))  # what was wrong, before that others waited for it
    if any(type(one).__module__.startswith("ray") for one in causes) and (line := _remedy(out, before)):
        return Lost(f"a worker was lost; go on, on as many or fewer, with: {line}")
    return RuntimeError(f"a worker failed: {type(causes[0]).__name__}: {causes[0]}")


def _remedy(out: Path, before: set[Path]) -> str | None:
    """How the run goes on that was begun, if it has come so far."""
    found = [path for path in set(out.iterdir()) - before if (path / CHECKPOINT).is_file()]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(BadFile):  # it was just being begun
            return resume_line(path, from_memory=not Record.read(path).origin)
    return None
