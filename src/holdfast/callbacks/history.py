"""History: what happened, epoch by epoch.  Drawing it is plot.py."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..training.events import Begin, End, EpochEnd, Event, StepEnd, Stop
from .monitor import counted

if TYPE_CHECKING:
    from .plot import Plot

LISTS = ("epoch", "logs", "learning_rates", "seconds")  # what a history remembers: one entry an epoch


@dataclass(eq=False, repr=False)
class History:
    """Records the logs of each epoch.

    Args:
        learning_rate: whether `history` has a list of that name; Keras's has beside a callback that sets the rate.

    Attributes:
        epoch: indices of the epochs, from 0.
        logs: the logs of each.
        learning_rates: the learning rate of each, at its last step.
        seconds: how long each trained, validation not counted.
        stop: why training ended before its last epoch, or None.
        measured: loss and metrics ("loss", "accuracy", "val_loss", ...) of the final weights, train and validation both
            in evaluation mode, which makes them comparable.  Empty until whoever measures fills it in.
    """

    learning_rate: bool = False
    epoch: list[int] = field(default_factory=list, init=False)
    logs: list[dict[str, float]] = field(default_factory=list, init=False)
    learning_rates: list[float] = field(default_factory=list, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    stop: Stop | None = field(default=None, init=False)
    measured: dict[str, float] = field(default_factory=dict, init=False)
    _rate: float = field(default=0.0, init=False)
    _resumed: bool = field(default=False, init=False)

    @property
    def history(self) -> dict[str, list[float]]:
        """One list for each key of the logs, in their order: loss, accuracy, val_loss, val_accuracy.

        A list is shorter than `epoch` when validation did not run each time, as in Keras.
        """
        keys = dict.fromkeys(key for logs in self.logs for key in logs if key != "learning_rate")
        lists = {key: [logs[key] for logs in self.logs if key in logs] for key in keys}
        return lists | ({"learning_rate": list(self.learning_rates)} if self.learning_rate else {})

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case StepEnd(state=state):
                self._rate = state.learning_rate  # now, because at the end of the epoch others may change it before us
            case Begin():
                self._begin()
            case EpochEnd(epoch=epoch, logs=logs, seconds=seconds):
                self.epoch.append(epoch)
                self.logs.append(dict(logs))
                self.learning_rates.append(self._rate)
                self.seconds.append(seconds)
            case End(stop=stop):
                self.stop = stop
        return None

    def __repr__(self) -> str:
        last = "".join(f", {key} {value:.4g}" for key, value in self.logs[-1].items()) if self.logs else ""
        return f"History({counted(len(self.epoch), 'epoch')}{last}{f'; {self.stop.reason}' if self.stop else ''})"

    def plot(self, path: Path | str | None = None) -> "Plot":
        """Loss and, if there is one, accuracy over the epochs, of train and validation; the best epoch is marked.

        Train values in `measured` are drawn as dashed lines.  Nothing of pyplot is touched; in a notebook the figure
        shows itself.

        Args:
            path: where to save it too; the ending says the format: .png, .svg, .pdf.

        Returns:
            A matplotlib Figure.

        Raises:
            NotReady: no epoch has ended yet.
            BadValue: an ending that matplotlib does not write.
            BadFile: the file cannot be written.
        """
        from .plot import plot

        return plot(self, path)

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return deepcopy({name: getattr(self, name) for name in LISTS})

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        for name in LISTS:
            setattr(self, name, deepcopy(state[name]))
        self._resumed = True

    def _begin(self) -> None:
        if not self._resumed:
            self.epoch, self.logs, self.learning_rates, self.seconds = [], [], [], []
        self.stop, self.measured, self._resumed = None, {}, False
