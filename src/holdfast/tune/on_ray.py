"""Trials on Ray: this process draws them, workers carry them out, each a task that may be killed and begun again."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import Any

from ..core import BadFile, BadValue, HoldfastError, need
from ..runs.cluster import Portion, cluster
from ..runs.lines import Say, quiet
from .progress import Progress
from .search import check_first
from .study import Desk, all_told, ask, fail, running
from .task import Task, Told
from .trial import LATE, carry_out

DEATHS = 5  # of the workers of one trial, without a checkpoint between them, after which it has failed
GRACE_S = 60.0  # in which trials are to notice that the time is over, and workers to end that were cancelled
WAIT_S = 1.0


def drive(desk: Desk, trials: int, deadline: float | None, say: Say, on: str = "ray", workers: int = 1) -> int:
    """Carries out the trials of a search on the workers of a cluster, until there are so many or the time is over.

    A trial whose worker dies goes on from its checkpoint in another one.  However this ends, no task is left.

    Args:
        desk: the open books of the search.
        trials: how many there are to be, with those that have ended.
        deadline: of `time.monotonic`, after which no trial begins; those under way end, unless they take half as
            long again as there was time.  None: none.
        say: told of workers that died.
        on: which cluster, as `runs.cluster` takes it.
        workers: how many trials are carried out at once.

    Returns:
        How many threads each trial had.

    Raises:
        BadValue: no such cluster; or workers on other machines, and a ledger in a file.
        BadFile: the folder of the search is not on a disk that the workers see.
        MissingExtra: Ray is not installed.
    """
    ray = need("ray", extra="ray")
    task = desk.task
    with cluster(on) as machines:
        if machines.elsewhere and task.storage.startswith("sqlite"):
            raise BadValue(
                f"on={on!r}: its workers are on other machines, which cannot write the ledger into a file of this one; "
                "set HOLDFAST_LEDGER to the URL of a PostgreSQL database, and --out to a folder that all machines see."
            )
        share = machines.share(workers, gpu=task.how.get("device", "auto") != "cpu")
        flight = _Flight(ray, desk, share, trials, deadline, say)
        try:
            with flight.progress:
                flight.all_trials(workers)
        finally:
            flight.cancel()
    return share.threads


class _Flight:
    """The trials that workers are carrying out."""

    def __init__(
        self, ray: Any, desk: Desk, share: Portion, trials: int, deadline: float | None, say: Say
    ) -> None:  # Any: a module without types
        self.ray, self.desk, self.share, self.trials, self.say = ray, desk, share, trials, say
        now = time.monotonic()
        self.deadline = math.inf if deadline is None else deadline
        self.far = self.deadline + max(0.0, self.deadline - now) / 2  # a trial under way then is stopped
        self.held = ray.put(desk.task)  # the data goes to each machine once
        options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 0}
        self.work = ray.remote(**options)(_carry_out)
        self.told = all_told(desk)
        self.progress = Progress(self.told, trials, None, now, say, 0 if say is quiet else 1)
        self.flying = dict[Any, int]()  # Any: what Ray names a task by
        self.seen = dict[int, float]()  # when the checkpoint of a trial was written that its worker began from
        self.deaths = Counter[int]()

    def all_trials(self, workers: int) -> None:
        """Keeps so many workers busy until there are so many trials, or the time is over."""
        waiting, drawn_all = running(self.desk), False  # of a search that was interrupted
        while True:
            while len(self.flying) < workers and (waiting or not (drawn_all or self.late())):
                number = waiting.pop(0) if waiting else None
                if number is None and len(self.told) + len(self.flying) < self.trials:
                    number = ask(self.desk)
                if number is None:
                    drawn_all = True
                else:
                    self.begin(number)
            if not self.flying:
                return
            done, _ = self.ray.wait(list(self.flying), timeout=WAIT_S)
            waiting += [number for ref in done if (number := self.end(ref)) is not None]
            check_first(self.told)
            self.progress.show(f"{len(self.told)} of {self.trials} trials, {len(self.flying)} at work")
            if self.late() and time.monotonic() > self.far + GRACE_S:
                for number in self.cancel():
                    self.hear(fail(self.desk, number, LATE))
                return

    def late(self) -> bool:
        """Whether the time is over; a search that found nothing is worth nothing."""
        return time.monotonic() > self.deadline and self.found()

    def found(self) -> bool:
        """Whether a trial has come to its end."""
        return any(one.state == "complete" for one in self.told)

    def begin(self, number: int) -> None:
        """Gives a trial to a worker."""
        left = self.far - time.monotonic() if self.found() else math.inf
        self.seen[number] = self._checkpoint(number)
        self.flying[self.work.remote([self.held], number, left, self.share.threads)] = number

    def end(self, ref: Any) -> int | None:  # Any: as above
        """A trial has ended, or is to be begun again: its number then."""
        number = self.flying.pop(ref)
        try:
            self.hear(self.ray.get(ref))
        except self.ray.exceptions.RayTaskError as error:
            raise _reason(error, number) from error
        except self.ray.exceptions.RayError as error:
            self.deaths[number] = 1 if self._checkpoint(number) > self.seen[number] else self.deaths[number] + 1
            kind = type(error).__name__
            if self.deaths[number] == DEATHS:
                self.hear(fail(self.desk, number, f"its worker died {DEATHS} times ({kind})"))
                return None
            self.say("worker", f"lost ({kind}); trial {number} goes on from its checkpoint")
            return number
        return None

    def hear(self, told: Told) -> None:
        """A trial has ended."""
        self.told.append(told)
        self.progress.end(told, self.desk.n)

    def cancel(self) -> list[int]:
        """Ends all that is in flight, as if by kill -9, and waits until it has ended: nobody else writes of it then.

        What a trial has reached it goes on from.
        """
        refs, numbers = list(self.flying), list(self.flying.values())
        self.flying.clear()
        for ref in refs:
            self.ray.cancel(ref, force=True)
        if refs:
            self.ray.wait(refs, num_returns=len(refs), timeout=GRACE_S)
        return numbers

    def _checkpoint(self, number: int) -> float:
        """When the last one was written; of folds what they answer."""
        files = list(self.desk.task.trial_folder(number).glob("*"))
        return max((file.stat().st_mtime for file in files), default=0.0)


def _reason(error: Any, number: int) -> BaseException:  # Any: Ray's error
    """What the worker raised; of others than ours with the trial that it was."""
    cause = error.cause
    return (
        cause if isinstance(cause, HoldfastError) else RuntimeError(f"trial {number}: {type(cause).__name__}: {cause}")
    )


def _carry_out(held: Sequence[Any], number: int, left_s: float, threads: int) -> Told:  # Any: a reference
    """A trial in a worker."""
    import torch

    torch.set_num_threads(threads)
    task, end = _task(held[0]), time.monotonic() + left_s
    if not Path(task.folder).is_dir():
        raise BadFile(
            f"{task.folder}: the worker on {gethostname()} does not see it; set --out to a folder that all do."
        )
    return carry_out(task, number, over=lambda: time.monotonic() > end)


@lru_cache(1)
def _task(ref: Any) -> Task:  # Any: Ray's name for it
    """The search; its data is shared by all trials of a process, with what is kept of it."""
    found: Task = need("ray", extra="ray").get(ref)
    return found
