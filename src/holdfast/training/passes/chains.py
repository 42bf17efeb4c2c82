"""Finding chains of modules in an fx graph, and putting one module in the place of several."""

from collections.abc import Iterator, Sequence

from torch import fx, nn


def module_of(graph: fx.GraphModule, node: fx.Node | None) -> nn.Module | None:
    """The module that a node calls, unless somebody has hooked into it."""
    if node is None or node.op != "call_module":
        return None
    module = graph.get_submodule(str(node.target))
    return None if hooked(module) else module


def hooked(module: nn.Module) -> bool:
    """Whether somebody wants to hear when this module is called."""
    forward, backward = module._forward_hooks or module._forward_pre_hooks, module._backward_hooks
    return bool(forward or backward or module._backward_pre_hooks)


def following(graph: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """The one node that takes what this one gives, if nobody else does."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def chain(graph: fx.GraphModule, start: fx.Node, kinds: Sequence[tuple[type[nn.Module], bool]]) -> list[fx.Node | None]:
    """From `start` on, nodes that call modules of exactly these types; those that are not required may be missing.

    Returns:
        One node or None a kind; an empty list where a required one is missing.
    """
    found: list[fx.Node | None] = []
    node: fx.Node | None = start
    for kind, required in kinds:
        if node is not None and type(module_of(graph, node)) is kind:
            found.append(node)
            node = following(graph, node)
        elif required:
            return []
        else:
            found.append(None)
    return found


def calls(graph: fx.GraphModule) -> Iterator[fx.Node]:
    """The nodes that call modules, as they are now."""
    yield from [node for node in graph.graph.nodes if node.op == "call_module"]


def replace(
    graph: fx.GraphModule, nodes: Sequence[fx.Node | None], module: nn.Module, inputs: Sequence[fx.Node]
) -> None:
    """Calls `module` on `inputs` in the place of the last of `nodes`, and takes all of these out."""
    present = [node for node in nodes if node is not None]
    name = "fused__" + str(present[0].target).replace(".", "_")
    while hasattr(graph, name):
        name += "_"
    graph.add_submodule(name, module)
    with graph.graph.inserting_before(present[-1]):
        new = graph.graph.call_module(name, tuple(inputs))
    present[-1].replace_all_uses_with(new)
    for node in reversed(present):
        graph.graph.erase_node(node)
