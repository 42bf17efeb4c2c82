"""A fresh copy of a model, to be trained once more: what it was given to start with stays, the rest is drawn anew."""

from ..models import BaseModel, from_config, to_config
from ..models.changed import keep_frozen
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
