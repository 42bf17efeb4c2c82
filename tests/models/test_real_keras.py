"""Real Keras 3 opens our files and predicts the same, and we open its.

It lives in an environment of its own, see tests/golden/README.md; without it these tests are skipped.
"""

import json
import math
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases import CASES
from holdfast.core import HoldfastError
from holdfast.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Normalization,
    Rescaling,
    Symbol,
)
from holdfast.models import (
    BaseModel,
    Model,
    Sequential,
    Unknown,
    convnet,
    dense_twin,
    fold_temperature,
    load_keras,
)
from holdfast.models import load as load_model
from holdfast.models.graph import calls_of
from layers.building import Array, layer_of, listed, one_or_all

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
KERAS = Path(os.environ.get("HOLDFAST_KERAS", TESTS.parent / ".venv-keras" / "bin" / "python"))
RANDOM = np.random.default_rng(0)
KERAS_CASES = [case for case in CASES if not case.own]


def run(*arguments: Path | str) -> str:
    if not KERAS.exists():
        pytest.skip(f"no real Keras at {KERAS}; tests/golden/README.md says how to get it")
    done = subprocess.run(
        [KERAS, *arguments], capture_output=True, text=True, check=False, env={**os.environ, "KERAS_BACKEND": "torch"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@dataclass
class Verdict:
    """A model of ours, what it was asked, and what real Keras made of its file."""

    model: BaseModel
    inputs: list[Array]
    outputs: list[Array]
    weights: list[Array]
    told: dict[str, Any]  # Any: JSON values


def agree(verdict: Verdict) -> None:
    predicted = verdict.model.predict(one_or_all(verdict.inputs))
    for number, (ours, keras_s) in enumerate(
        zip(predicted if isinstance(predicted, list) else [predicted], verdict.outputs, strict=True)
    ):
        np.testing.assert_allclose(ours, keras_s, rtol=1e-5, atol=1e-6, err_msg=f"output {number}")
    for one, other in zip(verdict.model.get_weights(), verdict.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def shaken(model: BaseModel) -> BaseModel:
    """The model with weights that are at none of their defaults."""
    scales = [max(1, math.prod(weight.shape[:-1])) for weight in model.get_weights()]
    model.set_weights([RANDOM.uniform(0.5, 1.5, w.shape) / n for w, n in zip(model.get_weights(), scales, strict=True)])
    return model


def samples(model: BaseModel) -> list[Array]:
    drawn = [RANDOM.normal(size=(3, *symbol.shape)).astype(np.float32) for symbol in model.inputs]
    looked_up = [
        call.inputs[0] for call in calls_of(model.inputs, model.outputs) if isinstance(call.layer, Embedding)
    ]  # numbers of rows are not negative
    return [np.abs(one) if symbol in looked_up else one for symbol, one in zip(model.inputs, drawn, strict=True)]


def table() -> Model:
    """Every case of the table that Keras has, in one model."""
    inputs: list[Symbol] = []
    outputs: list[Symbol] = []
    for case in KERAS_CASES:
        own = [Input(shape, name=f"{case}_{number}") for number, shape in enumerate(case.shapes)]
        inputs += own
        outputs.append(layer_of(case, name=case.name)(one_or_all(own)))
    return Model(inputs, outputs)


def trained() -> Sequential:
    """A convnet that learned for two epochs, was calibrated, and knows what it does not know."""
    model = convnet((13, 9, 3), 3)
    pixels = RANDOM.integers(0, 256, (12, 13, 9, 3), np.uint8)
    model.fit(pixels, ["ant", "bee", "cow"] * 4, epochs=2, verbose=0)
    assert fold_temperature(model, 0.5)
    model.unknown = Unknown.fit(model.predict(pixels), model.predict(pixels), coverage=0.8)
    assert model.unknown is not None
    return model


def twin() -> Sequential:
    """A dense twin behind a Normalization without numbers."""
    return Sequential([Input((7, 7, 1)), Normalization(), *dense_twin(convnet((7, 7, 1), 2)).layers])


def branches() -> Model:
    """Branches, merges, a shared layer, two inputs, two outputs; names that do not follow the order of making."""
    late = Dense(3, "softmax")
    a, b = Input((8, 8, 2), name="picture"), Input((4,), name="numbers")
    shared = Conv2D(2, 3, padding="same", activation="relu", name="zz_shared")
    once, twice = shared(a), shared(shared(a))
    summed = BatchNormalization()(Add()([once, twice, a]))
    pooled = Concatenate()([GlobalAveragePooling2D()(summed), Flatten()(MaxPooling2D()(twice))])
    joined = Concatenate()([pooled, Dense(5, "tanh", name="aa_first")(b)])
    return Model([b, a], [Dense(1, name="size")(Dense(3)(joined)), late(joined)])


def nested() -> Model:
    """Models in models, one of them used twice, one with two outputs."""
    x, y = Input((6, 6, 1)), Input(4)
    front = Sequential([x, Rescaling(0.5), Normalization().adapt(RANDOM.normal(size=(9, 6, 6, 1))), Conv2D(2, 3)])
    deep = Sequential([Input(4), Dense(3), BatchNormalization()], name="deep")
    middle = Model(y, [Dense(2)(deep(y)), Activation("relu")(y)], name="middle")
    a, b = Input((6, 6, 1)), Input((6, 6, 1))
    rows = [Dense(4)(Flatten()(AveragePooling2D(2)(front(picture)))) for picture in (a, b)]
    short, long = middle(rows[0])
    again, _ = middle(Dropout(0.5)(rows[1]))
    return Model([a, b], [Dense(2)(Concatenate()([short, long, again])), front(b)], name="nested")


def ends_in_models() -> Model:
    """A model whose outputs are calls of another; Keras counts these from 1, and read our second as the first."""
    x = Input(3)
    inner = Model(x, [Dense(2)(x), Dense(4)(x)], name="inner")
    a, b = Input(3), Input(3)
    return Model([a, b], [inner(b)[1], inner(a)[0], inner(a)[1]])


def tangle() -> Model:
    """Forty dense layers, each on some of the values before it, a few of them shared, by chance."""
    chance = np.random.default_rng(5)
    values: list[Symbol] = [Input(3, name=f"in_{number}") for number in range(3)]
    inputs = list(values)
    layers = [Dense(3, "tanh", name=f"layer_{number}") for number in chance.permutation(40)]
    for layer in layers:
        for _ in range(1 + int(chance.random() < 0.2)):
            taken = [values[place] for place in chance.choice(len(values), 2, replace=False)]
            values.append(layer(Add()(taken) if chance.random() < 0.6 else taken[0]))
    outputs = [values[place] for place in chance.choice(np.arange(20, len(values)), 4, replace=False)]
    return Model(inputs, outputs)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models that real Keras wrote."""
    folder = tmp_path_factory.mktemp("by keras")
    run(TESTS / "models" / "keras_writer.py", folder)
    return folder


OURS: list[Callable[[], BaseModel]] = [table, trained, twin, branches, nested, ends_in_models, tangle]
KERAS_S = [
    "augmented",
    "sequential",
    "branches",
    "nested",
    "adapted",
    "named_outputs",
    "arrays",
    "without_input",
    "pictures_of_bytes",
    "gates",
    "words",
    "sounds",
    "kept_in_bounds",
    "series",
    "volumes",
    "mobile",
]
JUDGE_ALL = """
import sys
sys.path.insert(0, sys.argv[1])
import judge
for number in range(2, len(sys.argv), 3):
    judge.main(*sys.argv[number:number + 3])
"""


@pytest.fixture(scope="module")
def verdicts(written: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """All of our models, and those of real Keras once they went through our hands, judged in one go."""
    folder = tmp_path_factory.mktemp("ours")
    models = {make.__name__: make() if make is trained else shaken(make()) for make in OURS}
    models |= {f"again_{name}": load_keras(written / f"{name}.keras") for name in KERAS_S}
    inputs = {name: samples(model) for name, model in models.items()}
    paths: list[Path] = []
    for name, model in models.items():
        paths += [folder / f"{name}.keras", folder / f"{name}-in.npz", folder / f"{name}.npz"]
        model.save(paths[-3])
        np.savez(paths[-2], allow_pickle=False, **{f"input_{n}": array for n, array in enumerate(inputs[name])})
    lines = run("-c", JUDGE_ALL, TESTS / "golden", *paths).splitlines()
    found = {name: load(folder / f"{name}.npz") for name in models}
    return {
        name: Verdict(
            models[name], inputs[name], listed(found[name], "output"), listed(found[name], "weight"), json.loads(line)
        )
        for name, line in zip(models, lines, strict=True)
    }


def load(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("name", [*(make.__name__ for make in OURS), *(f"again_{name}" for name in KERAS_S)])
def test_real_keras_predicts_the_same_with_its_weights_in_the_same_order(
    name: str, verdicts: dict[str, Verdict]
) -> None:
    verdict = verdicts[name]

    agree(verdict)
    assert [layer for layer, _ in verdict.told["layers"]] == [
        verdict.model.lowered.names[layer] for layer in verdict.model.layers
    ]
    assert verdict.told["class"] == ("Sequential" if isinstance(verdict.model, Sequential) else "Functional")
    assert verdict.told["parameters"] == verdict.model.count_params()
    assert verdict.told["optimizer"] is None


def test_every_layer_of_keras_s_in_the_table_was_judged(verdicts: dict[str, Verdict]) -> None:
    told = dict(verdicts["table"].told["layers"])

    assert {case.name: told[case.name] for case in KERAS_CASES} == {case.name: case.layer for case in KERAS_CASES}


@pytest.mark.parametrize("name", KERAS_S)
def test_a_file_by_real_keras_predicts_the_same_here(name: str, written: Path) -> None:
    found = load(written / f"{name}.npz")

    model = load_keras(written / f"{name}.keras")

    agree(Verdict(model, listed(found, "input"), listed(found, "output"), listed(found, "weight"), {}))


@pytest.mark.parametrize("name", KERAS_S)
def test_an_h5_file_by_real_keras_predicts_the_same_here(name: str, written: Path) -> None:
    found = load(written / f"{name}.npz")

    model = load_model(written / f"{name}.h5")

    agree(Verdict(model, listed(found, "input"), listed(found, "output"), listed(found, "weight"), {}))


@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
@pytest.mark.parametrize("name", KERAS_S)
def test_weights_by_real_keras_fill_a_model_that_is_there(name: str, ending: str, written: Path) -> None:
    model = load_keras(written / f"{name}.keras")
    found = load(written / f"{name}.npz")
    shaken(model)

    model.load_weights(written / f"{name}{ending}")

    agree(Verdict(model, listed(found, "input"), listed(found, "output"), listed(found, "weight"), {}))


def test_a_model_by_real_keras_learns_on_here(written: Path) -> None:
    model = load_keras(written / "sequential.keras")
    x = RANDOM.uniform(0, 255, (40, 12, 11, 3))
    y = (x[:, :6].mean((1, 2, 3)) > x[:, 6:].mean((1, 2, 3))).astype(int)
    frozen_layer = next(layer for layer in model.layers if isinstance(layer, Dense) and not layer.trainable)
    name = model.lowered.names[frozen_layer]  # Keras counts names over the whole process that wrote the file
    frozen = model.get_layer(name).kernel.clone()

    losses = model.fit(x, y, epochs=15, batch_size=8, verbose=0).history["loss"]

    assert losses[-1] < losses[0]
    assert bool((model.get_layer(name).kernel == frozen).all())


FOREIGN = [
    ("layer", "unknown layer 'LSTM'; docs/keras.md lists those that there are"),
    ("setting", "Embedding('kept'): mask_zero=True is not supported; it must be False."),
    ("rounding", "Resizing('scaled'): scales the whole numbers of 'bytes', which Keras rounds again; "),
    ("precision", "Dense('half'): dtype 'mixed_float16' is not supported; it must be 'float32'."),
    ("axis", "BatchNormalization('batch_normalization"),
]


@pytest.mark.parametrize(("name", "text"), FOREIGN)
def test_what_only_keras_has_is_named_in_one_line(name: str, text: str, written: Path) -> None:
    path = written / f"foreign_{name}.keras"

    with pytest.raises(HoldfastError) as caught:
        load_keras(path)

    assert str(caught.value).startswith(f"{path}: {text}")
    assert "\n" not in str(caught.value)


def test_the_table_has_all_models_that_are_written(written: Path) -> None:
    names = {path.stem for path in written.glob("*.keras")}

    assert names == {*KERAS_S, *(f"foreign_{name}" for name, _ in FOREIGN)}
