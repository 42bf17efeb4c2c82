"""From what `fit(augment=...)` was told to what changes the batches; augment_choice.py chooses by the kind of data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import layers as every_layer
from ..core import BadShape, BadValue, derive
from ..data import Augmentation, Batch, RandomShift
from ..data.reads import Reads
from ..data.rows import Samples
from ..layers import RandomTimeShift, Shape
from ..layers.augment import Augmenting, Draws, keys_of
from ..layers.augment_mix import Mixing
from ..layers.augment_shape import NEUTRAL, Affine, warp
from ..training import Head
from ..training.losses import Crossentropy, Hinge, SquaredHinge
from .augment_choice import choose
from .recipe import recipe_shift

if TYPE_CHECKING:
    from .model import BaseModel

Strength: TypeAlias = Literal["none", "light", "strong"]
Chosen: TypeAlias = RandomShift | Augmentation | Sequence[Augmenting] | Strength | Literal["auto"] | None

PIECE = 2**19  # numbers in a piece
STRENGTHS = ("none", "light", "strong")


@dataclass(frozen=True)
class Pipeline:
    """Layers that change batches one after another; what a sample undergoes follows from (seed, pass, sample).

    Whom it is mixed with are others of its batch, in an order that follows from all their keys.

    Attributes:
        layers: in their order.
        classes: of each output: how many there are to tell apart by one label; None where the target is a number or
            has a number for each already.
        masked: whether the last channel says which steps of a series were measured; it stays, and so do the gaps.
    """

    layers: tuple[Augmenting, ...]
    classes: tuple[int | None, ...]
    masked: bool = False

    @property
    def pairs(self) -> bool:
        """Whether what becomes of a sample depends on others of its batch."""
        return any(layer.pairs for layer in self.layers)

    def __call__(self, batch: Batch, samples: Tensor, seed: int, number: int) -> Batch:
        x, *others = batch.inputs
        draws = Draws(keys_of(samples.to(x.device), derive(seed, "augment", number)))
        for mixing, layers in groupby(self.layers, lambda layer: isinstance(layer, Mixing)):
            if not mixing:
                x = self.changed(x, list(layers), draws)
                continue
            for layer in layers:
                x, partner, own = self.mixed(x, cast(Mixing, layer), draws)
                batch = mixed_labels(batch, partner, own, self.classes)
        return replace(batch, inputs=(x, *others))

    def changed(self, x: Tensor, layers: Sequence[Augmenting], draws: Draws) -> Tensor:
        """The samples after layers that change each by itself."""
        together = runs(layers)
        made = []
        for piece in pieces(x):
            some = draws.part(piece)
            inside, mask = self.inside(x[piece])
            for run in together:
                inside = moved(inside, run, some) if len(run) > 1 else change(inside, run[0], some)
            made.append(self.outside(inside, mask, x.dtype))
        draws.taken = some.taken
        return made[0] if len(made) == 1 else torch.cat(made)

    def mixed(self, x: Tensor, layer: Mixing, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """The mixed samples; with whom, and the share of its own label, both (n,)."""
        partner = draws.order()
        made, shares = [], []
        for piece in pieces(x):
            some = draws.part(piece)
            one, mask = self.inside(x[piece])
            result, own = layer.mix(one, self.inside(x[partner[piece]])[0], some)
            made.append(self.outside(result, mask, x.dtype))
            shares.append(own)
        draws.taken = some.taken
        return torch.cat(made), partner, torch.cat(shares)

    def inside(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Samples as layers take them, channels first and floats; and what says which steps were measured."""
        x = x if x.is_floating_point() else x.float()
        x = x.movedim(-1, 1) if x.dim() > 2 else x
        return (x[:, :-1], x[:, -1:]) if self.masked else (x, None)

    def outside(self, x: Tensor, mask: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Samples as the model takes them; whole numbers are rounded, and stay within their range."""
        x = x if mask is None else torch.cat([x * (mask > 0), mask], 1)
        x = x.movedim(1, -1).contiguous() if x.dim() > 2 else x
        if dtype.is_floating_point:
            return x.to(dtype)
        limits = torch.iinfo(dtype)
        return x.round().clamp_(limits.min, limits.max).to(dtype)


def pieces(x: Tensor) -> list[slice]:
    """The samples in pieces that stay in the cache of a CPU while they are changed; elsewhere all at once."""
    size = len(x) if x.device.type != "cpu" else max(1, PIECE * len(x) // max(x.numel(), 1))
    return [slice(first, first + size) for first in range(0, len(x), size)]


def runs(layers: Sequence[Augmenting]) -> list[list[Any]]:  # Any: an Augmenting
    """Layers that are taken at once: moves of pictures that fill alike; and any other by itself."""
    split: list[list[Any]] = []
    for layer in layers:
        before = split[-1] if split else [None]
        if all(isinstance(one, Affine) and one.seed is None for one in (*before, layer)):
            fillings = {one.filling for one in (*before, layer)} - {None}
            if len(fillings) < 2:
                before.append(layer)
                continue
        split.append([layer])
    return split


def change(x: Tensor, layer: Augmenting, draws: Draws) -> Tensor:
    """Samples changed by a layer; one with a seed of its own draws from that."""
    if layer.seed is None:
        return layer.change(x, draws)
    return layer.change(x, Draws(keys_of(draws.keys, derive(layer.seed, "own"))))


def moved(x: Tensor, layers: Sequence[Affine], draws: Draws) -> Tensor:
    """Pictures moved by several layers at once: each pixel is looked up once, not once a layer."""
    matrix = layers[0].matrix(draws, *x.shape[2:])
    for layer in layers[1:]:
        matrix = matrix @ layer.matrix(draws, *x.shape[2:])
    filling = next((layer.filling for layer in layers if layer.filling), NEUTRAL)
    return warp(x, matrix, *filling)


def mixed_labels(batch: Batch, partner: Tensor, own: Tensor, classes: Sequence[int | None]) -> Batch:
    """The batch whose sample i has learned-from labels of share own[i] its own, the rest those of partner[i].

    The loss becomes own * weight * loss(label) + (1 - own) * weight' * loss(label'), for losses that are linear in the
    target as cross-entropy is, with smoothing or without: the weight of a sample is the mean of both, and in the shares
    of the classes each label counts by its weight.

    Args:
        partner, own: (n,) as `Mixing.mix` gives them.
        classes: as of `Pipeline`.
    """
    weights = batch.weights or (None,) * len(batch.targets)
    soft, targets, together = [], [], []
    for number, (target, weight, count) in enumerate(zip(batch.targets, weights, classes, strict=True)):
        values = batch.soft[number] if batch.soft else as_shares(target, count)
        mine, its = (own, 1 - own) if weight is None else (own * weight, (1 - own) * weight[partner])
        total = mine + its
        share = torch.where(total > 0, mine / total.clamp(min=1e-12), own).view(-1, *[1] * (values.dim() - 1))
        soft.append(torch.lerp(values[partner], values, share.to(values.dtype)))
        more = (own >= 0.5).view(-1, *[1] * (target.dim() - 1))
        targets.append(torch.where(more, target, target[partner]))
        together.append(None if weight is None else total)
    kept = tuple(together) if batch.weights else ()
    return replace(batch, targets=tuple(targets), weights=kept, soft=tuple(soft))


def as_shares(target: Tensor, classes: int | None) -> Tensor:
    """Labels as shares of the classes, (n, K) float32; numbers as they are."""
    if classes is None:
        return target.float()
    return F.one_hot(target.long().flatten(), classes).float()


def check_augment(who: str, augment: object) -> None:
    """Raises BadValue for what `fit` does not take."""
    listed = isinstance(augment, (list, tuple))
    known = augment is None or augment in ("auto", *STRENGTHS) if not listed else True
    if known and not listed:
        return
    if isinstance(augment, RandomShift) or (callable(augment) and not isinstance(augment, (type, Augmenting))):
        return
    if not listed or not augment or not all(isinstance(one, Augmenting) for one in cast(Sequence[object], augment)):
        raise BadValue(
            f"{who}(augment={augment!r}): must be 'auto', 'none', 'light', 'strong', a list of layers such as "
            "[RandomFlip('horizontal')], or a holdfast.data.RandomShift."
        )


def augmentation_for(
    augment: Chosen,
    model: "BaseModel",
    heads: Sequence[Head],
    data: Batch,
    *,
    reads: Reads | None,
    by_recipe: bool,
) -> Augmentation | None:
    """What changes the batches that the model is trained on.

    Args:
        augment: as `fit` takes it.
        heads: what the model learns.
        data: all samples that it learns from.
        reads: how raw files became them, if they did.
        by_recipe: whether the default recipe trains, which "auto" is about.

    Raises:
        BadValue, BadShape: layers that do not fit the data, or a model that holds layers that mix labels.
    """
    refused = next((layer for layer in model.layers if isinstance(layer, Mixing)), None)
    if refused is not None:
        raise BadValue(refused.refusal)
    if augment == "auto":
        return recipe_shift(model, [head.loss for head in heads]) if by_recipe else None
    if augment is None or augment == "none":
        return None
    if not isinstance(augment, (str, list, tuple)):
        return cast(Augmentation, augment)
    _check_targets(model, heads)
    images = cast(Samples, data.inputs[0])
    masked = bool(getattr(reads, "masked", False))
    layers = choose(augment, model, images, reads) if isinstance(augment, str) else tuple(augment)
    for layer in layers:
        _check_layer(layer, tuple(images.shape[1:]), heads, masked=masked)
    return Pipeline(layers, classes_of(model, heads, data.targets), masked)


def _check_targets(model: "BaseModel", heads: Sequence[Head]) -> None:
    """Raises BadValue where a changed sample would need changed targets, or others would need to change with it."""
    if len(model.inputs) != 1:
        raise BadValue(
            f"fit(augment=...): the model has {len(model.inputs)} inputs, and changing one alone may be unsound; "
            "put the layers into the model, behind the input that they are for."
        )
    for head, symbol in zip(heads, model.outputs, strict=True):
        if len(symbol.shape) > 1:
            raise BadValue(
                f"fit(augment=...): output {head.name!r} has a target at each place of the sample, {symbol.shape}, "
                "which would have to move with it; change the data yourself before fit."
            )


def _check_layer(layer: Augmenting, shape: Shape, heads: Sequence[Head], *, masked: bool) -> None:
    """Raises BadShape or BadValue for a layer that does not take such samples, or makes others of them."""
    made = layer.out_shape(shape)
    if isinstance(layer, Mixing) and any(isinstance(head.loss, (Hinge, SquaredHinge)) for head in heads):
        raise BadValue(
            f"fit(augment=...): {layer.label} mixes labels, and a hinge loss learns -1 or 1 only; leave it out."
        )
    if masked and isinstance(layer, (Mixing, RandomTimeShift)):
        raise BadValue(f"fit(augment=...): {layer.label} does not know the gaps of these series; leave it out.")
    if made != shape:
        raise BadShape(
            f"fit(augment=...): {layer.label} makes {made} of {shape}; put it into the model, as its first layer."
        )


def classes_of(model: "BaseModel", heads: Sequence[Head], targets: Sequence[Tensor]) -> tuple[int | None, ...]:
    """As of `Pipeline`."""
    return tuple(
        symbol.shape[-1] if isinstance(head.loss, Crossentropy) and target.numel() == len(target) else None
        for head, symbol, target in zip(heads, model.outputs, targets, strict=True)
    )


def recorded(augment: Chosen) -> tuple[int, str | list[dict[str, Any]]]:  # Any: JSON values
    """What was chosen as JSON holds it: pixels of a shift, and a word or layers; (0, "") for nothing.

    Raises:
        BadValue: code, of which no file can tell.
    """
    if isinstance(augment, RandomShift):
        return augment.pixels, ""
    if augment is None or augment == "none":
        return 0, ""
    if isinstance(augment, str):
        return 0, augment
    if not isinstance(augment, (list, tuple)):
        raise BadValue(
            f"train(augment={augment!r}): a run is kept so that it can be made again, and code is not; give layers, or "
            "train with model.fit."
        )
    return 0, to_rows(augment)


def from_recorded(shift: int, augment: str | Sequence[Mapping[str, Any]]) -> Chosen:  # Any: as above
    """What `recorded` was made from."""
    if shift:
        return RandomShift(shift)
    if isinstance(augment, str):
        return cast(Strength, augment or "none")
    return from_rows(augment)


def to_rows(layers: Sequence[Augmenting]) -> list[dict[str, Any]]:  # Any: JSON values
    """Layers as JSON holds them."""
    from .config import to_json

    left_out = ("name", "trainable", "input_shape")
    return [
        {
            "class_name": type(layer).__name__,
            "config": {key: to_json(value) for key, value in layer.settings().items() if key not in left_out},
        }
        for layer in layers
    ]


def from_rows(rows: Sequence[Mapping[str, Any]]) -> list[Augmenting]:  # Any: JSON values
    """What `to_rows` was made from.

    Raises:
        BadValue: no layer that augments.
    """
    made = []
    for row in rows:
        kind = getattr(every_layer, str(row.get("class_name")), None)
        if not isinstance(kind, type) or not issubclass(kind, Augmenting):
            raise BadValue(f"{row.get('class_name')!r} is no layer that augments.")
        made.append(kind(**row["config"]))
    return made
