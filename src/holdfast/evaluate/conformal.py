"""When a model says "unknown": the threshold below which it is too unsure to answer."""

import numpy as np
from numpy.typing import ArrayLike

from ..core import BadShape, BadValue


def conformal_threshold(probabilities: ArrayLike, coverage: float = 0.95) -> float:
    """The probability of the best guess below which to answer "unknown": `coverage` of such samples are answered.

    Of new samples of the same kind at least this share is answered on average, whatever the model and the kind: the
    threshold is the conformal quantile of the probabilities of the best guesses.  Samples of another kind look less
    like anything known, so more of them fall below; how many is to be measured, no theorem tells it.

    Args:
        probabilities: (N, K), of samples that the model did not learn from; the truth about them is not needed.
        coverage: share to answer, 0 < coverage < 1.

    Returns:
        In [0, 1].  0, i.e. never "unknown", where N is too small to promise anything: below 19 for 95 %.

    Raises:
        BadValue: a coverage out of bounds.
        BadShape: no probabilities (N, K).

    Source: Vovk, Gammerman & Shafer 2005, section 2.2; Angelopoulos & Bates 2023, section 4.4 (outlier detection).

    Example:
        >>> conformal_threshold([[p / 100, 1 - p / 100] for p in range(51, 100)], coverage=0.9)
        0.55
    """
    if not 0 < coverage < 1:
        raise BadValue(f"coverage={coverage}: is a share between 0 and 1, such as 0.95.")
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim != 2 or not shares.size:
        raise BadShape(f"conformal_threshold: probabilities have shape {shares.shape}; they must be (N, K).")
    # 1e-9: (1 - 0.9) * 50 is 4.999...
    below = int((1 - coverage) * (len(shares) + 1) + 1e-9)
    return float(np.sort(shares.max(1))[below - 1]) if below else 0.0
