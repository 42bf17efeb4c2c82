"""ModelCheckpoint: writes the model at the end of epochs.  How a model is written is for the function it is given."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from ..core import BadValue, UnknownName, whole_file
from ..training.events import Begin, EpochEnd, Event, Stop
from ..training.state import State
from .monitor import Mode, Monitor


def save_weights(state: State, path: Path) -> None:
    """Writes the model's parameters and buffers as safetensors, under their names in `state_dict()`."""
    from safetensors.torch import save

    # copies, because safetensors refuses tensors that share memory or are channels-last
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in state.model.state_dict().items()}
    path.write_bytes(save(tensors))


@dataclass(eq=False)
class ModelCheckpoint:
    """Saves the model at the end of each epoch, or of each epoch that is the best so far.

    A file appears whole or not at all.  What is in it follows from its ending: *.safetensors has the weights; *.keras
    is the model, as `Model.fit` provides.

    Args:
        filepath: path, in which {epoch} (from 1) and the keys of the logs stand for their values:
            "{epoch:02d}-{val_loss:.2f}.keras".  Folders are made.  With a value of validation in it, epochs that
            `validation_freq` leaves out are not saved.
        monitor: key of the logs that says which epoch is best.
        save_best_only: whether to save only when `monitor` improved.
        mode: "min", "max", or "auto": by the name.
        save: `save(state, path)` writes the file, at a temporary path beside the final one and with another ending.
            None: by the ending.
        verbose: taken because Keras has it; files speak for themselves.

    Attributes:
        best: best value saved so far, with `save_best_only`.
        default_save: what writes the file when `save` is None; for other endings than .safetensors it is set by each
            `fit`, which knows the model.

    Raises:
        BadValue: at the beginning of training, when there is no `save` for this ending.
        UnknownName: a key that the logs do not have.
        BadFile: the file cannot be written.
    """

    filepath: str | Path
    monitor: str = "val_loss"
    _: KW_ONLY
    save_best_only: bool = False
    mode: Mode = "auto"
    save: Callable[[State, Path], object] | None = None
    verbose: int = field(default=0, repr=False)
    best: float | None = field(default=None, init=False)
    default_save: Callable[[State, Path], object] | None = field(default=None, init=False, repr=False)
    _resumed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.filepath = str(self.filepath)
        if self.save is None and self.filepath.endswith(".safetensors"):
            self.default_save = save_weights
        self._watch = Monitor("ModelCheckpoint", self.monitor, mode=self.mode) if self.save_best_only else None

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                self._begin()
            case EpochEnd(state=state) if self._wanted(event):
                self._write(state, event.epoch, event.logs)
        return None

    def state_dict(self) -> dict[str, Any]:  # Any: see Resumable
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: see Resumable
        self.best, self._resumed = state["best"], True

    def _begin(self) -> None:
        if self.save is None and self.default_save is None:
            raise BadValue(
                f"ModelCheckpoint({self.filepath!r}): only *.safetensors can be written without a model of holdfast; "
                "use that ending or pass save=function(state, path)"
            )
        if not self._resumed:
            self.best = None
        self._resumed = False

    def _wanted(self, event: EpochEnd) -> bool:
        if not event.judged and "{val_" in str(self.filepath):
            return False
        if self._watch is None:
            return True
        value = self._watch.read(event.logs, judged=event.judged)
        better = value is not None and self._watch.better(value, self.best)
        if better:
            self.best = value
        return better

    def _write(self, state: State, epoch: int, logs: Mapping[str, float]) -> None:
        save = self.save or self.default_save
        assert save is not None  # Begin saw to it
        with whole_file(self._path(epoch, logs)) as path:
            save(state, path)

    def _path(self, epoch: int, logs: Mapping[str, float]) -> Path:
        try:
            return Path(str(self.filepath).format(epoch=epoch + 1, **logs))
        except (KeyError, IndexError) as error:
            known = ", ".join(["epoch", *logs])
            raise UnknownName(f"ModelCheckpoint({self.filepath!r}): no value {error}, only {known}") from error
        except ValueError as error:
            raise BadValue(f"ModelCheckpoint({self.filepath!r}): {error}") from error
