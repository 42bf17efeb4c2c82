"""Batch norms that will not move any more, folded into the convolutions before them."""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ...layers.norm import BatchNorm
from .chains import calls, following, module_of, replace

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def folded(module: fx.GraphModule) -> fx.GraphModule:
    """What the module computes in evaluation mode, with the weights as they are now; equal but for rounding."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    made = fx.GraphModule(module, graph, class_name="Inference")
    for node in calls(made):
        conv, after = module_of(made, node), following(made, node)
        norm = module_of(made, after)
        if type(conv) not in CONVOLUTIONS or type(norm) is not BatchNorm or after is None:
            continue
        assert isinstance(conv, CONVOLUTIONS)
        last = following(made, after)
        act = module_of(made, last)
        limits = (0.0, 6.0) if type(act) is nn.ReLU6 else (0.0, None) if type(act) is nn.ReLU else None
        replace(made, [node, after, last if limits else None], Folded(conv, norm, limits), [node.all_input_nodes[0]])
    made.delete_all_unused_submodules()
    made.recompile()
    made.graph.owning_module = None  # or the weights would wait for Python's garbage collector
    return made


class Folded(nn.Module):
    """clamp(norm(conv(x))) in one convolution."""

    def __init__(
        self,
        conv: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        norm: BatchNorm,
        limits: tuple[float, float | None] | None,
    ) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.conv, self.limits = copy.copy(conv), limits
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        form = torch.channels_last if weight.dim() == 4 else torch.contiguous_format
        self.conv._parameters = {
            "weight": nn.Parameter(weight.detach().contiguous(memory_format=form), requires_grad=False),
            "bias": nn.Parameter(bias.detach(), requires_grad=False),
        }

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y if self.limits is None else y.clamp_(*self.limits)
