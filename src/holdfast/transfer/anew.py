"""A fresh copy of a model, to be trained once more: what it was given to start with stays, the rest is drawn anew."""

from ..layers import Layer
from ..models import BaseModel, from_config, to_config
from .spec import FromBase


def anew(model: BaseModel, *, seed: int) -> BaseModel:
    """A copy with weights that follow from a seed; frozen layers keep theirs, and a base has those that it came with.

    Args:
        model: is left as it is; its compilation is the copy's, too.
        seed: of the weights, the order of samples and dropout.
    """
    fresh: BaseModel
    if isinstance(model.made_from, FromBase):
        fresh = model.made_from.build(model.inputs[0].shape, model.outputs[0].shape[-1], seed=seed)
    else:
        fresh = from_config(to_config(model), seed=seed)
        keep_frozen(model, fresh)
    fresh.compiled = model.compiled
    return fresh


def keep_frozen(model: BaseModel, fresh: BaseModel) -> None:
    """Copies the weights of the layers that are not trained into a model of the same layers, models within included."""
    for layer, name in model.lowered.names.items():
        if isinstance(layer, BaseModel):
            inner = fresh.get_layer(name).layer
            assert isinstance(inner, BaseModel)
            keep_frozen(layer, inner)
        elif isinstance(layer, Layer) and not layer.trainable:
            fresh.get_layer(name).set_weights(model.get_layer(name).get_weights())
