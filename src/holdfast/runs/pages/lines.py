"""Sounds and series as lines, in the coordinates of SVG."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDE, HIGH = 160, 80  # of a drawing, in SVG's units
CHANNELS = 3  # of a series that are drawn


def limits(samples: Sequence[NDArray[Any]]) -> tuple[float, float]:  # Any: of any number type
    """The smallest and the largest value, so that all are drawn on one scale."""
    low, high = min(float(one.min()) for one in samples), max(float(one.max()) for one in samples)
    return (low, high) if low < high else (low - 1, low + 1)


def lines(values: NDArray[Any], low: float, high: float) -> list[str]:  # Any: as above
    """The points of a polyline for each of the first channels of (T, C); of many steps the least and largest, by turns.

    So loud and soft stretches of a sound are seen, whatever their frequency.
    """
    count = min(len(values), WIDE)
    pieces = np.array_split(np.asarray(values[:, :CHANNELS], np.float64), count)
    steps = np.stack([(piece.min(0), piece.max(0)) for piece in pieces])  # (count, 2, C)
    across = np.repeat(np.linspace(0, WIDE, count), 2)
    down = HIGH * (high - steps.reshape(2 * count, -1)) / (high - low)
    return [" ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, channel, strict=True)) for channel in down.T]
