"""Batches of data that lies in memory: on the device, without workers, in an order that follows from (seed, epoch)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core import BadData, BadShape, BadValue, generator
from .augment import RandomShift


def order(n: int, seed: int, epoch: int) -> Tensor:
    """A permutation of 0 ... n-1, int64, that follows from (seed, epoch)."""
    return torch.randperm(n, generator=generator(seed, "order", epoch))


@dataclass(frozen=True)
class Batch:
    """Some samples: all tensors have the same length.

    Attributes:
        inputs: one an input of the model, channels last.
        targets: one an output of the model.
        weights: one an output of the model, (N,), or None.
    """

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...] = ()
    weights: tuple[Tensor | None, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs[0])

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The same with every tensor changed."""
        weights = tuple(None if weight is None else change(weight) for weight in self.weights)
        return Batch(tuple(map(change, self.inputs)), tuple(map(change, self.targets)), weights)


def rows(tensor: Tensor, places: Tensor) -> Tensor:
    """tensor[places], which takes four to ten times as long for pictures on a CPU, as index_select alone does."""
    flat = tensor.reshape(len(tensor), -1) if tensor.dim() > 2 else tensor
    return flat.index_select(0, places).view(len(places), *tensor.shape[1:])


def take(data: Batch, places: Tensor | slice) -> Batch:
    """The samples at these places."""
    if isinstance(places, slice):
        return data.map(lambda tensor: tensor[places])
    return data.map(lambda tensor: rows(tensor, places))


class Batches:
    """Batches of tensors in memory.

    Batch number b of an epoch is batch number `epoch * steps + b` of all: it is found without what came before it.

    Args:
        data: all samples.
        batch_size: samples a batch; the last one of a pass may be smaller.
        shuffle: a new order each pass, following from (seed, pass); otherwise as they lie.
        seed: of the order.
        steps: batches an epoch; None: one pass.  Fewer than a pass has: the next epoch goes on where this one ended.
        device: where batches are wanted; the data is moved there once.
        augment: what is done to the first input, pictures (N, H, W, C); it follows from (seed, pass, sample).

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
        augment: RandomShift | None = None,
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
        if augment is not None and data.inputs[0].dim() != 4:
            raise BadShape(f"{augment}: moves pictures (N, H, W, C), the input has {tuple(data.inputs[0].shape)}.")
        if augment is not None and 2 * augment.pixels >= min(data.inputs[0].shape[1:3]):
            raise BadValue(
                f"{augment}: moves half of a picture {tuple(data.inputs[0].shape[1:])} out of sight; take less."
            )
        self.data = data.map(lambda tensor: tensor.to(device))
        # Padded once: moving a batch then costs no more than taking it.
        self.padded = None if augment is None else augment.pad(self.data.inputs[0])
        self.batch_size, self.shuffle, self.seed, self.augment = batch_size, shuffle, seed, augment
        self.steps_a_pass = -(-len(data) // batch_size)
        self.steps = steps or self.steps_a_pass

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
        return Batches(self.data, batch_size=self.batch_size, device=self.data.inputs[0].device)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        places, starts, loaded = torch.empty(0), torch.empty(0), -1
        device = self.data.inputs[0].device
        for step in range(epoch * self.steps + start, (epoch + 1) * self.steps):
            number, index = divmod(step, self.steps_a_pass)
            if number != loaded:
                if self.shuffle:
                    places = order(len(self.data), self.seed, number).to(device)
                if self.augment is not None and self.padded is not None:
                    drawn = self.augment.draw(len(self.data), self.seed, number).to(device)
                    starts = self.augment.starts(self.padded.shape, drawn)
                loaded = number
            piece = slice(index * self.batch_size, (index + 1) * self.batch_size)
            chosen = places[piece] if self.shuffle else piece
            if self.augment is None or self.padded is None:
                yield take(self.data, chosen)
            else:
                moved = self.augment.windows(self.padded).index_select(0, starts[chosen])
                first, *others = self.data.inputs
                rest = take(replace(self.data, inputs=tuple(others)), chosen)
                yield replace(rest, inputs=(moved.view(len(moved), *first.shape[1:]), *rest.inputs))

    def _before(self, step: int) -> int:
        """Samples in the batches before this one, counted from the first epoch."""
        passes, batches = divmod(step, self.steps_a_pass)
        return passes * len(self.data) + batches * self.batch_size
