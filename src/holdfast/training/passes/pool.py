"""Max-pooling with the ReLU before it."""

from torch import Tensor, fx, nn

from ..native import Pool, fits
from .chains import calls, chain, module_of, replace


def fuse_pools(graph: fx.GraphModule) -> None:
    """relu -> max-pooling becomes one module."""
    for node in calls(graph):
        found = chain(graph, node, [(nn.ReLU, True), (nn.MaxPool2d, True)])
        if found:
            relu, pool = (module_of(graph, one) for one in found)
            if relu is not None and pool is not None and (size := separate(pool)):
                replace(graph, found, ReluPool(relu, pool, size), [node.all_input_nodes[0]])


def separate(pool: nn.Module | None) -> tuple[int, int] | None:
    """The size of windows that lie side by side, without padding; None for others."""
    assert isinstance(pool, nn.MaxPool2d)
    size, strides = pair(pool.kernel_size), pair(pool.stride)
    plain = pair(pool.padding) == (0, 0) and pair(pool.dilation) == (1, 1) and not pool.ceil_mode
    return size if plain and size == strides and size[0] * size[1] < 255 else None


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of a setting of torch's."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


class ReluPool(nn.Module):
    """max-pooling of relu(x): one pass forward, one byte a value kept, one pass back."""

    def __init__(self, relu: nn.Module, pool: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.relu, self.pool, self.size = relu, pool, size

    def forward(self, x: Tensor) -> Tensor:
        if fits(x):
            return Pool.apply(x, self.size)  # type: ignore[no-untyped-call,no-any-return]  # torch's own lack
        # relu and max change places: the same result with a share of the work.
        return self.relu(self.pool(x))  # type: ignore[no-any-return]
