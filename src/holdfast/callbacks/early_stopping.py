"""EarlyStopping: ends training when a value no longer improves, and goes back to the best weights."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from torch import Tensor, nn

from ..training.events import Begin, End, EpochEnd, Event, Stop
from .monitor import Mode, Monitor, check_epochs, counted


@dataclass(eq=False)
class EarlyStopping:
    """Stops when `monitor` has not improved for `patience` epochs.

    As in Keras 3, except: the best weights are restored unless `restore_best_weights=False`; they are restored at the
    end of training however it ended, also when the last epoch was reached, a time budget was spent or an error was
    raised; and a NaN is never the best.

    Args:
        monitor: key of the logs.
        min_delta: smallest change that counts as an improvement.
        patience: epochs without improvement after which training stops; 0 and 1 stop at the first.  Epochs that
            `validation_freq` leaves out do not count.
        mode: "min", "max", or "auto": by the name.
        baseline: a value that must be beaten before patience starts anew.
        restore_best_weights: whether the model ends with the weights of its best epoch, a copy of which is kept on
            the same device.
        start_from_epoch: epochs that are not looked at, at the beginning.
        verbose: taken because Keras has it; the reason for stopping is shown anyway.

    Attributes:
        best: best value so far; None before the first.
        best_epoch: index of its epoch, from 0.
        wait: epochs since the last improvement.

    Raises:
        UnknownName: at the end of the first epoch, when the logs have no `monitor`.
    """

    monitor: str = "val_loss"
    _: KW_ONLY
    min_delta: float = 0.0
    patience: int = 0
    mode: Mode = "auto"
    baseline: float | None = None
    restore_best_weights: bool = True
    start_from_epoch: int = 0
    verbose: int = field(default=0, repr=False)
    best: float | None = field(default=None, init=False)
    best_epoch: int | None = field(default=None, init=False)
    wait: int = field(default=0, init=False)
    _weights: dict[str, Tensor] | None = field(default=None, init=False, repr=False)
    _resumed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        check_epochs("EarlyStopping", patience=self.patience, start_from_epoch=self.start_from_epoch)
        self._watch = Monitor("EarlyStopping", self.monitor, mode=self.mode, min_delta=self.min_delta)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                self._begin()
            case EpochEnd(state=state, epoch=epoch, logs=logs, judged=judged):
                value = self._watch.read(logs, judged=judged)
                if value is not None and epoch >= self.start_from_epoch:
                    return self._judge(value, epoch, state.model)
            case End(state=state) if self._weights is not None:
                state.model.load_state_dict(self._weights)
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self.best, self.best_epoch, self.wait = state["best"], state["best_epoch"], state["wait"]
        self._weights = state["weights"]
        self._resumed = True

    def _begin(self) -> None:
        if not self._resumed:
            self.best, self.best_epoch, self.wait, self._weights = None, None, 0, None
        self._resumed = False

    def _judge(self, value: float, epoch: int, model: nn.Module) -> Stop | None:
        self.wait += 1
        if self._watch.better(value, self.best):
            self._keep(value, epoch, model)
            if self.baseline is None or self._watch.better(value, self.baseline):
                self.wait = 0
            return None
        return Stop(self._reason(epoch)) if self.wait >= self.patience else None

    def _keep(self, value: float, epoch: int, model: nn.Module) -> None:
        self.best, self.best_epoch = value, epoch
        if self.restore_best_weights:
            self._weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def _reason(self, epoch: int) -> str:
        beaten = self.baseline is None or (self.best is not None and self._watch.better(self.best, self.baseline))
        failing = "improved" if beaten else f"beaten its baseline {self.baseline:g}"
        skipped = self.best_epoch is not None and epoch - self.best_epoch > self.wait
        noun = "judged epoch" if skipped else "epoch"
        reason = f"epoch {epoch + 1}: {self.monitor} has not {failing} for {counted(self.wait, noun)}"
        if self.best_epoch is None:
            return reason
        best = self.best_epoch + 1
        return reason + (f"; weights of epoch {best} restored" if self._weights else f"; the best was epoch {best}")
