"""Any torch module as a layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..core import BadShape, BadValue
from .dropout import RandomModule
from .layer import REQUIRED, Layer, Shape, Weight, setting

Make = Callable[..., nn.Module]


def _callable(value: object) -> str | None:
    return None if callable(value) and not isinstance(value, nn.Module) else "must be a function that makes a module"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's global generator on the CPU begins at `seed`, and is afterwards where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@dataclass(frozen=True, eq=False)
class Torch(Layer):
    """A module of your own: `Torch(lambda shape: nn.Conv2d(shape[-1], 8, 3))`.

    Shapes are (H, W, C), as everywhere; the module itself sees and gives channels-first tensors (N, C, H, W), as
    torch's own do; vectors are (N, C).  Its first weights, and on a CPU what it draws in training, follow from the
    model's seed.  No model file has a word for it, as that would take running code from the file: `save_weights`,
    `get_weights`, checkpoints and `ModelCheckpoint("NAME.safetensors")` keep its weights.

    Args:
        make: from the shapes of the inputs, without the batch axis, to a new module each time.
    """

    make: Make = setting(REQUIRED, check=_callable)
    known: dict[tuple[Shape, ...], Shape] = field(default_factory=dict, init=False, repr=False)  # output shapes

    inputs_accepted = (1, None)

    def out_shape(self, *shapes: Shape) -> Shape:
        if shapes not in self.known:
            self.known[shapes] = self._tried(shapes)
        return self.known[shapes]

    def _tried(self, shapes: tuple[Shape, ...]) -> Shape:
        """What comes out for two samples of zeros."""
        module = self.build(*shapes).eval()
        try:
            with torch.no_grad(), seeded(0):
                result = module(*(torch.zeros(2, shape[-1], *shape[:-1], dtype=torch.float32) for shape in shapes))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            reason = str(error).partition("\n")[0]
            raise BadShape(
                f"{self.label}: its module does not take {' and '.join(map(str, shapes))}: {reason}"
            ) from error
        if not isinstance(result, Tensor) or result.dim() < 2 or len(result) != 2:
            said = f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
            raise BadShape(f"{self.label}: its module must give one tensor (N, C, ...), gave {said} for N = 2.")
        return (*result.shape[2:], result.shape[1])

    def build(self, *shapes: Shape) -> nn.Module:
        return Foreign(self, shapes)

    def made(self, shapes: tuple[Shape, ...], seed: int) -> nn.Module:
        """A new module."""
        with seeded(seed):
            module = self.make(*shapes)
        if not isinstance(module, nn.Module):
            raise BadValue(f"{self.label}: make returned {type(module).__name__}; it must return a torch module.")
        return module

    def weights_in(self, main: nn.Module) -> list[tuple[Weight, Tensor]]:
        """All numbers that the module keeps, but for torch's own counters."""
        kept = main.state_dict(keep_vars=True).items()
        return [(Weight(name, name), tensor) for name, tensor in kept if tensor.is_floating_point()]

    def init(self, main: nn.Module, *, seed: int) -> None:
        assert isinstance(main, Foreign)
        main.load_state_dict(Foreign(self, main.shapes, seed=seed).state_dict())


class Foreign(RandomModule):
    """Holds the user's module, in one piece whatever it is.

    On a CPU its draws in training follow from the seed of the step; on a GPU from torch's own generator.  Frozen, its
    batch normalizations leave their statistics alone.
    """

    def __init__(self, layer: Torch, shapes: tuple[Shape, ...], *, seed: int = 0) -> None:
        super().__init__()
        self.shapes, self.frozen = shapes, not layer.trainable
        self.module = layer.made(shapes, seed)

    def train(self, mode: bool = True) -> "Foreign":
        super().train(mode)
        for part in self.modules() if self.frozen else ():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self

    def forward(self, *xs: Tensor) -> Tensor:
        if not self.training or xs[0].device.type != "cpu":
            return self.module(*xs)  # type: ignore[no-any-return]  # torch's own lack
        with seeded(self.pass_over()):
            return self.module(*xs)  # type: ignore[no-any-return]  # torch's own lack
