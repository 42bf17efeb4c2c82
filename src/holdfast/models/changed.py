"""A model with other settings of single layers, told by paths such as "conv2d_1.filters" or "layers[2].filters"."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..core import BadValue, UnknownName, suggestion
from ..layers import InputLayer, Layer
from .config import from_config, to_config, to_json
from .model import BaseModel
from .net import Setting

NUMBERED = re.compile(r"layers\[(-?\d+)\]")


def changed(model: BaseModel, changes: Mapping[str, Setting], *, seed: int) -> BaseModel:
    """A fresh model like this one but for some settings; its weights follow from the seed, frozen layers keep theirs.

    Args:
        model: is left as it is; its compilation is the new one's, too.
        changes: values by path: the name of a layer, or layers[NUMBER] as in `model.layers`, and a setting.
        seed: of the weights, the order of samples and dropout.

    Raises:
        UnknownName: no such layer or setting; the message suggests the nearest.
        BadValue: a value that the layer does not take.

    Example:
        >>> from holdfast.models import convnet
        >>> wider = changed(convnet((28, 28, 1), 10), {"layers[1].filters": 8}, seed=0)
        >>> wider.layers[1].filters
        8
    """
    config = to_config(model)
    rows = {row["config"]["name"]: row for row in config["config"]["layers"]}
    told: dict[Layer, dict[str, Any]] = {}  # Any: fields of a layer
    for path, value in changes.items():
        layer, setting = place_of(model, path)
        told.setdefault(layer, {})[setting] = value
    for layer, settings in told.items():
        name = model.lowered.names[layer]
        try:
            new = replace(layer, **settings)  # says what is wrong in the words of the layer
        except BadValue as error:
            raise type(error)(f"layer {name!r}: {error}") from error
        rows[name]["config"] |= {setting: to_json(getattr(new, setting)) for setting in settings}
    fresh = from_config(config, seed=seed)
    keep_frozen(model, fresh, but=told)
    fresh.compiled = model.compiled
    return fresh


def place_of(model: BaseModel, path: str) -> tuple[Layer, str]:
    """The layer and the name of its setting that a path leads to.

    Raises:
        UnknownName: no such layer or setting; the message suggests the nearest.
    """
    where, _, setting = path.rpartition(".")
    names = {name: layer for layer, name in model.lowered.names.items() if not isinstance(layer, InputLayer)}
    if found := NUMBERED.fullmatch(where):
        number, shown = int(found[1]), list(model.layers)
        if not -len(shown) <= number < len(shown):
            raise UnknownName(f"{path}: the model has {len(shown)} layers, layers[0] to layers[{len(shown) - 1}].")
        name = model.lowered.names[shown[number]]
    elif where in names:
        name = where
    else:
        known = suggestion(where, list(names)) or f"; it has {', '.join(names)}"
        raise UnknownName(f"{path}: the model has no layer {where!r}{known}")
    layer = names.get(name)
    if not isinstance(layer, Layer):
        kind = "a model" if isinstance(layer, BaseModel) else "the input"
        raise BadValue(f"{path}: {name!r} is {kind}; settings are those of a layer.")
    known_settings = [one for one in layer.settings() if one not in ("name", "input_shape")]
    if setting not in known_settings:
        near = suggestion(setting, known_settings) or f"; it has {', '.join(known_settings)}"
        raise UnknownName(f"{path}: {type(layer).__name__} has no {setting!r}{near}")
    return layer, setting


def keep_frozen(model: BaseModel, fresh: BaseModel, *, but: Collection[Layer] = ()) -> None:
    """Copies the weights of the layers that are not trained into a model of the same layers, models within included.

    Args:
        model: where they are.
        fresh: where they go.
        but: layers of the model that are others in the fresh one.
    """
    for layer, name in model.lowered.names.items():
        if isinstance(layer, BaseModel):
            inner = fresh.get_layer(name).layer
            assert isinstance(inner, BaseModel)
            keep_frozen(layer, inner)
        elif isinstance(layer, Layer) and not layer.trainable and layer not in but:
            fresh.get_layer(name).set_weights(model.get_layer(name).get_weights())
