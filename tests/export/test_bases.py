"""Models of transformers, written: ONNX Runtime and real TF.js answer as they do."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from holdfast.core import BadValue
from holdfast.export import export_onnx, export_tfjs
from holdfast.export.node import TfjsJudge
from holdfast.transfer.hf import load_hf
from transfer.hf_models import TINY, pictures, save

pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

RTOL = 1e-5  # of the largest


@pytest.mark.parametrize(  # one of each kind of block; the others take the same layers, and seconds each
    "kind",
    [pytest.param(kind, marks=pytest.mark.soak) if kind in ("mobilenet_v1", "regnet") else kind for kind in TINY],
)
def test_it_is_the_same_in_onnx_runtime(kind: str, tmp_path: Path) -> None:
    saved = save(tmp_path, kind)
    shown, model = pictures(saved.size), load_hf(tmp_path)

    (path,) = export_onnx(model, tmp_path / "model.onnx")

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: shown.astype(np.float32)})
    wanted = model.predict(shown)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=RTOL * wanted.max())


@pytest.mark.parametrize("kind", [kind for kind in TINY if kind != "regnet"])
def test_it_is_the_same_in_tfjs(kind: str, tfjs: TfjsJudge, tmp_path: Path) -> None:
    saved = save(tmp_path, kind)
    shown, model = pictures(saved.size), load_hf(tmp_path)

    files = export_tfjs(model, tmp_path / "js")

    found = tfjs.predict(files[0], [shown.astype(np.float32)])[0]
    wanted = model.predict(shown)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=RTOL * wanted.max())


def test_tfjs_has_no_convolutions_in_groups(tmp_path: Path) -> None:
    save(tmp_path, "regnet")

    with pytest.raises(BadValue, match=r"TF\.js has no groups=2"):
        export_tfjs(load_hf(tmp_path), tmp_path / "js")
