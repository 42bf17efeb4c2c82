"""Fewer dimensions inside the model: principal components, chosen features and true zeros travel with it.

Intervals of 270 samples overlap: a choice between such fronts is for `holdfast dims`, which compares them in folds.

python examples/dimensions.py
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import holdfast
from holdfast.export import export_onnx, export_tfjs
from holdfast.layers import L1, PCA, Dense, Flatten, Layer, Rescaling, SelectFeatures


def main() -> None:
    """A small net behind all pixels, behind 20 components and behind 20 pixels, with the zeros that L1 leaves."""
    data = holdfast.data.load("digits")
    x, labels = data.train.images / 255, data.train.labels  # of the training part alone
    fronts: dict[str, list[Layer]] = {
        "64 pixels": [],
        "20 components": [PCA(20, whiten=True).adapt(x)],
        "20 of the pixels": [SelectFeatures(20, "trees").adapt(x, labels)],
    }
    for name, front in fronts.items():
        hidden = Dense(64, "relu", kernel_regularizer=L1(0.002, proximal=True))
        layers = [Rescaling(1 / 255), Flatten(), *front, hidden, Dense(10, "softmax")]
        model = holdfast.Sequential([holdfast.Input(data.shape), *layers])
        model.compile()
        model.fit(data, epochs=20, verbose=0, augment=None)
        truth = data.validation.labels.numpy()
        report = holdfast.evaluate.score(truth, model.predict(data.validation), part="validation", looks=1)
        print(f"{name}: {report.accuracy}\n  {holdfast.models.sparsity(model).rows[0]}")
        travel(model, data.validation.images.numpy())


def travel(model: holdfast.Sequential, x: NDArray[np.uint8]) -> None:
    """The same answers from three formats."""
    import onnxruntime

    model.save("digits.keras")
    export_onnx(model, "digits.onnx")
    export_tfjs(model, "digits_tfjs")
    session = onnxruntime.InferenceSession(Path("digits.onnx").read_bytes())
    (by_onnx,) = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})
    answers = [by_onnx, *(holdfast.load(path).predict(x) for path in ("digits.keras", "digits_tfjs"))]
    assert all(np.abs(one - model.predict(x)).max() < 1e-5 for one in answers)
    print("  .keras, ONNX and TF.js give the same answers to 1e-5")


if __name__ == "__main__":
    main()
