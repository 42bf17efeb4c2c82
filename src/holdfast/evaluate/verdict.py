"""The verdict: what the scores on train and validation say together, in words."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .interval import Interval, newcombe
from .score import Report, Score, ends, percent

MARGIN = 0.03  # a gap beyond this is overfitting
TOLERANCE = 0.10  # a gap that may be beyond this is no good fit
HALFWAY = 0.5  # of the way from the majority class's share to 100 %: a training accuracy below is underfitting


@dataclass(frozen=True)
class Verdict:
    """`str(verdict)` is kind and sentence together.

    Attributes:
        kind: what it is.
        sentence: the numbers, and what to try; without the kind and without a full stop.
        gap: train accuracy minus validation accuracy.
        interval: 95 %, of the gap.
    """

    kind: Literal["overfitting", "underfitting", "good fit", "cannot say"]
    sentence: str
    gap: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:  # Any: what JSON holds
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Verdict":  # Any: what JSON holds
        """What `to_dict` was made from."""
        return cls(**(plain | {"interval": tuple(plain["interval"])}))

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def verdict(train: Report, validation: Report) -> Verdict:
    """Overfitting, underfitting, a good fit, or too little data to say which.

    Nothing is claimed that the 95 % intervals do not bear out.  In this order:

    - overfitting: the gap's whole interval is above 3 points (`MARGIN`);
    - underfitting: the whole interval of the training accuracy is below half of the way (`HALFWAY`) from the majority
      class's share to 100 %: below 55 % for ten classes of one size, below 75 % for two;
    - good fit: the gap's whole interval is below 10 points (`TOLERANCE`), a negative gap included;
    - cannot say: the gap's interval is so wide that it holds both small and large gaps, for n is too small.

    The gap's interval is Newcombe's for unrelated samples (`interval.newcombe`).  Looks at validation make a gap seem
    smaller than it is, so the validation accuracy is taken without its optimism, where that is known (`Score`).

    Args:
        train: measured in evaluation mode, as validation is; not the running mean of an epoch.
        validation: of the same model; or out of fold, of others that were trained as it was.
    """
    gap = train.accuracy.value - validation.accuracy.value
    low, high = interval = newcombe(_counts(train.accuracy), _counts(validation.accuracy))
    judged = "out of fold" if validation.accuracy.part == "out-of-fold" else "validation"
    parts = f"train {percent(train.accuracy.value)}, {judged} {percent(validation.accuracy.value)}"
    measured = f"gap {100 * gap:z.1f} points {ends(interval)}"
    if low > MARGIN:
        remedy = "try dropout, augmentation or more data"
        return Verdict("overfitting", f"{parts}, {measured}; {remedy}", gap, interval)
    if train.accuracy.interval[1] < train.baseline + HALFWAY * (1 - train.baseline):
        remedy = "try more epochs, another learning rate or a larger model"
        majority = f"majority class {percent(train.baseline)}"
        return Verdict("underfitting", f"{parts}, {majority}, {measured}; {remedy}", gap, interval)
    if high < TOLERANCE:
        return Verdict("good fit", f"{parts}, {measured}", gap, interval)
    few = f"n={validation.accuracy.n:,} is too few to tell"
    return Verdict("cannot say", f"{parts}, {measured}; {few}, validate on more samples", gap, interval)


def _counts(accuracy: Score) -> tuple[float, int]:
    return accuracy.value * accuracy.n, accuracy.n
