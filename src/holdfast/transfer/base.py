"""Bases: models that have learned elsewhere, read from wherever they are, as one from bytes of 0..255 to features."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from ..core import BadFile, BadShape, BadValue, suggestion
from ..layers import (
    Activation,
    BatchNormalization,
    CenterCrop,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    Input,
    InputLayer,
    Layer,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    Resizing,
    Softmax,
    Symbol,
)
from ..models import BaseModel, Model, Pictures, links, load
from ..models.bound import BoundLayer
from .regrow import Regrown, behind, regrown

Preprocessing: TypeAlias = Literal["tf", "torch", "caffe", "unit", "none"]

PREPROCESSING: tuple[Preprocessing, ...] = ("tf", "torch", "caffe", "unit", "none")
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB from 0 to 1, as torchvision's
CAFFE_MEAN = (123.68, 116.779, 103.939)  # the same of 0 to 255, as Caffe's, in the order RGB
BY_NAME: tuple[tuple[str, Preprocessing], ...] = (  # the models of Keras Applications that leave it to their user
    (r"mobilenet|xception|inception|nasnet|resnet\d+v2", "tf"),
    (r"densenet\d+", "torch"),
    (r"resnet(50|101|152)|vgg1[69]", "caffe"),
)
SCALES = (Rescaling, Normalization)
STEADY = (Resizing, CenterCrop, Concatenate)  # may stand between the input and what scales it
HEADS = (Dense, Activation, Softmax, ReLU, Dropout, BatchNormalization, Reshape)  # of a classifier, behind its features
POOLS = (
    Flatten,
    Reshape,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)


def load_base(
    path_or_name: str | Path | BaseModel, *, until: str | None = None, preprocessing: Preprocessing | None = None
) -> BaseModel:
    """A model that has learned elsewhere, as one from what data gives, bytes of pictures say, to features.

    Args:
        path_or_name: a file or folder that `holdfast.load` reads; the folder of a run or a pre-training; one of a
            `transformers` model; a name of `transfer.BASES`; or a model.
        until: the layer whose outputs are the features.  None: of a classifier what goes into its pooling and last
            dense layers, of any other model all.
        preprocessing: what pictures of 0..255 undergo before they enter it: "tf", x / 127.5 - 1; "torch" and "caffe",
            ImageNet's mean and deviation; "unit", x / 255; "none".  None: by its own layers or its name.

    Returns:
        A flat Model with its weights, whatever it was made of.

    Raises:
        BadFile: no such file, folder or name, or no model.
        UnknownName: no layer `until`; the message suggests the nearest.
        BadValue: a model of pictures that does not say what it takes.

    Example:
        >>> from holdfast.models import convnet
        >>> load_base(convnet((28, 28, 1), 10)).outputs[0].shape
        (3, 3, 32)
    """
    if not isinstance(path_or_name, (str, Path, BaseModel)):
        raise BadValue(f"load_base({path_or_name!r}): takes a path, a name or a model.")
    model = path_or_name if isinstance(path_or_name, BaseModel) else read_base(path_or_name)
    if preprocessing is not None and preprocessing not in PREPROCESSING:
        words = ", ".join(map(repr, PREPROCESSING))
        raise BadValue(f"load_base(preprocessing={preprocessing!r}): must be one of {words}, or None.")
    scaling = preprocessing or preprocessing_of(model)
    entry = Input(model.inputs[0].shape)
    grown = regrown(model, front(entry, scaling), until=until)
    if until is None and ends_as_classifier(model):
        before = features_of(grown.output)
        if before is not grown.output:
            grown = regrown(model, front(entry, scaling), until=before.call.layer.name)
    base = Model(entry, grown.output, model.name)
    grown.fill(base)
    if scaling == "caffe":
        _to_bgr(base, grown)
    base.reads = model.reads or Pictures.of(base)  # bytes of 0..255, so it says now what it takes
    return base


def read_base(place: str | Path) -> BaseModel:
    """The model in a file or folder, or of a name.

    Raises:
        BadFile: none of these.
    """
    from .hf import is_hf, is_hub_name, load_hf
    from .registry import BASES, fetch_base

    if not str(place):
        raise BadFile("base '': give the path of a model, or a name; `holdfast bases` lists the names.")
    path = Path(place)
    if path.is_dir():
        if (path / "model.keras").is_file():
            return load(path / "model.keras")
        return load_hf(path) if is_hf(path) else load(path)
    if isinstance(place, str) and place in BASES:
        return fetch_base(place)
    if isinstance(place, str) and not path.exists() and is_hub_name(place):
        return load_hf(place)
    if not path.exists():
        raise BadFile(f"base {str(place)!r}: no such file or folder, and no name of a base{_near(str(place), BASES)}")
    return load(path)


def _near(name: str, known: Iterable[str]) -> str:
    return suggestion(name, list(known)) or "; `holdfast bases` lists the names"


def preprocessing_of(model: BaseModel) -> Preprocessing:
    """What pictures of 0..255 undergo before they enter a model, by its layers or by its name.

    Raises:
        BadValue: neither says it.
    """
    shape = model.inputs[0].shape
    if len(shape) != 3 or shape[2] not in (1, 3) or model.reads is not None or scales_itself(model):
        return "none"
    name = re.sub(r"[^a-z0-9.]", "", (model.name or "").lower())
    found = next((words for pattern, words in BY_NAME if re.match(pattern, name)), None)
    if found is None:
        raise BadValue(
            f"base {model.name or 'without a name'}: does not say what pixels it takes; say it with preprocessing= "
            "(--preprocessing): tf (-1 to 1), unit (0 to 1), torch or caffe (ImageNet's mean), or none (0 to 255)."
        )
    return found


def scales_itself(model: BaseModel) -> bool:
    """Whether the first layer that computes is a Rescaling or Normalization."""
    (symbol,) = model.inputs
    grown = regrown(model, Input(symbol.shape))
    layers = [layer for layer in grown.learned if not isinstance(layer, (InputLayer, *STEADY))]
    return bool(layers) and isinstance(layers[0], SCALES)


def front(symbol: Symbol, preprocessing: Preprocessing) -> Symbol:
    """Pixels as a base takes them; the order of the channels, which Caffe turns round, is left to its first kernel.

    Source: keras.applications.imagenet_utils.preprocess_input.

    Raises:
        BadShape: ImageNet's means, of pictures that are not RGB.
    """
    if preprocessing == "none":
        return symbol
    if preprocessing in ("tf", "unit"):
        return (Rescaling(1 / 127.5, -1.0) if preprocessing == "tf" else Rescaling(1 / 255))(symbol)
    if symbol.shape[-1] != 3:
        raise BadShape(f"preprocessing={preprocessing!r} is of RGB pictures; the base takes {symbol.shape}.")
    if preprocessing == "caffe":
        return Normalization(mean=CAFFE_MEAN, variance=(1.0, 1.0, 1.0))(symbol)
    mean, variance = [255 * one for one in MEAN], [(255 * one) ** 2 for one in DEVIATION]
    return Normalization(mean=mean, variance=variance)(symbol)


@torch.no_grad()
def _to_bgr(base: BaseModel, grown: Regrown) -> None:
    """Turns the input channels of the first kernel round, for a base that was taught BGR.

    Raises:
        BadValue: its first layer with weights is no convolution.
    """
    first = next((layer for layer, weights in grown.learned.items() if weights), None)
    if not isinstance(first, Conv2D):
        raise BadValue("preprocessing='caffe' turns round the channels of a first convolution; this base has none.")
    kernel = BoundLayer(first, base.lowered).tensors()[0][1]
    kernel.copy_(kernel.flip(1))


def ends_as_classifier(model: BaseModel) -> bool:
    """Whether it tells classes apart, rather than giving features: by its last activation, its classes, or its name."""
    last = model.outputs[0].call.layer
    named = isinstance(last, Dense) and last.name in ("predictions", "logits", "classifier")
    return links(model.module) != ["linear"] or model.classes is not None or named


def features_of(output: Symbol) -> Symbol:
    """What goes into the last dense layers of a classifier, and into what flattens or pools in front of them.

    Where nothing with weights would be left, as of a dense net, only the last of them goes.
    """
    symbol, dense = output, None
    while isinstance(symbol.call.layer, HEADS) or _dense_like(symbol):
        if dense is None and isinstance(symbol.call.layer, Dense):
            dense = symbol  # the one that tells the classes apart
        symbol = symbol.call.inputs[0]
    while isinstance(symbol.call.layer, POOLS):
        symbol = symbol.call.inputs[0]
    if any(isinstance(layer, Layer) and layer.weights() for layer in behind(symbol)):
        return symbol
    return output if dense is None else dense.call.inputs[0]


def _dense_like(symbol: Symbol) -> bool:
    """Whether it comes from a convolution of a single place, as that of MobileNet's classes."""
    layer = symbol.call.layer
    return isinstance(layer, Conv2D) and layer.kernel_size == (1, 1) and symbol.call.inputs[0].shape[:2] == (1, 1)
