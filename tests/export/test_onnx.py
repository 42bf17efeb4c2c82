"""ONNX out: ONNX Runtime answers as the model does, for every layer of the table; the file, its metadata, its words."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from torch import nn

from cases import CASES, Case
from holdfast.core import BadFile, BadShape, BadValue, MissingExtra
from holdfast.export import export_onnx
from holdfast.export.onnx import Quantize
from holdfast.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    Rescaling,
    Symbol,
    Torch,
)
from holdfast.models import BaseModel, Model, Pictures, Sequential, extras
from layers.building import golden_model, listed, one_or_all, part

CASES_A_FILE = 24  # one export costs about a second, however much is in it
GROUPS = [CASES[first : first + CASES_A_FILE] for first in range(0, len(CASES), CASES_A_FILE)]

Array = NDArray[Any]  # Any: float32 or bytes


def ask(path: Path, *inputs: Array) -> list[NDArray[np.float32]]:
    """What ONNX Runtime says."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    given = {name: array.astype(np.float32) for name, array in zip(names, inputs, strict=True)}
    found: list[NDArray[np.float32]] = session.run(None, given)
    return found


def convnet() -> Sequential:
    layers = [Rescaling(1 / 255), Conv2D(8, 3, activation="relu"), BatchNormalization(), MaxPooling2D()]
    layers += [Conv2D(16, 3, strides=2, padding="same", activation="relu"), Flatten()]
    return Sequential([Input((12, 10, 3), name="photo"), *layers, Dense(4, activation="softmax", name="kind")], seed=3)


def photos(n: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (n, 12, 10, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("cases", GROUPS, ids=lambda cases: f"{cases[0]} to {cases[-1]}")
def test_every_layer_is_the_same_in_onnx_runtime(cases: tuple[Case, ...], tmp_path: Path) -> None:
    inputs, outputs, given, wanted = list[Symbol](), list[Symbol](), list[Array](), list[Array]()
    for case in cases:
        symbols: list[Symbol] = [Input(shape) for shape in case.shapes]
        inputs += symbols
        outputs.append(golden_model(case)(one_or_all(symbols)))
        arrays = listed(part("layers", case.name), "input")
        given += [array[:1].repeat(3, 0) for array in arrays]
        wanted.append(golden_model(case).predict(one_or_all([array[:1] for array in arrays])).repeat(3, 0))

    export_onnx(Model(inputs, outputs), tmp_path / "m.onnx")

    for case, found, expected in zip(cases, ask(tmp_path / "m.onnx", *given), wanted, strict=True):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale, err_msg=case.name)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_any_number_of_samples_is_taken(n: int, tmp_path: Path) -> None:
    model = convnet()
    export_onnx(model, tmp_path / "m.onnx")

    np.testing.assert_allclose(ask(tmp_path / "m.onnx", photos(n))[0], model.predict(photos(n)), atol=1e-6)


def test_inputs_and_outputs_keep_names_and_layout(tmp_path: Path) -> None:
    export_onnx(convnet(), tmp_path / "m.onnx")

    graph = onnx.load(tmp_path / "m.onnx").graph
    described = [
        (one.name, [side.dim_param or side.dim_value for side in one.type.tensor_type.shape.dim])
        for one in (*graph.input, *graph.output)
    ]
    assert described == [("photo", ["batch", 12, 10, 3]), ("kind", ["batch", 4])]


def test_the_file_is_one_valid_file(tmp_path: Path) -> None:
    assert export_onnx(convnet(), tmp_path / "m.onnx") == (tmp_path / "m.onnx",)

    onnx.checker.check_model(tmp_path / "m.onnx", full_check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_what_travels_with_the_model_is_in_its_metadata(tmp_path: Path) -> None:
    model = convnet()
    model.classes, model.reads = ("cat", "dög", "写真", "d"), Pictures.of(model)
    export_onnx(model, tmp_path / "m.onnx")

    held = {one.key: one.value for one in onnx.load(tmp_path / "m.onnx").metadata_props}

    assert json.loads(held["holdfast"]) == extras(model)


def test_nothing_in_it_tells_of_the_machine(tmp_path: Path) -> None:
    export_onnx(convnet(), tmp_path / "m.onnx")

    content = (tmp_path / "m.onnx").read_bytes()
    assert b"/src/" not in content
    assert b".py" not in content


def test_two_exports_are_equal(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export_onnx(convnet(), tmp_path / name)

    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_exporting_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = convnet()
    before, weights = model.predict(photos()), model.get_weights()

    export_onnx(model, tmp_path / "m.onnx")

    assert np.array_equal(model.predict(photos()), before)
    assert all(np.array_equal(one, other) for one, other in zip(weights, model.get_weights(), strict=True))
    assert all(parameter.requires_grad for parameter in model.module.parameters())


def test_float16_is_half_as_large_and_nearly_equal(tmp_path: Path) -> None:
    model = convnet()
    export_onnx(model, tmp_path / "m.onnx", quantize="float16")
    export_onnx(model, tmp_path / "whole.onnx")

    found = ask(tmp_path / "m.onnx", photos())[0]

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(photos()), atol=2e-3)
    kernels = sum(array.nbytes for array in model.get_weights() if array.ndim > 1)
    saved = (tmp_path / "whole.onnx").stat().st_size - (tmp_path / "m.onnx").stat().st_size
    assert saved == pytest.approx(kernels / 2, abs=500)


def test_weights_beyond_float16_are_refused_by_name(tmp_path: Path) -> None:
    model = Sequential([Input((2,)), Dense(2)])
    model.set_weights([np.full((2, 2), 1e5), np.zeros(2)])

    with pytest.raises(BadValue, match=r"weight 'dense.*' reaches 100000; float16 holds numbers up to 65,504"):
        export_onnx(model, tmp_path / "m.onnx", quantize="float16")


def test_int8_computes_in_bytes_and_keeps_the_answers(tmp_path: Path) -> None:
    model = convnet()
    export_onnx(model, tmp_path / "m.onnx", quantize="int8", samples=photos(200))

    found, wanted = ask(tmp_path / "m.onnx", photos())[0], model.predict(photos())

    nodes = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert "QuantizeLinear" in nodes
    assert np.abs(found - wanted).max() < 0.05
    assert np.mean(found.argmax(1) == wanted.argmax(1)) > 0.9
    assert json.loads(onnx.load(tmp_path / "m.onnx").metadata_props[0].value) == extras(model)


def test_int8_needs_samples(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="samples are needed that show which values occur"):
        export_onnx(convnet(), tmp_path / "m.onnx", quantize="int8")


def test_int8_takes_samples_of_the_model_s_shape(tmp_path: Path) -> None:
    with pytest.raises(BadShape, match=r"the model takes \(N, 12, 10, 3\)"):
        export_onnx(convnet(), tmp_path / "m.onnx", quantize="int8", samples=np.zeros((4, 9)))


def test_another_way_to_quantise_is_refused(tmp_path: Path) -> None:
    wrong: Any = "int4"

    with pytest.raises(BadValue, match=r"quantize='int4'.*must be 'float16', 'int8' or None"):
        export_onnx(convnet(), tmp_path / "m.onnx", quantize=wrong)


class Odd(nn.Module):
    def forward(self, x: Any) -> Any:
        return x if int(x.sum()) >= 0 else -x  # which way it goes depends on the values


def test_what_torch_cannot_translate_is_refused_by_layer(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Torch(lambda shape: Odd(), name="odd")])

    with pytest.raises(BadValue, match=r"ONNX: .*'odd'"):
        export_onnx(model, tmp_path / "m.onnx")

    assert list(tmp_path.iterdir()) == []


def test_torch_s_own_modules_travel(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Torch(lambda shape: nn.Linear(shape[-1], 3))])
    export_onnx(model, tmp_path / "m.onnx")
    x = np.ones((2, 4), np.float32)

    np.testing.assert_allclose(ask(tmp_path / "m.onnx", x)[0], model.predict(x), atol=1e-6)


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_missing_packages_are_one_line(
    module: str, quantize: Quantize | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra, match=rf"^{module} is not installed; run: pip install 'holdfast\[onnx\]'$"):
        export_onnx(convnet(), tmp_path / "m.onnx", quantize=quantize, samples=photos())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadFile, match=r"m\.onnx"):
        export_onnx(convnet(), tmp_path / "file" / "m.onnx")


def test_two_inputs_and_outputs_keep_their_order(tmp_path: Path) -> None:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    model: BaseModel = Model([a, b], [Dense(2, name="of_b")(b), Dense(1, name="of_a")(a)], seed=1)
    export_onnx(model, tmp_path / "m.onnx")
    x = [np.ones((2, 3), np.float32), np.full((2, 2), 2.0, np.float32)]

    for found, wanted in zip(ask(tmp_path / "m.onnx", *x), model.predict(x), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
