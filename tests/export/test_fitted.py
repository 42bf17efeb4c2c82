"""A model with layers that scikit-learn fitted answers alike in real Keras, ONNX Runtime and TF.js."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from export.test_onnx import ask
from holdfast import load
from holdfast.export import export_onnx
from holdfast.export.node import TfjsJudge
from holdfast.export.tfjs import export_tfjs
from holdfast.layers import PCA, Dense, Flatten, Input, Normalization, Rescaling, SelectFeatures
from holdfast.models import Model, Sequential

TESTS = Path(__file__).parents[1]
KERAS = Path(os.environ.get("HOLDFAST_KERAS", TESTS.parent / ".venv-keras" / "bin" / "python"))
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (40, 6, 5, 3), np.uint8)
KINDS = RANDOM.integers(0, 3, 40)


def model() -> Model:
    """Both layers, each behind a front of its own, and a sub-model with one more."""
    x = Input((6, 5, 3), name="photo")
    flat = Flatten()(Rescaling(1 / 255)(x))
    scaled = (PIXELS / 255).reshape(40, -1)
    few, best = PCA(12).adapt(scaled)(flat), SelectFeatures(20, "trees").adapt(scaled, KINDS)(flat)
    chosen = Model([x], [best]).predict(PIXELS)
    inner = Sequential(
        [Input(20), Normalization().adapt(chosen), PCA(5).adapt(chosen - chosen.mean(0)), Dense(4, "relu")]
    )
    return Model([x], [Dense(3, "softmax", name="first")(few), Dense(3, "softmax", name="second")(inner(best))])


def close(found: object, expected: object) -> None:
    for one, other in zip(np.asarray(found), np.asarray(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_onnx_runtime_answers_alike(tmp_path: Path) -> None:
    made = model()

    export_onnx(made, tmp_path / "m.onnx")

    close(ask(tmp_path / "m.onnx", PIXELS), made.predict(PIXELS))


def test_tfjs_answers_alike(tfjs: TfjsJudge, tmp_path: Path) -> None:
    made = model()

    file = export_tfjs(made, tmp_path / "out")[0]

    close(tfjs.predict(file, [PIXELS.astype(np.float32)]), made.predict(PIXELS))


def test_what_tfjs_takes_comes_back_as_dense_layers(tmp_path: Path) -> None:
    made = model()

    export_tfjs(made, tmp_path / "out")

    close(load(tmp_path / "out").predict(PIXELS), made.predict(PIXELS))


@pytest.mark.slow
def test_real_keras_answers_alike(tmp_path: Path) -> None:
    if not KERAS.exists():
        pytest.skip(f"no real Keras at {KERAS}; tests/golden/README.md says how to get it")
    made = model()
    made.save(tmp_path / "m.keras")
    np.savez(tmp_path / "x.npz", input_0=PIXELS.astype(np.float32))

    done = subprocess.run(
        [KERAS, TESTS / "golden" / "judge.py", tmp_path / "m.keras", tmp_path / "x.npz", tmp_path / "y.npz"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )

    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "y.npz") as said:
        close([said["output_0"], said["output_1"]], made.predict(PIXELS))
