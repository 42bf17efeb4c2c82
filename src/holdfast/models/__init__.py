"""Models: graphs of layers lowered to one torch module, trained and asked in Keras's way, kept in .keras files."""

from ..data.reads import Pictures
from .bound import BoundLayer
from .compiling import Compiled, pick_device
from .config import from_config, to_config
from .fitting import Fitting, prepare
from .h5_file import load_h5
from .keras2 import from_keras2, to_keras2
from .keras_file import load_keras, save_keras
from .loading import load
from .lower import Lowered, links
from .model import BaseModel, Model, Sequential
from .net import Net, Variant
from .preprocessing import Extras, extras, take_extras
from .ready import convnet, dense, dense_twin, ready_made
from .ready_for import ready_for
from .sparsity import Sparsity, sparsity
from .summary import Row, Summary, human
from .temperature import fold_temperature
from .tfjs_file import load_tfjs
from .unknown import Unknown

__all__ = [
    "BaseModel",
    "BoundLayer",
    "Compiled",
    "Extras",
    "Fitting",
    "Lowered",
    "Model",
    "Net",
    "Pictures",
    "Row",
    "Sequential",
    "Sparsity",
    "Summary",
    "Unknown",
    "Variant",
    "convnet",
    "dense",
    "dense_twin",
    "extras",
    "fold_temperature",
    "from_config",
    "from_keras2",
    "human",
    "links",
    "load",
    "load_h5",
    "load_keras",
    "load_tfjs",
    "pick_device",
    "prepare",
    "ready_for",
    "ready_made",
    "save_keras",
    "sparsity",
    "take_extras",
    "to_config",
    "to_keras2",
]
