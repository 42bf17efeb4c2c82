"""Dense layers of few outputs, computed lying on their side, which MKL does in less time."""

import torch
from torch import Tensor, fx, nn

from .chains import calls, chain, module_of, replace

MANY_INPUTS, FEW_OUTPUTS = 512, 64  # found by timing, as are
SAMPLES = range(128, 512)  # fewer are too little work; from here on MKL itself splits the work another way


def turn_narrow(graph: fx.GraphModule) -> None:
    """dense (-> relu) of many inputs and few outputs becomes one module."""
    for node in calls(graph):
        found = chain(graph, node, [(nn.Linear, True), (nn.ReLU, False)])
        linear, relu = (module_of(graph, one) for one in found) if found else (None, None)
        if isinstance(linear, nn.Linear) and narrow(linear):
            replace(graph, found, Narrow(linear, relu), node.all_input_nodes)


def narrow(linear: nn.Linear) -> bool:
    """Whether its shape gains; with a multiple of 16 outputs MKL fills its registers either way."""
    few = linear.out_features < FEW_OUTPUTS and linear.out_features % 16 > 0
    return few and linear.in_features > MANY_INPUTS


class Narrow(nn.Module):
    """relu(weight @ x.T + bias).T for relu(x @ weight.T + bias)."""

    def __init__(self, linear: nn.Linear, relu: nn.Module | None) -> None:
        super().__init__()
        self.parts = nn.Sequential(linear) if relu is None else nn.Sequential(linear, relu)
        self.linear, self.relu = linear, relu

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.linear.weight, self.linear.bias
        plain = x.dim() == 2 and x.device.type == "cpu" and x.dtype is weight.dtype is torch.float32
        # One thread alone gains nothing by it, and bfloat16 is not MKL's.
        gains = len(x) in SAMPLES and torch.get_num_threads() > 1 and not torch.is_autocast_enabled("cpu")
        if not (plain and gains):
            return self.parts(x)  # type: ignore[no-any-return]  # torch's own lack
        y = weight @ x.t() if bias is None else torch.addmm(bias[:, None], weight, x.t())
        return (y if self.relu is None else self.relu(y)).t()
