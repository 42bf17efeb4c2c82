"""Zeros in front of a pooling, which ONNX Runtime takes for something else where it can."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.export import export_onnx
from holdfast.layers import AveragePooling2D, Input, Layer, MaxPooling1D, MaxPooling2D, ZeroPadding1D, ZeroPadding2D
from holdfast.models import Sequential

onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'holdfast[onnx]'")
pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("shape", "padding", "pool"),
    [
        ((7, 2), ZeroPadding1D(1), MaxPooling1D()),  # the largest of negative numbers and 0 was not 0
        ((7, 6, 2), ZeroPadding2D(2), MaxPooling2D()),  # did not load
        ((7, 6, 2), ZeroPadding2D(1), AveragePooling2D(padding="same")),  # did not load
    ],
    ids=["max1d", "max2d", "average2d"],
)
def test_zeros_in_front_of_a_pooling_stay_zeros(
    shape: tuple[int, ...], padding: Layer, pool: Layer, tmp_path: Path
) -> None:
    model = Sequential([Input(shape), padding, pool])
    x = RANDOM.normal(-3, 1, (4, *shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(export_onnx(model, tmp_path / "model.onnx")[0])

    found = session.run(None, {session.get_inputs()[0].name: x})[0]

    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5, atol=1e-6)
