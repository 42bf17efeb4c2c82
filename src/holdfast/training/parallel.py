"""Data-parallel training: processes that each learn from their share of every batch, and so keep the same weights.

Who starts them is torchrun or Ray Train; how a batch is shared out is core/share.py.  What passes between them is here:
gradients and metrics, added up once a step; sums of batch norms; and what the first process has decided.
"""

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..core import BadValue, Lost, Share
from ..data import Batch, Batches
from ..layers import L1, L1L2, L2, ActivityPenalty, RandomModule
from ..layers.augment import Augment
from ..layers.norm import BatchNorm
from ..layers.torch_layer import Foreign
from ..metrics import Metric
from .events import EpochEnd, Event, Stop
from .loop import Runner, accumulators, descend, evaluating, forward, read, total_loss
from .optimizers import Number
from .passes import fused
from .program import Program
from .state import State

T = TypeVar("T")

ANSWER, PATIENCE = timedelta(minutes=30), timedelta(days=20)  # for a step; for what one process does while others wait
SAID = "holdfast/said"  # in the processes' common store: how many have ended with an error
NUMBERS = ("learning_rate", "step", "epoch", "batch", "begin")
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by their bytes

_team: ContextVar["Team | None"] = ContextVar("team", default=None)
_joined = itertools.count()  # how often this process has joined others: what was said before is in their store still


@dataclass(frozen=True, eq=False)
class Team:
    """The processes that train one model together, as one of them sees them.

    Attributes:
        rank: of this process; 0 leads: it alone writes, prints and decides.
        size: how many there are.
        local: rank among those of this machine.
        steps: the group for what every step needs: who does not answer soon is lost.
        waits: the group for what others do meanwhile, as long as that takes.
    """

    rank: int
    size: int
    local: int
    steps: Any = field(repr=False)  # Any: a ProcessGroup, which builds of torch without torch.distributed do not know
    waits: Any = field(repr=False)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def __deepcopy__(self, _: object) -> "Team":
        return self  # a copy of a model that is being trained has the same colleagues

    def add_up(self, tensor: Tensor) -> None:
        """The sum over all processes, in place; bit by bit the same on each."""
        group = self.steps
        if tensor.device.type == "cuda" and "nccl" in str(dist.get_backend_config()):
            group = dist.group.WORLD
        self._asking(lambda: dist.all_reduce(tensor, group=group))

    def agree(self, event: Event, heard: Stop | None) -> Stop | None:
        """What the leader's listeners have decided: whether training stops, and at which learning rate it goes on.

        Raises:
            BadValue: after an epoch the processes have different weights.
        """
        told = torch.tensor([heard is not None, event.state.learning_rate], dtype=torch.float64, device="cpu")
        self._asking(lambda: dist.broadcast(told, 0, group=self.steps))
        stop, event.state.learning_rate = bool(told[0]), float(told[1])
        if isinstance(event, EpochEnd):
            self.check_same(event.state)
        return (heard or Stop("the first worker has stopped")) if stop else None

    def told(self, value: T) -> T:
        """The leader's value; others wait for it."""
        values = [value]
        self._asking(lambda: dist.broadcast_object_list(values, 0, group=self.waits, device=torch.device("cpu")))
        return values[0]

    def wait(self) -> None:
        """Until all have come here."""
        self._asking(lambda: dist.barrier(group=self.waits))

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The leader first, then one process of each other machine, then the rest: they find what was kept."""
        turn = 0 if self.leads else 1 if self.local == 0 else 2
        for _ in range(turn):
            self.wait()
        yield
        for _ in range(2 - turn):
            self.wait()

    def share_state(self, state: State, program: Program) -> None:
        """Gives all others the leader's state: weights, slots, where training stands, and what was measured."""
        for tensor in tensors_of(state):
            told = tensor.detach().contiguous()
            self._asking(lambda told=told: dist.broadcast(told, 0, group=self.waits))  # type: ignore[misc]  # a default
            if not self.leads:
                with torch.no_grad():
                    tensor.copy_(told)
        running = {key: metric.totals.cpu() for key, metric in state.running.items() if metric.totals is not None}
        numbers, running = self.told(({name: getattr(state, name) for name in NUMBERS}, running))
        if not self.leads:
            for name, value in numbers.items():
                setattr(state, name, value)
            state.running = accumulators(program)
            device = next((tensor.device for tensor in state.model.state_dict().values()), torch.device("cpu"))
            for key, totals in running.items():
                state.running[key].totals = totals.to(device)

    def check_same(self, state: State) -> None:
        """Raises BadValue unless all processes have the same weights and slots, to the bit."""
        own = checksum(tensors_of(state))
        ends = torch.tensor([own, -own], dtype=torch.int64, device="cpu")
        self._asking(lambda: dist.all_reduce(ends, op=dist.ReduceOp.MAX, group=self.steps))
        if int(ends[0]) != -int(ends[1]):
            raise BadValue(
                f"the weights of the {self.size} workers have drifted apart; do callbacks of the first one change them?"
            )

    def _asking(self, ask: Callable[[], object]) -> None:
        """Raises Lost where another process does not answer."""
        try:
            ask()
        except RuntimeError as error:
            _mute()
            raise Lost(f"one of the {self.size} workers was lost") from error


@contextmanager
def joined() -> Iterator[Team | None]:
    """The team that this process trains in, as torchrun or Ray Train made it; None for one that trains alone.

    Within the block another call gives the same team.  Who ends the block by an error ends it for all: the others' next
    question raises Lost, of which only the first has words if nobody else has said what happened.

    Raises:
        BadValue: this process is one of several, and torch cannot have them talk.
    """
    if (team := _team.get()) is not None or not one_of_several():
        yield team
        return
    own = not dist.is_initialized()
    if own:
        _begin()
    team = Team(
        dist.get_rank(),
        dist.get_world_size(),
        int(os.environ.get("LOCAL_RANK", dist.get_rank())),
        dist.new_group(backend="gloo", timeout=ANSWER),
        dist.new_group(backend="gloo", timeout=PATIENCE),
    )
    token, before, groups = _team.set(team), _heard() if own else {}, [None] if own else [team.steps, team.waits]
    try:
        yield team
    except BaseException as error:
        _mute()
        groups = [team.steps, team.waits]  # what is on its way on GPUs may never arrive, and is not waited for
        _tell_torchrun(error)
        first = _first_to_say()
        if isinstance(error, Lost) and not first:
            raise Lost("") from error
        raise
    else:
        for number, handler in before.items():
            signal.signal(number, handler)
    finally:
        _team.reset(token)
        with suppress(RuntimeError):  # others may have gone
            for group in groups:
                dist.destroy_process_group(group)


def one_of_several() -> bool:
    """Whether this process was started as one of several that train together."""
    if dist.is_available() and dist.is_initialized():
        return bool(dist.get_world_size() > 1)
    started = os.environ.get("WORLD_SIZE", "1") != "1" and {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    if started and not dist.is_available():
        raise BadValue("this torch was built without torch.distributed; train in one process, without torchrun.")
    return started


def leads(team: Team | None) -> bool:
    """Whether this process writes and prints."""
    return team is None or team.leads


def in_turn(team: Team | None) -> AbstractContextManager[None]:
    """See `Team.in_turn`; at once for who trains alone."""
    return nullcontext() if team is None else team.in_turn()


def _begin() -> None:
    """Joins the others; on a GPU of its own where there is one for each process of this machine."""
    from torch.distributed.rendezvous import rendezvous

    local, here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus:
        torch.cuda.set_device(local % gpus)
    fast = gpus >= here and dist.is_nccl_available()
    store, rank, size = next(rendezvous("env://", timeout=ANSWER))
    store.set_timeout(ANSWER)
    store = dist.PrefixStore(f"holdfast/{next(_joined)}", store)  # type: ignore[attr-defined]  # torch's own lack
    backend = "cpu:gloo,cuda:nccl" if fast else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=ANSWER)


def _heard() -> dict[signal.Signals, Any]:  # Any: what `signal.signal` gives
    """Hears the signals that torchrun sends to those who are left; what was done about them before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, _told_to_end) for number in (signal.SIGTERM, signal.SIGINT)}


def _told_to_end(number: int, _: object) -> None:
    _mute()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Lost("this worker was told to end, as torchrun does when another one was lost")


def _mute() -> None:
    """From now on signals do not cut off what this process, which is about to end, has to write and to say.

    For good: torchrun repeats Ctrl-C, and tells those to end who are about to.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is _told_to_end:
                signal.signal(number, signal.SIG_IGN)


def _tell_torchrun(error: BaseException) -> None:
    """Has torchrun's own report, which comes last, say what happened here in the place of "to enable traceback".

    It names the earliest as the cause, by whole seconds; who has lost another came later.
    """
    if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        message, at = str(error) or type(error).__name__, int(time.time()) + isinstance(error, Lost)
        said = {"message": message, "extraInfo": {"py_callstack": message, "timestamp": str(at)}}
        with suppress(OSError):
            Path(path).write_text(json.dumps({"message": said}), encoding="utf-8")


def _first_to_say() -> bool:
    """Whether no other process has ended with an error before; also where nobody can be asked."""
    try:
        return bool(dist.distributed_c10d._get_default_store().add(SAID, 1) == 1)
    except RuntimeError:
        return True


def check_divisible(model: nn.Module) -> None:
    """Raises BadValue for what cannot be computed from a share of a batch so that the whole comes out."""
    for module in model.modules():
        if isinstance(module, Augment) and module.layer.pairs:
            raise BadValue(
                f"{module.layer.label}: takes values from other samples of the batch, which workers have shares of; "
                "take it out of the model and give it to augment=[...], or train in one process."
            )
        if isinstance(module, Foreign):
            raise BadValue("a Torch layer may look at the whole batch, which workers have shares of; train in one.")
        if isinstance(module, ActivityPenalty) and type(module.regularizer) not in (L1, L2, L1L2):
            raise BadValue(
                f"activity_regularizer={module.regularizer!r}: is no sum over samples; train in one process."
            )


@contextmanager
def together(state: State, program: Program, team: Team) -> Iterator["Together"]:
    """What takes the steps of a training with others; for as long, batch norms are of the whole batch."""
    norms = [module for module in state.model.modules() if isinstance(module, BatchNorm)]
    random = [module for module in state.model.modules() if isinstance(module, RandomModule)]
    try:
        for norm in norms:
            norm.add_up = team.add_up
        yield Together(state, program, team, random)
    finally:
        for norm in norms:
            norm.add_up = None
        for module in random:
            module.share = None


class Together:
    """Takes the steps of a training on one's own share of each batch, see `loop.Runner`.

    The loss is the share's part of the loss of the batch, so gradients and metrics are sums over the processes: one
    all-reduce a step.  On a GPU steps are not recorded as graphs.
    """

    def __init__(self, state: State, program: Program, team: Team, random: Sequence[RandomModule]) -> None:
        self.state, self.program, self.team, self.random = state, program, team, random
        self.alone = Runner(state, program)

    def epoch(self, batches: Batches) -> Iterator[Batch]:
        """One's own shares of what is left of the epoch under way."""
        return batches.shared(self.team.rank, self.team.size).epoch(self.state.epoch, self.state.batch)

    def step(self, batch: Batch, end: int) -> None:
        """One update of the model, the same on all processes."""
        numbers = self.alone.numbers(end)
        for module in self.random:
            module.share = batch.share
        self._update(batch, numbers)
        self.alone.count()

    def _update(self, batch: Batch, numbers: Sequence[Number]) -> None:
        state, program, share, parameters = self.state, self.program, batch.share, self.alone.parameters
        assert share is not None
        measured = accumulators(program)
        with program.autocast(batch.inputs[0].device):
            outputs = forward(self.alone.fused, batch)
        loss = total_loss(state.model, program, outputs, batch, measured) * (share.own / share.whole)
        gradients: Sequence[Tensor] = ()
        if parameters:
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        totals = [known(metric) for metric in measured.values()]
        summed = self._added_up([*gradients, *totals], share)
        for key, total in zip(measured, summed[len(gradients) :], strict=True):
            count(state.running[key], total)
        if parameters:
            descend(state, program, parameters, summed[: len(parameters)], numbers)

    def _added_up(self, tensors: Sequence[Tensor], share: Share) -> list[Tensor]:
        """The sum of each over the processes, in one go, as float32."""
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        if not share.counts:
            flat.zero_()
        self.team.add_up(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]

    def read(self) -> dict[str, float]:
        """Loss and metrics of the epoch so far, over all processes."""
        return self.alone.read()

    @torch.no_grad()
    def judge(self, batches: Batches) -> dict[str, float]:
        """`loop.evaluate`, of which each process computes its share."""
        model, program = self.state.model, self.program.judging
        running, module = accumulators(program), fused(model)
        with evaluating(model):
            for batch in batches.shared(self.team.rank, self.team.size).epoch(0):
                measured = accumulators(program)
                total_loss(model, program, forward(module, batch), batch, measured)
                for key, metric in measured.items():
                    totals = known(metric)
                    assert batch.share is not None
                    count(running[key], totals if batch.share.counts else totals.zero_())
        for metric in running.values():
            self.team.add_up(known(metric))
        return read(running)

    def end_epoch(self) -> None:
        """The state moves on to the next epoch."""
        self.alone.end_epoch()


def known(metric: Metric) -> Tensor:
    """The totals of a metric that has seen samples."""
    assert metric.totals is not None
    return metric.totals


def count(metric: Metric, totals: Tensor) -> None:
    """Adds the totals of other samples."""
    metric.totals = totals if metric.totals is None else metric.totals.add_(totals)


def tensors_of(state: State) -> list[Tensor]:
    """All that training changes in place."""
    return [*state.model.state_dict().values(), *(tensor for slot in state.slots.values() for tensor in slot)]


def checksum(tensors: Sequence[Tensor]) -> int:
    """A number that tensors have in common that are equal to the bit, and hardly any others."""
    total = 0
    for place, tensor in enumerate(tensors):
        bits = tensor.detach().contiguous().reshape(-1).view(INTEGERS[tensor.dtype.itemsize])
        total += (place + 1) * int(bits.sum(dtype=torch.int64))
    return total % 2**62
