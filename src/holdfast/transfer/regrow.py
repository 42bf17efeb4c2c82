"""A model built anew from the layers of another: flat, cut, frozen or on other data, with what it has learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch

from ..core import BadShape, UnknownName, suggestion
from ..layers import Call, InputLayer, Layer, RandomModule, Symbol, Torch
from ..models import BaseModel
from ..models.bound import BoundLayer, Weights
from ..models.graph import calls_of

Change: TypeAlias = Callable[[Layer], Layer]


@dataclass
class Regrown:
    """Layers of a model on other symbols.

    Attributes:
        output: what they give.
        learned: the new layers, in the order of calling, and the weights that each takes over.
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
    model: BaseModel,
    entry: Symbol,
    *,
    until: str | None = None,
    change: Change = lambda layer: layer,
    random: bool = False,
) -> Regrown:
    """The layers of a model, those of models in it included, on another symbol.

    Args:
        model: of one input and one output.
        entry: stands for its input.
        until: the layer to end with; None: its last.
        change: what becomes of each layer; its weights stay of one shape.
        random: whether layers that only change samples at random in training, as dropout does, come along.

    Raises:
        UnknownName: no layer `until`; the message suggests the nearest.
        BadShape: several inputs or outputs.
    """
    if (len(model.inputs), len(model.outputs)) != (1, 1):
        raise BadShape(
            f"the base has {len(model.inputs)} inputs and {len(model.outputs)} outputs; it must have one of each."
        )
    found = Regrown(entry)
    (found.output,) = _Growth(found, change, random).walk(model, [entry])
    if until is not None:
        if until not in found.symbols:
            raise UnknownName(f"the base has no layer {until!r}{suggestion(until, list(found.symbols))}")
        found.output = found.symbols[until]
        kept = behind(found.output)
        found.learned = {layer: weights for layer, weights in found.learned.items() if layer in kept}
    return found


def behind(symbol: Symbol) -> set[object]:
    """The layers that a symbol depends on."""
    waiting, seen = [symbol.call], set[Call]()
    while waiting:
        call = waiting.pop()
        if call not in seen:
            seen.add(call)
            waiting += [before.call for before in call.inputs]
    return {call.layer for call in seen}


@dataclass(frozen=True)
class _Growth:
    """The way through a model and those within it, call by call."""

    found: Regrown
    change: Change
    random: bool
    made: dict[Layer, Layer] = field(default_factory=dict)  # from a layer to the new one, which may be shared as it is

    def walk(self, model: BaseModel, entries: Sequence[Symbol]) -> list[Symbol]:
        """The outputs of a model whose inputs are `entries`."""
        values = {(symbol.call, symbol.index): entry for symbol, entry in zip(model.inputs, entries, strict=True)}
        for call in calls_of(model.inputs, model.outputs):
            if isinstance(call.layer, InputLayer):
                continue
            symbols = [values[symbol.call, symbol.index] for symbol in call.inputs]
            inner = call.layer
            outputs = self.walk(inner, symbols) if isinstance(inner, BaseModel) else [self.call(model, call, symbols)]
            values |= {(call, number): output for number, output in enumerate(outputs)}
        return [values[symbol.call, symbol.index] for symbol in model.outputs]

    def call(self, model: BaseModel, call: Call, symbols: list[Symbol]) -> Symbol:
        """What a layer gives on new symbols."""
        layer, found = call.layer, self.found
        assert isinstance(layer, Layer)
        name = model.lowered.names[layer]
        draws = isinstance(model.lowered.mains[layer], RandomModule) and not isinstance(layer, Torch)
        if draws and not self.random and layer.out_shape(symbols[0].shape) == symbols[0].shape:
            return symbols[0]
        if layer not in self.made:
            name = f"{model.name or 'model'}_{name}" if name in found.symbols else name  # of another model within
            self.made[layer] = self.change(replace(layer, name=name))
            found.learned[self.made[layer]] = BoundLayer(layer, model.lowered).tensors()
        output = self.made[layer](symbols[0] if len(symbols) == 1 else symbols)
        found.symbols[self.made[layer].name or name] = output
        return output
