"""What can be said of a series in few numbers: its level, spread, shape, trend, and how fast it swings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layer import Layer, Setting, Shape, integer, not_negative, require_rank, setting
from .series import centred, measured, parted

ROUNDING = 1e-13  # of the square of the mean: less variance than that float32 does not hold
TINY = 1e-20  # below the square of any deviation that float32 can tell from none, for values near 1
MOMENTS = ("mean", "median", "std", "min", "max")


def _shares(value: object) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError("must be several numbers")
    return tuple(map(float, value))


def _within(value: tuple[float, ...]) -> str | None:
    return None if all(0 < share < 1 for share in value) else "must be between 0 and 1"


@dataclass(frozen=True, eq=False)
class StatisticalFeatures(Layer):
    """Statistics of each channel of a series or sound.  (T, C) or (samples,) -> (C * features,).

    Of each channel in this order, as `names` says them: mean, median, standard deviation, smallest and largest value,
    the quantiles; how far a straight line through all of it rises, and one through each of its pieces; and how its
    variance is shared out over the octaves of frequency, the highest first, the last one with all that is below.

    Args:
        quantiles: which, between 0 and 1; interpolated as in NumPy.
        pieces: of equal length, each with a slope of its own.
        bands: octaves: with 3 they are (1/4, 1/2], (1/8, 1/4] and (0, 1/8] swings a step.
        masked: the last channel says which steps were measured; only they count.  See `SeriesNormalization`.
    """

    quantiles: Setting[Sequence[float], tuple[float, ...]] = setting(
        (0.05, 0.25, 0.75, 0.95), convert=_shares, check=_within
    )
    pieces: int = setting(4, convert=integer, check=not_negative)
    bands: int = setting(5, convert=integer, check=not_negative)
    masked: bool = setting(False, convert=bool)

    @property
    def names(self) -> tuple[str, ...]:
        """What each number of a channel is."""
        return (
            *MOMENTS,
            *(f"quantile_{share:g}" for share in self.quantiles),
            "slope",
            *(f"slope_{piece + 1}_of_{self.pieces}" for piece in range(self.pieces)),
            *(f"band_{band + 1}_of_{self.bands}" for band in range(self.bands)),
        )

    def out_shape(self, *shapes: Shape) -> Shape:
        require_rank(self, shapes[0], *((2,) if self.masked else (1, 2)), form="series (T, C) or sounds (samples,)")
        channels = measured(self, shapes[0], masked=self.masked) if len(shapes[0]) > 1 else 1
        return (channels * len(self.names),)

    def build(self, *shapes: Shape) -> nn.Module:
        return Statistics(self, shapes[0][0])

    def flops(self, *shapes: Shape) -> int:
        steps = shapes[0][0]
        return math.prod(shapes[0]) * (20 + 6 * self.pieces + 10 * math.ceil(math.log2(max(2, steps))))


class Statistics(nn.Module):
    """(N, C, T) or (N, T) to (N, C * features)."""

    bands: Tensor

    def __init__(self, settings: StatisticalFeatures, steps: int) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("bands", _octaves(steps, settings.bands), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return self.of(x)
        with torch.autocast(x.device.type, enabled=False):  # differences of large numbers want all digits
            return self.of(x.float())

    def of(self, x: Tensor) -> Tensor:
        """The features, in x's precision."""
        its = self.settings
        values, present = parted(x if x.dim() == 3 else x.unsqueeze(1), masked=its.masked)
        steps = present.sum(-1, keepdim=True)  # (N, 1, 1)
        count = steps.clamp(min=1)
        mean, left = centred(values, present, count)
        far = torch.where(present > 0, values, math.inf) if its.masked else values
        ordered = far.sort(-1).values
        std = (left.square().sum(-1, keepdim=True) / count).clamp(min=TINY).sqrt()
        found = [mean, quantile(ordered, count, 0.5), std, ordered[..., :1], quantile(ordered, count, 1.0)]
        found += [quantile(ordered, count, share) for share in its.quantiles]
        found.append(rise(left, present, present, count))
        if its.pieces:
            found.append(rise(left, pieces(present, count, its.pieces), present, count))
        if its.bands:
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
