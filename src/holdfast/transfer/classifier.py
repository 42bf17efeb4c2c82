"""A classifier on a base, and models of which a part is frozen."""

from dataclasses import replace
from pathlib import Path

from ..layers import Input, Shape
from ..models import BaseModel, Model
from .regrow import regrown
from .spec import FromBase


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
        >>> model = classifier(convnet((28, 28, 1), 10), 5)
        >>> sum(weight.numel() for weight in model.module.parameters() if weight.requires_grad)
        165
    """
    choice = FromBase(base, until, fine_tune)
    return choice.build(choice.loaded.inputs[0].shape if input_shape is None else input_shape, classes, seed=seed)


def freeze(model: BaseModel, until: str | None = None) -> Model:
    """The same model with the layers up to one frozen: training leaves them, and their batch statistics, alone.

    Args:
        model: is left as it is.
        until: the last layer to freeze, and all that it depends on; None: all layers.

    Raises:
        UnknownName: no layer `until`; the message suggests the nearest.

    Example:
        >>> from holdfast.models import convnet
        >>> [layer.name for layer in freeze(convnet((28, 28, 1), 10), "conv2d_1").layers if not layer.trainable]
        ['rescaling', 'conv2d', 'max_pooling2d', 'conv2d_1']
    """
    shape = model.inputs[0].shape
    names = {layer.name for layer in regrown(model, Input(shape), until=until).learned}
    entry = Input(shape)
    grown = regrown(
        model,
        entry,
        change=lambda layer: replace(layer, trainable=layer.trainable and layer.name not in names),
        random=True,
    )
    frozen = Model(entry, grown.output, model.name, seed=model.seed)
    grown.fill(frozen)
    frozen.classes, frozen.unknown, frozen.reads = model.classes, model.unknown, model.reads
    return frozen
