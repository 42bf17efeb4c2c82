"""Draws plans of small nets over all layers, settings, merges and losses; each follows from its number alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from holdfast import layers
from holdfast.core import BadShape, BadValue, snake_case
from holdfast.export.tfjs_layers import ABSENT, tfjs_form
from holdfast.layers import Input, Layer, Shape, Symbol

from .building import Plan

Rng: TypeAlias = np.random.Generator
Settings: TypeAlias = dict[str, Any]  # Any: JSON values
Make: TypeAlias = Callable[[Rng, Shape], Settings]

SEED = 20261121
LARGEST = 700  # numbers that a sample may have anywhere in a net
TRIES = 60  # draws of a layer until one fits
ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "softplus"),
    *("softsign", "exponential", "hard_sigmoid", "softmax"),
)
REGULARIZERS = (
    *[None] * 8,
    "l2",
    {"class_name": "L1", "config": {"l1": 0.02}},
    {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}},
)
CONSTRAINTS = (
    *[None] * 12,
    "non_neg",
    "unit_norm",
    {"class_name": "MaxNorm", "config": {"max_value": 1.1, "axis": 0}},
)


def pick(rng: Rng, *words: Any) -> Any:  # Any: JSON values
    return words[int(rng.integers(len(words)))]


def sizes(rng: Rng, axes: int, most: int, least: int = 1) -> Any:  # Any: a number, or one for each axis
    """One number, or often one for each axis."""
    if rng.random() < 0.5:
        return int(rng.integers(least, most + 1))
    return [int(one) for one in rng.integers(least, most + 1, axes)]


def decimal(rng: Rng, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 2)


def weights(rng: Rng, *names: str) -> Settings:
    """Regularizers and constraints of weights."""
    return {
        f"{name}_{what}": pick(rng, *words)
        for name in names
        for what, words in (("regularizer", REGULARIZERS), ("constraint", CONSTRAINTS))
    }


def activity(rng: Rng) -> Settings:
    return {"activity_regularizer": pick(rng, *[None] * 9, "l2")}


def dense(rng: Rng, shape: Shape) -> Settings:
    common = {
        "units": int(rng.integers(1, 6)),
        "activation": pick(rng, *ACTIVATIONS),
        "use_bias": pick(rng, True, False),
    }
    return {**common, **weights(rng, "kernel", "bias"), **activity(rng)}


def window(rng: Rng, shape: Shape, *, strides: bool = True) -> Settings:
    """The geometry of a convolution; strides and dilation do not go together."""
    axes, found = len(shape) - 1, {"kernel_size": sizes(rng, len(shape) - 1, 3)}
    if rng.random() < 0.4 and strides:
        found["strides"] = sizes(rng, axes, 3)
    elif rng.random() < 0.3:
        found["dilation_rate"] = sizes(rng, axes, 2)
    return {**found, "padding": pick(rng, "valid", "same"), "use_bias": pick(rng, True, True, False)}


def conv(rng: Rng, shape: Shape) -> Settings:
    groups = pick(rng, 1, 1, 1, *(n for n in (2, 3) if shape[-1] % n == 0))
    found = {**window(rng, shape), "filters": groups * int(rng.integers(1, 4)), "groups": groups}
    found |= {"activation": pick(rng, *ACTIVATIONS), **weights(rng, "kernel", "bias"), **activity(rng)}
    if len(shape) == 2 and rng.random() < 0.3:
        found["padding"] = "causal"
    return found


def transposed(rng: Rng, shape: Shape) -> Settings:
    found = {**window(rng, shape), "filters": int(rng.integers(1, 4)), "activation": pick(rng, *ACTIVATIONS)}
    return {**found, **weights(rng, "kernel", "bias"), **activity(rng)}


def depthwise(rng: Rng, shape: Shape) -> Settings:
    found = {**window(rng, shape), "depth_multiplier": int(rng.integers(1, 3)), "activation": pick(rng, *ACTIVATIONS)}
    found["strides"] = int(rng.integers(1, 3)) if "dilation_rate" not in found else 1
    return {**found, **weights(rng, "depthwise", "bias"), **activity(rng)}


def separable(rng: Rng, shape: Shape) -> Settings:
    found = {**depthwise(rng, shape), "filters": int(rng.integers(1, 4))}
    return {**found, **weights(rng, "pointwise")}


def max_pool(rng: Rng, shape: Shape) -> Settings:
    axes = len(shape) - 1
    strides = pick(rng, None, sizes(rng, axes, 3))
    return {"pool_size": sizes(rng, axes, 3), "strides": strides, "padding": pick(rng, "valid", "same")}


def average_pool(rng: Rng, shape: Shape) -> Settings:
    """Windows of "same" stay small: Keras on torch averages what it padded otherwise, see golden/README.md."""
    found = max_pool(rng, shape)
    return found if found["padding"] == "valid" else {"pool_size": 2, "padding": "same"}


def sides(rng: Rng, shape: Shape, key: str) -> Settings:
    """What is put on or cut off each axis: one number, one an axis, or two."""
    axes = len(shape) - 1
    if axes == 1:
        return {key: pick(rng, 1, [0, 2], [1, 1])}
    return {key: pick(rng, 1, [0, 1, 2][:axes], [[1, 0], [0, 1], [2, 0]][:axes])}


def upsample(rng: Rng, shape: Shape) -> Settings:
    found = {"size": int(rng.integers(1, 4)) if len(shape) == 2 else sizes(rng, len(shape) - 1, 2)}
    return found if len(shape) != 3 else {**found, "interpolation": pick(rng, "nearest", "bilinear", "bicubic")}


def norm(rng: Rng, shape: Shape) -> Settings:
    found = {"epsilon": pick(rng, 1e-3, 0.05), "center": pick(rng, True, True, False), "scale": pick(rng, True, False)}
    regularizers = {key: value for key, value in weights(rng, "beta", "gamma").items() if key.endswith("regularizer")}
    return {**found, **regularizers}


def batch_norm(rng: Rng, shape: Shape) -> Settings:
    return {**norm(rng, shape), "momentum": pick(rng, 0.99, 0.8), "trainable": pick(rng, True, True, True, False)}


def group_norm(rng: Rng, shape: Shape) -> Settings:
    return {**norm(rng, shape), "groups": pick(rng, 1, -1, *(n for n in (2, 3) if shape[-1] % n == 0))}


def normalization(rng: Rng, shape: Shape) -> Settings:
    numbers = shape[-1]
    mean, variance = [decimal(rng, -1, 1) for _ in range(numbers)], [decimal(rng, 0.3, 2) for _ in range(numbers)]
    found: Settings = pick(
        rng,
        {"mean": mean, "variance": variance},
        {"mean": mean, "variance": variance, "invert": True},
        {"axis": None, "mean": mean[0], "variance": variance[0]},
    )
    return found


def axes_of(rng: Rng, shape: Shape) -> list[int]:
    return sorted({int(one) for one in rng.integers(1, len(shape) + 1, 2)})


def resizing(rng: Rng, shape: Shape) -> Settings:
    found = {"height": int(rng.integers(3, 10)), "width": int(rng.integers(3, 10))}
    found |= {"interpolation": pick(rng, "bilinear", "nearest", "bicubic"), "antialias": pick(rng, False, True)}
    return {
        **found,
        **pick(rng, {}, {}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
    }


def reshape(rng: Rng, shape: Shape) -> Settings:
    size = math.prod(shape)
    factors = [n for n in range(1, size + 1) if size % n == 0 and n < 12]
    one = pick(rng, *factors)
    return {"target_shape": pick(rng, [one, -1], [-1], [size // one, one], [one, 1, -1])}


MAKERS: tuple[tuple[str, tuple[int, ...], Make], ...] = (  # layer, ranks of its input without samples, its settings
    ("Dense", (1, 1, 2, 3, 4), dense),
    *((f"Conv{n}D", (n + 1,) * 6, conv) for n in (1, 2, 3)),
    *((f"Conv{n}DTranspose", (n + 1,) * 3, transposed) for n in (1, 2, 3)),
    *((f"DepthwiseConv{n}D", (n + 1,) * 3, depthwise) for n in (1, 2)),
    *((f"SeparableConv{n}D", (n + 1,) * 3, separable) for n in (1, 2)),
    *((f"MaxPooling{n}D", (n + 1,) * 3, max_pool) for n in (1, 2, 3)),
    *((f"AveragePooling{n}D", (n + 1,) * 3, average_pool) for n in (1, 2, 3)),
    *(
        (f"Global{word}Pooling{n}D", (n + 1,), lambda rng, shape: {"keepdims": pick(rng, False, True)})
        for n in (1, 2, 3)
        for word in ("Average", "Max")
    ),
    *((f"ZeroPadding{n}D", (n + 1,), lambda rng, shape: sides(rng, shape, "padding")) for n in (1, 2, 3)),
    *((f"Cropping{n}D", (n + 1,), lambda rng, shape: sides(rng, shape, "cropping")) for n in (1, 2, 3)),
    *((f"UpSampling{n}D", (n + 1,) * 2, upsample) for n in (1, 2, 3)),
    ("BatchNormalization", (1, 1, 2, 3, 3, 4), batch_norm),
    ("LayerNormalization", (1, 2, 3, 4), norm),
    ("GroupNormalization", (1, 2, 3, 4), group_norm),
    ("UnitNormalization", (1, 2, 3), lambda rng, shape: {"axis": pick(rng, -1, axes_of(rng, shape))}),
    ("Normalization", (1, 2, 3, 4), normalization),
    ("Rescaling", (1, 2, 3, 4), lambda rng, shape: {"scale": decimal(rng, -2, 2), "offset": decimal(rng, -1, 1)}),
    ("Activation", (1, 1, 2, 3, 4), lambda rng, shape: {"activation": pick(rng, *ACTIVATIONS)}),
    (
        "ReLU",
        (1, 2, 3, 4),
        lambda rng, shape: {
            "max_value": pick(rng, None, 1.5),
            "negative_slope": pick(rng, 0.0, 0.2),
            "threshold": pick(rng, 0.0, 0.3),
        },
    ),
    ("LeakyReLU", (1, 2, 3, 4), lambda rng, shape: {"negative_slope": decimal(rng, 0, 0.5)}),
    ("ELU", (1, 2, 3, 4), lambda rng, shape: {"alpha": pick(rng, 1.0, 0.7)}),
    (
        "PReLU",
        (1, 2, 3, 4),
        lambda rng, shape: {"shared_axes": pick(rng, None, axes_of(rng, shape)), **weights(rng, "alpha")},
    ),
    ("Softmax", (1, 2, 3, 4), lambda rng, shape: {"axis": pick(rng, -1, 1)}),
    ("Flatten", (1, 2, 3, 4), lambda rng, shape: {}),
    ("Reshape", (1, 2, 3, 4), reshape),
    (
        "Permute",
        (1, 2, 3, 4),
        lambda rng, shape: {"dims": [int(one) for one in rng.permutation(len(shape)) + 1]},
    ),
    ("RepeatVector", (1,), lambda rng, shape: {"n": int(rng.integers(1, 4))}),
    ("Resizing", (3, 3), resizing),
    (
        "CenterCrop",
        (3,),
        lambda rng, shape: {"height": int(rng.integers(2, 8)), "width": int(rng.integers(2, 8))},
    ),
    ("Dropout", (1, 3), lambda rng, shape: {"rate": 0.3}),
    ("GaussianNoise", (2,), lambda rng, shape: {"stddev": 0.3}),
    ("GaussianDropout", (3,), lambda rng, shape: {"rate": 0.3}),
    ("AlphaDropout", (1,), lambda rng, shape: {"rate": 0.3}),
    *((f"SpatialDropout{n}D", (n + 1,), lambda rng, shape: {"rate": 0.3}) for n in (1, 2, 3)),
)
BY_RANK = {
    rank: [(name, make) for name, ranks, make in MAKERS for one in ranks if one == rank] for rank in (1, 2, 3, 4)
}
RANDOM = (
    *("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
)
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")
ENDS = (  # losses, the activation of the last layer, and how targets are drawn
    ("mean_squared_error", "linear", "values"),
    ("mean_absolute_error", "tanh", "values"),
    ("huber", "linear", "values"),
    ("categorical_crossentropy", "softmax", "one_hot"),
    ("sparse_categorical_crossentropy", "softmax", "labels"),
    ("kl_divergence", "softmax", "shares"),
    ("binary_crossentropy", "sigmoid", "flags"),
    ("hinge", "tanh", "signs"),
    ("squared_hinge", "tanh", "signs"),
    ("cosine_similarity", "linear", "values"),
)
TARGETS = {loss: kind for loss, _, kind in ENDS}


@dataclass
class Drawing:
    """A plan that grows: its layers and calls, and the symbols that they give.

    Attributes:
        for_tfjs: whether only what TF.js has is taken.
    """

    rng: Rng
    for_tfjs: bool
    inputs: list[Settings] = field(default_factory=list)
    layers: dict[str, Settings] = field(default_factory=dict)
    made: dict[str, Layer] = field(default_factory=dict)
    calls: list[Settings] = field(default_factory=list)
    values: list[Symbol] = field(default_factory=list)

    def enter(self, shape: Shape, words: int | None = None) -> int:
        """An input; returns the place of its value."""
        name = f"in_{len(self.inputs)}"
        self.inputs.append({"name": name, "shape": list(shape), "words": words})
        self.values.append(Input(shape, name=name))
        return len(self.values) - 1

    def put(self, kind: str, settings: Settings, *places: int) -> int | None:
        """Calls a new layer; None where it does not fit or becomes too large."""
        name = f"{snake_case(kind)}_{len(self.layers)}"
        try:
            layer: Layer = getattr(layers, kind)(**settings, name=name)
            shapes = tuple(self.values[place].shape for place in places)
            layer.out_shape(*shapes)
            if self.for_tfjs:
                tfjs_form(layer, name, shapes, {})
        except (BadShape, BadValue):
            return None
        self.made[name] = layer
        self.layers[name] = {"class": kind, "settings": settings}
        place = self.again(name, *places)
        if place is None:
            del self.made[name], self.layers[name]
        return place

    def must(self, kind: str, settings: Settings, *places: int) -> int:
        """Calls a new layer that fits."""
        found = self.put(kind, settings, *places)
        assert found is not None, (kind, settings)
        return found

    def again(self, name: str, *places: int) -> int | None:
        """Calls a layer that is there; None where it does not fit."""
        taken = [self.values[place] for place in places]
        try:
            symbol = self.made[name](taken if len(taken) > 1 else taken[0])
        except (BadShape, BadValue):
            return None
        if math.prod(symbol.shape) > LARGEST or len(symbol.shape) > 4 or 0 in symbol.shape:
            return None
        self.calls.append({"layer": name, "inputs": list(places)})
        self.values.append(symbol)
        return len(self.values) - 1

    def grow(self, place: int, wanted: tuple[str, Make] | None = None) -> int:
        """A layer on a value: the wanted one, or any."""
        for _ in range(TRIES):
            shape = self.values[place].shape
            kind, make = wanted or pick(self.rng, *BY_RANK[len(shape)])
            found = self.put(kind, make(self.rng, shape), place)
            if found is not None:
                return found
        return place

    def share(self) -> int | None:
        """A layer that is there, on another value of the shape that it takes."""
        options = [
            (call["layer"], other)
            for call in self.calls
            if len(call["inputs"]) == 1
            for other, symbol in enumerate(self.values)
            if symbol.shape == self.values[call["inputs"][0]].shape and other != call["inputs"][0]
        ]
        return self.again(*pick(self.rng, *options)) if options else None

    def merge(self, place: int) -> int | None:
        """A value with others: of its shape, which may be made for this, or with one number a channel."""
        kind, shape = pick(self.rng, *MERGES), self.values[place].shape
        alike = [n for n, symbol in enumerate(self.values) if symbol.shape == shape and n != place]
        other = pick(self.rng, *alike) if alike and self.rng.random() < 0.5 else None
        if other is None:
            other = self.put("Dense", {"units": shape[-1], "activation": pick(self.rng, *ACTIVATIONS)}, place)
        if kind == "Dot" and other is not None:
            axis = int(self.rng.integers(1, len(shape) + 1))
            return self.put("Dot", {"axes": axis, "normalize": pick(self.rng, True, False)}, place, other)
        if kind == "Concatenate" and other is not None:
            return self.put(kind, {"axis": pick(self.rng, -1, 1)}, place, other)
        if len(shape) > 1 and self.rng.random() < 0.3:
            other = self.put(f"GlobalAveragePooling{len(shape) - 1}D", {}, place)
        if other is None:
            return None
        more = [pick(self.rng, *alike)] if alike and kind != "Subtract" and self.rng.random() < 0.3 else []
        return self.put(kind, {}, place, other, *more)

    def vector(self, place: int) -> int:
        """A value as a vector."""
        rank = len(self.values[place].shape)
        if rank == 1:
            return place
        pool = f"Global{pick(self.rng, 'Average', 'Max')}Pooling{rank - 1}D"
        found = self.put(pool, {}, place) if self.rng.random() < 0.5 else None
        return self.must("Flatten", {}, place) if found is None else found

    def end(self, place: int) -> tuple[int, str]:
        """The last layer of an output, and its loss."""
        loss, activation, _ = pick(self.rng, *ENDS)
        if self.rng.random() < 0.75 or math.prod(self.values[place].shape) > LARGEST / 5:
            place = self.vector(place)
        return self.must("Dense", {"units": int(self.rng.integers(2, 5)), "activation": activation}, place), loss


def first(drawing: Drawing, rank: int) -> int:
    """An input of a rank; sometimes of words or of sounds, with what belongs to it."""
    rng = drawing.rng
    chance = rng.random()
    if (rank == 2 and chance < 0.15) or (rank == 3 and chance < 0.03):
        place = drawing.enter((5,) if rank == 2 else (3, 2), 7)
        settings = {"input_dim": 7, "output_dim": int(rng.integers(2, 4)), **weights(rng, "embeddings")}
        return drawing.must("Embedding", settings, place)
    if rank == 2 and chance < 0.3 and not drawing.for_tfjs:
        place = drawing.enter((int(rng.integers(80, 120)),))
        settings = {"fft_length": 32, "sequence_stride": 16, "num_mel_bins": 5, "sampling_rate": 8000}
        return drawing.must("MelSpectrogram", settings, place)
    shapes = {1: (3, 9), 2: (5, 12), 3: (4, 10), 4: (3, 6)}
    low, high = shapes[rank]
    spatial = [int(one) for one in rng.integers(low, high, max(1, rank - 1))]
    return drawing.enter(tuple(spatial) if rank == 1 else (*spatial, int(rng.integers(1, 5 if rank < 4 else 3))))


def draw(number: int) -> Plan:
    """The plan of a number."""
    drawn = (_draw(np.random.default_rng([SEED, number, attempt]), number) for attempt in count())
    return next(plan for plan in drawn if len(plan["calls"]) > 2)


def _draw(rng: Rng, number: int) -> Plan:
    """A plan that begins with a layer of each kind in turn."""
    kind, ranks, make = MAKERS[number % len(MAKERS)]
    drawing = Drawing(rng, for_tfjs=kind not in ABSENT and bool(rng.random() < 0.6))
    row = rng.random() < 0.35
    place = drawing.grow(first(drawing, int(pick(rng, *ranks))), (kind, make))
    for _ in range(int(rng.integers(1, 6))):
        chance = rng.random()
        if row or chance < 0.55:
            place = drawing.grow(place)
        elif chance < 0.8:
            place = found if (found := drawing.merge(place)) is not None else place
        elif chance < 0.9:
            place = found if (found := drawing.share()) is not None else place
        else:
            place = drawing.grow(pick(rng, *range(len(drawing.values))))
    if not row and rng.random() < 0.3:
        other = drawing.grow(first(drawing, int(rng.integers(1, 4))))
        joined = drawing.put("Concatenate", {}, drawing.vector(place), drawing.vector(other))
        place = joined if joined is not None else place
    ends = [drawing.end(place)]
    if not row and rng.random() < 0.3:
        ends.append(drawing.end(pick(rng, *range(len(drawing.inputs), len(drawing.values)))))
    return pruned(drawing, "Sequential" if row else "functional", ends)


def pruned(drawing: Drawing, kind: str, ends: Sequence[tuple[int, str]]) -> Plan:
    """The plan without the calls that no output needs."""
    first_call = [n for n, symbol in enumerate(drawing.values) if symbol.call.inputs]
    numbers = {place: n for n, place in enumerate(first_call)}  # value -> its call
    needed: set[int] = set()
    waiting = [place for place, _ in ends]
    while waiting:
        place = waiting.pop()
        if place not in needed:
            needed.add(place)
            waiting += drawing.calls[numbers[place]]["inputs"] if place in numbers else []
    sources = [n for n in range(len(drawing.values)) if n not in numbers]
    order = [n for n in sources if n in needed] + [n for n in first_call if n in needed]
    new = {place: n for n, place in enumerate(order)}
    calls = [drawing.calls[numbers[place]] for place in order if place in numbers]
    names = {call["layer"] for call in calls}
    return {
        "kind": kind,
        "inputs": [drawing.inputs[n] for n, place in enumerate(sources) if place in needed],
        "layers": {name: row for name, row in drawing.layers.items() if name in names},
        "calls": [{**call, "inputs": [new[place] for place in call["inputs"]]} for call in calls],
        "outputs": [new[place] for place, _ in ends],
        "losses": [loss for _, loss in ends],
        "random": any(drawing.layers[name]["class"] in RANDOM for name in names),
    }
