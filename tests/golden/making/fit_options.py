"""fit_options.npz and fit_options.json: small fits that pin what Keras means by the arguments of `fit`.

The JSON gives for each name the model, the arguments of `compile` and `fit`, and what came of it: the history's keys in
order, the numbers of the epochs, the warnings, or the error.  A text "@key" among the arguments stands for the array
`data/key` of the .npz.  Shuffling is off throughout.

Models, all on six features with SGD(0.1):
- "plain": Dense(8, tanh), Dense(3, softmax);
- "penalised": the same with an L2 of 0.02 on the first kernel and an activity L1 of 0.01 on the first layer;
- "outputs": Dense(8, tanh) with two heads on it, Dense(3, softmax, name="kind") and Dense(1, name="size"), as a dict;
- "outputs_list": the same with its outputs as a list, kind first.
"""

import warnings
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from .common import Array, Arrays, Model, generator, get_weights, keras, listed, set_weights

Json: TypeAlias = dict[str, Any]  # Any: JSON values

FEATURES, CLASSES = 6, 3
MODELS = ("plain", "penalised", "outputs", "outputs_list")
TRAIN, VALIDATION, BATCH = 50, 20, 16  # three full batches and one of two


@dataclass(frozen=True)
class FitCase:
    """One fit.

    Args:
        name: the key in the file.
        model: a name of the docstring above.
        compile: arguments of `compile`, beside the optimizer.
        fit: arguments of `fit`, beside `shuffle`.
    """

    name: str
    model: str
    compile: Json
    fit: Json


SPARSE: Json = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
ONE_HOT: Json = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
WEIGHTED: Json = {**SPARSE, "weighted_metrics": ["accuracy"]}
VALIDATED: Json = {"validation_data": ["@val_x", "@val_y"]}
CLASS_WEIGHT = {"0": 1.0, "1": 3.0, "2": 0.5}


def plain(name: str, how: Json = SPARSE, *, model: str = "plain", y: Any = "@y", **fit: Any) -> FitCase:  # Any: JSON
    """A fit of a model with one output: two epochs of batches of 16, unless said otherwise."""
    return FitCase(name, model, how, {"x": "@x", "y": y, "batch_size": BATCH, "epochs": 2, **fit})


HEADS: Json = {
    "loss": {"kind": "sparse_categorical_crossentropy", "size": "mse"},
    "metrics": {"kind": ["accuracy"], "size": ["mae"]},
}
LISTED: Json = {
    "loss": ["sparse_categorical_crossentropy", "mse"],
    "metrics": [["accuracy"], ["mae"]],
    "loss_weights": [0.7, 0.2],
}
TWO: Json = {"kind": "@y", "size": "@size"}
TWO_VALIDATED: Json = {"validation_data": ["@val_x", {"kind": "@val_y", "size": "@val_size"}]}


def two(name: str, how: Json, **fit: Any) -> FitCase:  # Any: JSON values
    """A fit of the model with two outputs."""
    return FitCase(name, "outputs", how, {"x": "@x", "y": TWO, "batch_size": BATCH, "epochs": 2, **fit})


FITS = [
    plain("last_partial_batch", **VALIDATED),
    plain("one_hot", ONE_HOT, y="@y_one_hot"),
    plain("validation_batch_size", **VALIDATED, validation_batch_size=7),
    plain("validation_freq", **VALIDATED, validation_freq=2, epochs=4),
    plain("validation_freq_list", **VALIDATED, validation_freq=[1, 3], epochs=4),
    plain("validation_split", validation_split=0.25),
    plain("validation_split_with_weights", WEIGHTED, validation_split=0.25, sample_weight="@weights"),
    plain("class_weight", **VALIDATED, class_weight=CLASS_WEIGHT),
    plain("class_weight_partial", class_weight={"1": 3.0}),
    plain("class_weight_one_hot", ONE_HOT, y="@y_one_hot", class_weight=CLASS_WEIGHT),
    plain("class_weight_weighted_metrics", WEIGHTED, **VALIDATED, class_weight=CLASS_WEIGHT),
    plain("sample_weight", **VALIDATED, sample_weight="@weights"),
    plain("sample_weight_weighted_metrics", WEIGHTED, **VALIDATED, sample_weight="@weights"),
    plain("sample_weight_validated", validation_data=["@val_x", "@val_y", "@val_weights"], sample_weight="@weights"),
    plain("weighted_validation_only", WEIGHTED, validation_data=["@val_x", "@val_y", "@val_weights"]),
    plain("class_and_sample_weight", class_weight=CLASS_WEIGHT, sample_weight="@weights"),
    plain("penalties", model="penalised", **VALIDATED),
    plain("penalties_and_weights", model="penalised", **VALIDATED, sample_weight="@weights"),
    plain("initial_epoch", **VALIDATED, initial_epoch=2, epochs=4),
    plain("initial_epoch_at_end", initial_epoch=2, epochs=2),
    plain("steps_per_epoch", steps_per_epoch=2, epochs=3),
    plain("steps_per_epoch_uneven", steps_per_epoch=3, epochs=3),
    plain("steps_per_epoch_too_many", steps_per_epoch=6, epochs=2),
    plain("validation_steps", **VALIDATED, validation_steps=1),
    plain("batch_size_default", batch_size=None),
    plain("batch_larger_than_data", batch_size=64),
    two("two_outputs", HEADS, **TWO_VALIDATED),
    two("two_outputs_loss_weights", {**HEADS, "loss_weights": {"kind": 0.7, "size": 0.2}}, **TWO_VALIDATED),
    two("two_outputs_sample_weight", {**HEADS, "loss_weights": [0.7, 0.2]}, sample_weight="@weights"),
    two("two_outputs_sample_weights", HEADS, sample_weight={"kind": "@weights", "size": "@more_weights"}),
    two("two_outputs_one_metric", {**HEADS, "metrics": {"kind": ["accuracy"]}}),
    plain("two_outputs_list", LISTED, model="outputs_list", y=["@y", "@size"]),
    plain("two_outputs_list_by_name", HEADS, model="outputs_list", y=TWO),
    two("two_outputs_class_weight", HEADS, class_weight=CLASS_WEIGHT),
]


def make() -> Arrays:
    """Keys: "data/KEY", "MODEL/weight_i", "NAME/history/KEY" (one value an epoch) and "NAME/final/weight_i"."""
    return run_all()[0]


def texts() -> list[Json]:
    """What fit_options.json says."""
    return run_all()[1]


def run_all() -> tuple[Arrays, list[Json]]:
    """The arrays and the texts."""
    shared = data()
    told: list[Json] = []
    found = {f"data/{key}": value for key, value in shared.items()}
    for name in MODELS:
        found |= listed(f"{name}/weight", first_weights(name))
    for case in FITS:
        arrays, said = run(case, shared)
        found |= {f"{case.name}/{key}": value for key, value in arrays.items()}
        told.append({**asdict(case), **said})
    return found, told


def run(case: FitCase, shared: Arrays) -> tuple[Arrays, Json]:
    """One fit: its arrays, and what there is to say of it."""
    model = build(case.model)
    set_weights(model, first_weights(case.model))
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), **case.compile)
    kwargs = {key: filled(value, shared) for key, value in case.fit.items()}
    if "class_weight" in kwargs:  # JSON has no integer keys
        kwargs["class_weight"] = {int(label): weight for label, weight in kwargs["class_weight"].items()}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        try:
            history = model.fit(**kwargs, shuffle=False, verbose=0)
        except ValueError as error:
            return {}, {"error": str(error)}
    said: Json = {"keys": list(history.history), "epochs": history.epoch}
    said |= {"warnings": sorted({str(warning.message) for warning in heard if warning.category is UserWarning})}
    arrays = {f"history/{key}": np.array(values, np.float32) for key, values in history.history.items()}
    return arrays | listed("final/weight", get_weights(model)), said


def filled(value: Any, shared: Arrays) -> Any:  # Any: JSON values in, with arrays in the place of "@key" out
    """The arguments as `fit` takes them; pairs of validation data are tuples."""
    if isinstance(value, str) and value.startswith("@"):
        return shared[value[1:]]
    if isinstance(value, dict):
        return {key: filled(one, shared) for key, one in value.items()}
    if isinstance(value, list) and any(isinstance(one, str) for one in value):
        return tuple(filled(one, shared) for one in value)
    return value


def build(name: str) -> Model:
    """One of the three models."""
    layers, regularizers = keras.layers, keras.regularizers
    inputs = keras.Input((FEATURES,))
    penalties = {"kernel_regularizer": regularizers.L2(0.02), "activity_regularizer": regularizers.L1(0.01)}
    hidden = layers.Dense(8, activation="tanh", **(penalties if name == "penalised" else {}))(inputs)
    kind = layers.Dense(CLASSES, activation="softmax", name="kind")(hidden)
    if not name.startswith("outputs"):
        return keras.Model(inputs, kind)
    size = layers.Dense(1, name="size")(hidden)
    return keras.Model(inputs, [kind, size] if name == "outputs_list" else {"kind": kind, "size": size})


def first_weights(name: str) -> list[Array]:
    """Where every fit of a model begins."""
    rng = generator(f"fit_options/{name.removesuffix('_list')}")
    return [(0.4 * rng.standard_normal(tuple(weight.shape))).astype(np.float32) for weight in build(name).weights]


def data() -> Arrays:
    """Points of three classes and their sizes, with weights, for training and validation."""
    rng = generator("fit_options/data")
    centres = 1.2 * rng.standard_normal((CLASSES, FEATURES))
    found: Arrays = {}
    for prefix, count in (("", TRAIN), ("val_", VALIDATION)):
        y = rng.permutation(np.arange(count) % CLASSES).astype(np.int64)
        x = centres[y] + rng.standard_normal((count, FEATURES))
        found[f"{prefix}x"] = x.astype(np.float32)
        found[f"{prefix}y"] = y
        found[f"{prefix}y_one_hot"] = np.eye(CLASSES, dtype=np.float32)[y]
        found[f"{prefix}size"] = (x[:, :1] - x[:, 1:2] + 0.1 * rng.standard_normal((count, 1))).astype(np.float32)
        found[f"{prefix}weights"] = rng.uniform(0, 3, count).astype(np.float32)
        found[f"{prefix}more_weights"] = rng.uniform(0, 3, count).astype(np.float32)
    return found
