"""The calls behind some outputs, in the order in which Keras walks them, so that weights come in Keras's order."""

from collections.abc import Sequence

from ..core import BadValue, snake_case
from ..layers import Call, Source, Symbol


def calls_of(inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> list[Call]:
    """All calls between inputs and outputs, each after those that it needs.

    The order is that of keras.src.ops.function.map_graph: by falling distance from the outputs, then by the walk from
    the outputs that first met the layer.

    Raises:
        BadValue: an output depends on an input that is not among `inputs`.
    """
    entries = {symbol.call for symbol in inputs}
    met: dict[Source, int] = {}
    finished: dict[Call, None] = {}  # an ordered set
    for symbol in (*outputs, *inputs):
        _visit(symbol.call, entries, met, finished)
    depths: dict[Call, int] = {}
    layer_depths: dict[Source, int] = {}
    for call in reversed(finished):
        depth = max(depths.get(call, 0), layer_depths.get(call.layer, 0))
        depths[call] = layer_depths[call.layer] = depth
        for symbol in call.inputs:
            depths[symbol.call] = max(depth + 1, depths.get(symbol.call, 0))
    place = {call: number for number, call in enumerate(finished)}
    return sorted(finished, key=lambda call: (-depths[call], met[call.layer], place[call]))


def _visit(call: Call, entries: set[Call], met: dict[Source, int], finished: dict[Call, None]) -> None:
    """Finishes a call after all that it needs.  Python would not let a deep model's calls call each other."""
    stack = [(call, iter(call.inputs))]
    while stack:
        call, inputs = stack[-1]
        if call in finished:
            stack.pop()
            continue
        if not call.inputs and call not in entries:
            raise BadValue(f"the outputs depend on {call.layer.name or 'an Input'}, which is no input of the model.")
        met.setdefault(call.layer, len(met))
        following = next(inputs, None)
        if following is None:
            finished[call] = None
            stack.pop()
        else:
            stack.append((following.call, iter(following.call.inputs)))


def layers_of(calls: Sequence[Call]) -> list[Source]:
    """The layers of these calls, each once, in the order of their first call."""
    return list(dict.fromkeys(call.layer for call in calls))


def names_of(layers: Sequence[Source]) -> dict[Source, str]:
    """A unique name for each layer: its own, or its class in snake case, numbered from the second on ("conv2d_1").

    Raises:
        BadValue: two layers were given the same name.
    """
    given = [layer.name for layer in layers if layer.name is not None]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise BadValue(f"two layers are called {twice!r}; names must be unique in a model.")
    taken, counts, names = set(given), dict[str, int](), dict[Source, str]()
    for layer in layers:
        base = snake_case(type(layer).__name__)
        name = layer.name
        while name is None or (layer.name is None and name in taken):
            name = f"{base}_{counts[base]}" if base in counts else base
            counts[base] = counts.get(base, 0) + 1
        names[layer] = name
        taken.add(name)
    return names
