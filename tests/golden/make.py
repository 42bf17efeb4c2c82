"""Makes the golden files in real Keras.  Run: .venv-keras/bin/python tests/golden/make.py [FILE ...]; see README.md."""

import json
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the table of cases

import numpy as np
from making import augment, fit, fit_options, initializers, layers, losses, metrics, optimizers
from making.common import Arrays, keras, torch

from cases import FILES, OWN

HERE = Path(__file__).parent

MAKERS: dict[str, Callable[[], Arrays]] = {
    **{f"{name}.npz": partial(layers.make, name) for name, cases in FILES.items() if cases is not OWN},
    "layers_adapt.npz": layers.make_adapt,
    "augment.npz": augment.make,
    "losses.npz": losses.make,
    "optimizers.npz": optimizers.make,
    "metrics.npz": metrics.make,
    "fit.npz": fit.make,
    "fit_options.npz": fit_options.make,
}
TEXTS: dict[str, Callable[[], Any]] = {  # Any: JSON values
    "losses.json": losses.texts,
    "optimizers.json": optimizers.texts,
    "metrics.json": metrics.texts,
    "initializers.json": initializers.texts,
    "fit_options.json": fit_options.texts,
}


def main(names: list[str]) -> None:
    """Writes the named files, or all of them, and says how large they are."""
    torch.set_num_threads(1)  # the order of sums, and with it the last bit, must not hang on the machine
    for name in names or [*MAKERS, *TEXTS, "versions.json"]:
        if name in MAKERS:
            save(HERE / name, MAKERS[name]())
        else:
            found = versions() if name == "versions.json" else TEXTS[name]()
            (HERE / name).write_text(json.dumps(found, indent=1) + "\n")
        print(f"{name}: {(HERE / name).stat().st_size / 1000:.0f} kB", flush=True)


def save(path: Path, arrays: Arrays) -> None:
    """Writes one compressed file, after checking that every number is one."""
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path.name}: {key} is not finite")
    np.savez_compressed(path, allow_pickle=False, **arrays)


def versions() -> dict[str, str]:
    """Of everything that the numbers hang on."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "backend": keras.backend.backend(),
        "image_data_format": keras.config.image_data_format(),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
