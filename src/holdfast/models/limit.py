"""Making a model of a stranger's configuration without taking more memory than its file can fill."""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..core import BadFile
from .config import Json, from_config
from .model import BaseModel

FREE = 96 * 2**20  # bytes that any model may take: filter banks, arrays among its settings
PER_NUMBER = 32  # bytes for a weight, all in all: itself, and what is taken on the way


class Limit(TorchFunctionMode):
    """Within it, tensors may be made until they have taken so many bytes in all.

    Not a TorchDispatchMode, which would import torch's compiler, in a second.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def __torch_function__(  # Any: as torch calls it
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.check(4 * _numbers(func, args))  # before it is made: it may be filled at once
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and not made.is_meta:
            storage = made.untyped_storage()
            given = {one.untyped_storage().data_ptr() for one in args if isinstance(one, Tensor) and not one.is_meta}
            if storage.data_ptr() not in given:
                self.check(storage.nbytes())
                self.left -= storage.nbytes()
        return made

    def check(self, size: int) -> None:
        """Raises BadFile where so many bytes are too many."""
        if size > self.left:
            raise BadFile("its configuration asks for far more weights than the file holds.")


def _numbers(func: Any, args: tuple[Any, ...]) -> int:  # Any: as torch calls it
    """How many numbers a call will make, where its arguments say it."""
    first = args[0] if args else None
    if func is torch.linspace:
        return int(args[2])
    if func is nn.functional.pad and isinstance(first, Tensor):
        widths = (*args[1], *[0] * (2 * first.ndim - len(args[1])))
        return math.prod(first.shape[-1 - n] + widths[2 * n] + widths[2 * n + 1] for n in range(first.ndim))
    if len(args) == 2 and all(isinstance(one, Tensor) for one in args):
        sizes = zip_longest(*(reversed(one.shape) for one in args), fillvalue=1)
        return math.prod(max(pair) for pair in sizes)  # one stretches to the other
    sides = first if isinstance(first, (list, tuple)) else (first,)
    return math.prod(sides) if sides and all(isinstance(side, int) for side in sides) else 0


def made(
    config: Mapping[str, Json], shapes: Iterable[tuple[int, ...]], *, seed: int, adapt: Callable[[BaseModel], None]
) -> BaseModel:
    """The model of a configuration, whose weights hold nothing yet, ready for those of the file.

    Args:
        shapes: of all arrays in the file.
        adapt: what must be told its layers before they are built.

    Raises:
        BadFile: it would take far more memory than the weights in the file.
        BadValue: as `from_config` says.
    """
    with Limit(FREE + PER_NUMBER * sum(math.prod(shape) for shape in shapes)):
        model = from_config(config, seed=seed)
        adapt(model)
        model.settle(model.seed, draw=False)
    return model
