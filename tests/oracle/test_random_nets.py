"""Small nets drawn at random compute and learn the same here, in Keras, in TF.js and in ONNX Runtime."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from holdfast import layers, load
from holdfast.core import BadValue, HoldfastError
from holdfast.export import export_onnx, export_tfjs
from holdfast.export.node import TfjsJudge
from holdfast.layers import Dense
from holdfast.layers.augment import Augmenting
from holdfast.models import BaseModel, Model, Sequential
from holdfast.models.config import ROWS
from holdfast.training import SGD
from layers.building import Array, listed, one_or_all, within_constraints
from models.test_real_keras import run

from .building import RATE, STEPS, Plan, build
from .drawing import TARGETS, draw

NETS = 300
PARTS = 6  # as many tests, so that processors share them
BATCH = 5
FORWARD = 1e-5  # of the largest number that an output has
WORST = 1e-4  # that single precision may make of it
LEARNED = 1e-4  # of the largest number that a weight has, after three steps
WORLD = SimpleNamespace(layers=layers, Input=layers.Input, Sequential=Sequential, Model=Model)
SIDE = Path(__file__).with_name("keras_side.py")


@dataclass
class Net:
    """A net as it is asked: what it is, its model here, and what goes in."""

    number: int
    plan: Plan
    model: BaseModel
    inputs: list[Array]
    targets: list[Array]

    def __str__(self) -> str:
        return f"net {self.number} ({', '.join(row['class'] for row in self.plan['layers'].values())})"


def net(number: int) -> Net:
    """The net of a number, with weights at none of their defaults, kept within their constraints."""
    plan, rng = draw(number), np.random.default_rng([7, number])
    model: BaseModel = build(plan, WORLD)
    model.set_weights([_values(rng, name, w.shape) for name, w in zip(_names(model), model.get_weights(), strict=True)])
    within_constraints(model)
    inputs = [
        rng.normal(size=(BATCH, *one["shape"])).astype(np.float32)
        if one["words"] is None
        else rng.integers(0, one["words"], (BATCH, *one["shape"])).astype(np.float32)
        for one in plan["inputs"]
    ]
    shapes = [symbol.shape for symbol in model.outputs]
    targets = [_target(rng, TARGETS[loss], shape) for loss, shape in zip(plan["losses"], shapes, strict=True)]
    _calm(model, inputs)
    return Net(number, plan, model, inputs, targets)


def _calm(model: BaseModel, inputs: list[Array]) -> None:
    """Halves the weights of last layers until no probability is so near to 0 that Keras clips it; we take logits."""
    for number, symbol in enumerate(model.outputs):
        layer = symbol.call.layer
        assert isinstance(layer, Dense)
        bound = model.get_layer(layer.name)
        while layer.activation in ("softmax", "sigmoid") and _sure(asked(model, inputs)[number]):
            bound.set_weights([weight / 2 for weight in bound.get_weights()])


def _sure(shares: Array) -> bool:
    return bool(shares.min() < 0.01 or shares.max() > 0.99)


def _names(model: BaseModel) -> Iterator[str]:
    for name in model.lowered.names.values():
        yield from (weight.name for weight, _ in model.get_layer(name).tensors())


def _values(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    kernel: Array = (rng.normal(size=shape) / math.sqrt(max(1, math.prod(shape[:-1])))).astype(np.float32)
    return kernel


def _target(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Array:
    labels = rng.integers(0, shape[-1], (BATCH, *shape[:-1]))
    labels.flat[:2] = 0, 1  # one class alone is nothing to learn
    shares = rng.uniform(0.1, 1, (BATCH, *shape))
    kinds: dict[str, Array] = {
        "values": rng.normal(size=(BATCH, *shape)),
        "labels": labels,
        "one_hot": np.eye(shape[-1])[labels],
        "shares": shares / shares.sum(-1, keepdims=True),
        "flags": rng.integers(0, 2, (BATCH, *shape)),
        "signs": 2 * rng.integers(0, 2, (BATCH, *shape)) - 1,
    }
    return kinds[kind].astype(np.int64 if kind == "labels" else np.float32)


def asked(model: BaseModel, inputs: list[Array]) -> list[Array]:
    found = model.predict(one_or_all(inputs))
    return found if isinstance(found, list) else [found]


def apart(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The largest difference, as a share of the largest number of its array."""
    if [one.shape for one in ours] != [other.shape for other in theirs]:
        return np.inf
    far = [np.abs(one - other).max() / max(np.abs(other).max(), 1e-3) for one, other in zip(ours, theirs, strict=True)]
    return float(np.max(far, initial=0))  # NaN where one is, which max() would pass over


def too_far(one: Net, far: float) -> bool:
    """Whether answers differ by more than `FORWARD`, and not because single precision carries no further.

    It does not where we are as near to what the same net computes in double precision, or nearly so.
    """
    if far <= FORWARD:
        return False
    exact = deepcopy(one.model.module).double()
    with torch.no_grad():
        found = exact(*(torch.tensor(array, dtype=torch.float64) for array in one.inputs))
    outputs = found if isinstance(found, tuple) else (found,)
    ours = apart(asked(one.model, one.inputs), [output.numpy() for output in outputs])
    return not (far <= WORST and (ours <= FORWARD or far <= 4 * ours))


def keras_of(nets: Sequence[Net], folder: Path) -> list[dict[str, Array] | str]:
    """What real Keras makes of them all, or what it has against them."""
    (folder / "plans.json").write_text(json.dumps([one.plan for one in nets]))
    for number, one in enumerate(nets):
        words = ("input", one.inputs), ("weight", one.model.get_weights()), ("target", one.targets)
        arrays = {f"{word}_{n}": array for word, some in words for n, array in enumerate(some)}
        np.savez(folder / f"{number}.npz", allow_pickle=False, **arrays)
        one.model.save(folder / f"{number}.keras")
    run(SIDE, str(folder))
    found: list[dict[str, Array] | str] = []
    for number in range(len(nets)):
        wrong = folder / f"{number}.txt"
        found.append(wrong.read_text() if wrong.exists() else dict(np.load(folder / f"{number}_keras.npz")))
    return found


def learned(one: Net) -> list[Array]:
    """The weights after some steps at a rate that does not make them explode, which the plan then has."""
    first, losses = one.model.get_weights(), one.plan["losses"]
    x, y = one_or_all(one.inputs), one_or_all(one.targets)
    one.plan["rate"] = RATE
    while True:
        one.model.compile(SGD(one.plan["rate"]), losses if len(losses) > 1 else losses[0])
        told = one.model.fit(x, y, batch_size=BATCH, epochs=STEPS, shuffle=False, verbose=0, measure_train="never")
        after = one.model.get_weights()
        one.model.set_weights(first)
        if max(np.abs(told.history["loss"])) <= 2 * max(1, abs(told.history["loss"][0])):
            return after
        one.plan["rate"] /= 10


def against_keras(one: Net, keras: dict[str, Array] | str, by_keras: Path) -> dict[str, float | str]:
    """How far each answer is from Keras's; words are why there is none."""
    if isinstance(keras, str):
        return {"Keras": keras}
    ours = asked(one.model, one.inputs)
    found: dict[str, float | str] = {
        "Keras": apart(ours, listed(keras, "output")),
        "our file in Keras": apart(ours, listed(keras, "read")),
        "our weights in Keras": apart(one.model.get_weights(), listed(keras, "read_weight")) and "they differ",
    }
    try:
        found["Keras's file here"] = apart(asked(load(by_keras), one.inputs), ours)
    except HoldfastError as error:
        found["Keras's file here"] = str(error)
    return found


def in_onnx(one: Net, folder: Path) -> float:
    """How far ONNX Runtime is from us."""
    onnxruntime = pytest.importorskip("onnxruntime")
    file = export_onnx(one.model, folder / "model.onnx")[0]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return apart(asked(one.model, one.inputs), session.run(None, dict(zip(names, one.inputs, strict=True))))


def in_tfjs(one: Net, folder: Path, tfjs: TfjsJudge) -> float | None:
    """How far TF.js is from us; None where it does not have a layer."""
    try:
        file = export_tfjs(one.model, folder)[0]
    except BadValue:
        return None
    return apart(asked(one.model, one.inputs), tfjs.predict(file, one.inputs))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_random_nets_compute_and_learn_the_same_everywhere(part: int, tmp_path: Path) -> None:
    nets = [net(number) for number in range(part, NETS, PARTS)]
    after = [None if one.plan["random"] else learned(one) for one in nets]
    keras = keras_of(nets, tmp_path)

    wrong: list[str] = []
    for place, (one, theirs, ours) in enumerate(zip(nets, keras, after, strict=True)):
        found = against_keras(one, theirs, tmp_path / f"{place}_keras.keras")
        found["ONNX Runtime"] = in_onnx(one, tmp_path)
        wrong += [f"{one}: {who}: {far}" for who, far in found.items() if isinstance(far, str) or too_far(one, far)]
        if ours is not None and not isinstance(theirs, str):
            far = apart(ours, listed(theirs, "after"))
            wrong += [f"{one}: after three steps: {far}"] if not far <= LEARNED else []

    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_random_nets_compute_the_same_in_tfjs(tfjs: TfjsJudge, tmp_path: Path) -> None:
    nets = [net(number) for number in range(NETS)]

    found = [in_tfjs(one, tmp_path / "out", tfjs) for one in nets]

    wrong = [f"{one}: {far}" for one, far in zip(nets, found, strict=True) if far is not None and too_far(one, far)]
    assert not wrong, "\n".join(wrong)
    assert sum(far is not None for far in found) > NETS / 4


def test_the_nets_have_all_layers_and_losses() -> None:
    plans = [draw(number) for number in range(NETS)]

    counts = Counter(row["class"] for plan in plans for row in plan["layers"].values())

    # Layers that only Keras's training knows, in which nothing is alike, are judged in models/test_real_keras.py.
    judged = {name for name, row in ROWS.items() if not row.own and not issubclass(row.layer, Augmenting)}
    assert set(counts) == judged - {"InputLayer"}
    assert min(counts.values()) > 1
    assert {loss for plan in plans for loss in plan["losses"]} == set(TARGETS)
    assert {plan["kind"] for plan in plans} == {"Sequential", "functional"}
    assert sum(len(plan["calls"]) > len(plan["layers"]) for plan in plans) > NETS / 20  # have a shared layer
    assert sum(not plan["random"] for plan in plans) > NETS * 2 / 3  # can be trained the same
    assert sum(len(plan["outputs"]) > 1 for plan in plans) > NETS / 10


def test_a_net_follows_from_its_number() -> None:
    assert draw(11) == draw(11)
    assert draw(11) != draw(12)


def test_an_answer_that_is_no_number_is_far_from_any() -> None:
    one, other = [np.ones(2, np.float32)] * 2, [np.ones(2, np.float32), np.full(2, np.nan, np.float32)]

    assert not apart(one, other) <= WORST
