"""A classifier with scikit-learn's interface; what trains it is the plan of a run and the model's own `fit`."""

from collections.abc import Callable, Mapping
from copy import copy
from math import prod
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..callbacks import EarlyStopping
from ..core import BadData, BadShape, BadValue
from ..data import Dataset, Facts, Part
from ..data.reads import Pictures
from ..data.sealed import Sealed
from ..layers import Shape
from ..models import BaseModel
from ..models.arrays import as_tensor, check_number, hold_out
from ..models.augmenting import Chosen, from_recorded
from ..runs.plan import How, ModelChoice, Precision, plan
from ..training import Optimizer
from ..transfer import anew
from .stored import restored, stored

Build = Callable[[Shape, int], BaseModel]
Labels = NDArray[Any]  # Any: of whatever dtype the user's labels are
LARGEST_BYTE = 255


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network as an estimator of scikit-learn: in pipelines, searches, ensembles and cross-validation.

    Samples are rows of features (N, F), grey pictures (N, H, W), or arrays (N, H, W, C), (N, D, H, W, C), channels
    last.  Plain features are standardised inside the model, by the samples that it learns from; integers of 0 to 255 in
    pictures are bytes.  All that is random follows from `random_state`.

    Args:
        model: "convnet", "dense", or another ready-made model; "auto": "dense" for rows of features, else "convnet".
            A function of (shape, classes) that gives a model; a model, of which a copy is trained that begins anew but
            for frozen layers; the path of a configuration; or a `transfer.FromBase`.
        epochs: passes over the data; None: by the recipe 30, of 10,000 samples or more 10.
        batch_size: samples a step; None: by the size of the data.
        optimizer: a name or an Optimizer; None: the default recipe.
        learning_rate: instead of the optimizer's own, or at the top of the recipe's cycle.
        augment: as in `Model.fit`.
        class_weight: a factor for the loss of each class, by label; "balanced"; or None.
        patience: epochs without a better validation loss after which training stops and goes back to the best; None:
            all epochs are trained, and all samples are learned from.
        validation: the share of the samples, by class, that is held out for `patience`; without, none is.
        input_shape: of one sample, channels last, where X does not show it: (28, 28, 1) for pictures as rows of 784
            features, (T, C) for series.
        random_state: a number, a RandomState of NumPy, or None for another result each time.
        verbose: 0 silent, 1 a progress line, 2 a line an epoch.
        device: "auto", "cpu", "cuda", ...
        precision: "auto", "float32" or "bfloat16".

    Attributes:
        classes_: the labels, sorted, (K,).
        model_: the trained model of holdfast, to save or export.
        history_: loss and accuracy of each epoch, by name.
        n_features_in_: how many features a row has; of pictures there is none.
        feature_names_in_: names of the columns, where X had any.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> bool(Classifier(epochs=20).fit(X, y).score(X, y) > 0.9)
        True
    """

    def __init__(
        self,
        model: ModelChoice | Build = "auto",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | Optimizer | None = None,
        learning_rate: float | None = None,
        augment: Chosen = "auto",
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,  # Any: a label
        patience: int | None = None,
        validation: float = 0.15,
        input_shape: Shape | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: Literal[0, 1, 2] = 0,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.augment = augment
        self.class_weight = class_weight
        self.patience = patience
        self.validation = validation
        self.input_shape = input_shape
        self.random_state = random_state
        self.verbose = verbose
        self.device = device
        self.precision = precision

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Classifier":  # noqa: N803  # Any: what NumPy takes
        """Trains a fresh model; nothing is left of an earlier one.

        Args:
            X: samples, as the class describes them.
            y: (N,) labels: strings, numbers, booleans.
            sample_weight: (N,) factors for the loss of each sample; those of 0 are left out.

        Raises:
            BadShape, BadData, BadValue, or ValueError of scikit-learn: one sentence says what does not fit.
        """
        for name in ("epochs", "batch_size"):
            if (number := getattr(self, name)) is not None:
                check_number(f"Classifier({name}={number!r})", number)
        if self.patience is not None and not 0 < self.validation < 1:
            raise BadValue(
                f"Classifier(validation={self.validation!r}): must be between 0 and 1 where patience is given."
            )
        samples, labels = self._samples(X, y, reset=True)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, labels).astype(np.float32)
        counted = np.flatnonzero(weight)
        samples, codes, weight = samples[counted], codes[counted], weight[counted]
        if (codes == codes[0]).all():
            only = self.classes_[codes[0]]
            raise BadData(f"Classifier.fit: all {len(codes)} samples are of 1 class, {only!s}; at least 2 are needed.")
        data = _dataset(samples, codes, tuple(str(label) for label in self.classes_))
        how, held = self._how(), None
        if self.patience is not None:  # before the front end of the model is fitted
            kept, out = _held_out(data.train.labels, self.validation, how["seed"])
            held = (data.train.images[out], data.train.labels[out], weight[out])
            data, weight = data.with_parts(data.train.take(kept), data.validation), weight[kept]
        settings, network = plan(data, self._choice(data, how["seed"]), how)
        self.history_ = network.fit(
            data.train,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            verbose=self.verbose,
            callbacks=None if self.patience is None else EarlyStopping(patience=self.patience),
            validation_data=held,
            sample_weight=None if (weight == 1).all() else weight,
            measure_train="never",
            augment=from_recorded(settings.shift, settings.augment),
        ).history
        self.model_ = network
        return self

    def predict(self, X: Any) -> Labels:  # noqa: N803  # Any: what NumPy takes
        """The likeliest label of each sample, (N,)."""
        shares = self.predict_proba(X)
        return np.asarray(self.classes_[shares.argmax(1)])

    def predict_proba(self, X: Any) -> NDArray[np.float32]:  # noqa: N803  # Any: what NumPy takes
        """The probability of each class for each sample, (N, K), in the order of `classes_`."""
        check_is_fitted(self)
        samples, wanted = self._samples(X), self.model_.inputs[0].shape
        if samples.shape[1:] != wanted:
            raise BadShape(f"X has samples of shape {samples.shape[1:]}, the classifier has learned from {wanted}.")
        shares: NDArray[np.float32] = self.model_.predict(samples)
        return shares

    def _how(self) -> How:
        seed = self.random_state
        return How(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            patience=self.patience,
            augment=self.augment,
            seed=int(seed) if isinstance(seed, Integral) else int(check_random_state(seed).randint(2**31 - 1)),
            device=self.device,
            precision=self.precision,
        )

    def _choice(self, data: Dataset, seed: int) -> ModelChoice:
        """What `plan` takes for `model`; never a model of the user's itself, which stays as it is."""
        choice = self.model
        if isinstance(choice, str) and choice == "auto":
            return "dense" if len(data.shape) == 1 else "convnet"
        if isinstance(choice, BaseModel):
            choice = copy(choice)  # where it has no shape yet, the user's goes on without
            choice.build_for(data.train.images)
            return anew(choice, seed=seed)
        if not callable(choice):
            return choice
        built = choice(data.shape, len(data.classes))
        if not isinstance(built, BaseModel):
            raise BadValue(f"Classifier(model=...): the function must give a model, it gave {type(built).__name__}.")
        return built

    def _samples(self, X: Any, *y: Any, reset: bool = False) -> Any:  # noqa: N803  # Any: what NumPy takes
        """Samples as the model takes them; with `y`, to learn from, the labels, too."""
        flat = len(X.shape if hasattr(X, "shape") else np.asarray(X).shape) < 3
        # What float32 cannot hold is an error of scikit-learn's, as in its forests; bytes stay what they are.
        kind = np.float32 if flat and self.input_shape is None else "numeric"
        with np.errstate(over="ignore", invalid="ignore"):
            found = validate_data(self, X, *y, reset=reset, dtype=kind, ensure_2d=flat, allow_nd=True)
        if not y:
            return _numbers(self._shaped(found))
        return _numbers(self._shaped(found[0])), found[1]

    def _shaped(self, values: NDArray[Any]) -> NDArray[Any]:  # Any: of any numbers
        """The same numbers as samples of `input_shape`, or with a channel axis behind (N, H, W)."""
        if self.input_shape is None:
            return values[..., np.newaxis] if values.ndim == 3 else values
        if prod(values.shape[1:]) != prod(self.input_shape):
            raise BadShape(
                f"Classifier(input_shape={self.input_shape}): takes {prod(self.input_shape)} numbers a sample, "
                f"X has {prod(values.shape[1:])}."
            )
        return values.reshape(len(values), *self.input_shape)

    def __getstate__(self) -> dict[str, Any]:  # Any: parameters and what was learned
        """What a pickle holds: models as .keras archives, not as objects of torch."""
        return {name: stored(value) for name, value in super().__getstate__().items()}

    def __setstate__(self, state: dict[str, Any]) -> None:  # Any: as above
        super().__setstate__({name: restored(value) for name, value in state.items()})


def _held_out(labels: torch.Tensor, share: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices to learn from and to stop by; a class is never held out whole."""
    kept, out = hold_out(labels, share, seed=seed, order="shuffled")
    lone = ~torch.isin(labels[out], labels[kept])
    kept, out = torch.cat([kept, out[lone]]).sort().values, out[~lone]
    if not len(out):
        raise BadData(
            f"Classifier(validation={share}): {len(labels)} samples are too few to hold any out for patience."
        )
    return kept, out


def _numbers(values: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.float32]:  # Any: of any numbers
    """Integers of 0 to 255 as bytes, rows of features and all others as float32."""
    if values.ndim > 2 and values.dtype.kind in "ui" and values.min() >= 0 and values.max() <= LARGEST_BYTE:
        return values.astype(np.uint8, copy=False)
    return values.astype(np.float32, copy=False)


def _dataset(samples: NDArray[Any], codes: NDArray[np.int64], classes: tuple[str, ...]) -> Dataset:  # Any: numbers
    """Samples to learn from, all of them: scikit-learn has split them already."""
    part = Part(as_tensor(samples, "X"), torch.from_numpy(codes), [f"X[{row}]" for row in range(len(codes))])
    none = part.take([])
    reads = Pictures.of_values(part.images)
    return Dataset("X", part, none, Sealed(none), classes, {}, Facts(), part.fingerprint, part.fingerprint, reads=reads)
