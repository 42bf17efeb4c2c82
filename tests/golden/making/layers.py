"""layers.npz and the other `cases.FILES`: each layer alone: its output, ten steps of SGD, or the input's gradient.

layers_adapt.npz: what `Normalization.adapt` finds in data.
"""

from typing import Any

import numpy as np

from cases import FILES, Case

from .common import Array, Arrays, Model, generator, get_weights, keras, listed, set_weights, steps, tensor, torch

BATCH = 4


def make(file: str) -> Arrays:
    """All cases of a file, each under its name."""
    return {f"{case.name}/{key}": value for case in FILES[file] for key, value in of_case(case).items()}


def of_case(case: Case) -> Arrays:
    """Inputs, weights, targets and what Keras makes of them."""
    rng = generator(case.name)
    spread = 4.0 if case.layer in ("Activation", "ReLU") else 1.0  # far enough out to meet every limit
    inputs = [(spread * rng.standard_normal((BATCH, *shape))).astype(np.float32) for shape in case.shapes]
    if case.layer == "Embedding":
        inputs = [rng.uniform(0, case.settings["input_dim"], array.shape).astype(np.float32) for array in inputs]
    model, layer = build(case)
    weights = [values(rng, weight) for weight in layer.weights]
    set_weights(model, weights)
    output = model.predict(one_or_all(inputs), verbose=0)
    targets = rng.standard_normal(output.shape).astype(np.float32)
    found = {**listed("input", inputs), **listed("weight", weights), "output": output, "targets": targets}
    if case.layer == "BatchNormalization":
        found["output_training"] = model(one_or_all(inputs), training=True).detach().numpy()
        set_weights(model, weights)  # that call moved the averages
    if not model.trainable_weights:
        return found | listed("input_gradient", input_gradients(model, inputs, targets))
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
    return found | steps(model, lambda step: {"x": one_or_all(inputs), "y": targets})


def build(case: Case) -> tuple[Model, Any]:  # Any: a keras layer
    """A model of this layer alone, and the layer."""
    layer = getattr(keras.layers, case.layer)(**case.settings)
    inputs = one_or_all([keras.Input(shape) for shape in case.shapes])
    return keras.Model(inputs, layer(inputs)), layer


def one_or_all(inputs: list[Any]) -> Any:  # Any: arrays, tensors or symbols
    """As Keras wants them: a single input is not a list."""
    return inputs if len(inputs) > 1 else inputs[0]


def values(rng: np.random.Generator, weight: Any) -> Array:  # Any: a keras variable
    """Values that leave nothing at its default: scales around 1, variances positive, kernels of the usual size."""
    shape = tuple(weight.shape)
    if weight.name in ("gamma", "moving_variance"):
        return np.asarray(rng.uniform(0.5, 1.5, shape), np.float32)
    fan_in = max(1, int(np.prod(shape[:-1])))
    return np.asarray(rng.standard_normal(shape) / np.sqrt(fan_in), np.float32)


def input_gradients(model: Model, inputs: list[Array], targets: Array) -> list[Array]:
    """The gradient of sum(output * targets) by each input, in inference mode."""
    leaves = [tensor(array, gradient=True) for array in inputs]
    output = model(one_or_all(leaves), training=False)
    return [grad.numpy() for grad in torch.autograd.grad((output * tensor(targets)).sum(), leaves)]


ADAPT: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {  # name: shape of the data, settings; Any: JSON values
    "rank1": ((50, 3), {}),
    "rank3": ((20, 4, 3, 2), {}),
    "scalar": ((20, 4, 3, 2), {"axis": None}),
}


def make_adapt() -> Arrays:
    """Normalization adapted to data whose channels differ: "data", "weight_i" (mean, variance, count) and "output"."""
    found: Arrays = {}
    for name, (shape, settings) in ADAPT.items():
        rng = generator(f"adapt/{name}")
        channels = np.arange(1, shape[-1] + 1)
        data = (channels * rng.standard_normal(shape) + 3 * channels).astype(np.float32)
        layer = keras.layers.Normalization(**settings)
        layer.adapt(data)
        found[f"{name}/data"] = data
        found |= listed(f"{name}/weight", get_weights(layer))
        found[f"{name}/output"] = layer(data).numpy()
    return found
