"""losses.npz and losses.json: each loss on given predictions, its gradient, and ten steps of a dense model with it.

The JSON gives for each name the class, its keyword arguments and the activation of the trained model.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .common import Array, Arrays, generator, get_weights, keras, listed, set_weights, steps, tensor, torch

SAMPLES, CLASSES, FEATURES = 8, 3, 5


@dataclass(frozen=True)
class LossCase:
    """A loss, and the kind of targets and predictions that it takes.

    Args:
        name: the key in the file.
        loss: the Keras class.
        kwargs: its arguments.
        targets: "one_hot", "sparse" (N,), "sparse_column" (N, 1), "binary", "signs", "distribution" or "real".
        activation: of the model that is trained; it also says what the given predictions are.
    """

    name: str
    loss: str
    kwargs: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    targets: str = "real"
    activation: str = "linear"


def crossentropy(
    name: str, loss: str, targets: str, activation: str, **more: Any
) -> list[LossCase]:  # Any: JSON values
    """From probabilities and from logits."""
    return [
        LossCase(name, loss, more, targets, activation),
        LossCase(f"{name}_logits", loss, {"from_logits": True, **more}, targets),
    ]


CATEGORICAL, SPARSE = "CategoricalCrossentropy", "SparseCategoricalCrossentropy"
LOSSES = [
    *crossentropy("categorical_crossentropy", "CategoricalCrossentropy", "one_hot", "softmax"),
    *crossentropy(
        "categorical_crossentropy_smooth", "CategoricalCrossentropy", "one_hot", "softmax", label_smoothing=0.1
    ),
    *crossentropy("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "sparse", "softmax"),
    *crossentropy(
        "sparse_categorical_crossentropy_column", "SparseCategoricalCrossentropy", "sparse_column", "softmax"
    ),
    *crossentropy("binary_crossentropy", "BinaryCrossentropy", "binary", "sigmoid"),
    *crossentropy("binary_crossentropy_smooth", "BinaryCrossentropy", "binary", "sigmoid", label_smoothing=0.1),
    LossCase("mean_squared_error", "MeanSquaredError"),
    LossCase("mean_absolute_error", "MeanAbsoluteError"),
    LossCase("hinge", "Hinge", targets="signs"),
    LossCase("hinge_zero_one", "Hinge", targets="binary"),
    LossCase("squared_hinge", "SquaredHinge", targets="signs"),
    LossCase("huber", "Huber"),
    LossCase("huber_half", "Huber", {"delta": 0.5}),
    LossCase("kl_divergence", "KLDivergence", targets="distribution", activation="softmax"),
    LossCase("cosine_similarity", "CosineSimilarity"),
]


def texts() -> list[dict[str, Any]]:  # Any: JSON values
    """What losses.json says."""
    return [asdict(case) for case in LOSSES]


def make() -> Arrays:
    """All losses, each under its name."""
    return {f"{case.name}/{key}": value for case in LOSSES for key, value in of_case(case).items()}


def of_case(case: LossCase) -> Arrays:
    """Values and gradients without and with sample weights, and the steps of a model."""
    rng = generator(f"loss/{case.name}")
    y_true, y_pred = TARGETS[case.targets](rng), predictions(rng, case.activation)
    sample_weight = rng.uniform(0.5, 2, SAMPLES).astype(np.float32)
    sample_weight[2] = 0
    found = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
    found["values"] = loss_of(case, reduction=None)(y_true, y_pred).numpy()
    found |= value_and_gradient(case, y_true, y_pred, None)
    found |= {f"weighted/{k}": v for k, v in value_and_gradient(case, y_true, y_pred, sample_weight).items()}
    return found | {f"train/{key}": value for key, value in training(case, rng).items()}


def loss_of(case: LossCase, **more: Any) -> Any:  # Any: a keras Loss
    """The Keras object."""
    return getattr(keras.losses, case.loss)(**case.kwargs, **more)


def value_and_gradient(case: LossCase, y_true: Array, y_pred: Array, sample_weight: Array | None) -> Arrays:
    """ "value": float32 scalar; "gradient": of the value by y_pred."""
    leaf = tensor(y_pred, gradient=True)
    value = loss_of(case)(tensor(y_true), leaf, sample_weight)
    (gradient,) = torch.autograd.grad(value, leaf)
    return {"value": value.detach().numpy(), "gradient": gradient.numpy()}


def training(case: LossCase, rng: np.random.Generator) -> Arrays:
    """Ten steps of Dense(3, activation) with SGD(0.1): "x", "y", "weight_i", and what `steps` gives."""
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, activation=case.activation)])
    set_weights(model, [(0.5 * rng.standard_normal(w.shape)).astype(np.float32) for w in model.weights])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss=loss_of(case))
    x, y = rng.standard_normal((SAMPLES, FEATURES)).astype(np.float32), TARGETS[case.targets](rng)
    found = {"x": x, "y": y, **listed("weight", get_weights(model))}
    return found | steps(model, lambda step: {"x": x, "y": y})


def labels(rng: np.random.Generator) -> Array:
    """(N,) int64 with every class in it."""
    return rng.permutation(np.arange(SAMPLES, dtype=np.int64) % CLASSES)


TARGETS: dict[str, Callable[[np.random.Generator], Array]] = {
    "one_hot": lambda rng: np.eye(CLASSES, dtype=np.float32)[labels(rng)],
    "sparse": labels,
    "sparse_column": lambda rng: labels(rng)[:, None],
    "binary": lambda rng: rng.integers(0, 2, (SAMPLES, CLASSES)).astype(np.float32),
    "signs": lambda rng: (2 * rng.integers(0, 2, (SAMPLES, CLASSES)) - 1).astype(np.float32),
    "distribution": lambda rng: rng.dirichlet(np.ones(CLASSES), SAMPLES).astype(np.float32),
    "real": lambda rng: rng.standard_normal((SAMPLES, CLASSES)).astype(np.float32),
}


def predictions(rng: np.random.Generator, activation: str) -> Array:
    """(N, 3): ordinary rows, then extreme ones: probabilities of 0 and 1, a row that adds up to 1.8, large logits."""
    if activation == "linear":
        found = 1.5 * rng.standard_normal((SAMPLES, CLASSES))
        found[-2:] = [[60.0, -60.0, 0.0], [-20.0, 10.0, 10.0]]
    elif activation == "sigmoid":
        found = rng.uniform(0, 1, (SAMPLES, CLASSES))
        found[-3:] = [[0.0, 1.0, 0.5], [1.0, 0.0, 1e-8], [1e-4, 0.9999, 0.0]]
    else:
        found = rng.dirichlet(np.ones(CLASSES), SAMPLES)
        found[-3:] = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.3, 0.9, 0.6]]
    return found.astype(np.float32)
