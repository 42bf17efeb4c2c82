"""From a base to a classifier: data as the base takes it, its layers, frozen but for the last few, and a new head."""

from dataclasses import replace
from numbers import Integral

from ..core import BadShape, BadValue
from ..layers import (
    BatchNormalization,
    Concatenate,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    Input,
    Layer,
    Shape,
    Symbol,
)
from ..models import BaseModel, Model
from .recipe import DROPPED, head_on
from .regrow import Regrown, regrown

POOLS: dict[int, type[Layer]] = {
    2: GlobalAveragePooling1D,
    3: GlobalAveragePooling2D,
    4: GlobalAveragePooling3D,
}  # by the features' axes
KINDS = {1: "rows of numbers or sounds", 2: "series or sounds", 3: "pictures", 4: "volumes"}  # by the samples' axes


def assembled(
    base: BaseModel, classes: int, *, fine_tune: int, input_shape: Shape, seed: int, dropout: float | None = None
) -> Model:
    """A flat classifier of samples of a shape, whose last `fine_tune` layers of the base and head are trained.

    Raises:
        BadValue: a single class, or more layers to fine-tune than there are.
        BadShape: samples that the base does not take.
    """
    if not isinstance(classes, Integral) or classes < 2:
        raise BadValue(f"classifier(classes={classes!r}): must be a whole number of 2 or more.")
    entry = Input(input_shape)
    grown = _on(base, fitting(entry, base.inputs[0].shape), last_layers(base, fine_tune))
    x = grown.output
    if len(x.shape) > 1:
        x = POOLS[len(x.shape)]()(x)
    model = Model(entry, head_on(x, classes, DROPPED if dropout is None else dropout), base.name, seed=seed)
    grown.fill(model)
    return model


def last_layers(base: BaseModel, count: int) -> set[str]:
    """The names of the last layers with weights that can be trained.

    Raises:
        BadValue: there are fewer.
    """
    names = trainable(base)
    if count > len(names):
        raise BadValue(f"fine_tune={count}: the base has {len(names)} layers that can be trained; take at most those.")
    return set(names[len(names) - count :])


def trainable(base: BaseModel) -> list[str]:
    """The names of the layers with weights that can be trained, in the order of calling."""
    return [
        name
        for layer, name in base.lowered.names.items()
        if isinstance(layer, Layer) and layer.weights() and not isinstance(layer, BatchNormalization)
    ]


def fitting(entry: Symbol, wanted: Shape) -> Symbol:
    """Samples with as many channels as the base takes: grey is repeated.

    Raises:
        BadShape: samples of another kind.
    """
    shape = entry.shape
    if len(shape) == len(wanted) and shape[-1] == wanted[-1]:
        return entry
    if len(shape) == len(wanted) == 3 and (shape[2], wanted[2]) == (1, 3):
        return Concatenate()([entry, entry, entry])
    raise BadShape(
        f"the base takes {KINDS.get(len(wanted), 'samples')} {wanted}, the data has {KINDS.get(len(shape), 'samples')} "
        f"{shape}; take a base that was made for such data."
    )


def _on(base: BaseModel, entry: Symbol, trained: set[str]) -> Regrown:
    """The base's layers on other samples, frozen but for some.

    Raises:
        BadShape: they cannot take these.
    """
    try:
        return regrown(base, entry, change=lambda layer: replace(layer, trainable=layer.name in trained))
    except BadShape as error:
        raise BadShape(f"the base is made for {base.inputs[0].shape}, the data has {entry.shape}: {error}") from error
