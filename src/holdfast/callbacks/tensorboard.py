"""TensorBoard: the logs of each epoch as curves in a browser."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import BadFile, need
from ..training.events import Begin, End, EpochEnd, Event, Stop

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(eq=False)
class TensorBoard:
    """Writes scalars as Keras does: `epoch_loss` over epochs from 0, below `log_dir`/train and `log_dir`/validation.

    Look at them with `tensorboard --logdir LOG_DIR`.

    Args:
        log_dir: a folder of this run alone.

    Raises:
        MissingExtra: at the beginning of training, when tensorboard is not installed.
        BadFile: at the beginning of training, when the folder cannot be written.
    """

    log_dir: str | Path = "logs"
    _writers: "dict[str, SummaryWriter]" = field(default_factory=dict, init=False, repr=False)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case Begin():
                need("tensorboard", extra="tensorboard")
                self._writer("train")
            case EpochEnd(epoch=epoch, logs=logs):
                for name, value in logs.items():
                    part = "validation" if name.startswith("val_") else "train"
                    self._writer(part).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
            case End():
                for writer in self._writers.values():
                    writer.close()
                self._writers.clear()
        return None

    def _writer(self, part: str) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter

        if part not in self._writers:
            try:
                self._writers[part] = SummaryWriter(str(Path(self.log_dir) / part))
            except OSError as error:
                raise BadFile(f"TensorBoard: cannot write {self.log_dir}: {error.strerror or error}") from error
        return self._writers[part]
