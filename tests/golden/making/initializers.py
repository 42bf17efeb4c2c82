"""initializers.json: what Keras's initializers draw, measured over 200,000 values, beside what they should draw.

Keras's torch backend gives up a truncated draw after four tries: 4 values in a million lie beyond the limit.
"""

import math
from typing import Any

import numpy as np

from .common import Array, keras

DRAWS = 200_000
SHAPES = ((3, 3, 8, 16), (400, 300))
TRUNCATED = 0.87962566103423978  # the standard deviation of a unit normal cut off at two of its standard deviations


def config(name: str, **settings: Any) -> dict[str, Any]:  # Any: JSON values
    """An initializer as Keras's `get` takes it."""
    return {"class_name": name, "config": settings}


SCALED = [
    config("VarianceScaling", scale=scale, mode=mode, distribution=distribution)
    for scale, mode, distribution in [
        (1.0, "fan_in", "truncated_normal"),
        (2.0, "fan_out", "truncated_normal"),
        (0.5, "fan_avg", "untruncated_normal"),
        (3.0, "fan_in", "uniform"),
    ]
]
NAMED = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"]
INITIALIZERS = [
    config("Zeros"),
    config("Ones"),
    config("Constant", value=0.3),
    config("RandomNormal"),
    config("RandomNormal", mean=1.0, stddev=0.2),
    config("RandomUniform"),
    config("RandomUniform", minval=-0.1, maxval=0.3),
    config("TruncatedNormal"),
    config("TruncatedNormal", mean=1.0, stddev=0.2),
    *map(config, NAMED),
    *SCALED,
    config("Orthogonal"),
    config("Orthogonal", gain=2.0),
]


def texts() -> list[dict[str, Any]]:  # Any: JSON values
    """One entry for each initializer and shape: "measured" and "exact" mean, std, min, max (null: without limit)."""
    return [
        {**one, "shape": list(shape), "measured": measured(one, shape), "exact": exact(one, shape)}
        for one in INITIALIZERS
        for shape in SHAPES
    ]


def measured(one: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:  # Any: JSON values
    """Over as many kernels as it takes, each with a seed of its own."""
    values = np.stack([draw(one, shape, seed) for seed in range(math.ceil(DRAWS / math.prod(shape)))])
    return {
        "draws": values.size,
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def draw(one: dict[str, Any], shape: tuple[int, ...], seed: int) -> Array:  # Any: JSON values
    """One kernel, float64 for the statistics."""
    kind = getattr(keras.initializers, one["class_name"])
    seeded = {} if one["class_name"] in ("Zeros", "Ones", "Constant") else {"seed": seed}
    return np.asarray(kind(**one["config"], **seeded)(shape).numpy(), np.float64)


def exact(one: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:  # Any: JSON values
    """What the definitions give."""
    name, settings = one["class_name"], one["config"]
    if name in ("Zeros", "Ones", "Constant"):
        value = {"Zeros": 0.0, "Ones": 1.0}.get(name, settings.get("value"))
        return {"mean": value, "std": 0.0, "min": value, "max": value}
    if name == "Orthogonal":  # of columns of (fan_in, out), which has more rows than columns in both shapes
        return normal(0.0, settings.get("gain", 1.0) / math.sqrt(math.prod(shape[:-1])))
    if name == "RandomUniform":
        return uniform(settings.get("minval", -0.05), settings.get("maxval", 0.05))
    if name in ("RandomNormal", "TruncatedNormal"):
        mean, stddev = settings.get("mean", 0.0), settings.get("stddev", 0.05)
        return normal(mean, stddev) if name == "RandomNormal" else truncated(mean, stddev * TRUNCATED)
    return scaled(**(settings or named(name)), shape=shape)


def named(name: str) -> dict[str, Any]:  # Any: JSON values
    """The variance scaling that a name such as "HeNormal" stands for."""
    scale, mode = {"Glorot": (1.0, "fan_avg"), "He": (2.0, "fan_in"), "Lecun": (1.0, "fan_in")}[
        name.removesuffix("Normal").removesuffix("Uniform")
    ]
    return {"scale": scale, "mode": mode, "distribution": "uniform" if name.endswith("Uniform") else "truncated_normal"}


def scaled(scale: float, mode: str, distribution: str, shape: tuple[int, ...]) -> dict[str, Any]:  # Any: JSON values
    """Variance scaling: the variance that is asked for is the one that is got, truncated or not."""
    receptive = math.prod(shape[:-2])
    fan_in, fan_out = receptive * shape[-2], receptive * shape[-1]
    std = math.sqrt(scale / {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode])
    if distribution == "uniform":
        return uniform(-math.sqrt(3) * std, math.sqrt(3) * std)
    return truncated(0.0, std) if distribution == "truncated_normal" else normal(0.0, std)


def uniform(low: float, high: float) -> dict[str, Any]:  # Any: JSON values
    """Between two limits."""
    return {"mean": (low + high) / 2, "std": (high - low) / math.sqrt(12), "min": low, "max": high}


def normal(mean: float, std: float) -> dict[str, Any]:  # Any: JSON values
    """Without limits."""
    return {"mean": mean, "std": std, "min": None, "max": None}


def truncated(mean: float, std: float) -> dict[str, Any]:  # Any: JSON values
    """With this standard deviation after the cut, which is at two standard deviations of before."""
    limit = 2 * std / TRUNCATED
    return {"mean": mean, "std": std, "min": mean - limit, "max": mean + limit}
