"""Ready-made models for series: convolutions along the steps, statistical features, and the front ends of both.

Series with a mask in their last channel get a net of plain layers that minds it: what a convolution gives is multiplied
by the mask, so that outside of it all stays 0, as if the series ended there; and means are taken over the mask.  So the
answer does not depend on how much padding there is, and every format that has these layers carries it.
"""

import numpy as np
import torch
from torch import Tensor

from ..core import BadShape
from ..layers import (
    Activation,
    Concatenate,
    Conv1D,
    Cropping2D,
    Dot,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MaxPooling1D,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    SeriesNormalization,
    Shape,
    Source,
    Statistics,
    Symbol,
)
from .model import Model, Sequential
from .net import PLAIN, Net

LEFT = 32  # pooling goes on while there are more steps
FILTERS, MOST = 32, 128  # of the first convolution, and of any
CONVOLUTIONS = 3  # at least, however short the series are
LEVELS, SCALES = 3.0, 10.0  # see `series_front`
NEVER = 80.0  # e to the minus 80 is nothing beside 1, in float32, too
FLAT = 1e-10  # variance from which on a feature says something


def series_net(
    shape: Shape,
    classes: int,
    *,
    front: Layer | None = None,
    masked: bool = False,
    net: Net = PLAIN,
    seed: int = 0,
) -> Model:
    """Convolutions along the steps, pooled down to 32, then the mean and the largest value of each filter.

    32C7-P2-64C5-P2-128C5-... with batch normalization; where what is seen stands in the series does not matter.

    Args:
        shape: (T, C) of the series, the mask counted.
        classes: how many to tell apart.
        front: the layer that brings values near 1; None: they are as they should be.
        masked: whether the last channel says which steps were measured.
        net: what of this is to be otherwise; the first kernel is longer than the others by 2.
        seed: of the model.
    """
    if len(shape) != 2:
        raise BadShape(f"convnet: takes series (T, C), got {shape}.")
    inputs = Input(shape)
    mask = mask_of(inputs) if masked else None
    x = within((front or Normalization())(inputs), mask)
    steps, filters, number = shape[0], FILTERS, 1
    while True:
        width, side = net.width(filters, FILTERS), net.side(5) + 2 * (number == 1)
        for layer in net.convolution(Conv1D, width, side, padding="same", normalized=True):
            x = layer(x)
        x = within(x, mask)
        if number == net.layers:
            break
        if steps > LEFT:
            x, mask, steps = MaxPooling1D(2)(x), mask and MaxPooling1D(2)(mask), steps // 2
        elif net.layers is None and number >= CONVOLUTIONS:
            break
        filters, number = min(2 * filters, MOST), number + 1
    pooled = Concatenate()([mean_of(x, mask), GlobalMaxPooling1D()(x)])
    for layer in net.end(classes, dropout=0.2):
        pooled = layer(pooled)
    return Model(inputs, pooled, name="convnet", seed=seed)


def features_net(
    shape: Shape,
    classes: int,
    *,
    front: Layer | None = None,
    masked: bool = False,
    net: Net = PLAIN,
    seed: int = 0,
) -> Sequential:
    """Statistical features of series or sounds, and a dense net of one hidden layer behind them.

    Args:
        shape: (T, C) of the series, the mask counted, or (samples,).
        classes: how many to tell apart.
        front: the layer that brings the features near 1, see `features_front`; None: they are as they are.
        masked: whether the last channel says which steps were measured.
        net: what of this is to be otherwise.
        seed: of the model.
    """
    if len(shape) > 2:
        raise BadShape(f"features: takes series (T, C) or sounds (samples,), got {shape}; take the model 'convnet'.")
    hidden = [layer for _ in range(net.layers or 1) for layer in net.hidden(net.wide(64))]
    dense = [*hidden, *net.dropped(0.2), net.last(classes)]
    layers: list[Source | Symbol] = [Input(shape), Statistics(masked=masked), front or Normalization(), *dense]
    return Sequential(layers, name="features", seed=seed)


def series_front(train: Tensor, *, masked: bool = False) -> Layer:
    """The layer that standardises series: with one mean and variance of each channel for all, or of each series alone.

    One for all keeps levels and scales, which may tell classes apart.  Each series alone where these differ so much
    that most series would become flat lines: where in a channel the means of series spread over more than 3 times what
    the middle one of them varies, or the largest tenth of their deviations is 10 times the smallest tenth.

    Args:
        train: (N, T, C) training samples, the mask counted.
        masked: whether the last channel says which steps were measured.
    """
    values = (train[..., :-1] if masked else train).double()
    present = (train[..., -1:] > 0 if masked else torch.ones_like(values[..., :1])).double()
    count = present.sum(1).clamp(min=1)
    means = (values * present).sum(1) / count  # (N, C)
    variances = ((values - means[:, None]).square() * present).sum(1) / count
    deviations = variances.sqrt()
    low, middle, high = (deviations.quantile(share, 0) for share in (0.1, 0.5, 0.9))
    if bool(((means.std(0) > LEVELS * middle) | (high > SCALES * low))[middle > 0].any()):
        return SeriesNormalization(masked=masked, epsilon=max(1e-6 * float(variances.median()), 1e-12))
    mean = (values * present).sum((0, 1)) / count.sum()
    variance = ((values - mean).square() * present).sum((0, 1)) / count.sum()
    rest = [0.0] * masked, [1.0] * masked  # the mask stays as it is
    return Normalization().take([*mean.tolist(), *rest[0]], [*variance.tolist(), *rest[1]])


def features_front(train: Tensor, *, masked: bool = False) -> Normalization:
    """The layer that standardises the statistical features of such samples, each by its mean and variance."""
    features = Statistics(masked=masked)
    found = Sequential([Input(tuple(train.shape[1:])), features]).predict(train)
    variance = found.var(0, dtype=np.float64)
    return Normalization().take(
        found.mean(0, dtype=np.float64), [one if one > FLAT else 1.0 for one in variance.tolist()]
    )


def mask_of(series: Symbol) -> Symbol:
    """The last channel of a series, (T, 1)."""
    steps, channels = series.shape
    last = Cropping2D(((0, 0), (channels - 1, 0)))(Reshape((steps, channels, 1))(series))
    return Reshape((steps, 1))(last)


def within(x: Symbol, mask: Symbol | None) -> Symbol:
    """The series with 0 where nothing was measured."""
    return x if mask is None else Multiply()([x, mask])


def mean_of(x: Symbol, mask: Symbol | None) -> Symbol:
    """The mean of each channel over the steps that were measured."""
    if mask is None:
        return GlobalAveragePooling1D()(x)
    shares = Activation("softmax")(Rescaling(NEVER)(Reshape(mask.shape[:1])(mask)))
    return Dot(axes=(1, 1))([shares, x])
