"""The one table of TF.js's layers: how TF.js 4.22 has each of ours, or why it has not and what to do then.

TF.js passes over settings that it does not know, and computes something else.  So a row names all that are carried;
any other has its default or is refused.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from .. import layers
from ..core import BadValue
from ..layers import Layer, Shape
from ..models.config import to_json

Json: TypeAlias = Any  # what json.loads gives
Settings: TypeAlias = dict[str, Json]
Form: TypeAlias = tuple[str, Settings]  # a class of TF.js and its settings, as Keras 3 names them

AUGMENTING = (
    *("CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorJitter", "RandomContrast", "RandomErasing"),
    *("RandomFlip", "RandomGain", "RandomHue", "RandomNoise", "RandomRotation", "RandomSaturation", "RandomSwap"),
    *("RandomTimeShift", "RandomTranslation", "RandomZoom", "SpecAugment", "TrivialAugment"),
)
ONLY_ONNX = "the ONNX form of the model has it"
FINE = ("name", "trainable", "input_shape", "seed")  # a seed is for training; TF.js draws its own way


@dataclass(frozen=True)
class Row:
    """How TF.js has a layer.

    Attributes:
        carried: settings that mean the same there.
        limits: those of which it takes these values only.
        remedies: what to do about settings that it does not have, or not with such a value.
        rank: largest rank of an input, without the axis of samples.
        into: changes the form where class or settings are others, from the layer and the shapes of its inputs; it may
            raise BadValue with what is wrong, to which the layer's name is added.
        weights: names, Keras 3's -> TF.js's.
    """

    carried: tuple[str, ...] = ()
    limits: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    rank: int = 4
    into: Callable[[Any, tuple[Shape, ...], Form], Form] | None = None  # Any: a layer of the row's class
    weights: Mapping[str, str] = field(default_factory=dict)


def _weight(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{what}" for name in names for what in ("initializer", "regularizer", "constraint"))


KERNEL = ("kernel_size", "strides", "padding", "activation", "use_bias", *_weight("bias"))
CONV = ("filters", "dilation_rate", *KERNEL, *_weight("kernel"))
PENALTY = {
    "activity_regularizer": "TF.js refuses to run such a layer; it matters in training alone, so make the layer without"
}
GROUPS = {"groups": "where each channel is a group of its own, DepthwiseConv2D is that", **PENALTY}
EXACT_SIZE = {
    "output_padding": "leave it out, and pad or crop behind the layer",
    "dilation_rate": "put the zeros into a larger kernel",
    **PENALTY,
}
GLOBAL = Row(remedies={"keepdims": "put Reshape((1, 1, channels)) behind the layer, or (1, channels) for series"})
NORM = ("epsilon", "center", "scale", "beta_initializer", "gamma_initializer", "beta_regularizer", "gamma_regularizer")
NORM_RANK = 3  # TF.js has batch and layer normalization for up to pictures


def _common(form: Form) -> Settings:
    return {key: form[1][key] for key in ("name", "trainable") if key in form[1]}


def _reshape(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """A side of -1 would stay unknown to the layers behind, and TF.js flattens no vectors."""
    return "Reshape", {**_common(form), "target_shape": list(layer.out_shape(*shapes))}


def _flatten(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    return form if len(shapes[0]) > 1 else _reshape(layer, shapes, form)


def _softmax(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    if layer.axis not in (-1, len(shapes[0])):
        raise BadValue(f"TF.js has no axis={layer.axis}, only the last; put Permute before and behind")
    return "Softmax", {**_common(form), "axis": -1}


def _normalization(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """x * scale + offset, which is how it is computed here, too."""
    affine = layer.build(*shapes)
    return "Rescaling", {
        **_common(form),
        **{key: getattr(affine, key).flatten().tolist() for key in ("scale", "offset")},
    }


def _fitted(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """A dense layer with the same numbers."""
    dense = layer.dense()
    return "Dense", {**_common(form), "units": dense.units, "activation": "linear", "use_bias": dense.use_bias}


def _center_crop(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """TF.js's own takes its pixels from other places."""
    spare = [side - wanted for side, wanted in zip(shapes[0][:2], (layer.height, layer.width), strict=True)]
    if min(spare) < 0:
        raise BadValue(
            f"TF.js does not enlarge {shapes[0][:2]} to height={layer.height}, width={layer.width} as Keras does; "
            "resize the pictures before the model"
        )
    return "Cropping2D", {**_common(form), "cropping": [[side // 2, side - side // 2] for side in spare]}


def _spatial_dropout(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """A Dropout that draws once for each channel."""
    ones = [1] * (len(shapes[0]) - 1)
    return "Dropout", {**form[1], "noise_shape": [None, *ones, None]}


def _dot(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """TF.js takes axes from the end in some places as they are."""
    return "Dot", {**form[1], "axes": [place + 1 for place in layer.places(*shapes)]}


def _series_normalization(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """A layer normalization along the steps, which holdfast and Keras have along the channels only."""
    return "LayerNormalization", {**_common(form), "axis": 1, "epsilon": layer.epsilon, "center": False, "scale": False}


def _volume(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """TF.js takes "same" for a negative padding of volumes where windows are smaller than their strides."""
    kind, settings = form
    if layer.padding != "same":
        return form
    windows = getattr(layer, "kernel_size", None) or layer.pool_size
    strides = layer.strides or windows
    sides = shapes[0][:3] if kind != "Conv3DTranspose" else layer.out_shape(*shapes)[:3]
    dilations = getattr(layer, "dilation_rate", (1, 1, 1))
    spare = [
        (-(-side // stride) - 1) * stride + (window - 1) * dilation + 1 - side
        for side, window, stride, dilation in zip(sides, windows, strides, dilations, strict=True)
    ]
    if min(spare) >= 0:
        return form
    if max(spare) <= 0 and kind != "Conv3DTranspose":
        return kind, {**settings, "padding": "valid"}  # nothing is padded
    raise BadValue(
        f"TF.js pads wrongly for padding='same' with a window of {windows} and strides={strides}; make no side of the "
        "window smaller than its stride"
    )


def _handed_on(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    """Of layers that work in training alone, and for which the browser has no training."""
    return "Activation", {**_common(form), "activation": "linear"}


def _random_crop(layer: Any, shapes: tuple[Shape, ...], form: Form) -> Form:
    if shapes[0][:2] != (layer.height, layer.width):
        raise BadValue("TF.js takes its pixels from other places when it scales; crop the pictures before the model")
    return _handed_on(layer, shapes, form)


def _augmenting(layer: type[Layer]) -> Row:
    return Row(tuple(item.name for item in fields(layer)), into=_handed_on)


MERGE = Row()
POOL = Row(("pool_size", "strides", "padding"))
POOL3D = Row(("pool_size", "strides", "padding"), into=_volume)
CONV_TRANSPOSE = tuple(key for key in CONV if key != "dilation_rate")
ROWS: dict[str, Row] = {
    "Activation": Row(("activation",)),
    "Add": MERGE,
    "AlphaDropout": Row(("rate",)),
    "Average": MERGE,
    "AveragePooling1D": POOL,
    "AveragePooling2D": POOL,
    "AveragePooling3D": POOL3D,
    "BatchNormalization": Row(
        ("axis", "momentum", *NORM, *_weight("moving_mean", "moving_variance"), *_weight("beta", "gamma")),
        rank=NORM_RANK,
    ),
    "CenterCrop": Row(("height", "width"), into=_center_crop),
    "Concatenate": Row(("axis",)),
    "Conv1D": Row(
        CONV,
        {"padding": ("valid", "same")},
        {
            **GROUPS,
            "padding": "Reshape((length, 1, channels)), ZeroPadding2D((((k - 1) * dilation, 0), (0, 0))), Conv2D with "
            "(k, 1) and Reshape are that",
        },
    ),
    "Conv2D": Row(CONV, remedies=GROUPS),
    "Conv2DTranspose": Row(CONV_TRANSPOSE, remedies=EXACT_SIZE),
    "Conv3D": Row(CONV, remedies=GROUPS, into=_volume),
    "Conv3DTranspose": Row(CONV_TRANSPOSE, remedies=EXACT_SIZE, into=_volume),
    "Cropping2D": Row(("cropping",)),
    "Dense": Row(("units", "activation", "use_bias", *_weight("kernel", "bias")), remedies=PENALTY),
    "DepthwiseConv2D": Row(
        (*KERNEL, "depth_multiplier", *_weight("depthwise")),
        remedies={"dilation_rate": "TF.js passes over it; SeparableConv2D has it there, too", **PENALTY},
        weights={"kernel": "depthwise_kernel"},
    ),
    "Dot": Row(("axes", "normalize"), rank=2, into=_dot),
    "Dropout": Row(("rate",)),
    "ELU": Row(remedies={"alpha": "TF.js has it for 1 only"}),
    "Embedding": Row(("input_dim", "output_dim", *_weight("embeddings")), remedies=PENALTY),
    "Flatten": Row(into=_flatten),
    "GaussianDropout": Row(("rate",)),
    "GaussianNoise": Row(("stddev",)),
    "GlobalAveragePooling1D": GLOBAL,
    "GlobalAveragePooling2D": GLOBAL,
    "GlobalMaxPooling1D": GLOBAL,
    "GlobalMaxPooling2D": GLOBAL,
    "InputLayer": Row(("shape",)),
    "LayerNormalization": Row(("axis", *NORM), rank=NORM_RANK),
    "LeakyReLU": Row(("negative_slope",)),
    "MaxPooling1D": POOL,
    "MaxPooling2D": POOL,
    "MaxPooling3D": POOL3D,
    "Maximum": MERGE,
    "Minimum": MERGE,
    "Multiply": MERGE,
    "Normalization": Row(("axis", "mean", "variance", "invert"), into=_normalization),
    "PCA": Row(("components", "whiten", "kernel", "bias", "explained"), into=_fitted),
    "PReLU": Row((*_weight("alpha"), "shared_axes")),
    "Permute": Row(("dims",)),
    "ReLU": Row(
        ("max_value",),
        remedies={
            "negative_slope": "LeakyReLU(slope) is that",
            "threshold": "subtract it before the layer, with Rescaling",
        },
    ),
    "RepeatVector": Row(("n",)),
    "Rescaling": Row(("scale", "offset")),
    "Reshape": Row(("target_shape",), into=_reshape),
    "SelectFeatures": Row(("k", "score", "chosen"), into=_fitted),
    "SeparableConv2D": Row(
        ("filters", "dilation_rate", "depth_multiplier", *KERNEL, *_weight("depthwise", "pointwise")), remedies=PENALTY
    ),
    "SeriesNormalization": Row(
        ("epsilon",),
        remedies={"masked": f"series of one length need no mask; {ONLY_ONNX}"},
        into=_series_normalization,
    ),
    "Softmax": Row(("axis",), into=_softmax),
    "SpatialDropout1D": Row(("rate",)),
    "SpatialDropout2D": Row(("rate",), into=_spatial_dropout),
    "SpatialDropout3D": Row(("rate",), into=_spatial_dropout),
    "UpSampling2D": Row(
        ("size", "interpolation"),
        {"interpolation": ("nearest",)},
        {"interpolation": "it begins at the corner of a pixel in TF.js and at its middle in Keras"},
    ),
    "ZeroPadding2D": Row(("padding",)),
    **{name: _augmenting(getattr(layers, name)) for name in AUGMENTING},
    "RandomCrop": Row(("height", "width"), into=_random_crop),
}

ABSENT: dict[str, str] = {
    "Conv1DTranspose": "Reshape((length, 1, channels)), Conv2DTranspose with (k, 1) and Reshape are that",
    "Cropping1D": "Reshape((length, 1, channels)), Cropping2D and Reshape are that",
    "Cropping3D": ONLY_ONNX,
    "DepthwiseConv1D": "Reshape((length, 1, channels)), DepthwiseConv2D with (k, 1) and Reshape are that",
    "GlobalAveragePooling3D": "AveragePooling3D over the whole volume and Flatten are that",
    "GlobalMaxPooling3D": "MaxPooling3D over the whole volume and Flatten are that",
    "GroupNormalization": "train with BatchNormalization or LayerNormalization",
    "LogMelSpectrogram": f"compute spectrograms before the model, or take ONNX: {ONLY_ONNX}",
    "MelSpectrogram": f"compute spectrograms before the model, or take ONNX: {ONLY_ONNX}",
    "Resizing": "its own takes the corners of a picture for the middles of its corner pixels, which Keras does not; "
    "resize before the model",
    "SeparableConv1D": "Reshape((length, 1, channels)), SeparableConv2D with (k, 1) and Reshape are that",
    "Statistics": f"compute the features before the model, or take ONNX: {ONLY_ONNX}",
    "Subtract": "Add()([a, Rescaling(-1.0)(b)]) is that",
    "Torch": "it knows nothing of a module of your own; build the model of layers",
    "UnitNormalization": ONLY_ONNX,
    "UpSampling1D": "Reshape((length, 1, channels)), UpSampling2D((k, 1)) and Reshape are that",
    "UpSampling3D": ONLY_ONNX,
    "ZeroPadding1D": "Reshape((length, 1, channels)), ZeroPadding2D and Reshape are that",
    "ZeroPadding3D": ONLY_ONNX,
}

ACTIVATIONS = {  # holdfast's name -> how Keras 3 names what TF.js has; to_keras2 makes "swish" of "silu"
    name: name
    for name in (
        "linear",
        "relu",
        "relu6",
        "elu",
        "selu",
        "gelu",
        "silu",
        "sigmoid",
        "tanh",
        "softmax",
        "softplus",
        "softsign",
    )
}
NO_ACTIVATION = {
    "exponential": "the ONNX form of the model has it",
    "hard_sigmoid": "TF.js's is another function, clip(0.2 x + 0.5, 0, 1); Rescaling(1 / 6, 0.5) and "
    "ReLU(max_value=1) behind the layer are that of Keras 3",
    "leaky_relu": "put LeakyReLU(0.2) behind the layer",
}
INITIALIZERS = {  # Keras 3's class -> TF.js's; weights are written in any case, so that others become zeros
    "LecunNormal": "LeCunNormal",
    "LecunUniform": "LeCunUniform",
    **{
        name: name
        for name in (
            "Constant",
            "GlorotNormal",
            "GlorotUniform",
            "HeNormal",
            "HeUniform",
            "Identity",
            "Ones",
            "Orthogonal",
            "RandomNormal",
            "RandomUniform",
            "TruncatedNormal",
            "VarianceScaling",
            "Zeros",
        )
    },
}
CONSTRAINTS = ("MaxNorm", "NonNeg", "UnitNorm")
REGULARIZERS = ("L1", "L2", "L1L2")


def tfjs_form(layer: Layer, name: str, shapes: tuple[Shape, ...], settings: Settings) -> Form:
    """What TF.js has for a layer.

    Args:
        name: of the layer in its model.
        shapes: of its inputs, channels last, without the axis of samples.
        settings: as the .keras format has them.

    Raises:
        BadValue: it has none, or not with these settings; the message names layer, setting and remedy.
    """
    kind = type(layer).__name__
    label = f"{kind}({name!r})"
    if kind not in ROWS:
        raise BadValue(f"{label}: TF.js has no such layer; {ABSENT.get(kind, ONLY_ONNX)}.")
    row = ROWS[kind]
    _check_settings(layer, label, row)
    highest = max(map(len, shapes), default=0)
    if highest > row.rank:
        raise BadValue(f"{label}: TF.js takes inputs of rank {row.rank} at most, this has {highest}; {ONLY_ONNX}.")
    taken = (*row.carried, *FINE, "batch_shape", "dtype")
    form = kind, {key: _value(key, value) for key, value in settings.items() if key in taken}
    if row.into is None:
        return form
    try:
        return row.into(layer, shapes, form)
    except BadValue as error:
        raise BadValue(f"{label}: {error}.") from error


def _check_settings(layer: Layer, label: str, row: Row) -> None:
    """Raises BadValue for a setting that TF.js does not have."""
    for item in fields(layer):
        key, value = item.name, getattr(layer, item.name)
        if not item.init or key in FINE:
            continue
        if key == "activation" and value not in ACTIVATIONS:
            raise BadValue(f"{label}: TF.js has no activation={value!r}; {NO_ACTIVATION.get(value, ONLY_ONNX)}.")
        plain = to_json(value)
        accepted = row.limits.get(key)
        if key in row.carried and (accepted is None or plain in accepted):
            _check_parts(label, key, plain)
            continue
        if plain != to_json(layer.converted(item, item.default)):
            raise BadValue(f"{label}: TF.js has no {key}={_shown(plain)}; {row.remedies.get(key, ONLY_ONNX)}.")


def _check_parts(label: str, key: str, plain: Json) -> None:
    """Raises BadValue for a constraint or a regularizer that TF.js does not have."""
    known = {"constraint": CONSTRAINTS, "regularizer": REGULARIZERS}.get(key.rpartition("_")[2])
    if known is not None and plain is not None and plain["class_name"] not in known:
        raise BadValue(f"{label}: TF.js has no {key}={_shown(plain)}; it has {', '.join(known)}.")


def _shown(plain: Json) -> str:
    if isinstance(plain, Mapping) and "class_name" in plain:
        return f"{plain['class_name']}({', '.join(f'{key}={value!r}' for key, value in plain['config'].items())})"
    return repr(plain)


def _value(key: str, value: Json) -> Json:
    """A setting as TF.js takes it."""
    if not key.endswith("_initializer"):
        return value
    kind, config = value["class_name"], value["config"]
    if kind not in INITIALIZERS or isinstance(config.get("value"), Mapping):
        return {"class_name": "Zeros", "config": {}}
    if config.get("distribution") == "untruncated_normal":
        config = {**config, "distribution": "normal"}
    finite = {key: one for key, one in config.items() if not isinstance(one, float) or math.isfinite(one)}
    return {**value, "class_name": INITIALIZERS[kind], "config": finite}
