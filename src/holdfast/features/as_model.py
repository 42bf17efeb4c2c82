"""From a fitted pipeline to a model: what was chosen, turned and weighed inside a fold travels on as layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from .. import layers
from ..core import BadValue
from ..layers import Dense, Flatten, Input, Normalization, Reshape, SelectFeatures, Statistics, Symbol
from ..layers.fitted import Numbers
from ..models import Model
from .autoencoder import AutoencoderFeatures
from .l1 import L1LogisticRegression
from .statistics import SampleStatistics

HEAD = "probabilities"


def as_model(pipeline: Pipeline, shape: tuple[int, ...]) -> Model:
    """The model that answers as a fitted pipeline of this package does; it is saved and exported like any other.

    Standardisation becomes `Normalization`, a selection `SelectFeatures`, PCA and statistics the layers of these names,
    an autoencoder its encoder, and the logistic regression a `Dense` with softmax.

    Args:
        pipeline: as `Remedy.fitted` gives it, or one of such steps.
        shape: of a sample, channels last: (28, 28, 1), (64,).

    Raises:
        BadValue: a step that no layer stands for, or a classifier that is missing.

    Example:
        >>> from holdfast.features import remedies
        >>> values = np.random.default_rng(0).normal(size=(60, 5))
        >>> fitted = remedies((5,), 60)[2].fitted(values, np.arange(60) % 2, [])
        >>> model = as_model(fitted, (5,))
        >>> [type(layer).__name__ for layer in model.layers]
        ['InputLayer', 'Normalization', 'PCA', 'Dense']
        >>> bool(np.allclose(model.predict(values), fitted.predict_proba(values), atol=1e-5))
        True
    """
    entry = Input(shape)
    symbol = Flatten()(entry) if len(shape) > 1 else entry
    *before, last = (step for _, step in pipeline.steps)
    for step in before:
        symbol = _layer(step)(step, symbol)
    if not isinstance(last, (LogisticRegression, L1LogisticRegression)):
        raise BadValue(f"as_model: the last step is {type(last).__name__}; it must be a logistic regression.")
    model = Model(entry, Dense(len(last.classes_), activation="softmax", name=HEAD)(symbol))
    kernel, bias = last.coef_.T, last.intercept_
    if len(last.classes_) == 2:  # softmax(0, z) is the sigmoid of z
        kernel, bias = np.hstack([np.zeros_like(kernel), kernel]), np.r_[0.0, bias]
    model.get_layer(HEAD).set_weights([kernel, bias])
    return model


def _layer(step: Any) -> Callable[[Any, Symbol], Symbol]:  # Any: an estimator
    for kind, make in STEPS.items():
        if isinstance(step, kind):
            return make
    raise BadValue(f"as_model: no layer stands for {type(step).__name__}.")


def _scaled(step: Any, symbol: Symbol) -> Symbol:  # Any: see STEPS; so below
    return Normalization(mean=step.mean_, variance=step.scale_**2)(symbol)


def _chosen(step: Any, symbol: Symbol) -> Symbol:
    places = np.flatnonzero(step.get_support())
    return SelectFeatures(len(places), chosen=tuple(places.tolist()))(symbol)


def _turned(step: Any, symbol: Symbol) -> Symbol:
    scale = np.sqrt(step.explained_variance_) if step.whiten else np.ones(len(step.components_))
    kernel = (step.components_ / scale[:, None]).T
    return layers.PCA(kernel.shape[1], kernel=Numbers(kernel), bias=Numbers(-step.mean_ @ kernel))(symbol)


def _counted(step: Any, symbol: Symbol) -> Symbol:
    shaped = symbol if step.shape_ == symbol.shape else Reshape(step.shape_)(symbol)
    return Statistics(masked=step.masked)(shaped)


def _encoded(step: Any, symbol: Symbol) -> Symbol:
    found: Symbol = step.encoder_(symbol)
    return found


STEPS: dict[type | tuple[type, ...], Callable[[Any, Symbol], Symbol]] = {
    StandardScaler: _scaled,
    (SelectKBest, SelectFromModel): _chosen,
    PCA: _turned,
    SampleStatistics: _counted,
    AutoencoderFeatures: _encoded,
}
