"""Reading models and weights, by what is in a file and not by its name."""

from pathlib import Path

from ..core import BadFile
from .h5_file import KIND as H5
from .h5_file import load_h5
from .hdf5 import SIGNATURE, Group, open_h5
from .keras_file import KIND as KERAS
from .keras_file import load_keras, open_weights
from .model import BaseModel
from .reading import Archive, regular, told
from .tfjs_file import load_tfjs
from .weights import adapt, adapt3, fill, fills, fills3, pairs2

READ = "those are .keras files, HDF5 files (.h5) of Keras 2 and 3, and model.json of TF.js Layers"


def load(path: Path | str) -> BaseModel:
    """Reads a model of holdfast, Keras 2, Keras 3 or TF.js.  What `compile` was told is not taken; compile it again.

    What the file is, its contents say.  It may be a stranger's: nothing of it is run, and no link is followed.

    Args:
        path: a .keras file, an HDF5 file (.h5) of Keras 2 or 3, model.json of TF.js Layers or the folder it is in.

    Raises:
        BadFile: none of these, damaged, or made to do harm; one line says what is wrong.
        BadValue: a layer or setting that holdfast does not have.

    Example:
        >>> load("nowhere.keras")
        Traceback (most recent call last):
        holdfast.core.errors.BadFile: nowhere.keras: no such file.
    """
    start = _start(path)
    if start.startswith(b"PK"):
        return load_keras(path)
    if start.startswith(SIGNATURE):
        return load_h5(path)
    if start.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"{"):
        return load_tfjs(path)
    raise BadFile(f"{path}: is no model that holdfast reads; {READ}.")


def _start(path: Path | str) -> bytes:
    """The first bytes of a model's file, or of the model.json in a folder."""
    place = Path(path)
    if place.is_dir():
        place, archive = place / "model.json", place / "model.keras"
        if not place.exists():
            hint = f"load {archive}" if archive.exists() else f"models are read from files, and {READ}"
            raise BadFile(f"{path}: is a folder without a model.json; {hint}.")
    with told(path, "model file"), regular(place) as file:
        return file.read(512)


def load_weights(model: BaseModel, path: Path | str) -> None:
    """Fills a model with weights of a file: .weights.h5 of Keras 3, an h5 file of Keras 2, or a .keras file.

    Raises:
        BadFile: none of these, damaged, or weights of another model; then none are taken.
    """
    model.settle(model.seed)
    if _start(path).startswith(b"PK"):
        with told(path, KERAS), Archive(Path(path)) as archive, open_weights(archive) as root:
            _fill(model, root)
    else:
        with told(path, H5), open_h5(Path(path)) as root:
            _fill(model, root)


def _fill(model: BaseModel, root: Group) -> None:
    if "layers" in root and "layer_names" not in root.attributes:
        adapt3(model, root.group("layers"))
        fill(fills3(model, root.group("layers")))
        return
    pairs = pairs2(model, root.group("model_weights") if "model_weights" in root else root)
    adapt(pairs)
    fill(fills(model, pairs))
