"""Embedding: whole numbers as vectors that are learned."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import BadData
from .constraints import get_constraint
from .initializers import get_initializer
from .layer import (
    REQUIRED,
    ConstraintSetting,
    InitializerSetting,
    Layer,
    RegularizerSetting,
    Shape,
    Weight,
    chain,
    integer,
    optional,
    positive,
    setting,
)
from .regularizers import ActivityPenalty, get_regularizer


def _no_mask(value: bool) -> str | None:
    return "is not supported, as no layer here reads masks; leave it out" if value else None


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """The vector of each whole number 0 <= i < input_dim.  (T,) -> (T, output_dim).

    Args:
        input_dim: how many numbers there are.
        output_dim: length of their vectors.
        mask_zero: as in Keras, but only False: no layer here would read the mask.
    """

    input_dim: int = setting(REQUIRED, convert=integer, check=positive)
    output_dim: int = setting(REQUIRED, convert=integer, check=positive)
    embeddings_initializer: InitializerSetting = setting("uniform", convert=get_initializer)
    embeddings_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    embeddings_constraint: ConstraintSetting = setting(None, convert=optional(get_constraint))
    activity_regularizer: RegularizerSetting = setting(None, convert=optional(get_regularizer))
    mask_zero: bool = setting(False, convert=bool, check=_no_mask)

    def out_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0], self.output_dim)

    def weights(self) -> tuple[Weight, ...]:
        settings = self.embeddings_initializer, self.embeddings_regularizer, self.embeddings_constraint
        return (Weight("embeddings", "weight", "", *settings),)

    def build(self, *shapes: Shape) -> nn.Module:
        main = Lookup(self.input_dim, self.output_dim)
        return chain(main=main, penalty=ActivityPenalty.wanted(self.activity_regularizer))

    def flops(self, *shapes: Shape) -> int:
        return 0

    def kept(self, *shapes: Shape) -> int:
        return math.prod(self.out_shape(*shapes)) + 2 * math.prod(shapes[0])  # with the places, 8 bytes each


class Lookup(nn.Module):
    """Row i of the weight for each number i; fractions are cut off, as in Keras.

    Numbers come as the model's inputs do, as floats, which hold whole ones up to 2**24 exactly.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        places = (x.movedim(1, -1) if x.dim() > 2 else x).long()
        try:
            return F.embedding(places, self.weight).movedim(-1, 1)
        except IndexError as error:  # on the CPU; a GPU has words of its own
            low, high = int(places.min()), int(places.max())
            raise BadData(
                f"Embedding: takes whole numbers from 0 to {len(self.weight) - 1}, got {low} to {high}."
            ) from error
