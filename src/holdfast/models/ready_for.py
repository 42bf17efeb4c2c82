"""Ready-made models for a dataset: by its kind, with the front end that its values need, fitted on train alone."""

from ..core import BadValue
from ..data import Dataset
from ..data.rows import some
from ..data.series import Series
from ..data.sounds import Sounds
from ..data.table import Table
from ..layers import Layer, Normalization
from .model import BaseModel
from .net import CONVOLVING, PLAIN, Net
from .ready import dense_twin, ready_made
from .ready_series import features_front, series_front, series_net
from .ready_sounds import sound_net, wave_net
from .ready_tables import table_front, table_net


def ready_for(name: str, data: Dataset, *, net: Net = PLAIN, seed: int = 0) -> BaseModel:
    """The ready-made model of this name for such data.

    Args:
        name: "convnet" or "dense"; of series and sounds "features", of sounds "convnet1d", too.  Tables, where nothing
            lies beside anything, have the dense net only.
        data: whose training part the front end is fitted on.
        net: what of the model is to be otherwise.
        seed: of the model.

    Raises:
        UnknownName: no such model for this kind of data; the message suggests the nearest.
        BadShape: samples that it cannot take.
        BadValue: filters or kernels of a model without convolutions.
    """
    without = isinstance(data.reads, Table) or name in ("dense", "features")
    word = next((word for word in CONVOLVING if without and word in net.told), None)
    if word is not None:
        raise BadValue(
            f"{word}={net.told[word]}: the model {name!r} of {data.name} has no convolutions; "
            "leave it out, or give it a `when`."
        )
    shape, classes = data.shape, len(data.classes)
    if isinstance(data.reads, Table):
        return table_net(shape, classes, front=table_front(data.reads, some(data.train.images)), net=net, seed=seed)
    masked = isinstance(data.reads, Series) and data.reads.masked
    if name == "features" and len(shape) < 3:
        front: Layer = features_front(some(data.train.images), masked=masked)
        return ready_made[name](shape, classes, front=front, masked=masked, net=net, seed=seed)
    if isinstance(data.reads, Sounds):
        if name == "dense":
            return dense_twin(sound_net(shape, classes, rate=data.reads.rate, seed=seed), net)
        make = wave_net if name == "convnet1d" else sound_net
        return make(shape, classes, rate=data.reads.rate, net=net, seed=seed)
    if len(shape) == 2:
        front = series_front(some(data.train.images), masked=masked)
        if name == "convnet":
            return series_net(shape, classes, front=front, masked=masked, net=net, seed=seed)
        return ready_made[name](shape, classes, front=front, net=net, seed=seed)
    return ready_made[name](shape, classes, front=_front(data), net=net, seed=seed)


def _front(data: Dataset) -> Layer | None:
    """The layer that brings values near 1; None for pictures of bytes, for which the models have one."""
    return None if data.kind == "pictures" else Normalization().adapt(some(data.train.images))
