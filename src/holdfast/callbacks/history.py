"""History: what happened, epoch by epoch.  Drawing it is plot.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..training.events import Begin, End, EpochEnd, Event, Stop
from .monitor import counted

if TYPE_CHECKING:
    from .plot import Plot


@dataclass(eq=False, repr=False)
class History:
    """Records the logs of each epoch.

    Args:
        learning_rate: whether `history` has a list of that name; Keras's has beside a callback that sets the rate.

    Attributes:
        epoch: indices of the epochs, from 0.
        logs: the logs of each, learning_rate included.
        seconds: how long each trained, validation not counted.
        stop: why training ended before its last epoch, or None.
        measured: loss and metrics ("loss", "accuracy", "val_loss", ...) of the final weights, train and validation both
            in evaluation mode, which makes them comparable.  Empty until whoever measures fills it in.
    """

    learning_rate: bool = False
    epoch: list[int] = field(default_factory=list, init=False)
    logs: list[dict[str, float]] = field(default_factory=list, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    stop: Stop | None = field(default=None, init=False)
    measured: dict[str, float] = field(default_factory=dict, init=False)
    _resumed: bool = field(default=False, init=False)

    @property
    def history(self) -> dict[str, list[float]]:
        """One list for each key of the logs, in their order: loss, accuracy, val_loss, val_accuracy.

        A list is shorter than `epoch` when validation did not run each time, as in Keras.
        """
        keys = dict.fromkeys(key for logs in self.logs for key in logs if key != "learning_rate" or self.learning_rate)
        return {key: [logs[key] for logs in self.logs if key in logs] for key in keys}

    @property
    def learning_rates(self) -> list[float]:
        """The learning rate of each epoch."""
        return [logs["learning_rate"] for logs in self.logs if "learning_rate" in logs]

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                self._begin()
            case EpochEnd(epoch=epoch, logs=logs, seconds=seconds):
                self.epoch.append(epoch)
                self.logs.append(dict(logs))
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
        return {"epoch": list(self.epoch), "logs": [dict(logs) for logs in self.logs], "seconds": list(self.seconds)}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self.epoch, self.seconds = list(state["epoch"]), list(state["seconds"])
        self.logs = [dict(logs) for logs in state["logs"]]
        self._resumed = True

    def _begin(self) -> None:
        if not self._resumed:
            self.epoch, self.logs, self.seconds = [], [], []
        self.stop, self.measured, self._resumed = None, {}, False
