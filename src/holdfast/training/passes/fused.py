"""All passes, one after another."""

import torch
from torch import fx

from .. import native
from ..split import Split
from .block import fuse_first_block
from .chains import hooked
from .dropout import fuse_dropouts
from .narrow import turn_narrow
from .norm import fuse_norms, share_norms
from .pool import fuse_pools


def fused(module: torch.nn.Module) -> torch.nn.Module:
    """The same computation in fewer passes over memory, for training on a CPU; weights and buffers are shared.

    What has no place for it comes back as it is.
    """
    if isinstance(module, Split):
        return fused(module.head)
    if not isinstance(module, fx.GraphModule) or hooked(module) or not native.available():
        return module
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    copy = fx.GraphModule(module, graph, class_name="Fused")
    for apply in (fuse_first_block, fuse_norms, fuse_pools, fuse_dropouts, share_norms, turn_narrow):
        apply(copy)
    for node in copy.graph.nodes:
        if node.op == "call_module" and isinstance(child := copy.get_submodule(node.target), fx.GraphModule):
            copy.set_submodule(node.target, fused(child))
    copy.delete_all_unused_submodules()
    copy.recompile()
    copy.graph.owning_module = None  # or the weights would wait for Python's garbage collector
    return copy
