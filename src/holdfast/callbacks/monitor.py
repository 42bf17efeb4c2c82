"""Monitor: which value of the logs is watched, and when a new one is better.  Acting on it is for the callbacks."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Literal, TypeAlias

from ..core import BadValue, UnknownName

Mode: TypeAlias = Literal["auto", "min", "max"]

# What the last known word of a name says: val_log_loss falls, f1_score rises.
FALLING = {"loss", "error", "crossentropy", "divergence", "hinge", "huber", "mae", "mse"}
RISING = {"acc", "accuracy", "auc", "f1", "iou", "kappa", "precision", "recall", "score", "similarity"}


@dataclass(frozen=True)
class Monitor:
    """The value of the logs that a callback watches.

    Attributes:
        owner: the callback's class, for the error messages.
        name: key of the logs, e.g. "val_loss".
        mode: "min" when smaller is better, "max" when larger is; "auto" tells by the name.
        min_delta: what a value must gain to be better; its sign does not count.

    Raises:
        BadValue: an unknown mode, or "auto" and a name that tells nothing.
    """

    owner: str
    name: str
    _: KW_ONLY
    mode: Mode = "auto"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "min", "max"):
            raise BadValue(f"{self.owner}(mode={self.mode!r}): must be 'auto', 'min' or 'max'")
        self.rises  # noqa: B018  # asked here, so that a name that tells nothing is refused when the callback is made

    @property
    def rises(self) -> bool:
        """Whether larger values are better."""
        if self.mode != "auto":
            return self.mode == "max"
        for word in reversed(self.name.split("_")):
            if word in FALLING or word in RISING:
                return word in RISING
        raise BadValue(
            f"{self.owner}(monitor={self.name!r}): the name does not tell whether smaller or larger is better; "
            "pass mode='min' or mode='max'"
        )

    def read(self, logs: Mapping[str, float], *, judged: bool = True) -> float | None:
        """The watched value; None for one of validation in an epoch that was not `judged`: there is nothing to say.

        Raises:
            UnknownName: the logs have no such key; the message lists those they have.
        """
        if self.name in logs:
            return logs[self.name]
        if self.name.startswith("val_") and not judged:
            return None
        known = ", ".join(key for key in logs if key != "learning_rate")
        remedy = ""
        if self.name.startswith("val_") and not any(key.startswith("val_") for key in logs):
            remedy = "; pass validation data to have its values"
        raise UnknownName(f"{self.owner}(monitor={self.name!r}): the logs have no such value, only {known}{remedy}")

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` improves on `than` by more than `min_delta`.  Anything improves on None, NaN on nothing."""
        if than is None:
            return not math.isnan(value)
        gain = value - than if self.rises else than - value
        return gain > abs(self.min_delta)


def check_epochs(owner: str, **settings: object) -> None:
    """Raises BadValue unless each of the settings is a number of epochs."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise BadValue(f"{owner}({name}={value!r}): must be 0 or more epochs, a whole number")


def counted(n: int, noun: str) -> str:
    """ "1 epoch", "5 epochs"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
