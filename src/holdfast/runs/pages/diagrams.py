"""More drawings of a page, as geometry: whether probabilities come true, and scores side by side."""

import math
from collections.abc import Iterator, Sequence

from ...evaluate import Calibration
from ...evaluate.interval import Interval
from ..formats import interval, percent
from .drawing import round_ticks

SIDE, STRIP, GAP = 300, 48, 10  # of the reliability diagram, of the counts below it, and between them, in SVG's units
LEAST = 0.05  # of a score's axis: no drama in a tenth of a point


class Reliability:
    """The reliability diagram: a point a bin, confidence to the right and accuracy upwards, and how many below."""

    side = SIDE
    left, top = 46, 12
    bottom = 12 + SIDE + GAP + STRIP
    width, height = 46 + SIDE + 16, bottom + 46

    def __init__(self, calibration: Calibration, unknown_below: float | None = None) -> None:
        self.calibration = calibration
        self.threshold = self.left + SIDE * unknown_below if unknown_below is not None else None
        self.most = max(one.n for one in calibration.bins)
        self.ticks = [(self.left + SIDE * tick / 4, self.top + SIDE * (4 - tick) / 4, 25 * tick) for tick in range(5)]

    def points(self) -> Iterator[tuple[float, float, float, float, float, str]]:
        """x and y of each bin, the heights of its interval's ends, its radius, and what to say there."""
        for one in self.calibration.bins:
            low, high = (self.top + SIDE * (1 - end) for end in one.interval)
            right = f"{percent(one.accuracy)} right {interval(one.interval)}, n={one.n:,}"
            said = f"confidence {percent(one.confidence)}: {right}"
            yield (
                self.left + SIDE * one.confidence,
                self.top + SIDE * (1 - one.accuracy),
                low,
                high,
                2 + 3 * math.sqrt(one.n / self.most),
                said,
            )

    def bars(self) -> Iterator[tuple[float, float, float, int]]:
        """Left edge, width, height and count of each bin."""
        for one in self.calibration.bins:
            height = max(1.0, STRIP * one.n / self.most)
            yield self.left + SIDE * one.low, SIDE * (one.high - one.low), height, one.n


class Scale:
    """An axis of accuracies that holds these, five points wide at least; places are in percent of its width."""

    def __init__(self, values: Sequence[float], intervals: Sequence[Interval]) -> None:
        held = [value for value in (*values, *(end for ends in intervals for end in ends)) if math.isfinite(value)]
        low, high = min(held), max(held)
        missing = max(0.0, LEAST - (high - low)) / 2
        low, high = low - missing, high + missing
        low, high = max(0.0, low - max(0.0, high - 1)), min(1.0, high - min(0.0, low))
        ticks = [tick for tick in round_ticks(low, high, 4) if -1e-9 < tick < 1 + 1e-9]
        self.low, self.high = min(low, *ticks), max(high, *ticks)
        self.ticks = [(self.at(tick), f"{100 * tick:.3g}") for tick in ticks]

    def at(self, value: float) -> float:
        """Where a value lies, 0 to 100."""
        return 100 * (value - self.low) / (self.high - self.low)
