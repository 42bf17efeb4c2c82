"""Models in pickles: as the bytes of our own .keras format, so that a pickle holds no objects of torch."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core import NotReady
from ..models import BaseModel, load_keras, save_keras
from ..transfer import FromBase


@dataclass(frozen=True)
class Stored:
    """A model as a .keras archive."""

    archive: bytes

    @classmethod
    def of(cls, model: BaseModel) -> "Stored | BaseModel":
        """The archive; the model itself while it has no weights, as it does not know its shape."""
        with TemporaryDirectory(prefix="holdfast-") as folder:
            path = Path(folder, "model.keras")
            try:
                save_keras(model, path)
            except NotReady:
                return model
            return cls(path.read_bytes())

    def model(self) -> BaseModel:
        """The model, which answers bit by bit as the first one did."""
        with TemporaryDirectory(prefix="holdfast-") as folder:
            path = Path(folder, "model.keras")
            path.write_bytes(self.archive)
            return load_keras(path)


def stored(value: Any) -> Any:  # Any: an attribute of an estimator
    """The value with `Stored` for a model, also for that in a `FromBase`, of which the loaded base is left out."""
    if isinstance(value, BaseModel):
        return Stored.of(value)
    return replace(value, base=stored(value.base)) if isinstance(value, FromBase) else value


def restored(value: Any) -> Any:  # Any: an attribute of an estimator
    """What `stored` was given."""
    if isinstance(value, Stored):
        return value.model()
    return replace(value, base=restored(value.base)) if isinstance(value, FromBase) else value
