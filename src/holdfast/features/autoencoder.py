"""Autoencoder reduction: the few numbers from which a small network rebuilds a sample best, as a transformer."""

# ruff: noqa: N803  # X and C are scikit-learn's names
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

STEPS, BATCH = 300, 64


class AutoencoderFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the middle of a dense autoencoder says of standardised samples; PCA with a bend.

    Values go through a hidden layer into `units` numbers and back the same way; the mean squared error of what comes
    out is what it learns by.  Labels are not looked at.

    Args:
        units: numbers that are left.
        hidden: width of the layers on both sides.
        steps: of training, with batches of about 64; at least one pass.
        seed: of the weights and the order.

    Example:
        >>> values = np.random.default_rng(0).normal(size=(80, 30))
        >>> AutoencoderFeatures(4, steps=20).fit_transform(values).shape
        (80, 4)
    """

    def __init__(self, units: int = 16, *, hidden: int = 64, steps: int = STEPS, seed: int = 0) -> None:
        self.units = units
        self.hidden = hidden
        self.steps = steps
        self.seed = seed

    def fit(self, X: ArrayLike, y: Any = None) -> "AutoencoderFeatures":  # Any: it is not looked at
        """Trains the autoencoder on these samples."""
        from sklearn.utils.validation import validate_data

        from ..layers import Dense, Input
        from ..models import Model

        values = validate_data(self, X, dtype=np.float32)
        entry = Input(values.shape[1:])
        code = Dense(self.units)(Dense(self.hidden, activation="gelu")(entry))
        back = Dense(values.shape[1])(Dense(self.hidden, activation="gelu")(code))
        whole = Model(entry, back, seed=self.seed)
        whole.compile("adam", "mse")
        batches = max(1, round(len(values) / BATCH))  # of one size, as nearly as may be
        size, epochs = -(-len(values) // batches), max(1, round(self.steps / batches))
        whole.fit(values, values, batch_size=size, epochs=epochs, verbose=0)
        self.encoder_ = Model(entry, code)
        self.loss_ = float(whole.evaluate(values, values, verbose=0))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """(N, units) of (N, values)."""
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        found: NDArray[np.float32] = self.encoder_.predict(validate_data(self, X, dtype=np.float32, reset=False))
        return found
