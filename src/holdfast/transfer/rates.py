"""Discriminative learning rates and gradual unfreezing of any model, by the order of its layers."""

from typing import Any

from torch import Tensor

from ..core import BadValue
from ..layers import BatchNormalization, GroupNormalization, Layer, LayerNormalization
from ..models import BaseModel
from ..models.recipe import LEARNING_RATE, recipe_optimizer
from ..training import Discriminative, Optimizer

FACTOR = 0.7  # between a layer and the one above it; benchmarks/tune_fine_tuning.py, docs/transfer.md
UNFREEZE = 0.0  # share of the training after which all layers learn; there, to begin later showed no gain
NORMS = (BatchNormalization, GroupNormalization, LayerNormalization)


def discriminative(
    model: BaseModel,
    optimizer: str | Optimizer | None = None,
    *,
    factor: float = FACTOR,
    unfreeze: float = UNFREEZE,
) -> Discriminative:
    """An optimizer under which each deeper layer that is trained learns more slowly, and begins later.

    Args:
        model: whose trained layers count from its end; a normalization goes with the layer below it.
        optimizer: a name or an Optimizer, whose rate is that of the last layer; None: the default recipe's.
        factor: by which each deeper layer's learning rate is lower; 1 for equal rates.
        unfreeze: share of the training after which the deepest layer begins, and the others before it at equal
            distances; until then they stay as they are.  0: all begin at once.

    Raises:
        BadValue: numbers out of range, or a model that trains nothing.

    Source: Howard & Ruder 2018 (ULMFiT), whose factor is 1 / 2.6.

    Example:
        >>> from holdfast.models import dense
        >>> model = dense((8, 8, 1), 10)
        >>> model = model.compile(discriminative(model, "adamw", factor=0.5, unfreeze=0.4))
        >>> model.compiled.optimizer.rates, model.compiled.optimizer.starts
        ((0.5, 0.5, 1.0, 1.0), (0.4, 0.4, 0.0, 0.0))
    """
    if not 0 < factor <= 1:
        raise BadValue(f"discriminative(factor={factor}): must be above 0 and at most 1.")
    if not 0 <= unfreeze < 1:
        raise BadValue(f"discriminative(unfreeze={unfreeze}): must be at least 0 and less than 1.")
    depths = depths_of(model)
    if not depths:
        raise BadValue("discriminative: the model has no layer that is trained.")
    deepest = max(1, *depths)
    return Discriminative(
        optimizer=recipe_optimizer(LEARNING_RATE) if optimizer is None else optimizer,
        rates=[factor**depth for depth in depths],
        starts=[unfreeze * depth / deepest for depth in depths],
    )


def depths_of(model: BaseModel) -> list[int]:
    """For each weight that is trained, how many layers that are trained come after its own."""
    block, number = dict[int, int](), -1
    for layer, main in mains_of(model):
        trained = [weight for weight in main if weight.requires_grad and id(weight) not in block]
        if trained and (number < 0 or not isinstance(layer, NORMS)):
            number += 1
        block |= {id(weight): number for weight in trained}
    return [number - block[id(weight)] for weight in model.module.parameters() if weight.requires_grad]


def mains_of(model: BaseModel) -> list[tuple[Layer, list[Tensor]]]:
    """The layers in the order of calling, those of models within included, and the parameters of each."""
    found: list[tuple[Layer, list[Tensor]]] = []
    for layer, main in model.lowered.mains.items():
        if isinstance(layer, Layer):
            found.append((layer, list(main.parameters())))
        else:
            inner: Any = layer  # a model, see lower.Submodel
            found += mains_of(inner)
    return found
