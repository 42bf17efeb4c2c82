"""The Ladder: which scores on a test part may be told once it has been opened before.  Its state is in the ledger.

Who sees every score on a part can climb it without learning anything, by keeping what happened to score well.  The
Ladder tells a score only if it beats the last one told by more than the standard error of the difference.

Source: Blum & Hardt 2015, "The Ladder: a reliable leaderboard for machine learning competitions", figure 3.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Revealed:
    """What may be told of a test part.

    Attributes:
        value: the accuracy that was told last, in [0, 1].
        opening: of the part, from 1, at which it was told.
        new: whether that is this opening; if not, its own accuracy stays sealed.
    """

    value: float
    opening: int
    new: bool


def climbs(right: NDArray[np.bool_], last: NDArray[np.bool_]) -> bool:
    """Whether these answers beat the last ones told by more than the standard error of the difference.

    The paper's parameter-free rule is: error < last error - s / sqrt(n), where s is the standard deviation, with n - 1,
    of the differences in loss on each sample.  For right and wrong these are -1, 0 and 1, and the rule becomes
    (gained - lost)^2 > gained + lost: McNemar's statistic above 1.  The paper's rounding to 1/n changes nothing here.

    Args:
        right: (N,) whether each answer is right.
        last: (N,) the same, of those told last.

    Example:
        >>> last = np.arange(100) < 80
        >>> climbs(np.arange(100) < 81, last), climbs(np.arange(100) < 82, last)
        (False, True)
    """
    gained, lost = int((right & ~last).sum()), int((last & ~right).sum())
    return gained > lost and (gained - lost) ** 2 > gained + lost
