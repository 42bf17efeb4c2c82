"""Default spaces: what pays to be chosen for a kind of data, around what `train` does by itself.

benchmarks/tune_spaces.py moved each dimension alone, on validation data.  Batch size and label smoothing are not among
them: on MNIST and digits they moved the accuracy by less than half a point; and what label smoothing does to the
log-loss, which decides between trials of one accuracy, says nothing once probabilities are calibrated.
"""

from contextlib import suppress
from typing import Any

from ..core import BadValue, UnknownName, snake_case
from ..data import Dataset
from ..layers import Activation, BatchNormalization, Conv1D, Conv2D, Conv3D, Dense, Dropout, Layer
from ..models import BaseModel, Variant
from ..models.changed import place_of
from ..runs.again import plain_optimizer, rate_of
from ..runs.plan import How, ModelChoice, is_file, plan
from ..runs.record import Settings
from ..transfer import FromBase, anew
from ..transfer.assembling import trainable
from .candidate import READING, RECIPE, as_base
from .space import Categorical, Dimension, Float, Int, Space, Value

CONVS = (Conv1D, Conv2D, Conv3D)
FACTOR = 4.0  # learning rates from a quarter of the usual one to four times it
DECAY = Float(0.0004, 0.1, log=True)
FINE_TUNED = 4  # layers of a base, at most
MOST_DROPS = 3  # dropout layers of a model of your own that are chosen
AUGMENTS: dict[str, tuple[str, ...]] = {  # "auto" is what the recipe does
    "pictures": ("auto", "light"),
    "sounds": ("auto", "none"),
    "series": ("auto", "light"),
    "volumes": ("auto", "light"),
    "table": ("auto", "light"),
}


def default_space(data: Dataset, model: ModelChoice = "convnet", how: How | None = None) -> Space:
    """What a search chooses when it is not told: what decides most for such data, in ranges around the recipe.

    Of a ready-made model its size, what holds it back and how it is trained; of a base how much of it is trained and
    how; of a model of your own how it is trained, and its dropout.

    Args:
        data: what is trained on.
        model: what to train, as in `train`.
        how: what holds in every trial; it is not chosen.

    Example:
        >>> from holdfast import data
        >>> sorted(default_space(data.load("digits")).dimensions)[:4]
        ['augment', 'batch_normalization', 'dropout', 'filters']
    """
    how = how or How()
    settings, network = _planned(data, model, how)
    inner = model.model if isinstance(model, Variant) else as_base(model)
    if isinstance(inner, FromBase):
        dimensions = _of_base(inner)
    elif isinstance(inner, BaseModel) or is_file(inner):
        dimensions = _of_own(network)
    else:
        dimensions = _of_ready(network)
    dimensions |= _of_training(data, settings)
    return Space({name: one for name, one in dimensions.items() if not _told(how, name)})


def default_values(
    space: Space, data: Dataset, model: ModelChoice = "convnet", how: How | None = None
) -> dict[str, Value]:
    """What `train` does by itself, or what of a space is nearest to it: the trial to begin with.

    Args:
        space: what may be chosen.
        data, model, how: as in `default_space`.

    Example:
        >>> from holdfast import data
        >>> from holdfast.tune import Space
        >>> default_values(Space({"filters": Int(32, 64), "kernel_size": Categorical((3, 5))}), data.load("digits"))
        {'filters': 32, 'kernel_size': 3}
    """
    settings, network = _planned(data, model, how or How())
    known = {**_net_values(network), **_settings_values(settings, how or How())}
    known |= {name: data.origin.get(name) for name in READING}

    def nearest(name: str, dimension: Dimension) -> Value:
        return dimension.nearest(known[name] if name in known else _at_path(network, settings, name))

    values = space.chosen(nearest)
    return {name: values[name] for name in space.dimensions if name in values}


def _at_path(network: BaseModel, settings: Settings, path: str) -> Value:
    """What stands at a path into the model or the optimizer; None where that is no plain value, or nothing."""
    where, _, setting = path.rpartition(".")
    found: Any = plain_optimizer(settings)["config"].get(setting) if where == "optimizer" else None
    with suppress(UnknownName, BadValue):
        found = getattr(*place_of(network, path))
    if isinstance(found, tuple) and len(set(found)) == 1:  # (3, 3)
        found = found[0]
    return found if isinstance(found, (bool, int, float, str)) else None


def _told(how: How, name: str) -> bool:
    """Whether it was said how to train in this respect."""
    return how.get("augment", "auto") != "auto" if name == "augment" else how.get(name) is not None


def _planned(data: Dataset, model: ModelChoice, how: How) -> tuple[Settings, BaseModel]:
    """The settings and the model of a training; a model that was given is not changed."""
    if isinstance(model, BaseModel):
        model.build_for(data.train.images)
        model = anew(model, seed=0)
    return plan(data, model, how)


def _of_ready(network: BaseModel) -> dict[str, Dimension]:
    """Of a ready-made model: how large it is, and what holds it back."""
    usual = _net_values(network)
    found: dict[str, Dimension] = {}
    if "filters" in usual:
        found["filters"] = _around(usual["filters"])
        found["kernel_size"] = Categorical((3, 5) if usual["kernel_size"] == 3 else (3, 5, 7))
    found["layers"] = Int(max(1, usual["layers"] - 1), usual["layers"] + 1)
    if usual["units"]:
        found["units"] = _around(usual["units"])
    found["dropout"] = Float(0.0, 0.6)
    found["batch_normalization"] = Categorical((False, True))
    return found


def _of_base(base: FromBase) -> dict[str, Dimension]:
    """Of a base: how many of its layers learn along, and how much of its features is dropped."""
    layers = len(trainable(base.loaded))
    depths = tuple(dict.fromkeys(min(depth, layers) for depth in (0, 1, FINE_TUNED)))
    return {"fine_tune": Categorical(depths), "dropout": Float(0.0, 0.5)}


def _of_own(network: BaseModel) -> dict[str, Dimension]:
    """Of a model of your own: what it drops."""
    drops = [network.lowered.names[layer] for layer in network.layers if isinstance(layer, Dropout)]
    return {f"{name}.rate": Float(0.0, 0.6) for name in drops[:MOST_DROPS]}


def _of_training(data: Dataset, settings: Settings) -> dict[str, Dimension]:
    """How it is trained, around the recipe or the optimizer that was given."""
    rate, found = rate_of(settings), dict[str, Dimension]()
    if isinstance(rate, float) and rate:
        found["learning_rate"] = Float(rate / FACTOR, rate * FACTOR, log=True)
    if plain_optimizer(settings)["config"].get("momentum") is not None:
        found["momentum"] = Float(0.0, 0.99)
    if settings.recipe:
        found["weight_decay"] = DECAY
        words = AUGMENTS.get("pictures" if data.things == "pictures" else data.kind, ())
        if words and not settings.base:
            found["augment"] = Categorical(words)
    return found


def _around(usual: int) -> Categorical:
    """Half of it, itself, and twice as much."""
    return Categorical((max(1, usual // 2), usual, 2 * usual))


def _net_values(network: BaseModel) -> dict[str, Any]:  # Any: values, each of its word's kind
    """What a ready-made model has, in the words of a space."""
    layers = [layer for layer in network.layers if isinstance(layer, Layer)]
    convolutions = [layer for layer in layers if isinstance(layer, CONVS)]
    hidden = [layer for layer in layers if isinstance(layer, Dense)][:-1]
    first = (convolutions or hidden or layers)[0]
    found: dict[str, Any] = {
        "layers": len(convolutions or hidden),
        "units": hidden[0].units if hidden else 0,
        "dropout": next((layer.rate for layer in layers if isinstance(layer, Dropout)), 0.0),
        "batch_normalization": any(isinstance(layer, BatchNormalization) for layer in layers),
        "activation": next((one for one in map(_activation, layers) if one != "linear"), "relu"),
        "kernel_initializer": snake_case(type(getattr(first, "kernel_initializer", None)).__name__),
        "l1": 0.0,
        "l2": 0.0,
    }
    if convolutions:
        found["filters"] = convolutions[0].filters
        side = convolutions[min(1, len(convolutions) - 1)].kernel_size  # the first may be longer
        found["kernel_size"] = side if isinstance(side, int) else side[0]
    return found


def _activation(layer: Layer) -> str:
    return str(layer.activation) if isinstance(layer, (Activation, Dense, *CONVS)) else "linear"


def _settings_values(settings: Settings, how: How) -> dict[str, Value]:
    """How it is trained, in the words of a space."""
    config = plain_optimizer(settings)["config"]
    augment = how.get("augment", "auto")
    return {
        "model": settings.model,
        "base": settings.base or None,
        "until": settings.until,
        "fine_tune": settings.fine_tune,
        "optimizer": RECIPE if settings.recipe else plain_optimizer(settings)["class_name"].lower(),
        "learning_rate": rate_of(settings),
        "momentum": config.get("momentum"),
        "weight_decay": config["weight_decay"],
        "label_smoothing": settings.label_smoothing,
        "batch_size": settings.batch_size,
        "epochs": settings.epochs,
        "patience": settings.patience,
        "augment": augment if isinstance(augment, str) else None,
        "shift": settings.shift,
    }
