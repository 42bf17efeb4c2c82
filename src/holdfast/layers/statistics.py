"""What can be said of a sample in few numbers: its level, spread and shape; of a series its trend and swings, too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core import BadData, BadShape, BadValue, NotReady
from .layer import Layer, Setting, Shape, chain, integer, optional, require_rank, setting
from .norm import Affine, NumbersSetting, numbers
from .series import centred, measured, parted

ROUNDING = 1e-13  # of the square of the mean: less variance than that float32 does not hold
TINY = 1e-20  # below the square of any deviation that float32 can tell from none, for values near 1
FLAT = 1e-12  # variance below which a statistic is the same in all samples, but for rounding
AT_ONCE = 256  # samples of which `adapt` takes the statistics at a time
MOMENTS = ("mean", "median", "std", "min", "max")


def _shares(value: object) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError("must be several numbers")
    return tuple(map(float, value))


def _within(value: tuple[float, ...]) -> str | None:
    return None if all(0 < share < 1 for share in value) else "must be between 0 and 1"


def _up_to(most: int) -> Callable[[int], str | None]:
    return lambda value: None if 0 <= value <= most else f"must be between 0 and {most:,}"


@dataclass(frozen=True, eq=False)
class Statistics(Layer):
    """Statistics of each channel of a sample.  (T, C), (samples,), (H, W, C) or (D, H, W, C) -> (C * statistics,).

    Of each channel in this order, as `names` says them: mean, median, standard deviation, smallest and largest value,
    the quantiles.  Of series and sounds also how far a straight line through all of it rises, and one through each of
    its pieces; and how its variance is shared out over the octaves of frequency, the highest first, the last one with
    all that is below.  After `adapt` each is standardised: they come in scales of their own.

    Args:
        quantiles: which, between 0 and 1; interpolated as in NumPy.
        pieces: of equal length, each with a slope of its own.
        bands: octaves: with 3 they are (1/4, 1/2], (1/8, 1/4] and (0, 1/8] swings a step.
        masked: the last channel says which steps were measured; only they count.  See `SeriesNormalization`.
        mean, variance: of each number that comes out, found by `adapt`; None: they are as they are.
    """

    quantiles: Setting[Sequence[float], tuple[float, ...]] = setting(
        (0.05, 0.25, 0.75, 0.95), convert=_shares, check=_within
    )
    pieces: int = setting(4, convert=integer, check=_up_to(1000))
    bands: int = setting(5, convert=integer, check=_up_to(64))
    masked: bool = setting(False, convert=bool)
    mean: NumbersSetting = setting(None, convert=optional(numbers))
    variance: NumbersSetting = setting(None, convert=optional(numbers))
    used: list[bool] = field(default_factory=list, init=False, repr=False)  # filled by the first `build`

    def validate(self) -> None:
        if np.shape(self.mean) != np.shape(self.variance) or (self.mean is None) != (self.variance is None):
            raise BadValue("Statistics: give mean and variance together and of one length, or neither.")

    def adapt(self, data: Any, labels: object = None) -> "Statistics":  # Any: whatever NumPy can make an array of
        """Takes mean and variance of the statistics of `data` (N, ...), training data only; before the first use.

        Args:
            data: as it comes into the layer.
            labels: nothing depends on them.

        Raises:
            NotReady: a model was already built with this layer; it would not see the change.
            BadShape: no samples, or of a shape that the layer does not take.
            BadData: statistics that are no finite numbers.
        """
        if self.used:
            raise NotReady(f"{self.label}: adapt comes before the model is first used; make the model anew after it.")
        array = np.asarray(data)
        if array.ndim < 2 or len(array) == 0:
            raise BadShape(f"{self.label}.adapt: data have shape {array.shape}, must be (N, ...) and not empty.")
        found = self._plain(array)
        if not np.isfinite(found).all():
            raise BadData(f"{self.label}.adapt: data have NaN or infinite values; take them out, or replace them.")
        variance = found.var(0)
        object.__setattr__(self, "mean", tuple(found.mean(0).tolist()))
        object.__setattr__(self, "variance", tuple(np.where(variance > FLAT, variance, 1.0).tolist()))
        return self

    def _plain(self, array: NDArray[Any]) -> NDArray[np.float64]:  # Any: of any number
        """The statistics of samples, not standardised."""
        self.out_shape(array.shape[1:])
        module = Described(self, array.shape[1:])
        pieces = [torch.as_tensor(array[start : start + AT_ONCE]) for start in range(0, len(array), AT_ONCE)]
        with torch.no_grad():
            given = [module(piece.float().movedim(-1, 1) if piece.dim() > 2 else piece.float()) for piece in pieces]
        return torch.cat(given).double().numpy()

    @property
    def names(self) -> tuple[str, ...]:
        """What each number of a channel is; of pictures and volumes, which have no order in time, the first of them."""
        return (*self.level_names, *self.swing_names)

    @property
    def level_names(self) -> tuple[str, ...]:
        """What the numbers are that do not depend on an order."""
        return (*MOMENTS, *(f"quantile_{share:g}" for share in self.quantiles))

    @property
    def swing_names(self) -> tuple[str, ...]:
        """What the numbers are that depend on the order of the steps."""
        return (
            "slope",
            *(f"slope_{piece + 1}_of_{self.pieces}" for piece in range(self.pieces)),
            *(f"band_{band + 1}_of_{self.bands}" for band in range(self.bands)),
        )

    def out_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        ranks, form = ((2,), "series (T, C)") if self.masked else ((1, 2, 3, 4), "samples of one to four axes")
        require_rank(self, shape, *ranks, form=form)
        channels = measured(self, shape, masked=self.masked) if len(shape) > 1 else 1
        given = channels * len(self.names if len(shape) < 3 else self.level_names)
        if isinstance(self.mean, tuple) and len(self.mean) != given:
            raise BadShape(f"{self.label}: was adapted to {len(self.mean)} statistics, the input {shape} has {given}.")
        return (given,)

    def build(self, *shapes: Shape) -> nn.Module:
        self.used.append(True)
        scaling = None
        if self.mean is not None:
            mean, variance = (torch.tensor(one, dtype=torch.float64) for one in (self.mean, self.variance))
            deviation = variance.sqrt().clamp(min=1e-7)  # as in Normalization
            scaling = Affine((1 / deviation).float(), (-mean / deviation).float())
        return chain(main=Described(self, shapes[0]), scaling=scaling)

    def flops(self, *shapes: Shape) -> int:
        steps = shapes[0][0]
        return math.prod(shapes[0]) * (20 + 6 * self.pieces + 10 * math.ceil(math.log2(max(2, steps))))


class Described(nn.Module):
    """(N, C, ...) or (N, T) to (N, C * statistics)."""

    bands: Tensor

    def __init__(self, settings: Statistics, shape: Shape) -> None:
        super().__init__()
        self.settings, self.ordered = settings, len(shape) < 3
        self.register_buffer("bands", _octaves(shape[0], settings.bands), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return self.of(x)
        with torch.autocast(x.device.type, enabled=False):  # differences of large numbers want all digits
            return self.of(x.float())

    def of(self, x: Tensor) -> Tensor:
        """The features, in x's precision."""
        its = self.settings
        values, present = parted(x.unsqueeze(1) if x.dim() == 2 else x.flatten(2), masked=its.masked)
        steps = present.sum(-1, keepdim=True)  # (N, 1, 1)
        count = steps.clamp(min=1)
        mean, left = centred(values, present, count)
        far = torch.where(present > 0, values, math.inf) if its.masked else values
        ordered = far.sort(-1).values
        std = (left.square().sum(-1, keepdim=True) / count).clamp(min=TINY).sqrt()
        found = [mean, quantile(ordered, count, 0.5), std, ordered[..., :1], quantile(ordered, count, 1.0)]
        found += [quantile(ordered, count, share) for share in its.quantiles]
        if self.ordered:
            found.append(rise(left, present, present, count))
        if self.ordered and its.pieces:
            found.append(rise(left, pieces(present, count, its.pieces), present, count))
        if self.ordered and its.bands:
            found.append(self.shares(left, mean))
        features = torch.cat(found, -1)
        if its.masked:
            features = torch.where(steps > 0, features, 0.0)
        return features.flatten(1)

    def shares(self, left: Tensor, mean: Tensor) -> Tensor:
        """Of each octave its share of the variance, (N, C, bands), all 0 where there is none but that of rounding."""
        spectrum: Tensor = torch.fft.rfft(left)
        powers = (spectrum.real.square() + spectrum.imag.square()) @ self.bands
        rounding = ROUNDING * (mean * left.shape[-1]).square()
        return powers / powers.sum(-1, keepdim=True).maximum(rounding).clamp(min=TINY)


def quantile(ordered: Tensor, count: Tensor, share: float) -> Tensor:
    """(N, C, 1): what lies above this share of the first `count` values of each row, linear between two of them."""
    place = (count - 1) * share
    below = place.floor()
    above = torch.minimum(below + 1, count - 1)
    low, high = (ordered.gather(-1, one.long().expand(*ordered.shape[:2], 1)) for one in (below, above))
    return low + (place - below) * (high - low)


def pieces(present: Tensor, count: Tensor, number: int) -> Tensor:
    """(N, pieces, T), 1 where a step is in a piece: the k-th of n measured steps is in piece k * pieces // n."""
    rank = present.long().cumsum(-1) - 1
    which = (rank * number).div(count.long(), rounding_mode="floor")
    return (which == torch.arange(number, device=present.device)[:, None]).to(present.dtype) * present


def rise(left: Tensor, chosen: Tensor, present: Tensor, count: Tensor) -> Tensor:
    """(N, C, pieces): how far the straight line of least squares through the chosen steps (N, pieces, T) rises.

    From the first to the last measured step of the whole series, as steep as it is here; 0 where one step is chosen.
    """
    steps = torch.arange(left.shape[-1], device=left.device, dtype=left.dtype) / max(1, left.shape[-1])
    size = chosen.sum(-1, keepdim=True).clamp(min=1)
    offset = (steps - (chosen * steps).sum(-1, keepdim=True) / size) * chosen
    spread = offset.square().sum(-1)
    slope = left @ offset.mT / spread.clamp(min=TINY).unsqueeze(1)
    reach = (present * steps).amax(-1) - torch.where(present > 0, steps, math.inf).amin(-1)
    return slope * torch.where(count > 1, reach.unsqueeze(-1), 0.0)


def _octaves(steps: int, bands: int) -> Tensor:
    """(frequencies, bands): how often a band counts a frequency; the constant part is in none.

    Twice, as negative frequencies are as strong; but for the highest of an even number of steps, which is its own.
    """
    swings: Tensor = torch.fft.rfftfreq(steps, dtype=torch.float64)[:, None]
    times = torch.where(swings == 0.5, 1.0, 2.0)
    tops = 0.5 ** torch.arange(1, bands + 1, dtype=torch.float64)
    bottoms = torch.cat([tops[1:], torch.zeros(min(1, bands), dtype=torch.float64)])
    return (times * ((swings > bottoms) & (swings <= tops))).float()
