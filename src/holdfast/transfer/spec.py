"""A base as the choice of a model: each training on it begins with a fresh head and the same weights below it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..core import BadValue
from ..layers import Shape
from ..models import BaseModel, Model
from .assembling import assembled, last_layers
from .base import Preprocessing, load_base


@dataclass(frozen=True)
class FromBase:
    """A classifier on a base, as `train`, `cross_validate` and the like take it in place of a model.

    Args:
        base: what `load_base` takes; it is loaded once.
        until: the layer whose outputs are the features.
        fine_tune: how many of its last layers with weights are trained, too.
        preprocessing: of pictures, where the base does not say it itself.
        dropout: share of the features that is dropped before the head; None: 0.1.
    """

    base: str | Path | BaseModel
    until: str | None = None
    fine_tune: int = 0
    preprocessing: Preprocessing | None = None
    dropout: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.fine_tune, bool) or not isinstance(self.fine_tune, int) or self.fine_tune < 0:
            raise BadValue(f"FromBase(fine_tune={self.fine_tune!r}): must be a whole number of at least 0.")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise BadValue(f"FromBase(dropout={self.dropout!r}): must be at least 0 and less than 1.")

    @cached_property
    def loaded(self) -> BaseModel:
        """The base itself."""
        return load_base(self.base, until=self.until, preprocessing=self.preprocessing)

    @property
    def place(self) -> str:
        """Where it can be read again: a whole path, or a name; "" for a model from memory."""
        if isinstance(self.base, BaseModel):
            return ""
        return str(Path(self.base).resolve()) if Path(self.base).exists() else str(self.base)

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(H, W) of the pictures that it was made for; None for other data."""
        shape = self.loaded.inputs[0].shape
        return (shape[0], shape[1]) if len(shape) == 3 else None

    @property
    def label(self) -> str:
        """What messages and reports call it."""
        given = self.base.name or "a model" if isinstance(self.base, BaseModel) else str(self.base)
        return f"{given} until {self.until}" if self.until else given

    def check(self) -> None:
        """Raises what `build` would raise for any data."""
        last_layers(self.loaded, self.fine_tune)

    def build(self, shape: Shape, classes: int, *, seed: int) -> Model:
        """A fresh classifier of samples of a shape; the seed is that of its head."""
        model = assembled(
            self.loaded, classes, fine_tune=self.fine_tune, input_shape=shape, seed=seed, dropout=self.dropout
        )
        model.made_from = self
        return model
