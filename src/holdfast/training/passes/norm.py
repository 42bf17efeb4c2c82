"""Batch normalization with the sum and the ReLU behind it."""

import operator
from collections import Counter

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...layers.merge import Sum
from ...layers.norm import BatchNorm
from ..native import Norm, View, fits
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


def share_norms(graph: fx.GraphModule) -> None:
    """What is normalized is given once to each of two who read it, and in the way in which they do.

    Zero padding comes out of it, and 1x1 convolutions with strides get the pixels that they see: torch's would scatter
    their gradient into zeros.
    """
    for node in calls(graph):
        norm, readers = module_of(graph, node), list(node.users)
        if not isinstance(norm, NormRelu) or len(readers) > 2:
            continue
        views = tuple(read(module_of(graph, reader)) for reader in readers)
        if len(readers) == 1 and views == (View(),):
            continue
        norm.views = views
        for place, (reader, view) in enumerate(zip(readers, views, strict=True)):
            with graph.graph.inserting_after(node):
                given = graph.graph.call_function(operator.getitem, (node, place))
            if view == View():
                reader.replace_input_with(node, given)
            elif view.step == 1:
                reader.replace_all_uses_with(given)
                graph.graph.erase_node(reader)
            else:
                replace(graph, [reader], Pointwise(module_of(graph, reader)), [given])


def read(reader: nn.Module | None) -> View:
    """How a module reads its input."""
    if type(reader) is nn.ZeroPad2d and min(reader.padding) >= 0:
        left, right, top, bottom = reader.padding
        return View(padding=(top, bottom, left, right))
    if type(reader) is nn.Conv2d and reader.kernel_size == (1, 1) and reader.padding in ((0, 0), "valid"):
        rows, columns = reader.stride
        return View(step=rows) if rows == columns else View()
    return View()


class Pointwise(nn.Module):
    """A convolution of 1x1 of which the pixels that its strides leave out have been taken out."""

    def __init__(self, conv: nn.Module | None) -> None:
        super().__init__()
        assert isinstance(conv, nn.Conv2d)
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.conv.weight, self.conv.bias, groups=self.conv.groups)


class NormRelu(nn.Module):
    """relu(norm(x) + other) in two passes forward and two back, where torch makes eight.

    With `views`, a tuple of what is read in each of these ways.
    """

    def __init__(self, norm: BatchNorm, relu: bool) -> None:
        super().__init__()
        self.norm, self.relu = norm, relu
        self.views: tuple[View, ...] = ()

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        norm = self.norm
        assert norm.running_mean is not None
        known = (norm.running_mean, norm.weight, norm.bias)
        alike = all(one is None or one.dtype is torch.float32 for one in known)
        alike = alike and (other is None or other.dtype == x.dtype)
        if not (norm.training and fits(x) and alike) or norm.add_up is not None:
            y: Tensor = norm(x)
            y = y if other is None else y + other
            y = y.relu() if self.relu else y
            return tuple(view.of(y) for view in self.views) if self.views else y
        mean, variance, *ys = Norm.apply(  # type: ignore[no-untyped-call]  # torch's own lack
            x, norm.weight, norm.bias, other, norm.eps, self.relu, self.views or (View(),)
        )
        norm.follow(mean, variance)
        return tuple(ys) if self.views else ys[0]
