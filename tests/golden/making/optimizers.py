"""optimizers.npz and optimizers.json: each optimizer and schedule on one small net, from the same weights.

The net: Dense(5, tanh) - Dense(3), mean squared error.  Two of its six features are so small that their gradients are
near 1e-6 and 1e-8, and their weights begin at zero, so that what becomes of them shows where epsilon stands.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .common import Array, Arrays, Model, generator, keras, listed, set_weights, steps

FEATURE_SCALES = (1.0, 1.0, 1.0, 1e-2, 1e-6, 1e-8)
STEPS = 10


@dataclass(frozen=True)
class OptimizerCase:
    """One optimizer.

    Args:
        name: the key in the file.
        optimizer: the Keras class.
        kwargs: its arguments; a schedule is {"class_name", "config"}.
        batches: 1, or 2 that take turns: batch[step % batches].
    """

    name: str
    optimizer: str
    kwargs: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    batches: int = 1


def case(name: str, optimizer: str, *, batches: int = 1, **kwargs: Any) -> OptimizerCase:  # Any: JSON values
    """A case in one line."""
    return OptimizerCase(name, optimizer, kwargs, batches)


def schedule(name: str, **config: Any) -> dict[str, Any]:  # Any: JSON values
    """What stands for a schedule among an optimizer's arguments."""
    return {"class_name": name, "config": config}


SCHEDULES = {
    "cosine": schedule("CosineDecay", initial_learning_rate=0.05, decay_steps=8),
    "cosine_alpha": schedule("CosineDecay", initial_learning_rate=0.05, decay_steps=12, alpha=0.1),
    "cosine_warmup": schedule(
        "CosineDecay", initial_learning_rate=0.0, decay_steps=6, warmup_target=0.05, warmup_steps=3, alpha=0.02
    ),
    "exponential": schedule("ExponentialDecay", initial_learning_rate=0.05, decay_steps=4, decay_rate=0.5),
    "exponential_staircase": schedule(
        "ExponentialDecay", initial_learning_rate=0.05, decay_steps=4, decay_rate=0.5, staircase=True
    ),
    "piecewise": schedule("PiecewiseConstantDecay", boundaries=[2, 6], values=[0.05, 0.02, 0.005]),
}

OPTIMIZERS = [
    case("sgd", "SGD"),
    case("sgd_momentum", "SGD", learning_rate=0.05, momentum=0.9),
    case("sgd_nesterov", "SGD", learning_rate=0.05, momentum=0.9, nesterov=True),
    case("sgd_weight_decay", "SGD", learning_rate=0.05, weight_decay=0.1),
    case("sgd_momentum_weight_decay", "SGD", learning_rate=0.05, momentum=0.9, weight_decay=0.1),
    case("rmsprop", "RMSprop"),
    case("rmsprop_settings", "RMSprop", learning_rate=0.01, rho=0.8, epsilon=1e-5),
    case("rmsprop_momentum", "RMSprop", learning_rate=0.005, momentum=0.9),
    case("rmsprop_centered", "RMSprop", learning_rate=0.005, centered=True),
    case("rmsprop_centered_momentum", "RMSprop", learning_rate=0.005, momentum=0.5, centered=True),
    case("adam", "Adam"),
    case("adam_settings", "Adam", learning_rate=0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-5),
    case("adam_amsgrad", "Adam", learning_rate=0.02, amsgrad=True, beta_2=0.8),
    case("adam_weight_decay", "Adam", learning_rate=0.01, weight_decay=0.1),
    case("adamw", "AdamW"),
    case("adamw_settings", "AdamW", learning_rate=0.01, weight_decay=0.1),
    case("adagrad", "Adagrad"),
    case("adagrad_settings", "Adagrad", learning_rate=0.05, initial_accumulator_value=0.01),
    case("adagrad_from_zero", "Adagrad", learning_rate=0.05, initial_accumulator_value=0.0, epsilon=1e-5),
    case("adadelta", "Adadelta"),
    case("adadelta_settings", "Adadelta", learning_rate=1.0, rho=0.9),
    case("nadam", "Nadam"),
    case("nadam_settings", "Nadam", learning_rate=0.01, beta_1=0.8, beta_2=0.95),
    case("lion", "Lion"),
    case("lion_settings", "Lion", learning_rate=0.005, beta_1=0.8, weight_decay=0.1),
    case("sgd_clipnorm", "SGD", learning_rate=0.05, momentum=0.9, clipnorm=0.2),
    case("sgd_clipvalue", "SGD", learning_rate=0.05, momentum=0.9, clipvalue=0.05),
    case("sgd_global_clipnorm", "SGD", learning_rate=0.05, momentum=0.9, global_clipnorm=0.2),
    case("adam_clipnorm", "Adam", learning_rate=0.01, clipnorm=0.2),
    case("sgd_accumulation", "SGD", learning_rate=0.05, momentum=0.9, gradient_accumulation_steps=2, batches=2),
    case("adam_accumulation", "Adam", learning_rate=0.01, gradient_accumulation_steps=2, batches=2),
    case(
        "adam_accumulation_clipnorm", "Adam", learning_rate=0.01, gradient_accumulation_steps=2, clipnorm=0.2, batches=2
    ),
    case(
        "sgd_accumulation_schedule",
        "SGD",
        learning_rate=SCHEDULES["exponential"],
        weight_decay=0.1,
        gradient_accumulation_steps=2,
        batches=2,
    ),
    *(case(f"sgd_{name}", "SGD", learning_rate=found) for name, found in SCHEDULES.items()),
    *(case(f"adam_{name}", "Adam", learning_rate=found) for name, found in SCHEDULES.items()),
    case("adamw_cosine", "AdamW", learning_rate=SCHEDULES["cosine"], weight_decay=0.1),
]


def texts() -> dict[str, Any]:  # Any: JSON values
    """What optimizers.json says: the optimizers, and the schedules by the name of their values in the file."""
    return {"optimizers": [asdict(one) for one in OPTIMIZERS], "schedules": SCHEDULES}


def make() -> Arrays:
    """The shared "x" (2, 8, 6), "y" (2, 8, 3), "weight_i"; each case's steps; "schedules/name": rates of steps 0-15."""
    found = data()
    for one in OPTIMIZERS:
        found |= {f"{one.name}/{key}": value for key, value in of_case(one, found).items()}
    for name, config in SCHEDULES.items():
        rates = keras.optimizers.schedules.deserialize(dict(config))
        found[f"schedules/{name}"] = np.array([float(rates(step)) for step in range(16)], np.float32)
    return found


def data() -> Arrays:
    """What all cases share."""
    rng = generator("optimizers")
    found = {
        "x": (rng.standard_normal((2, 8, 6)) * FEATURE_SCALES).astype(np.float32),
        "y": rng.standard_normal((2, 8, 3)).astype(np.float32),
    }
    weights = [(0.5 * rng.standard_normal(weight.shape)).astype(np.float32) for weight in net().weights]
    weights[0][-2:] = 0
    return found | listed("weight", weights)


def net() -> Model:
    """Not yet compiled."""
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)])


def of_case(one: OptimizerCase, shared: Arrays) -> Arrays:
    """Ten training steps: accumulated gradients change the weights in every second of them."""
    model = net()
    set_weights(model, [shared[f"weight_{index}"] for index in range(len(model.weights))])
    kwargs = dict(one.kwargs)
    if isinstance(kwargs.get("learning_rate"), dict):
        kwargs["learning_rate"] = keras.optimizers.schedules.deserialize(dict(kwargs["learning_rate"]))
    model.compile(optimizer=getattr(keras.optimizers, one.optimizer)(**kwargs), loss="mse")
    found = steps(model, lambda step: batch(shared, step % one.batches), STEPS)
    unmoved = {key for key in found if key.startswith(f"after_{STEPS}/") and moved_nowhere(found, shared, key)}
    if unmoved:
        raise ValueError(f"{one.name}: {unmoved} did not move; the case shows nothing")
    return found


def batch(shared: Arrays, index: int) -> dict[str, Array]:
    """The arguments of `train_on_batch`."""
    return {"x": shared["x"][index], "y": shared["y"][index]}


def moved_nowhere(found: Arrays, shared: Arrays, key: str) -> bool:
    """Whether a weight is still as it was at the beginning."""
    return bool((found[key] == shared[key.split("/")[1]]).all())
