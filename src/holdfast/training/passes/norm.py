"""Batch normalization with the sum and the ReLU behind it."""

from collections import Counter

import torch
from torch import Tensor, fx, nn

from ...layers.merge import Sum
from ...layers.norm import BatchNorm
from ..native import Norm, fits
from .chains import calls, chain, following, module_of, replace


def fuse_norms(graph: fx.GraphModule) -> None:
    """batch norm (-> sum with something else) (-> relu) becomes one module."""
    times = Counter(node.target for node in calls(graph))
    for node in calls(graph):
        norm = module_of(graph, node)
        if type(norm) is not BatchNorm or times[node.target] > 1:  # shared ones keep the order of their calls
            continue
        (source,) = node.all_input_nodes
        after = following(graph, node)
        nodes: list[fx.Node | None] = [node]
        inputs = [source]
        if after is not None and type(module_of(graph, after)) is Sum:
            others = [one for one in after.args if isinstance(one, fx.Node) and one is not node]
            if len(after.args) == 2 and len(others) == 1:  # neither more nor itself twice
                nodes.append(after)
                inputs += others
                after = following(graph, after)
        relu = chain(graph, after, [(nn.ReLU, True)]) if after is not None else []
        replace(graph, nodes + relu, NormRelu(norm, bool(relu)), inputs)


class NormRelu(nn.Module):
    """relu(norm(x) + other) in two passes forward and two back, where torch makes eight."""

    def __init__(self, norm: BatchNorm, relu: bool) -> None:
        super().__init__()
        self.norm, self.relu = norm, relu

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        norm = self.norm
        assert norm.running_mean is not None
        alike = norm.running_mean.dtype is torch.float32 and (other is None or other.dtype == x.dtype)
        if not (norm.training and fits(x) and alike):
            y: Tensor = norm(x)
            y = y if other is None else y + other
            return y.relu() if self.relu else y
        y, mean, variance = Norm.apply(x, norm.weight, norm.bias, other, norm.eps, self.relu)  # type: ignore[no-untyped-call]
        norm.follow(mean, variance)
        return y
