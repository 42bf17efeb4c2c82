"""Where a model puts the samples of validation, before its last layer decides: points for the report."""

import numpy as np
from numpy.typing import NDArray

from ..core import derive
from ..data import Dataset
from ..evaluate import Score, wilson
from ..layers import Layer, Symbol
from ..models import BaseModel, Model
from .baseline import drawn, sides_of, values_of
from .pages.told import Embedded, Plane

SAMPLES, FEWEST = 300, 30  # of validation that are drawn; with fewer there is nothing to see


def embedded_of(model: BaseModel, data: Dataset, probabilities: NDArray[np.float32], seed: int) -> Embedded | None:
    """Samples of validation as the model's last layer sees them, and as they are; None where there is no such layer.

    Args:
        model: a classifier.
        data: that it was trained on.
        probabilities: (N, K) that it gives to validation.
        seed: of the draw.
    """
    symbol = features_of(model)
    part = data.validation
    if symbol is None or len(part) < FEWEST:
        return None
    from ..features.embedding import like_neighbours, neighbour_plane, principal_plane

    places = drawn(part.labels.numpy(), SAMPLES, derive(seed, "embedding"))
    some = part.take(places)
    features = Model(model.inputs, symbol).predict(some).reshape(len(some), -1)
    raw = values_of(some, None, sides_of(data.shape))
    if min(features.shape[1], raw.shape[1]) < 2 or not all(np.isfinite(one).all() for one in (features, raw)):
        return None
    if np.ptp(features, axis=0).max() == 0:  # a model that has learned nothing may send all to one point
        return None
    labels = some.labels.numpy()
    spread, held = principal_plane(features)
    as_they_are, raw_held = principal_plane(raw)
    return Embedded(
        layer=model.lowered.names.get(symbol.call.layer, ""),
        features=features.shape[1],
        values=raw.shape[1],
        labels=labels,
        said=probabilities.argmax(1)[places],
        names=tuple(some.names),
        total=len(part),
        planes=(
            Plane("t-SNE of the features", neighbour_plane(features, seed=seed)),
            Plane("PCA of the features", spread, held),
            Plane("PCA of the values alone", as_they_are, raw_held),
        ),
        alike=(_share(like_neighbours(features, labels)), _share(like_neighbours(raw, labels))),
    )


def features_of(model: BaseModel) -> Symbol | None:
    """What goes into the last `Dense` on the way to the output; None where the way forks or ends before."""
    symbol = model.outputs[0]
    while isinstance(symbol.call.layer, Layer) and len(symbol.call.inputs) == 1:
        (before,) = symbol.call.inputs
        if type(symbol.call.layer).__name__ == "Dense":
            return before if before not in model.inputs else None
        symbol = before
    return None


def _share(right: NDArray[np.bool_]) -> Score:
    n = len(right)
    return Score("accuracy", float(right.mean()), wilson(int(right.sum()), n), n, "validation")
