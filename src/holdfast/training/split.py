"""A model of which only the end is trained: what its frozen front gives was computed beforehand."""

from typing import Any

from torch import fx, nn


class Split(nn.Module):
    """Takes features, and has all weights of the model, by their names and in their order.

    So optimizers, checkpoints and early stopping see no difference, and a training may go on with the whole model.

    Args:
        whole: what takes samples.
        head: the end of it, on the same modules.
    """

    def __init__(self, whole: nn.Module, head: fx.GraphModule) -> None:
        super().__init__()
        for name, child in whole.named_children():
            self.add_module(name, child)
        self._both = whole, head  # in a tuple, or weights would be counted twice

    @property
    def whole(self) -> nn.Module:
        """From samples to the model's outputs."""
        return self._both[0]

    @property
    def head(self) -> fx.GraphModule:
        """From features to the model's outputs."""
        return self._both[1]

    def forward(self, features: Any) -> Any:  # Any: a tensor, or what the model gives
        return self.head(features)


def whole_of(model: nn.Module) -> nn.Module:
    """What takes samples."""
    return model.whole if isinstance(model, Split) else model
