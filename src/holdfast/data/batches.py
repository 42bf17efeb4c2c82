"""Batches of data: from memory without workers, else fetched ahead; in an order that follows from (seed, epoch)."""

import copy
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ..core import BadData, BadShape, BadValue, Share, generator
from .augment import Augmentation, RandomShift
from .rows import Rows
from .threads import threads

AHEAD, AHEAD_BYTES = 4, 2**28  # batches that are fetched while one is trained on, at most
FETCHERS = 2  # threads


def order(n: int, seed: int, epoch: int) -> Tensor:
    """A permutation of 0 ... n-1, int64, that follows from (seed, epoch)."""
    return torch.randperm(n, generator=generator(seed, "order", epoch))


@dataclass(frozen=True)
class Batch:
    """Some samples: all tensors have the same length.

    Attributes:
        inputs: one an input of the model, channels last.  Of a whole set that exceeds the memory `Rows`, cast; of what
            `Batches` gives, never.
        targets: one an output of the model.
        weights: one an output of the model, (N,), or None.
        soft: what is learned instead of the targets where labels were mixed, one an output of the model: shares of the
            classes (N, K), or values.  The targets, which metrics count, are then those that weigh most.
        share: which samples of a larger batch these are; None: it is whole.
    """

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...] = ()
    weights: tuple[Tensor | None, ...] = ()
    soft: tuple[Tensor, ...] = ()
    share: Share | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The same with every tensor changed."""
        weights = tuple(None if weight is None else change(weight) for weight in self.weights)
        inputs, targets, soft = (tuple(map(change, several)) for several in (self.inputs, self.targets, self.soft))
        return Batch(inputs, targets, weights, soft, self.share)


def rows(tensor: Tensor, places: Tensor) -> Tensor:
    """tensor[places], which takes four to ten times as long for pictures on a CPU, as index_select alone does."""
    flat = tensor.reshape(len(tensor), -1) if tensor.dim() > 2 else tensor
    return flat.index_select(0, places).view(len(places), *tensor.shape[1:])


def take(data: Batch, places: Tensor | slice) -> Batch:
    """The samples at these places."""
    if isinstance(places, slice):
        return data.map(lambda tensor: tensor[places])
    return data.map(lambda tensor: tensor[places.cpu()] if isinstance(tensor, Rows) else rows(tensor, places))


class Plan(NamedTuple):
    """What one batch is to be: its samples, the pass that it belongs to, and the shifts of all samples in that."""

    chosen: Tensor | slice
    number: int
    moves: Tensor | None
    share: Share | None = None


class Batches:
    """Batches of samples.

    Batch number b of an epoch is batch number `epoch * steps + b` of all: it is found without what came before it.

    Args:
        data: all samples.
        batch_size: samples a batch; the last one of a pass may be smaller.
        shuffle: a new order each pass, following from (seed, pass); otherwise as they lie.
        seed: of the order.
        steps: batches an epoch; None: one pass.  Fewer than a pass has: the next epoch goes on where this one ended.
        device: where batches are wanted; data in memory is moved there once.
        augment: how batches are changed; it follows from (seed, pass, sample).

    Raises:
        BadValue: a batch_size or steps that are not positive.
        BadData: no samples.
        BadShape: tensors of different lengths; no pictures to augment.
    """

    def __init__(
        self,
        data: Batch,
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        steps: int | None = None,
        device: torch.device | str = "cpu",
        augment: Augmentation | None = None,
    ) -> None:
        if batch_size < 1:
            raise BadValue(f"batch_size={batch_size}: must be positive.")
        if steps is not None and steps < 1:
            raise BadValue(f"steps={steps}: must be positive.")
        if len(data) == 0:
            raise BadData("there are no samples to make batches of.")
        weights = [weight for weight in data.weights if weight is not None]
        lengths = {len(tensor) for tensor in (*data.inputs, *data.targets, *weights)}
        if len(lengths) > 1:
            raise BadShape(f"inputs, targets and weights have {sorted(lengths)} samples; they must have as many.")
        if isinstance(augment, RandomShift):
            augment.check(data.inputs[0].shape)
        self.device = torch.device(device)
        self.lazy = any(isinstance(tensor, Rows) for tensor in data.inputs)
        where = torch.device("cpu") if self.lazy else self.device  # what is fetched follows batch by batch
        self.data = data.map(lambda tensor: tensor if isinstance(tensor, Rows) else tensor.to(where))
        # Padded once: moving a batch then costs no more than taking it.
        ready = isinstance(augment, RandomShift) and not self.lazy
        self.padded = augment.pad(self.data.inputs[0]) if ready and isinstance(augment, RandomShift) else None
        self.batch_size, self.shuffle, self.seed, self.augment = batch_size, shuffle, seed, augment
        self.steps_a_pass = -(-len(data) // batch_size)
        self.steps = steps or self.steps_a_pass
        self.worker: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.steps

    @property
    def samples(self) -> int:
        """Samples in the first epoch; in each, when an epoch is one pass."""
        return self.count(0, self.steps)

    def count(self, epoch: int, steps: int) -> int:
        """Samples in the first so many batches of an epoch."""
        first = epoch * self.steps
        return self._before(first + steps) - self._before(first)

    def in_order(self) -> "Batches":
        """All samples once, as they lie: to judge on, or to keep predictions beside their samples."""
        return Batches(self.data, batch_size=self.batch_size, device=self.device)

    def shared(self, rank: int, size: int) -> "Batches":
        """The same, of each batch the share of process `rank` of `size`; see `Share`."""
        made = copy.copy(self)
        made.worker = rank, size
        return made

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        plans = self._plans(epoch * self.steps + start, (epoch + 1) * self.steps)
        if not self.lazy:
            return (self._own(self._made(plan), plan) for plan in plans)
        size = self.batch_size * sum(math.prod(x.shape[1:]) * x.dtype.itemsize for x in self.data.inputs)
        return ahead(plans, self._made, self._finished, depth=max(1, min(AHEAD, AHEAD_BYTES // size)))

    def _plans(self, first: int, end: int) -> Iterator[Plan]:
        """What the batches with these numbers are to be."""
        places, moves, loaded = torch.empty(0), None, -1
        for step in range(first, end):
            number, index = divmod(step, self.steps_a_pass)
            if number != loaded:
                if self.shuffle:
                    places = self._order(number)
                if isinstance(self.augment, RandomShift):
                    moves = self.augment.draw(len(self.data), self.seed, number).to(self.device)
                    if self.padded is not None:
                        moves = self.augment.starts(self.padded.shape, moves)
                loaded = number
            start, share = index * self.batch_size, None
            piece = slice(start, start + self.batch_size)
            if self.worker is not None:
                share = Share.of(min(self.batch_size, len(self.data) - start), *self.worker)
                if not getattr(self.augment, "pairs", False):  # else samples are mixed with all others of their batch
                    piece = slice(start + share.first, start + share.first + share.own)
            yield Plan(places[piece] if self.shuffle else piece, number, moves, share)

    def _own(self, batch: Batch, plan: Plan) -> Batch:
        """One's own share of what was made."""
        if plan.share is None:
            return batch
        return replace(take(batch, plan.share.places) if len(batch) > plan.share.own else batch, share=plan.share)

    def _order(self, number: int) -> Tensor:
        """The places of all samples in the order of a pass."""
        lazy = [cast(Rows, tensor) for tensor in self.data.inputs if isinstance(tensor, Rows)]
        found = lazy[0].order(self.seed, number, self.batch_size) if lazy else order(len(self.data), self.seed, number)
        return found if self.lazy else found.to(self.device)

    def _made(self, plan: Plan) -> Batch:
        """The batch as it is planned; of what is fetched still on the CPU, and not augmented."""
        if self.padded is not None and plan.moves is not None and isinstance(self.augment, RandomShift):
            moved = self.augment.windows(self.padded).index_select(0, plan.moves[plan.chosen])
            first, *others = self.data.inputs
            rest = take(replace(self.data, inputs=tuple(others)), plan.chosen)
            return replace(rest, inputs=(moved.view(len(moved), *first.shape[1:]), *rest.inputs))
        batch = take(self.data, plan.chosen)
        return batch if self.lazy else self._augmented(batch, plan)

    def _finished(self, batch: Batch, plan: Plan) -> Batch:
        """A batch that was fetched, on the device, and augmented.

        In the thread that trains: others would hold its cores, and disturb what it records for a GPU.
        """
        return self._own(self._augmented(batch.map(lambda tensor: tensor.to(self.device)), plan), plan)

    def _augmented(self, batch: Batch, plan: Plan) -> Batch:
        if self.augment is None:
            return batch
        if isinstance(self.augment, RandomShift) and plan.moves is not None:
            first, *others = batch.inputs
            return replace(batch, inputs=(self.augment.move(first, plan.moves[plan.chosen]), *others))
        samples = torch.arange(len(self.data))[plan.chosen] if isinstance(plan.chosen, slice) else plan.chosen
        return self.augment(batch, samples, self.seed, plan.number)

    def _before(self, step: int) -> int:
        """Samples in the batches before this one, counted from the first epoch."""
        passes, batches = divmod(step, self.steps_a_pass)
        return passes * len(self.data) + batches * self.batch_size


def ahead(
    plans: Iterator[Plan], make: Callable[[Plan], Batch], finish: Callable[[Batch, Plan], Batch], *, depth: int
) -> Iterator[Batch]:
    """The batches in their order: `depth` of them are made by threads before they are asked for, and then finished."""
    coming = deque[tuple[Future[Batch], Plan]]()
    try:
        for plan in plans:
            coming.append((threads("fetch", FETCHERS).submit(make, plan), plan))
            if len(coming) > depth:
                made, plan = coming.popleft()
                yield finish(made.result(), plan)
        while coming:
            made, plan = coming.popleft()
            yield finish(made.result(), plan)
    finally:  # nothing waits here: a generator may be closed by any thread, one that fetches among them
        for made, _ in coming:
            made.cancel()
