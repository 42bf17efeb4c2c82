"""Trials on Ray: this process draws them, workers carry them out, each a task that may be killed and begun again."""

import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import Any

from ..core import BadFile, BadValue, HoldfastError, need
from ..runs.cluster import Portion, cluster
from ..runs.lines import Say
from .study import Desk, ask, fail, running
from .task import Task, Told
from .trial import carry_out

DEATHS = 5  # of the workers of one trial, without a checkpoint between them, after which it has failed
GRACE_S = 60.0  # behind the end of the time, in which trials are to notice that
WAIT_S = 1.0


def drive(
    task: Task, desk: Desk, trials: int, deadline: float | None, say: Say, on: str = "ray", workers: int = 1
) -> None:
    """Carries out the trials of a search on the workers of a cluster, until there are so many or the time is over.

    A trial whose worker dies goes on from its checkpoint in another one.  However this ends, no task is left.

    Args:
        task: the search.
        desk: its open books.
        trials: how many there are to be, with those that have ended.
        deadline: of `time.monotonic`; None: none.
        say: told of workers that died.
        on: which cluster, as `runs.cluster` takes it.
        workers: how many trials are carried out at once.

    Raises:
        BadValue: no such cluster; or workers on other machines, and a ledger in a file.
        BadFile: the folder of the search is not on a disk that the workers see.
        MissingExtra: Ray is not installed.
    """
    ray = need("ray", extra="ray")
    with cluster(on) as machines:
        if machines.elsewhere and task.storage.startswith("sqlite"):
            raise BadValue(
                f"on={on!r}: its workers are on other machines, which cannot write the ledger into a file of this one; "
                "set HOLDFAST_LEDGER to the URL of a PostgreSQL database, and --out to a folder that all machines see."
            )
        share = machines.share(workers, gpu=task.how.get("device", "auto") != "cpu")
        flight = _Flight(ray, task, desk, share, deadline, say)
        try:
            flight.all_trials(trials, workers)
        finally:
            flight.cancel()


class _Flight:
    """The trials that workers are carrying out."""

    def __init__(self, ray: Any, task: Task, desk: Desk, share: Portion, deadline: float | None, say: Say) -> None:
        self.ray, self.task, self.desk, self.deadline, self.say = ray, task, desk, deadline, say
        self.share = share
        self.held = ray.put(task)  # the data goes to each machine once
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 0}
        self.work = ray.remote(**options)(_carry_out)
        self.flying = dict[Any, int]()  # Any: what Ray names a task by
        self.seen = dict[int, float]()  # when the checkpoint of a trial was written that its worker began from
        self.deaths = Counter[int]()

    def all_trials(self, trials: int, workers: int) -> None:
        """Keeps so many workers busy until there are so many trials, or the time is over."""
        waiting = running(self.desk)  # of a search that was interrupted
        drawn_all = False
        while True:
            late = self.deadline is not None and time.monotonic() > self.deadline
            while len(self.flying) < workers and not late:
                if not waiting and not drawn_all:
                    number = ask(self.desk, self.task) if len(self.desk.trials()) < trials else None
                    drawn_all = number is None
                    waiting = [] if number is None else [number]
                if not waiting:
                    break
                self.begin(waiting.pop(0))
            if not self.flying:
                return
            done, _ = self.ray.wait(list(self.flying), timeout=WAIT_S)
            waiting += [number for ref in done if (number := self.end(ref)) is not None]
            if late and time.monotonic() > (self.deadline or 0.0) + GRACE_S:
                return

    def begin(self, number: int) -> None:
        """Gives a trial to a worker."""
        left = None if self.deadline is None else self.deadline - time.monotonic()
        self.seen[number] = self._checkpoint(number)
        self.flying[self.work.remote([self.held], number, left, self.share.threads)] = number

    def end(self, ref: Any) -> int | None:  # Any: as above
        """A trial has ended, or is to be begun again: its number then."""
        number = self.flying.pop(ref)
        try:
            self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            raise _reason(error, number) from error
        except self.ray.exceptions.RayError as error:
            self.deaths[number] = 1 if self._checkpoint(number) > self.seen[number] else self.deaths[number] + 1
            kind = type(error).__name__
            if self.deaths[number] == DEATHS:
                fail(self.desk, number, f"its worker died {DEATHS} times ({kind})")
                return None
            self.say("worker", f"lost ({kind}); trial {number} goes on from its checkpoint")
            return number
        return None

    def cancel(self) -> None:
        """Ends all that is in flight, as if by kill -9: what a trial has reached by then it goes on from."""
        for ref in self.flying:
            self.ray.cancel(ref, force=True)
        self.flying.clear()

    def _checkpoint(self, number: int) -> float:
        """When the last one was written; of folds what they answer."""
        files = list(self.task.trial_folder(number).glob("*"))
        return max((file.stat().st_mtime for file in files), default=0.0)


def _reason(error: Any, number: int) -> BaseException:  # Any: Ray's error
    """What the worker raised; of others than ours with the trial that it was."""
    cause = error.cause
    return (
        cause if isinstance(cause, HoldfastError) else RuntimeError(f"trial {number}: {type(cause).__name__}: {cause}")
    )


def _carry_out(held: Sequence[Any], number: int, left_s: float | None, threads: int) -> Told:  # Any: a reference
    """A trial in a worker."""
    import torch

    torch.set_num_threads(threads)
    task, end = _task(held[0]), None if left_s is None else time.monotonic() + left_s
    if not Path(task.folder).is_dir():
        raise BadFile(
            f"{task.folder}: the worker on {gethostname()} does not see it; set --out to a folder that all do."
        )
    return carry_out(task, number, over=None if end is None else lambda: time.monotonic() > end)


@lru_cache(1)
def _task(ref: Any) -> Task:  # Any: Ray's name for it
    """The search; its data is shared by all trials of a process, with what is kept of it."""
    found: Task = need("ray", extra="ray").get(ref)
    return found
