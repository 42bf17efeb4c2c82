"""Where data enters a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .layer import REQUIRED, Call, Layer, Shape, ShapeSetting, Symbol, setting, shape_of


@dataclass(frozen=True, eq=False)
class InputLayer(Layer):
    """The entry of a model: arrays (N, *shape), channels last.  Made by `Input`."""

    shape: ShapeSetting = setting(REQUIRED, convert=shape_of)

    inputs_accepted = (0, 0)

    def out_shape(self, *shapes: Shape) -> Shape:
        return self.shape

    def build(self, *shapes: Shape) -> nn.Module:
        return Enter()

    def flops(self, *shapes: Shape) -> int:
        return 0


def Input(shape: int | Sequence[int], *, name: str | None = None) -> Symbol:  # noqa: N802  (Keras's name)
    """A symbol for data of this shape, channels last and without the batch axis: `Input((28, 28, 1))`."""
    layer = InputLayer(shape, name=name)
    return Symbol(layer.shape, Call(layer, ()))


class Enter(nn.Module):
    """From what users give, channels-last and of any number type, to channels-first floats; the move is a view."""

    def forward(self, x: Tensor) -> Tensor:
        x = x if x.is_floating_point() else x.float()
        return x.movedim(-1, 1) if x.dim() > 2 else x
