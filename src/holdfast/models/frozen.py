"""The frozen front of a model: the layers that give the same for a sample in every epoch, and the rest of the model.

What the front gives is computed once and kept; that is kept_features.py.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ..layers import ActivityPenalty, RandomModule, Shape
from ..layers.norm import BatchNorm
from ..training.passes.chains import hooked
from ..training.split import Split
from .lower import Lowered, ownerless

FORMAT = "features 1"  # of what is kept; changes when other numbers would come out
NO_MATTER = ("name", "trainable", "input_shape", "seed")  # settings that change no number
NO_MATTER_ENDS = ("initializer", "regularizer", "constraint")


@dataclass(frozen=True, eq=False)
class Front:
    """The frozen front of a model.

    Attributes:
        trunk: from the model's inputs to the features, channels last.
        shape: of the features of one sample.
        cut: the name of the node that gives them.
        lowered: of the model.
    """

    trunk: fx.GraphModule
    shape: Shape
    cut: str
    lowered: Lowered

    def split(self, module: nn.Module) -> Split:
        """What comes after the front in a module that was made from the model, as a model of features."""
        assert isinstance(module, fx.GraphModule)
        return Split(module, _head(module, self.cut, len(self.shape)))

    @property
    def key(self) -> str:
        """16 hex digits for the front's layers and its weights as they are now."""
        state = hashlib.blake2b(digest_size=8)
        parts = set(map(id, self.trunk.modules()))
        for text in (FORMAT, str(self.trunk.graph), *_described(self.lowered, parts)):
            state.update(text.encode("utf-8", "surrogateescape") + b"\0")
        for name, tensor in (*self.trunk.named_parameters(), *self.trunk.named_buffers()):
            if not name.endswith("num_batches_tracked"):  # torch's own, of which nothing follows
                state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                state.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return state.hexdigest()


def front_of(lowered: Lowered) -> Front | None:
    """The largest frozen front that ends in one tensor; None where there is none worth it, or nothing behind it learns.

    A layer is frozen that has no weights, or keeps them, and draws nothing.  There must be weights in the front; layers
    without any are at its end as far as they make the features smaller.
    """
    module = lowered.module
    learns = [parameter.requires_grad for parameter in module.parameters()]
    if all(learns) or not any(learns) or any(map(hooked, module.modules())):
        return None
    shapes = {node: shape for step in lowered.steps for node, shape in zip(step.nodes, step.outputs, strict=True)}
    cuts = [node for node in _cuts(module) if node.name in shapes]  # they come from the end
    if not cuts:
        return None
    cut = min(cuts, key=lambda node: math.prod(shapes[node.name]))
    shape = shapes[cut.name]
    return Front(_trunk(module, cut, len(shape)), shape, cut.name, lowered)


def _cuts(module: fx.GraphModule) -> Iterator[fx.Node]:
    """Nodes through which all goes that the model makes of its inputs, all frozen before them: from the end to the last
    that has weights."""
    still: dict[fx.Node, None] = {}
    for node in module.graph.nodes:
        if all(before in still for before in node.all_input_nodes) and _frozen(module, node):
            still[node] = None
    weighted = {node for node in still if _weights(module, node)}
    for node in reversed(still):
        if node.op != "placeholder" and not any(one.op == "placeholder" for one in _after(module, node)):
            if weighted & _before(node):
                yield node
            if node in weighted:
                return


def _frozen(module: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node gives the same for the same inputs as long as training lasts."""
    if node.op != "call_module":
        return node.op in ("placeholder", "call_function")
    child = module.get_submodule(str(node.target))
    changing = (
        isinstance(part, (RandomModule, ActivityPenalty)) or (isinstance(part, BatchNorm) and not part.frozen)
        for part in child.modules()
    )
    return not any(changing) and not any(parameter.requires_grad for parameter in child.parameters())


def _weights(module: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and any(True for _ in module.get_submodule(str(node.target)).parameters())


def _before(node: fx.Node) -> set[fx.Node]:
    """The node, and all that it needs."""
    found, waiting = {node}, [node]
    while waiting:
        more = [one for one in waiting.pop().all_input_nodes if one not in found]
        found.update(more)
        waiting += more
    return found


def _after(module: fx.GraphModule, cut: fx.Node) -> set[fx.Node]:
    """All that the output needs beside the cut and what is needed for that alone."""
    found: set[fx.Node] = set()
    waiting = [module.graph.output_node()]
    while waiting:
        node = waiting.pop()
        if node is not cut and node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _trunk(module: fx.GraphModule, cut: fx.Node, rank: int) -> fx.GraphModule:
    needed, graph, copied = _before(cut), fx.Graph(), dict[fx.Node, fx.Node]()
    for node in module.graph.nodes:
        if node in needed or node.op == "placeholder":
            copied[node] = graph.node_copy(node, copied.__getitem__)
    features = copied[cut]
    graph.output(graph.call_function(torch.movedim, (features, 1, -1)) if rank > 1 else features)
    return ownerless(fx.GraphModule(module, graph, class_name="Trunk").eval())


def _head(module: fx.GraphModule, name: str, rank: int) -> fx.GraphModule:
    graph = fx.Graph()
    features = graph.placeholder("features")
    cut = next(node for node in module.graph.nodes if node.name == name)
    copied = {cut: graph.call_function(torch.movedim, (features, -1, 1)) if rank > 1 else features}
    needed = _after(module, cut)
    for node in module.graph.nodes:
        if node in needed:
            copied[node] = graph.node_copy(node, copied.__getitem__)
    return ownerless(fx.GraphModule(module, graph, class_name="Head"))


def _described(lowered: Lowered, parts: set[int]) -> Iterator[str]:
    """What the layers were made with whose modules are among these."""
    for layer, main in lowered.mains.items():
        if id(main) not in parts:
            continue
        if isinstance(inner := getattr(layer, "lowered", None), Lowered):  # a model
            yield from _described(inner, parts)
            continue
        settings: dict[str, Any] = layer.settings()  # type: ignore[attr-defined]  # a Layer: all others are models
        kept = {key: value for key, value in settings.items() if key not in NO_MATTER}
        yield f"{type(layer).__name__} " + repr(
            {key: value for key, value in kept.items() if not key.endswith(NO_MATTER_ENDS)}
        )
