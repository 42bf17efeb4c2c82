"""Models in HDF5, as Keras 2 wrote them and Keras 3 still does: `model.h5`.  What the optimizer knew is left out."""

from collections.abc import Mapping
from pathlib import Path

from ..core import BadFile
from .config import Json
from .hdf5 import Group, open_h5
from .keras2 import MODELS, from_keras2
from .limit import made
from .model import BaseModel
from .reading import parse_json, told
from .weights import Pairs, adapt, fill, fills, pairs2

KIND = "HDF5 model file"
CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose", "SeparableConv2D")


def load_h5(path: Path | str) -> BaseModel:
    """Reads a model that Keras 2 or 3 saved as HDF5.  What `compile` was told is not taken; compile it again.

    Raises:
        BadFile: missing, no such file, or one that no model could have made; nothing of it is run.
        BadValue: a layer or setting that holdfast does not have.
    """
    with told(path, KIND), open_h5(Path(path)) as root:
        text = root.attributes.get("model_config")
        if not isinstance(text, str):
            raise BadFile(
                "holds weights and no model; make the model that they belong to, and call model.load_weights(path)."
            )
        config = from_keras2(
            parse_json(text.encode(), "its model_config"),
            by_keras_3=str(root.attributes.get("keras_version", "")).startswith("3"),
        )
        weights = root.group("model_weights")
        check_backend(config, root)
        pairs: Pairs = []

        def take_numbers(bare: BaseModel) -> None:
            pairs.extend(pairs2(bare, weights))
            adapt(pairs)

        model = made(config, [array.shape for array in weights.arrays()], seed=0, adapt=take_numbers)
        fill(fills(model, pairs))
        return model


def check_backend(config: Mapping[str, Json], root: Group) -> None:
    """Raises BadFile for convolutions by Theano, which turned their kernels by 180 degrees."""
    if root.attributes.get("backend") != "theano":
        return
    for row in config["config"]["layers"]:
        if row["class_name"] in MODELS:
            check_backend(row, root)
        elif row["class_name"] in CONVOLUTIONS:
            raise BadFile(
                f"was written by Keras on Theano, which turns the kernels of {row['class_name']}"
                f"({row['config'].get('name', '')!r}) around; save it once more with Keras on TensorFlow."
            )
