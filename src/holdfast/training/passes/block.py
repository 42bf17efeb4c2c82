"""The first block: pictures as they come, rescaled, convolved, cut off at 0 and pooled in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from ...layers.input import Enter
from ...layers.norm import Affine
from ..native import Block
from .chains import calls, chain, module_of, replace
from .pool import separate


def fuse_first_block(graph: fx.GraphModule) -> None:
    """enter (-> affine) (-> zero padding) -> convolution of one channel -> relu -> max-pooling becomes one module."""
    kinds = [(Enter, True), (Affine, False), (nn.ZeroPad2d, False)]
    kinds += [(nn.Conv2d, True), (nn.ReLU, True), (nn.MaxPool2d, True)]
    for node in calls(graph):
        found = chain(graph, node, kinds)
        if found and takes(module_of(graph, found[3])) and separate(module_of(graph, found[5])):
            replace(graph, found, FirstBlock([module_of(graph, one) for one in found]), [node.all_input_nodes[0]])


def takes(conv: nn.Module | None) -> bool:
    """Whether the kernel computes this convolution; of more channels torch does it as fast."""
    assert isinstance(conv, nn.Conv2d)
    plain = conv.stride == conv.dilation == (1, 1) and conv.padding_mode == "zeros"
    known = conv.in_channels == 1 and conv.kernel_size in ((3, 3), (5, 5)) and conv.out_channels % 8 == 0
    return plain and known and not isinstance(conv.padding, str)


class FirstBlock(nn.Module):
    """What these modules do one after another: Enter, Affine or None, ZeroPad2d or None, Conv2d, ReLU, MaxPool2d."""

    def __init__(self, modules: Sequence[nn.Module | None]) -> None:
        super().__init__()
        self.parts = nn.Sequential(*[module for module in modules if module is not None])
        _, affine, pad, conv, _, pool = modules
        assert isinstance(conv, nn.Conv2d)
        self.conv, self.pool = conv, separate(pool) or (1, 1)
        left, right, top, bottom = pad.padding if isinstance(pad, nn.ZeroPad2d) else (0, 0, 0, 0)
        rows, columns = (int(side) for side in conv.padding)
        self.padding = top + rows, bottom + rows, left + columns, right + columns
        self.affine = (affine.scale.item(), affine.offset.item()) if isinstance(affine, Affine) else (1.0, 0.0)
        self.no_bias = torch.zeros(conv.out_channels, dtype=torch.float32, device="cpu")

    def forward(self, x: Tensor) -> Tensor:
        picture = x.dim() == 4 and x.shape[-1] == 1
        known = x.dtype in (torch.uint8, torch.float32) and picture and not x.requires_grad
        if not known or x.device.type != "cpu" or self.conv.weight.dtype is not torch.float32:
            return self.parts(x)  # type: ignore[no-any-return]  # torch's own lack
        bias = self.no_bias if self.conv.bias is None else self.conv.bias
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        return Block.apply(  # type: ignore[no-untyped-call,no-any-return]  # as above
            x.contiguous(), self.conv.weight, bias, self.affine, self.padding, self.pool, dtype
        )
