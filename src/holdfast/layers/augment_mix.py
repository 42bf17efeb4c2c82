"""Samples mixed with others of their batch, and their labels with them."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..core import BadShape, BadValue
from .augment import Augmenting, Draws, SeedSetting, SpanSetting, each, from_zero, seed_setting, span
from .augment_shape import box
from .layer import REQUIRED, Setting, Shape, optional, setting, shape_of, share

RANKS = {1: "(F,)", 2: "(T, C)", 3: "(H, W, C)", 4: "(D, H, W, C)"}


@dataclass(frozen=True, eq=False)
class Mixing(Augmenting):
    """Base of those that mix labels, too: given to `fit(augment=[...])`.

    Inside a model, where no layer can change labels, they do nothing; training it is refused.

    A sample stays the larger part of what it becomes, so that each pass sees all of them; Keras draws the other half of
    the shares, too, by which samples change places, and the same pairs come out.
    """

    pairs: ClassVar[bool] = True

    def build(self, *shapes: Shape) -> nn.Module:
        return Refused(self.refusal)

    @property
    def refusal(self) -> str:
        """Why a model that holds it cannot be trained."""
        return (
            f"{self.label}: mixes labels, too, which no layer of a model can; "
            f"take it out of the model and give it to fit(augment=[{type(self).__name__}(...)])."
        )

    @abstractmethod
    def mix(self, x: Tensor, other: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Samples mixed with others, (n, ...) both, and the share that each one's own label keeps, (n,)."""

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        raise BadValue(self.refusal)


class Refused(nn.Module):
    """Hands its input on; in training it says why it cannot."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise BadValue(self.reason)
        return x


@dataclass(frozen=True, eq=False)
class MixUp(Mixing):
    """Each sample and its label averaged with those of another, by a weight of the beta distribution.

    Args:
        alpha: of the distribution, > 0: small ones hardly mix, 1 mixes evenly.
        seed: mixed into the seed of the training.

    Source: Zhang et al. 2017, mixup: Beyond empirical risk minimization.
    """

    forms = RANKS

    alpha: Setting[float, float] = setting(0.2, convert=float, check=lambda value: _above_zero(value))
    seed: SeedSetting = seed_setting()

    def mix(self, x: Tensor, other: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        own = _larger(draws.beta(torch.full(draws.keys.shape, self.alpha, dtype=torch.float64, device=x.device)))
        return torch.lerp(other, x, each(own, x)), own


def _larger(share: Tensor) -> Tensor:
    return torch.maximum(share, 1 - share)


def _above_zero(value: float) -> str | None:
    return None if value > 0 else "must be positive"


@dataclass(frozen=True, eq=False)
class CutMix(Mixing):
    """A rectangle of each picture replaced by that of another; labels are mixed by the pixels of each.

    Args:
        factor: alpha of the beta distribution of the share that stays, drawn between two numbers from 0 to 1; one
            stands for 0 and itself.
        seed: mixed into the seed of the training.

    Source: Yun et al. 2019, CutMix: Regularization strategy to train strong classifiers with localizable features.
    """

    factor: SpanSetting = setting(1.0, convert=span(0, 1, one=from_zero))
    seed: SeedSetting = seed_setting()

    def mix(self, x: Tensor, other: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        side = (1 - _larger(draws.beta(draws.uniform(*self.factor) + 1e-6))).sqrt()
        replaced = box(draws, x, side, side)
        return torch.where(replaced, other, x), 1 - replaced.float().mean((1, 2, 3))


@dataclass(frozen=True, eq=False)
class RandomSwap(Augmenting):
    """In training, so large a share of the values of each row of a table comes from another row.  (F,) -> (F,).

    Every value stays one that its column has, whatever it stands for; the label stays the row's own.

    Args:
        rate: 0 <= rate < 1.
        widths: how many features each column has, which are swapped together, such as the ones and zeros of a word;
            None: each feature is a column.
        seed: mixed into the seed of the model, from which the draws of each step follow.
    """

    forms: ClassVar[dict[int, str]] = {1: "(F,)"}
    pairs: ClassVar[bool] = True

    rate: Setting[float, float] = setting(REQUIRED, convert=float, check=share)
    widths: Setting[int | Sequence[int] | None, Shape | None] = setting(None, convert=optional(shape_of))
    seed: SeedSetting = seed_setting()

    def out_shape(self, *shapes: Shape) -> Shape:
        found = super().out_shape(*shapes)
        if self.widths is not None and sum(self.widths) != found[0]:
            raise BadShape(f"{self.label}: widths are of {sum(self.widths)} features, the rows have {found[0]}.")
        return found

    def change(self, x: Tensor, draws: Draws) -> Tensor:
        partner = draws.order()
        swapped = draws.take(len(self.widths or x[0])) < self.rate
        if self.widths is not None:
            columns = zip(swapped.unbind(1), self.widths, strict=True)
            swapped = torch.cat([column[:, None].expand(-1, width) for column, width in columns], 1)
        return torch.where(swapped, x[partner], x)
