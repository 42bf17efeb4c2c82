"""Real Keras reads the MobileNet of TF.js by an h5 file that is made here, without a line of holdfast.

Run: .venv-keras/bin/python tests/models/keras_mobilenet.py FOLDER INPUT.npy OUTPUT.npy
FOLDER holds model.json and its shards; OUTPUT gets the features of INPUT, (N, 7, 7, 1024).
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))  # where `making` lives

import h5py
import numpy as np
from making.common import keras, torch


def main(folder: str, inputs: str, outputs: str) -> None:
    """Writes the features."""
    torch.set_num_threads(1)
    whole = json.loads((Path(folder) / "model.json").read_text())
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.h5"
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(whole["modelTopology"]["model_config"]).encode()
            fill(file.create_group("model_weights"), whole, Path(folder))
        model = keras.saving.load_model(path, compile=False)
    np.save(outputs, model.predict(np.load(inputs), verbose=0))


def fill(group: h5py.Group, whole: dict, folder: Path) -> None:  # type: ignore[type-arg]  # JSON
    """Puts the weights where Keras 2 had them."""
    names: dict[str, list[str]] = {}
    for part in whole["weightsManifest"]:
        data, place = b"".join((folder / name).read_bytes() for name in part["paths"]), 0
        for one in part["weights"]:
            layer, count = one["name"].split("/")[0], int(np.prod(one["shape"]))
            array = np.frombuffer(data, "<f4", count, place).reshape(one["shape"])
            group[f"{layer}/{one['name']}"] = array
            names.setdefault(layer, []).append(one["name"])
            place += array.nbytes
    layers = [row["name"] for row in whole["modelTopology"]["model_config"]["config"]["layers"]]
    group.attrs["layer_names"] = [name.encode() for name in layers]
    for name in layers:
        words = sorted(names.get(name, []), key=lambda word: "moving" in word)
        group.require_group(name).attrs["weight_names"] = [word.encode() for word in words]


if __name__ == "__main__":
    main(*sys.argv[1:])
