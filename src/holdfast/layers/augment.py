"""What layers that augment share: they change samples at random in training, and hand them on unchanged otherwise.

Inside they work on channels-first floats, (N, C, ...) or (N, F).  All that a sample undergoes follows from a key of
its own: in a model from the seed of the step and its place in the batch, under `fit(augment=...)` from (seed, pass,
sample).
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from ..core import BadShape, generator
from .dropout import STEP, RandomModule, mixed
from .layer import ChannelsLast, Setting, Shape, integer, optional, require_rank, setting

Span: TypeAlias = tuple[float, float]
SpanSetting: TypeAlias = Setting[float | Sequence[float], Span]
OptionalSpanSetting: TypeAlias = Setting[float | Sequence[float] | None, Span | None]
RangeSetting: TypeAlias = Setting[Sequence[float], Span]
SeedSetting: TypeAlias = Setting[int | None, int | None]
Interpolation: TypeAlias = Literal["bilinear", "nearest"]

NOISE = 2**20  # places at which a stretch of noise may begin


class Draws:
    """Uniform numbers for the samples of a batch; those of a sample follow from its key and their number alone.

    Args:
        keys: of the samples, (n,) int64.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.taken = keys, 0  # numbers that were taken of each sample

    def part(self, piece: slice) -> "Draws":
        """What comes next for some of the samples."""
        made = Draws(self.keys[piece])
        made.taken = self.taken
        return made

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, count: int) -> Tensor:
        """The next numbers of each sample, (n, count) float64 in (0, 1)."""
        places = torch.arange(self.taken + 1, self.taken + count + 1, device=self.keys.device)
        self.taken += count
        states = self.keys[:, None] + places * (STEP - 2**64)
        return ((mixed(states) >> 32 & 2**32 - 1).double() + 0.5) * 2.0**-32

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """One number for each sample, (n,) float32 in [low, high]."""
        return (self.take(1)[:, 0] * (high - low) + low).float()

    def chance(self, share: float = 0.5) -> Tensor:
        """True for so large a share of the samples, (n,)."""
        return self.take(1)[:, 0] < share

    def choice(self, count: int) -> Tensor:
        """A whole number in 0 ... count - 1 for each sample, (n,) int64."""
        return (self.take(1)[:, 0] * count).long()

    def order(self) -> Tensor:
        """The samples in another order, (n,) int64: for each its partner."""
        return self.take(1)[:, 0].argsort()

    def beta(self, alpha: Tensor) -> Tensor:
        """Of the symmetric beta distribution with alpha (n,) for each sample, (n,) float32.

        Source: Bailey 1994, Polar generation of random variates with the t-distribution; its square, made a share.
        """
        u, v = self.take(2).unbind(1)
        side = torch.cos(2 * torch.pi * v)
        ratio = (u ** (-1 / alpha.double()) - 1) * side.square()
        return (0.5 + 0.5 * side.sign() / (1 + 1 / ratio).sqrt()).float()

    def noise(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, (n, *shape) float32: for each sample a stretch of one long row of them."""
        size = torch.Size(shape).numel()
        row = _noise(NOISE + size, self.keys.device)
        return row.as_strided((NOISE, size), (1, 1)).index_select(0, self.choice(NOISE)).view(-1, *shape)


@lru_cache(maxsize=4)
def _noise(count: int, device: torch.device) -> Tensor:
    return torch.randn(count, generator=generator(0, "noise"), dtype=torch.float32, device="cpu").to(device)


def keys_of(samples: Tensor, seed: int) -> Tensor:
    """The keys of samples, given by their places (n,) int64, under a seed in [0, 2**63)."""
    return mixed(mixed(samples * (STEP - 2**64) + seed) + seed)


class Augment(RandomModule):
    """In training, changes each sample as its layer says; otherwise hands its input on."""

    def __init__(self, layer: "Augmenting", *, own: int | None) -> None:
        super().__init__(own)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return self.layer.change(x, Draws(self.keys(len(x), x.device)))

    def keys(self, n: int, device: torch.device) -> Tensor:
        """Of the samples of a batch; on a GPU from its own generator, so that a recorded step draws anew each time."""
        whole, own = self.places(n)
        if device.type == "cpu":
            return keys_of(torch.arange(whole, device="cpu")[own], self.pass_over() >> 1)
        low, high = -(2**63), 2**63 - 1
        return torch.randint(low, high, (whole,), device=device, generator=self.generator(device))[own]


@dataclass(frozen=True, eq=False)
class Augmenting(ChannelsLast):
    """Base of the layers that augment."""

    forms: ClassVar[dict[int, str]] = {3: "(H, W, C)"}  # the inputs taken, by their rank
    channels: ClassVar[tuple[int, ...]] = ()  # numbers of channels taken; () for any
    pairs: ClassVar[bool] = False  # whether what becomes of a sample depends on others of its batch

    @property
    @abstractmethod
    def seed(self) -> int | None: ...

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], *self.forms, form=" or ".join(self.forms.values()))
        if self.channels and shapes[0][-1] not in self.channels:
            counts = " or ".join(map(str, self.channels))
            raise BadShape(f"{self.label}: takes pictures of {counts} channels, got {shapes[0]}.")
        return shapes[0]

    def build(self, *shapes: Shape) -> nn.Module:
        return Augment(self, own=self.seed)

    @abstractmethod
    def change(self, x: Tensor, draws: Draws) -> Tensor:
        """The samples, channels first, each changed as drawn for it."""

    def flops(self, *shapes: Shape) -> int:
        return 0


def seed_setting() -> SeedSetting:
    """The field `seed`: mixed into the seed of the model, from which the draws of each step follow."""
    made: SeedSetting = setting(None, convert=optional(integer))
    return made


def span(
    low: float, high: float, *, one: Callable[[float], Span] = lambda value: (-abs(value), abs(value))
) -> Callable[[object], Span]:
    """Converts a number, or two, to the limits between which is drawn.

    Args:
        low, high: what the limits must lie within.
        one: the limits that a single number stands for.
    """

    def convert(value: object) -> Span:
        numbers = _numbers(value, 2)
        limits = one(numbers[0]) if len(numbers) == 1 else (min(numbers), max(numbers))
        if limits[0] < low or limits[1] > high:
            raise ValueError(f"must be a number, or two, between {low:g} and {high:g}")
        return limits

    return convert


def from_zero(value: float) -> Span:
    """What a single number stands for where it is the upper limit."""
    return 0.0, value


def value_range(value: object) -> Span:
    """Two different numbers, the lower first."""
    numbers = _numbers(value, 2)
    if len(numbers) != 2 or numbers[0] == numbers[1]:
        raise ValueError("must be the smallest and the largest value, such as (0, 255)")
    return min(numbers), max(numbers)


def range_setting() -> RangeSetting:
    """The field `value_range`: the smallest and the largest value that pictures can have."""
    made: RangeSetting = setting((0.0, 255.0), convert=value_range)
    return made


def _numbers(value: object, most: int) -> list[float]:
    given: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]  # Any: whatever the user wrote
    if not 0 < len(given) <= most or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in given):
        raise ValueError("must be a number, or two")
    return [float(one) for one in given]


def each(values: Tensor, x: Tensor) -> Tensor:
    """One value a sample, (n,), in a shape that goes with x (n, ...)."""
    return values.view(-1, *[1] * (x.dim() - 1)).to(x.dtype)


def where(chosen: Tensor, x: Tensor, change: Callable[..., Tensor], *settings: Tensor) -> Tensor:
    """The samples x, of which `change` has made the chosen ones (n,) anew, with their settings (n, ...).

    On a CPU only these are computed; elsewhere all, for which nobody has to wait.
    """
    if x.device.type != "cpu":
        return torch.where(each(chosen, x).bool(), change(x, *settings), x)
    rows = chosen.nonzero().flatten()
    if len(rows) == len(x):
        return change(x, *settings)
    if len(rows) == 0:
        return x
    made = change(x.index_select(0, rows), *(one.index_select(0, rows) for one in settings))
    return x.index_copy(0, rows, made)
