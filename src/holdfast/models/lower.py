"""Lowering: from a graph of layers to one torch module, an `fx.GraphModule` whose code can be read.

Tensors enter and leave channels-last; inside, those of rank 3 or more are channels-first.  For images the moves are
views of `channels_last` memory, so they cost nothing.
"""

import itertools
import keyword
import operator
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, cast

import torch
from torch import fx, nn

from ..core import BadShape, derive
from ..layers import ActivityPenalty, Call, Layer, Regularizer, Shape, Source, Symbol, Weight
from ..training.passes import fused
from .graph import calls_of, layers_of, names_of

Link: TypeAlias = Literal["linear", "softmax", "sigmoid"]


class Submodel(Source, Protocol):
    """A model that is used as a layer of another; it keeps its own weights."""

    def settle(self, seed: int, *, draw: bool = True) -> "Lowered": ...
    @property
    def outputs(self) -> Sequence[Symbol]: ...


@dataclass(frozen=True)
class Step:
    """A call as it was lowered: a row of the summary."""

    layer: Source
    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    repeated: bool  # whether an earlier call of the same layer counts its weights
    nodes: tuple[str, ...]  # of the graph that give the outputs, channels-first


@dataclass
class Lowered:
    """What became of a graph of layers.

    Attributes:
        module: takes and gives channels-last tensors; several outputs come as a tuple.
        names: the layers and their unique names, in Keras's order.
        mains: for each layer the module that holds its weights.
        steps: the calls, in order.
        penalties: module, name of the parameter in it, and what its size costs.
        constrained: weights that are brought back after each step, and the modules that hold them.
    """

    module: fx.GraphModule
    names: dict[Source, str]
    mains: dict[Source, nn.Module] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    penalties: list[tuple[nn.Module, str, Regularizer]] = field(default_factory=list)
    constrained: list[tuple[nn.Module, Weight]] = field(default_factory=list)
    _fused: tuple[list[nn.Module], nn.Module] | None = field(default=None, init=False, repr=False)  # of these parts

    @property
    def fastest(self) -> nn.Module:
        """What computes the same as `module` in the least time; the module itself once somebody has hooked into it."""
        parts = list(self.module.modules())
        if any(part._forward_hooks or part._forward_pre_hooks for part in parts):
            return self.module
        made = self._fused
        if made is None or made[0] != parts:  # whoever puts another module in is heard
            made = self._fused = parts, fused(self.module)
        return made[1]


def lower(inputs: Sequence[Symbol], outputs: Sequence[Symbol], *, seed: int, draw: bool = True) -> Lowered:
    """Builds the module of a graph and fills its weights; each value follows from the seed and the layer's place.

    Without `draw` the weights hold nothing yet, for whoever reads them from a file.

    Layers that another model has built on the same symbols come with their weights, which both then share.
    """
    calls = calls_of(inputs, outputs)
    names = names_of(layers_of(calls))
    words = _identifiers(names)
    root, graph = nn.Module(), fx.Graph()
    lowered = Lowered(fx.GraphModule(root, graph), names)
    entries = {symbol.call: graph.placeholder(words[symbol.call.layer]) for symbol in inputs}
    built: dict[Source, tuple[list[str], tuple[Shape, ...]]] = {}
    values: dict[tuple[Call, int], fx.Node] = {}
    modules = {call.layer: call.modules[0] for call in calls if call.modules}
    shared = set(modules)
    for call in calls:
        layer, shapes = call.layer, tuple(symbol.shape for symbol in call.inputs)
        nodes = [values[symbol.call, symbol.index] for symbol in call.inputs] or [entries[call]]
        repeated = layer in built
        if not repeated:
            if isinstance(layer, Layer) and layer not in modules:
                modules[layer] = layer.build(*shapes)
            built[layer] = _attach(root, layer, modules.get(layer), words[layer], lowered, seed, draw), shapes
        parts, first_shapes = built[layer]
        if shapes != first_shapes:
            raise BadShape(
                f"{names[layer]} is shared by inputs of shapes {first_shapes} and {shapes}; they must be equal."
            )
        if isinstance(layer, Layer):
            call.modules[:] = [modules[layer]]
            values[call, 0] = _chain(graph, parts, nodes)
            given: tuple[Shape, ...] = (layer.out_shape(*shapes),)
        else:
            given = tuple(symbol.shape for symbol in cast(Submodel, layer).outputs)
            values |= {(call, n): node for n, node in enumerate(_submodel(graph, parts[0], nodes, shapes, given))}
        ends = tuple(values[call, number].name for number in range(len(given)))
        lowered.steps.append(Step(layer, names[layer], shapes, given, repeated, ends))
    for place, (layer, main) in enumerate(lowered.mains.items()):
        if draw and isinstance(layer, Layer) and layer not in shared:
            layer.init(main, seed=derive(seed, "weights", place))
    results = [_outwards(graph, values[symbol.call, symbol.index], symbol.shape) for symbol in outputs]
    graph.output(results[0] if len(results) == 1 else tuple(results))
    lowered.module = ownerless(fx.GraphModule(root, graph, class_name="Lowered").eval())
    return lowered


def ownerless(module: fx.GraphModule) -> fx.GraphModule:
    """The module, whose graph no longer points back at it.

    So its weights are freed with the last reference to it, and do not wait for Python's garbage collector, which sees
    how many objects there are and not how large they are.
    """
    module.graph.owning_module = None
    return module


def _identifiers(names: dict[Source, str]) -> dict[Source, str]:
    """For each layer a word of its own that can name a module and an argument; it has no two underscores in a row."""
    taken = {"self", "torch", "operator", "getattr", *keyword.kwlist, *dir(fx.GraphModule(nn.Module(), fx.Graph()))}
    words: dict[Source, str] = {}
    for layer, name in names.items():
        base = re.sub(r"[^a-zA-Z0-9]+", "_", name)
        base = f"_{base}" if base[0].isdigit() else base
        numbered = (f"{base.rstrip('_')}_{number}" for number in itertools.count(1))
        words[layer] = base if base not in taken else next(word for word in numbered if word not in taken)
        taken.add(words[layer])
    return words


def _attach(
    root: nn.Module, layer: Source, module: nn.Module | None, target: str, lowered: Lowered, seed: int, draw: bool
) -> list[str]:
    """Puts the layer's modules under `root`; returns their names in the order of calling."""
    if not isinstance(layer, Layer):
        inner = cast(Submodel, layer).settle(derive(seed, "model", lowered.names[layer]), draw=draw)
        root.add_module(target, inner.module)
        lowered.penalties += inner.penalties
        lowered.constrained += inner.constrained
        lowered.mains[layer] = inner.module
        return [target]
    assert module is not None
    parts: dict[str, nn.Module] = {target: module}
    if type(module) is nn.Sequential:
        # Two underscores keep the helpers of "conv" apart from all layers, whose names have one at a time.
        parts = {target if part == "main" else f"{target}__{part}": child for part, child in module.named_children()}
    for part, child in parts.items():
        root.add_module(part, child)
    main = lowered.mains[layer] = parts[target]
    if layer.trainable:
        lowered.penalties += [(main, w.parameter, w.regularizer) for w in layer.weights() if w.regularizer is not None]
        lowered.constrained += [(main, weight) for weight in layer.weights() if weight.constraint is not None]
    else:  # as in Keras, what cannot change costs nothing
        main.requires_grad_(False)
    return list(parts)


def _chain(graph: fx.Graph, parts: list[str], nodes: list[fx.Node]) -> fx.Node:
    for part in parts:
        nodes = [graph.create_node("call_module", part, tuple(nodes))]
    return nodes[0]


def _submodel(
    graph: fx.Graph, target: str, nodes: list[fx.Node], shapes: tuple[Shape, ...], given: tuple[Shape, ...]
) -> list[fx.Node]:
    arguments = tuple(_outwards(graph, node, shape) for node, shape in zip(nodes, shapes, strict=True))
    results = [graph.create_node("call_module", target, arguments)]
    if len(given) > 1:
        results = [graph.call_function(operator.getitem, (results[0], n)) for n in range(len(given))]
    return [
        graph.call_function(torch.movedim, (node, -1, 1)) if len(shape) > 1 else node
        for node, shape in zip(results, given, strict=True)
    ]


def _outwards(graph: fx.Graph, node: fx.Node, shape: Shape) -> fx.Node:
    """From channels-first to channels-last."""
    return graph.call_function(torch.movedim, (node, 1, -1)) if len(shape) > 1 else node


def calls_in(module: fx.GraphModule) -> Counter[nn.Module]:
    """How often one forward pass calls each module, those of sub-models included."""
    counts: Counter[nn.Module] = Counter()
    for node in module.graph.nodes:
        if node.op == "call_module":
            child = module.get_submodule(node.target)
            counts += Counter([child]) + (calls_in(child) if isinstance(child, fx.GraphModule) else Counter())
    return counts


def links(module: fx.GraphModule) -> list[Link]:
    """The activation in which each output ends: "softmax" over the channels, "sigmoid", or "linear" for any other."""
    return [_link(module, node) for node in _results(module.graph)]


def _link(module: fx.GraphModule, node: Any) -> Link:  # Any: fx's own loose type of a node
    node, index = _last(node), 0
    if node.target is operator.getitem:
        node, index = node.args
    if node.op != "call_module":
        return "linear"
    child = module.get_submodule(node.target)
    if isinstance(child, fx.GraphModule):
        return links(child)[index]
    if isinstance(child, ActivityPenalty):
        return _link(module, node.args[0])
    if isinstance(child, nn.Softmax):
        return "softmax" if child.dim == 1 else "linear"
    return "sigmoid" if isinstance(child, nn.Sigmoid) else "linear"


def removable(module: fx.GraphModule) -> list[bool]:
    """For each output whether its last module is the very activation that `links` tells of."""
    ends = [_last(node) for node in _results(module.graph)]
    return [
        node.op == "call_module" and isinstance(module.get_submodule(node.target), (nn.Softmax, nn.Sigmoid))
        for node in ends
    ]


def for_training(module: fx.GraphModule, fuse: Sequence[Link]) -> fx.GraphModule:
    """The same module without the last activation of those outputs whose `fuse` is not "linear"; weights are shared."""
    if all(link == "linear" for link in fuse):
        return module
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    graph.graph_copy(module.graph, copied)
    results = []
    for node, link in zip(_results(module.graph), fuse, strict=True):
        result: Any = copied[node]  # Any: fx's own loose type of a node
        if link != "linear":
            before = copied[_last(node)].args[0]
            result = before if _last(node) is node else graph.call_function(torch.movedim, (before, *node.args[1:]))
        results.append(result)
    graph.output(results[0] if len(results) == 1 else tuple(results))
    training = fx.GraphModule(module, graph, class_name="Training")
    training.graph.eliminate_dead_code()
    training.delete_all_unused_submodules()
    training.recompile()
    return ownerless(training)


def _results(graph: fx.Graph) -> list[Any]:  # Any: fx's own loose type of a node's arguments
    """The nodes that a graph gives."""
    result = graph.output_node().args[0]
    return list(result) if isinstance(result, tuple) else [result]


def _last(node: Any) -> Any:  # Any: as above
    """The last node that computes: before the move to channels-last."""
    return _last(node.args[0]) if node.target is torch.movedim else node
