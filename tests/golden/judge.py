"""Lets real Keras judge a model file: loads it, predicts, and writes what came out.

Run: .venv-keras/bin/python tests/golden/judge.py MODEL.keras INPUTS.npz OUTPUT.npz

INPUTS.npz holds "input_0", "input_1", ... in the order of the model's inputs, each with the batch axis.  OUTPUT.npz
gets "output_0", ... in the order of the model's outputs, and "weight_0", ... in the order of Keras's `get_weights`.
Prints one line of JSON, what Keras read: class, layers (name, class), parameters, optimizer (null: not compiled).
"""

import json
import sys
from pathlib import Path

import numpy as np
from making.common import Model, get_weights, keras, listed, torch


def main(model_path: str, inputs_path: str, output_path: str) -> None:
    """Judges one file."""
    torch.set_num_threads(1)
    model = keras.saving.load_model(model_path)
    with np.load(inputs_path) as given:
        inputs = [given[f"input_{index}"] for index in range(len(given.files))]
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    found = {**listed("output", keras.tree.flatten(outputs)), **listed("weight", get_weights(model))}
    np.savez(Path(output_path), allow_pickle=False, **found)
    print(json.dumps(described(model)))


def described(model: Model) -> dict[str, object]:
    """What Keras read."""
    return {
        "class": type(model).__name__,
        "layers": [[layer.name, type(layer).__name__] for layer in model.layers],
        "parameters": model.count_params(),
        "optimizer": type(model.optimizer).__name__ if model.compiled else None,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
