"""Processes that train together, played by threads: what they say to each other passes through a room."""

from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Condition
from typing import Any, TypeVar

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from holdfast.training.parallel import Team

T = TypeVar("T")


@dataclass
class Room:
    """Where `size` threads meet, once for each question."""

    size: int
    sums: int = 0  # how often something was added up
    _brought: defaultdict[int, dict[int, Any]] = field(default_factory=partial(defaultdict, dict))  # Any: what is told
    _asked: Counter[int] = field(default_factory=Counter)  # questions by rank
    _left: bool = False
    _news: Condition = field(default_factory=Condition)

    def exchange(self, rank: int, value: T) -> list[T]:
        """What each of them brings, by rank.  Raises what torch raises when somebody has left."""
        with self._news:
            brought = self._brought[self._asked[rank]]
            self._asked[rank] += 1
            brought[rank] = value
            self._news.notify_all()
            self._news.wait_for(lambda: len(brought) == self.size or self._left, timeout=60)
            if len(brought) < self.size:
                raise RuntimeError("Connection closed by peer")
            return [brought[one] for one in range(self.size)]

    def leave(self) -> None:
        """Nobody need wait any more for whom has gone."""
        with self._news:
            self._left = True
            self._news.notify_all()


@dataclass
class Seat:
    """A thread's place in a room: stands for a process group."""

    room: Room
    rank: int


def all_reduce(tensor: Tensor, op: Any = dist.ReduceOp.SUM, group: Any = None) -> None:  # Any: as torch has it
    found = group.room.exchange(group.rank, tensor.clone())
    group.room.sums += group.rank == 0
    total = torch.stack(found)
    tensor.copy_(total.amax(0) if op == dist.ReduceOp.MAX else total.sum(0))


def broadcast(tensor: Tensor, src: int, group: Any = None) -> None:
    tensor.copy_(group.room.exchange(group.rank, tensor.clone())[src])


def broadcast_object_list(values: list[Any], src: int, group: Any = None, device: Any = None) -> None:
    values[:] = group.room.exchange(group.rank, list(values))[src]


def barrier(group: Any = None) -> None:
    group.room.exchange(group.rank, None)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.distributed as threads in a room have it."""
    for function in (all_reduce, broadcast, broadcast_object_list, barrier):
        monkeypatch.setattr(dist, function.__name__, function)


def by_all(size: int, work: Callable[[Team], T]) -> list[T]:
    """What each of so many threads makes as one of a team; the first error of the lowest rank is raised."""
    room = Room(size)

    def one(rank: int) -> T:
        seat = Seat(room, rank)
        try:
            return work(Team(rank, size, rank, seat, seat))
        except BaseException:
            room.leave()
            raise

    with ThreadPoolExecutor(size) as threads:
        return [future.result() for future in [threads.submit(one, rank) for rank in range(size)]]
