"""A classifier on a base: the base's layers, frozen but for the last few, and a head that is learned anew."""

from dataclasses import replace
from pathlib import Path

from ..core import BadShape, BadValue
from ..layers import (
    BatchNormalization,
    Concatenate,
    Dense,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    Input,
    Layer,
    Shape,
    Symbol,
)
from ..models import BaseModel, Model
from .base import load_base
from .regrow import Regrown, regrown

POOLS = {2: GlobalAveragePooling1D, 3: GlobalAveragePooling2D, 4: GlobalAveragePooling3D}  # by the features' axes


def classifier(
    base: BaseModel | str | Path,
    classes: int,
    *,
    until: str | None = None,
    fine_tune: int = 0,
    input_shape: Shape | None = None,
    seed: int = 0,
) -> Model:
    """A base with a head that tells classes apart, as one flat model; training changes the head alone.

    What the base draws at random in training, as dropout does, is left out of it.

    Args:
        base: what `load_base` gives, or takes.
        classes: how many.
        until: the layer whose outputs are the features; None: the base's last.
        fine_tune: how many of the base's layers with weights, from its end, are trained, too.  Batch normalization is
            not counted and stays as it is, its statistics included.
        input_shape: of the data; None: the base's own.  A base of convolutions takes pictures of any size, and grey
            ones where it was made for RGB.
        seed: of the head.

    Raises:
        UnknownName: no layer `until`; the message suggests the nearest.
        BadValue: more layers to fine-tune than there are.
        BadShape: data that the base does not take.

    Example:
        >>> from holdfast.models import convnet
        >>> base = load_base(convnet((28, 28, 1), 10))
        >>> model = classifier(base, 5)
        >>> sum(p.numel() for p in model.module.parameters() if p.requires_grad)
        165
    """
    if classes < 2:
        raise BadValue(f"classifier(classes={classes}): must be 2 or more.")
    if not isinstance(base, BaseModel) or until is not None:
        base = load_base(base, until=until, preprocessing="none" if isinstance(base, BaseModel) else None)
    entry = Input(base.inputs[0].shape if input_shape is None else input_shape)
    inside = _fitting(entry, base.inputs[0].shape)
    trained = last_layers(base, fine_tune)
    grown = _on(base, inside, trained)
    x = grown.output
    if len(x.shape) > 1:
        x = POOLS[len(x.shape)]()(x)
    model = Model(entry, Dense(classes, activation="softmax")(x), base.name, seed=seed)
    grown.fill(model)
    return model


def freeze(model: BaseModel, until: str | None = None) -> Model:
    """The same model with the layers up to one frozen: training leaves them, and their batch statistics, alone.

    Args:
        model: is left as it is.
        until: the last layer to freeze, and all that it depends on; None: all layers.

    Raises:
        UnknownName: no layer `until`; the message suggests the nearest.
    """
    entry = Input(model.inputs[0].shape)
    names = {layer.name for layer in regrown(model, Input(model.inputs[0].shape), until=until).learned}
    grown = regrown(model, entry, change=lambda layer: replace(layer, trainable=layer.name not in names))
    frozen = Model(entry, grown.output, model.name, seed=model.seed)
    grown.fill(frozen)
    frozen.classes, frozen.reads = model.classes, model.reads
    return frozen


def last_layers(base: BaseModel, count: int) -> set[str]:
    """The names of the last layers with weights that can be trained, in the order of calling.

    Raises:
        BadValue: there are fewer.
    """
    names = [
        base.lowered.names[layer]
        for layer in base.layers
        if isinstance(layer, Layer) and layer.weights() and not isinstance(layer, BatchNormalization)
    ]
    if not 0 <= count <= len(names):
        raise BadValue(f"fine_tune={count}: must be 0 to {len(names)}, the layers of the base that can be trained.")
    return set(names[len(names) - count :])


def _on(base: BaseModel, entry: Symbol, trained: set[str]) -> Regrown:
    """The base's layers on other symbols, frozen but for some.

    Raises:
        BadShape: they cannot take what the entry gives.
    """
    try:
        return regrown(base, entry, change=lambda layer: replace(layer, trainable=layer.name in trained))
    except BadShape as error:
        raise BadShape(f"the base is made for {base.inputs[0].shape}, the data has {entry.shape}: {error}") from error


def _fitting(entry: Symbol, wanted: Shape) -> Symbol:
    """The data with as many channels as the base takes: grey is repeated.

    Raises:
        BadShape: data of another kind.
    """
    shape = entry.shape
    if len(shape) == len(wanted) and shape[-1] == wanted[-1]:
        return entry
    if len(shape) == len(wanted) == 3 and (shape[2], wanted[2]) == (1, 3):
        return Concatenate()([entry, entry, entry])
    kinds = {1: "rows of numbers", 2: "series or sounds", 3: "pictures", 4: "volumes"}
    raise BadShape(
        f"the base takes {kinds.get(len(wanted), 'samples')} {wanted}, the data has {kinds.get(len(shape), 'samples')} "
        f"{shape}; take a base that was made for such data."
    )
