"""What we write for TF.js: each layer computes the same there, as real TF.js in node says, or is refused by name."""

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cases import CASES, Case
from export.conftest import WEB
from holdfast import load
from holdfast.core import BadFile, BadValue
from holdfast.export.node import TfjsJudge
from holdfast.export.tfjs import export_tfjs, tfjs_config
from holdfast.export.tfjs_layers import ABSENT, ACTIVATIONS, NO_ACTIVATION, ROWS
from holdfast.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Normalization,
    Rescaling,
    Reshape,
    Torch,
    ZeroPadding2D,
)
from holdfast.layers.activations import activations
from holdfast.models import BaseModel, Model, Sequential, Unknown
from holdfast.models.config import ROWS as LAYERS
from holdfast.models.ready_series import series_net
from layers.building import Array, golden_model, listed, one_or_all, part, within_constraints

RTOL, ATOL = 1e-5, 1e-6  # of single precision in another order of summing; the numbers are near 1

BY_SETTING = {  # the cases that TF.js's own layer cannot carry, and what the message says of them
    "conv1d_causal": "padding='causal'",
    "conv1d_causal_dilation2": "padding='causal'",
    "conv1d_causal_stride2": "padding='causal'",
    "conv1d_groups": "groups=2",
    "conv1d_regularizers": "activity_regularizer=L1(l1=0.02)",
    "conv2d_activity_regularizer": "activity_regularizer=L2(l2=0.03)",
    "conv2d_depthwise_groups": "groups=3",
    "conv2d_groups": "groups=2",
    "conv2d_transpose_dilation": "dilation_rate=[2, 1]",
    "conv2d_transpose_output_padding": "output_padding=[1, 0]",
    "conv2d_transpose_settings": "activity_regularizer=L2(l2=0.03)",
    "conv3d_groups": "groups=2",
    "conv3d_transpose_mixed": "output_padding=[0, 2, 1]",
    "dense_activity_regularizer": "activity_regularizer=L1L2(l1=0.01, l2=0.02)",
    "depthwise_conv2d_dilation": "dilation_rate=[2, 3]",
    "depthwise_conv2d_settings": "activity_regularizer=L1(l1=0.02)",
    "depthwise_conv2d_stride_and_dilation": "dilation_rate=[2, 2]",
    "dot_rank3": "rank 2 at most, this has 3",
    "dot_rank3_rank3": "rank 2 at most, this has 3",
    "elu_alpha": "alpha=0.5",
    "embedding_activity_regularizer": "activity_regularizer=L2(l2=0.03)",
    "global_average_pooling1d_keepdims": "keepdims=True",
    "global_average_pooling2d_keepdims": "keepdims=True",
    "global_max_pooling1d_keepdims": "keepdims=True",
    "global_max_pooling2d_keepdims": "keepdims=True",
    "max_pooling3d_mixed": "padding='same' with a window of (1, 2, 3) and strides=(2, 1, 2)",
    "average_pooling3d_mixed": "padding='same' with a window of (1, 3, 3) and strides=(2, 1, 2)",
    "center_crop_larger": "height=6",
    "series_normalization_masked": "masked=True",
    "relu_all": "negative_slope=0.2",
    "relu_negative_slope": "negative_slope=0.1",
    "relu_threshold": "threshold=1.5",
    "softmax_axis1": "axis=1",
    "softmax_axis2": "axis=-2",
    "up_sampling2d_bicubic": "interpolation='bicubic'",
    "up_sampling2d_bilinear": "interpolation='bilinear'",
    **{f"{kind}_{name}": f"activation={name!r}" for kind in ("dense", "activation") for name in NO_ACTIVATION},
}
REFUSED = [case for case in CASES if case.layer in ABSENT or case.name in BY_SETTING]
CARRIED = [case for case in CASES if case not in REFUSED]
RESAVE = Path(__file__).with_name("resave.cjs")
RANDOM = np.random.default_rng(5)


def judged(tfjs: TfjsJudge, model: BaseModel, folder: Path, x: list[Array] | None = None) -> list[Array]:
    """Writes a model, asks TF.js and holdfast, and returns what both say."""
    x = x or [RANDOM.normal(size=(3, *symbol.shape)).astype(np.float32) for symbol in model.inputs]
    file = export_tfjs(model, folder)[0]

    found: list[Array] = list(tfjs.predict(file, x))

    ours = model.predict(one_or_all(x))
    for theirs, mine in zip(found, ours if isinstance(ours, list) else [ours], strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=RTOL, atol=ATOL)
    return found


def shaken(model: BaseModel) -> BaseModel:
    """The model with weights that are at none of their defaults."""
    weights = model.get_weights()
    scales = [1 / max(1, math.prod(weight.shape[:-1])) for weight in weights]
    model.set_weights([RANDOM.uniform(0.5, 1.5, w.shape) * s for w, s in zip(weights, scales, strict=True)])
    return model


@pytest.mark.parametrize("case", CARRIED, ids=str)
def test_a_layer_computes_the_same_in_tfjs(case: Case, tfjs: TfjsJudge, tmp_path: Path) -> None:
    model, given = within_constraints(golden_model(case)), part("layers", case.name)

    judged(tfjs, model, tmp_path / "out", listed(given, "input"))


def carried(folder: Path) -> dict[str, BaseModel]:
    """Every case and every model below that TF.js carries, written each into a folder of its name."""
    models: dict[str, BaseModel] = {case.name: within_constraints(golden_model(case)) for case in CARRIED}
    models |= {make.__name__: within_constraints(shaken(make())) for make in MODELS}
    for name, model in models.items():
        export_tfjs(model, folder / name)
    return models


def same(model: BaseModel, back: BaseModel, name: str) -> None:
    """Asserts that both answer alike."""
    x = [np.abs(RANDOM.normal(size=(3, *symbol.shape))).astype(np.float32) for symbol in model.inputs]
    ours, theirs = model.predict(one_or_all(x)), back.predict(one_or_all(x))
    for one, other in zip(*[each if isinstance(each, list) else [each] for each in (theirs, ours)], strict=True):
        np.testing.assert_allclose(one, other, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.mark.slow
def test_what_is_written_is_read_back_also_after_tfjs_saved_it(tmp_path: Path, tfjs: TfjsJudge) -> None:
    models = carried(tmp_path)
    lines = [{"model": f"{tmp_path}/{name}/model.json", "to": f"{tmp_path}/{name} again"} for name in models]

    done = subprocess.run(
        ["node", RESAVE, WEB], input="".join(f"{json.dumps(line)}\n" for line in lines), capture_output=True, text=True
    )

    assert done.stdout == "\n" * len(models), done.stdout + done.stderr
    for name, model in models.items():
        same(model, load(tmp_path / name), name)
        same(model, load(tmp_path / f"{name} again"), f"{name}, saved by TF.js")


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_tfjs_does_not_have_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    model = golden_model(case)

    with pytest.raises(BadValue) as caught:
        export_tfjs(model, tmp_path / "out")

    message = str(caught.value)
    assert message.startswith(f"{case.layer}('")
    assert BY_SETTING.get(case.name, "no such layer; ") in message
    assert message.endswith(".")
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


def test_every_layer_has_a_row_or_a_reason() -> None:
    assert set(ROWS) | set(ABSENT) == {*LAYERS, "Torch"}
    assert not set(ROWS) & set(ABSENT)


def test_every_activation_has_a_row_or_a_reason() -> None:
    assert {*ACTIVATIONS, *NO_ACTIVATION} == set(activations)


def test_a_setting_that_no_row_names_is_refused_and_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.export import tfjs_layers

    monkeypatch.setitem(tfjs_layers.ROWS, "MaxPooling2D", tfjs_layers.Row(("pool_size",)))
    model = Sequential([Input((4, 4, 1)), MaxPooling2D(2, strides=1, name="small")])

    with pytest.raises(BadValue, match=r"^MaxPooling2D\('small'\): TF.js has no strides=\[1, 1\]; "):
        tfjs_config(model)


def test_a_module_of_ones_own_is_refused() -> None:
    model = Sequential([Input((3,)), Torch(lambda shape: torch.nn.Identity(), name="mine")])

    with pytest.raises(BadValue, match=r"^Torch\('mine'\): TF.js has no such layer; it knows nothing of a module of"):
        tfjs_config(model)


def branches() -> Model:
    """Two inputs, three outputs, merges, and a layer that is called twice."""
    a, b = Input((6, 5, 2), name="picture"), Input((4,), name="numbers")
    shared = Conv2D(2, 3, padding="same", activation="relu", name="shared")
    late = Activation("tanh")(Conv2D(2, 1)(BatchNormalization()(a)))
    second, first = shared(late), shared(a)
    summed = Add()([second, first, a])
    joined = Concatenate()([GlobalAveragePooling2D()(summed), Dense(3, activation="silu")(b)])
    return Model([a, b], [Dense(2, name="size")(joined), Dense(3, activation="softmax", name="kind")(joined), second])


def around() -> Model:
    """A layer that is called three times, the second time on what came of the first."""
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(3, activation="tanh", name="shared")
    once = shared(a)
    twice = shared(Dense(3, name="between")(once))
    return Model([a, b], [once, twice, shared(b)])


def nested() -> Model:
    """Models in models, each called twice, whose layers have the same names."""
    front = Sequential([Input((5,)), Dense(4, activation="relu", name="dense"), Dense(4)], "front")
    x = Input((4,))
    deep = Sequential([Input((4,)), Dense(3, name="dense"), BatchNormalization()], "deep")
    middle = Model(x, [Dense(2)(deep(x)), Dense(4, name="dense")(x)], "middle")
    a, b = Input((5,)), Input((5,))
    short, long = middle(front(a))
    again, also = middle(front(b))
    return Model([a, b], [Dense(2)(Concatenate()([short, long, again])), also])


def pictures() -> Sequential:
    """A classifier of digits with what stands in front of it."""
    return Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 16),
            Normalization(mean=[0.3], variance=[0.2]),
            Conv2D(8, 3, kernel_regularizer="l1", kernel_initializer="lecun_normal"),
            BatchNormalization(),
            Activation("relu"),
            MaxPooling2D(),
            Flatten(),
            Dropout(0.2, seed=3),
            Dense(10, activation="softmax", kernel_constraint="max_norm"),
        ]
    )


def in_a_row() -> Sequential:
    """Models in a Sequential."""
    return Sequential(
        [Input((4,)), Sequential([Input((4,)), Dense(3), Dense(3)]), Dense(2), Sequential([Input((2,)), Dense(2)])]
    )


def with_a_mask() -> Model:
    return series_net((40, 3), 2, front=Normalization().take([1, 2, 0], [1, 4, 1]), masked=True)


MODELS: tuple[Callable[[], BaseModel], ...] = (branches, around, nested, pictures, in_a_row, with_a_mask)


@pytest.mark.parametrize("make", MODELS)
def test_a_model_computes_the_same_in_tfjs(make: Callable[[], BaseModel], tfjs: TfjsJudge, tmp_path: Path) -> None:
    judged(tfjs, within_constraints(shaken(make())), tmp_path / "out")


def test_the_calls_of_a_shared_layer_are_numbered_as_tfjs_makes_them() -> None:
    inner = tfjs_config(around())["config"]

    nodes = next(row["inbound_nodes"] for row in inner["layers"] if row["name"] == "shared")
    assert [node[0][0] for node in nodes] == ["a", "b", "between"]
    assert inner["output_layers"] == [["shared", 0, 0], ["shared", 2, 0], ["shared", 1, 0]]


def test_weights_lie_in_shards_of_four_mebibytes(tfjs: TfjsJudge, tmp_path: Path) -> None:
    model = Sequential([Input((600,)), Dense(2000), Dense(2)])

    files = export_tfjs(model, tmp_path / "out")

    sizes = [file.stat().st_size for file in files[1:]]
    assert [file.name for file in files] == ["model.json", "group1-shard1of2.bin", "group1-shard2of2.bin"]
    assert sizes == [4 * 2**20, 4 * model.count_params() - 4 * 2**20]
    x = RANDOM.normal(size=(2, 600)).astype(np.float32)
    np.testing.assert_allclose(tfjs.predict(files[0], [x])[0], model.predict(x), rtol=1e-4, atol=1e-5)


def test_what_layers_cannot_say_stands_in_the_metadata(tmp_path: Path) -> None:
    model = pictures()
    model.classes = tuple("abcdefghij")
    model.unknown = Unknown(0.5, 9.0, np.zeros((10, 10)), 0.95)

    file = export_tfjs(model, tmp_path / "out")[0]

    said = json.loads(file.read_text())["userDefinedMetadata"]["holdfast"]
    assert said["classes"] == list("abcdefghij")
    assert said["unknown"]["below"] == 0.5
    assert said["inputs"] == {model.input_names[0]: [8, 8, 1]}


@pytest.mark.parametrize(("quantize", "share", "tolerance"), [("float16", 0.5, 2e-3), ("int8", 0.25, 4e-2)])
def test_quantised_weights_take_less_room_and_compute_nearly_the_same(
    quantize: Any,  # Any: one of two words
    share: float,
    tolerance: float,
    tfjs: TfjsJudge,
    tmp_path: Path,
) -> None:
    model = shaken(Sequential([Input((50,)), Dense(200, activation="relu"), BatchNormalization(), Dense(10)]))
    x = RANDOM.normal(size=(20, 50)).astype(np.float32)

    files = export_tfjs(model, tmp_path / "out", quantize)

    kernels = sum(weight.nbytes for weight in model.get_weights() if weight.ndim > 1)
    vectors = sum(weight.nbytes for weight in model.get_weights() if weight.ndim == 1)
    assert files[1].stat().st_size == kernels * share + vectors
    found, ours = tfjs.predict(files[0], [x])[0], model.predict(x)
    assert 0 < np.abs(found - ours).max() < tolerance * np.abs(ours).max()
    np.testing.assert_allclose(load(files[0]).predict(x), found, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("quantize", ["int8", "float16"])
def test_weights_that_no_few_bits_hold_stay_as_they_are(
    quantize: Any,  # Any: one of two words
    tfjs: TfjsJudge,
    tmp_path: Path,
) -> None:
    model = Sequential([Input((2,)), Dense(3), Dense(2), Dense(1)])
    huge, zeros, one = np.full((2, 3), 1e6), np.zeros((3, 2)), np.full((2, 1), 0.7)
    model.set_weights([huge, np.ones(3), zeros, np.ones(2), one, np.zeros(1)])

    file = export_tfjs(model, tmp_path / "out", quantize)[0]

    assert tfjs.predict(file, [np.ones((1, 2))])[0].item() == pytest.approx(1.4, rel=1e-3)


def test_a_weight_that_tfjs_would_change_as_it_loads_is_refused(tmp_path: Path) -> None:
    model = Sequential([Input((2,)), Dense(2, kernel_constraint="non_neg", name="kept")])
    model.set_weights([-np.ones((2, 2)), np.zeros(2)])

    with pytest.raises(BadValue, match=r"^layer 'kept': its kernel is not yet as kernel_constraint=NonNeg\(\) wants"):
        export_tfjs(model, tmp_path / "out")


def test_a_causal_convolution_by_the_remedy_that_the_message_names(tfjs: TfjsJudge, tmp_path: Path) -> None:
    causal = shaken(Sequential([Input((9, 2)), Conv1D(4, 3, padding="causal", dilation_rate=2)]))
    padding = ZeroPadding2D(((2 * 2, 0), (0, 0)))
    remedy = Sequential(
        [Input((9, 2)), Reshape((9, 1, 2)), padding, Conv2D(4, (3, 1), dilation_rate=(2, 1)), Reshape((9, 4))]
    )
    kernel, bias = causal.get_weights()
    remedy.set_weights([kernel[:, None], bias])
    x = RANDOM.normal(size=(3, 9, 2)).astype(np.float32)

    found = judged(tfjs, remedy, tmp_path / "out", [x])

    np.testing.assert_allclose(found[0], causal.predict(x), rtol=RTOL, atol=ATOL)


def test_names_that_tfjs_does_not_take_are_refused() -> None:
    model = Sequential([Input((2,)), Dense(2, name="my layer")])

    with pytest.raises(BadValue, match=r"^layer 'my layer': TF.js takes letters, digits, "):
        tfjs_config(model)


def test_a_value_that_one_call_takes_twice_and_another_too_is_refused() -> None:
    x = Input((3,))
    y = Dense(3, name="given")(x)
    model = Model(x, Add(name="last")([Add(name="twice")([x, y, y]), y]))

    with pytest.raises(
        BadValue, match=r"^Add\('twice'\): takes the value of 'given' twice, and another layer takes it"
    ):
        tfjs_config(model)


def test_a_value_that_one_call_takes_twice_is_carried(tfjs: TfjsJudge, tmp_path: Path) -> None:
    x = Input((3,))
    y = Dense(3)(x)

    judged(tfjs, Model(x, Dense(2)(Add()([y, y]))), tmp_path / "out")


def test_an_earlier_export_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    small, large = Sequential([Input((2,)), Dense(1)]), Sequential([Input((600,)), Dense(2000)])
    export_tfjs(large, tmp_path / "out")

    files = export_tfjs(small, tmp_path / "out")

    assert sorted(tmp_path.rglob("*.*")) == sorted(files)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(BadFile, match=r"out: it holds 'notes.txt' already; name a new folder\.$"):
        export_tfjs(small, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_model_that_takes_the_place_of_another_is_loaded_anew(tfjs: TfjsJudge, tmp_path: Path) -> None:
    one, other = shaken(Sequential([Input((2,)), Dense(1)])), shaken(Sequential([Input((2,)), Dense(1)]))
    first = judged(tfjs, one, tmp_path / "out", [np.ones((1, 2))])

    second = judged(tfjs, other, tmp_path / "out", [np.ones((1, 2))])

    assert first[0] != second[0]


def test_quantize_takes_two_words(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"^export_tfjs\(quantize='int4'\): must be 'int8', 'float16' or None\.$"):
        export_tfjs(Sequential([Input((2,)), Dense(1)]), tmp_path / "out", "int4")  # type: ignore[arg-type]  # so


def test_what_tfjs_has_against_a_model_is_told(tfjs: TfjsJudge, tmp_path: Path) -> None:
    file = export_tfjs(Sequential([Input((2,)), Dense(1)]), tmp_path / "out")[0]
    file.write_text(file.read_text().replace('"Dense"', '"Dance"'))

    with pytest.raises(BadFile, match=r"model\.json: TF.js says: Unknown layer: Dance"):
        tfjs.predict(file, [np.ones((1, 2))])


def test_numbers_that_json_in_a_browser_cannot_say_are_refused(tmp_path: Path) -> None:
    """They were written as Infinity, which we read back and JSON.parse does not."""
    with pytest.raises(BadValue, match=r"^TF\.js: a setting is infinite or no number"):
        export_tfjs(Sequential([Input((2,)), Rescaling(math.inf)]), tmp_path / "out")

    assert list(tmp_path.iterdir()) == []
