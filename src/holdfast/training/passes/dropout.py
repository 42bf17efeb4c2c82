"""Dropout with its draws made where they are used."""

from torch import Tensor, fx, nn

from ...layers.dropout import DropoutModule
from ..native import CODES, Dropped
from .chains import calls, module_of, replace


def fuse_dropouts(graph: fx.GraphModule) -> None:
    """Dropout of single values becomes one pass over memory."""
    for node in calls(graph):
        module = module_of(graph, node)
        if type(module) is DropoutModule and not module.shared_axes:
            replace(graph, [node], Dropout(module), node.all_input_nodes)


class Dropout(nn.Module):
    """The same draws as the module's own, for tensors that the kernel takes."""

    def __init__(self, module: DropoutModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        module = self.module
        if not self.drops(x, x.numel()):
            return module(x)  # type: ignore[no-any-return]  # torch's own lack
        return Dropped.apply(x, (module.take(x.numel()),), module.least, module.scale)  # type: ignore[no-untyped-call,no-any-return]

    def drops(self, x: Tensor, each: int) -> bool:
        """Whether values are dropped, and the kernel takes x, of which `each` follow from one seed."""
        taken = x.device.type == "cpu" and x.dtype in CODES and each % 16 == 0 and x.dim() > 1
        return taken and self.module.training and self.module.rate > 0
