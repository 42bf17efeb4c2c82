"""What real Keras makes of many nets, in one process.

Run: .venv-keras/bin/python tests/oracle/keras_side.py FOLDER

FOLDER holds plans.json, a list (see building.py), and for each NUMBER of a plan NUMBER.npz with "input_0", ...,
"weight_0", ..., "target_0", ..., and NUMBER.keras, written by holdfast.  Written are NUMBER_keras.keras, by Keras with
these weights, and NUMBER_keras.npz: "output_0", ... of the model as Keras builds it, "read_0", ... and
"read_weight_0", ... of holdfast's file as Keras reads it, and "after_0", ...: the weights after three steps of SGD.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))  # where `making` lives
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from making.common import Array, Model, get_weights, keras, listed, set_weights, torch

from oracle.building import RATE, STEPS, Plan, build, one_or_all


def asked(model: Model, inputs: list[Array]) -> list[Array]:
    """What a model says in evaluation mode."""
    tensors = [torch.tensor(one) for one in inputs]
    with torch.no_grad():
        outputs: Any = model(one_or_all(tensors), training=False)
    return [output.numpy() for output in keras.tree.flatten(outputs)]


def judge(plan: Plan, folder: Path, number: int) -> None:
    """Everything about one net."""
    with np.load(folder / f"{number}.npz") as file:
        given = {key: file[key] for key in file.files}
    inputs, weights, targets = (
        [given[f"{word}_{n}"] for n in range(sum(key.startswith(word) for key in given))]
        for word in ("input", "weight", "target")
    )
    model = build(plan, keras)
    set_weights(model, weights)
    found = listed("output", asked(model, inputs))
    model.save(folder / f"{number}_keras.keras")
    read = keras.saving.load_model(folder / f"{number}.keras")
    found |= listed("read", asked(read, inputs)) | listed("read_weight", get_weights(read))
    if not plan["random"]:
        losses = plan["losses"]
        model.compile(keras.optimizers.SGD(plan.get("rate", RATE)), loss=losses if len(losses) > 1 else losses[0])
        for _ in range(STEPS):
            model.train_on_batch(one_or_all(inputs), one_or_all(targets))
        found |= listed("after", get_weights(model))
    np.savez(folder / f"{number}_keras.npz", allow_pickle=False, **found)


def main(folder: Path) -> None:
    """All of them; what goes wrong with one is written to NUMBER.txt."""
    torch.set_num_threads(1)
    for number, plan in enumerate(json.loads((folder / "plans.json").read_text())):
        try:
            judge(plan, folder, number)
        except Exception as error:  # the test tells it
            (folder / f"{number}.txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
