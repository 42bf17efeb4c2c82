"""Ready-made models for series: convolutions along the steps, statistical features, and the front end of both."""

from ..layers import (
    Activation,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Cropping2D,
    Dense,
    Dot,
    Dropout,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MaxPooling1D,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    Shape,
    Symbol,
)
from .model import Model

NEVER = 80.0  # e to the minus 80 is nothing beside 1, in float32, too


def series_net(
    shape: Shape,
    classes: int,
    *,
    front: Layer | None = None,
    masked: bool = False,
    seed: int = 0,
    width=32,
    most=128,
    bn=True,
    left=24,
    kernel=7,
    pool="both",
    dropout=0.2,
    depth=1,
) -> Model:
    inputs = Input(shape)
    x = (front or Normalization())(inputs)
    mask = mask_of(inputs) if masked else None
    steps, filters = shape[0], width
    x = within(x, mask)
    while True:
        for _ in range(depth):
            x = Conv1D(filters, kernel, padding="same", use_bias=not bn, activation="linear" if bn else "relu")(x)
            if bn:
                x = Activation("relu")(BatchNormalization(momentum=0.9)(x))
            x = within(x, mask)
        if steps <= left:
            break
        x, mask = MaxPooling1D(2)(x), mask and MaxPooling1D(2)(mask)
        steps, filters, kernel = steps // 2, min(2 * filters, most), 5
    pooled = []
    if pool != "max":
        pooled.append(mean_of(x, mask))
    if pool != "mean":
        pooled.append(GlobalMaxPooling1D()(x))
    y = Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
    if dropout:
        y = Dropout(dropout)(y)
    return Model(inputs, Dense(classes, activation="softmax")(y), name="convnet", seed=seed)


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
    steps = mask.shape[0]
    shares = Activation("softmax")(Rescaling(NEVER)(Reshape((steps,))(mask)))
    return Dot(axes=(1, 1))([shares, x])
