"""What a split by time leaves out at its borders."""

import numpy as np
import pytest

from holdfast.data.assign import gap_before

TIMES = np.arange(10.0)
SIDES = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], np.int8)


@pytest.mark.parametrize(
    ("gap", "span", "lost"),
    [
        (0, 0, []),
        (1, 0, []),  # the last of train is one away
        (2, 0, [4, 7]),
        (3, 0, [3, 4, 6, 7]),
        (0, 0.5, []),
        (0, 1, [4, 7]),  # ends when the first of the next part begins
        (1, 1, [4, 7]),
        (1.5, 1, [3, 4, 6, 7]),
    ],
)
def test_what_ends_less_than_the_gap_before_the_next_part_begins_is_left_out(
    gap: float, span: float, lost: list[int]
) -> None:
    assert np.flatnonzero(gap_before(TIMES, SIDES, gap=gap, span=span)).tolist() == lost
