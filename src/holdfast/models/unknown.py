"""When the answer of a classifier is "unknown": thresholds on its probabilities, which every form of it can carry."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import BadShape, BadValue

SMALLEST = 1e-30  # a probability of 0 has no logarithm
DECIMALS = 4  # of a profile, which stands in JSON
ENOUGH = 1e-9  # (1 - 0.9) * 50 is 4.999...


@dataclass(frozen=True, eq=False)
class Unknown:
    """A classifier does not know a sample if it is unsure of it, or if its answer is unlike its usual answers.

    Nets are often sure of what they have never seen, so the best probability alone does not do.  But the small
    probabilities of all other classes betray it: each class has a usual profile of them, from which a strange sample
    departs.  With d = z - usual[best], z = log p - mean(log p) and p clipped at 1e-30, a sample is unknown where
    max(p) < below or d·d > beyond.

    Attributes:
        below: the probability of the best guess.
        beyond: squared distance from the usual profile of the best guess.
        usual: (K, K) the mean z of the samples whose best guess is the row's class; zeros where there were none.
        coverage: share of samples of the known kind that are answered.
    """

    below: float
    beyond: float
    usual: NDArray[np.float64]
    coverage: float

    @classmethod
    def fit(cls, learned: ArrayLike, held_out: ArrayLike, coverage: float = 0.95) -> "Unknown | None":
        """Finds both thresholds, equally strict, so that `coverage` of samples like the held-out ones are answered.

        New samples of the same kind are answered with this probability at least, whatever the model: it is the
        conformal quantile of the worse of the two ranks.  (Ranks are among the held-out samples, which costs
        about 1/N.)  Nothing is promised of other kinds; how many of them are unknown is to be measured.

        Args:
            learned: (M, K) probabilities of samples that the model learned from: they give the usual profiles.
            held_out: (N, K) probabilities of samples that it did not learn from; what they are need not be known.
            coverage: 0 < coverage < 1.

        Returns:
            None where N is too small to promise anything: below 19 for 95 %.

        Raises:
            BadValue: a coverage out of bounds.
            BadShape: probabilities that are not (M, K) and (N, K).

        Source: Vovk, Gammerman & Shafer 2005, section 2.2, for the quantile; Hendrycks & Gimpel 2017 for the best
        probability; Lee et al. 2018, "A simple unified framework ...", for distances to a class, there of features.
        """
        check_coverage(coverage)
        known, judged = (np.asarray(shares, np.float64) for shares in (learned, held_out))
        if known.ndim != 2 or judged.ndim != 2 or known.shape[1:] != judged.shape[1:]:
            raise BadShape(
                f"Unknown.fit: probabilities have shapes {known.shape} and {judged.shape}; not (M, K), (N, K)."
            )
        best, centred = known.argmax(1), _centred(known)
        usual = np.zeros((known.shape[1], known.shape[1]))
        for k in np.unique(best):
            usual[k] = centred[best == k].mean(0).round(DECIMALS)
        n = len(judged)
        answered = int(np.ceil(coverage * (n + 1) - ENOUGH))
        if answered > n:
            return None
        unsure, strange = np.sort(-judged.max(1)), np.sort(_distances(judged, usual))
        ranks = np.maximum(np.searchsorted(unsure, -judged.max(1)), np.searchsorted(strange, _distances(judged, usual)))
        rank = int(np.sort(ranks)[answered - 1])
        return cls(float(-unsure[rank]), float(strange[rank]), usual, coverage)

    def __call__(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """(N,) whether each row of (N, K) probabilities is of a sample that the model does not know."""
        shares = np.asarray(probabilities, np.float64)
        found: NDArray[np.bool_] = (shares.max(1) < self.below) | (_distances(shares, self.usual) > self.beyond)
        return found

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it."""
        return {**vars(self), "usual": self.usual.tolist()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Unknown":  # Any: what JSON holds
        """What `to_dict` was made from."""
        usual = np.array(plain["usual"], np.float64)
        return cls(float(plain["below"]), float(plain["beyond"]), usual, float(plain["coverage"]))


def check_coverage(coverage: float) -> None:
    """Raises BadValue unless it is a share between 0 and 1."""
    if not 0 < coverage < 1:
        raise BadValue(f"coverage={coverage}: must be a share between 0 and 1, such as 0.95.")


def _centred(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logits, as far as they can be told from probabilities."""
    logs = np.log(shares.clip(SMALLEST))
    found: NDArray[np.float64] = logs - logs.mean(1, keepdims=True)
    return found


def _distances(shares: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) squared."""
    found: NDArray[np.float64] = ((_centred(shares) - usual[shares.argmax(1)]) ** 2).sum(1)
    return found
