"""A model built anew from the layers of another: flat, cut, frozen or on other data, with what it has learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch

from ..core import BadShape, BadValue, UnknownName, suggestion
from ..layers import Call, InputLayer, Layer, RandomModule, Symbol
from ..layers.torch_layer import Torch
from ..models import BaseModel
from ..models.bound import BoundLayer, Weights
from ..models.graph import calls_of

Change: TypeAlias = Callable[[Layer], Layer]


@dataclass
class Regrown:
    """Layers of a model on other symbols.

    Attributes:
        output: what they give.
        learned: the new layers, in order, and the weights that each takes over.
        symbols: by name, the last that each layer gives.
    """

    output: Symbol
    learned: dict[Layer, Weights] = field(default_factory=dict)
    symbols: dict[str, Symbol] = field(default_factory=dict)

    @torch.no_grad()
    def fill(self, model: BaseModel) -> None:
        """Copies the weights into a model that has these layers.

        Raises:
            BadShape: weights that depend on the size of the input, which is another one.
        """
        for layer, weights in self.learned.items():
            for (weight, old), (_, new) in zip(weights, BoundLayer(layer, model.lowered).tensors(), strict=True):
                if old.shape != new.shape:
                    raise BadShape(
                        f"the base's {layer.name} has a {weight.name} of {tuple(old.shape)}; for samples "
                        f"{model.inputs[0].shape} it would be {tuple(new.shape)}; take the size that the base was made "
                        "for: --image-size."
                    )
                new.copy_(old)


def regrown(
    model: BaseModel, entry: Symbol, *, until: str | None = None, change: Change = lambda layer: layer
) -> Regrown:
    """The layers of a model, those of models in it included, on another symbol; what is random in training is left out.

    Args:
        model: of one input and one output.
        entry: stands for its input.
        until: the layer to end with; None: its last.
        change: what becomes of each layer; its weights stay of one shape.

    Raises:
        UnknownName: no layer `until`; the message suggests the nearest.
        BadShape: several inputs or outputs.
    """
    if (len(model.inputs), len(model.outputs)) != (1, 1):
        raise BadShape(
            f"the base has {len(model.inputs)} inputs and {len(model.outputs)} outputs; it must have one of each."
        )
    found, made = Regrown(entry), dict[Layer, Layer]()
    (found.output,) = _walk(model, [entry], found, made, change)
    if until is not None:
        if until not in found.symbols:
            raise UnknownName(f"the base has no layer {until!r}{suggestion(until, list(found.symbols))}")
        found.output = found.symbols[until]
        kept = {call.layer for call in calls_of([_source(entry)], [found.output])}
        found.learned = {layer: weights for layer, weights in found.learned.items() if layer in kept}
    return found


def _walk(
    model: BaseModel, entries: Sequence[Symbol], found: Regrown, made: dict[Layer, Layer], change: Change
) -> list[Symbol]:
    """The outputs of a model whose inputs are `entries`."""
    values = {(symbol.call, symbol.index): entry for symbol, entry in zip(model.inputs, entries, strict=True)}
    for call in calls_of(model.inputs, model.outputs):
        if isinstance(call.layer, InputLayer):
            continue
        symbols = [values[symbol.call, symbol.index] for symbol in call.inputs]
        if isinstance(call.layer, BaseModel):
            outputs = _walk(call.layer, symbols, found, made, change)
        else:
            outputs = [_called(model, call, symbols, found, made, change)]
        values |= {(call, number): output for number, output in enumerate(outputs)}
    return [values[symbol.call, symbol.index] for symbol in model.outputs]


def _called(
    model: BaseModel, call: Call, symbols: Sequence[Symbol], found: Regrown, made: dict[Layer, Layer], change: Change
) -> Symbol:
    """What a layer gives on new symbols; one that only trembles in training gives what it takes."""
    layer = call.layer
    assert isinstance(layer, Layer)
    name = model.lowered.names[layer]
    random = isinstance(model.lowered.mains[layer], RandomModule) and not isinstance(layer, Torch)
    if random and layer.out_shape(symbols[0].shape) == symbols[0].shape:
        return symbols[0]
    if layer not in made:
        if name in found.symbols:  # of another model within
            name = f"{model.name or 'model'}_{name}"
        made[layer] = change(replace(layer, name=name))
        found.learned[made[layer]] = BoundLayer(layer, model.lowered).tensors()
    output = made[layer](symbols[0] if len(symbols) == 1 else list(symbols))
    found.symbols[made[layer].name or name] = output
    return output


def _source(symbol: Symbol) -> Symbol:
    """The Input that a symbol comes from."""
    seen = [symbol]
    while seen:
        one = seen.pop()
        if isinstance(one.call.layer, InputLayer):
            return one
        seen += one.call.inputs
    raise BadValue("a base is built on symbols that come from an Input.")
