"""Models as Keras's JSON configuration, and back.  `ROWS` is the one place that knows how the two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

import torch

from .. import layers
from ..core import BadValue, suggestion
from ..layers import Call, Constraint, FromArray, Initializer, InputLayer, Layer, Regularizer, Source, Symbol
from ..layers.fitted import Fitted, Numbers
from .graph import calls_of
from .model import BaseModel, Model, Sequential

Json: TypeAlias = Any  # what json.loads gives


@dataclass(frozen=True)
class Row:
    """How a layer stands in the configuration: under its own name, with its own settings, and these besides.

    Attributes:
        layer: the class; what Keras calls it is its name.
        only: settings of Keras that holdfast has no field for, each with the values that mean what holdfast does.
        without: fields of holdfast that Keras's class does not take.
        own: Keras has no such class; what it says of such a file names holdfast.
    """

    layer: type[Layer]
    only: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    own: bool = False


LAST = {"data_format": ("channels_last", None)}
INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "bool")  # inputs of any number type are taken
SCALING = (layers.Resizing, layers.CenterCrop)
MOST_LAYERS = 4_000  # of a model; the largest of Keras have 1,100
CODE = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "TorchModuleWrapper", "TFSMLayer", "JaxLayer")
FORMER = {"StatisticalFeatures": "Statistics"}  # what our own layers were called in older files
OURS = "holdfast"  # the key, passed over by Keras, of what it has no word for and computes alike without
KINDS: dict[type, str] = {Constraint: "constraints", Initializer: "initializers", Regularizer: "regularizers"}
ROWS = {
    row.layer.__name__: row
    for row in (
        Row(layers.Activation),
        Row(layers.Add),
        Row(layers.AveragePooling2D, LAST),
        Row(
            layers.BatchNormalization,
            {
                "synchronized": (False,),
                "renorm": (False,),
                "renorm_clipping": (None,),
                "renorm_momentum": (0.99,),
            },
        ),
        Row(layers.Concatenate),
        Row(layers.Conv2D, LAST),
        Row(layers.Dense, {"quantization_config": (None,), "lora_rank": (None,)}),
        Row(layers.Dropout, {"noise_shape": (None,)}),
        Row(layers.Flatten, LAST),
        Row(layers.GlobalAveragePooling2D, LAST),
        Row(layers.GlobalMaxPooling2D, LAST),
        Row(InputLayer, {"sparse": (False,), "ragged": (False,), "optional": (False,)}, ("trainable",)),
        Row(layers.LayerNormalization, {"rms_scaling": (False,)}),
        Row(layers.MaxPooling2D, LAST),
        Row(layers.Normalization),
        Row(layers.ReLU),
        Row(layers.Rescaling),
        Row(layers.Reshape),
        Row(layers.Softmax),
        Row(layers.SpatialDropout2D, {**LAST, "noise_shape": (None,)}, ("trainable",)),
        Row(layers.ZeroPadding2D, LAST),
        Row(layers.AlphaDropout, {"noise_shape": (None,)}),
        Row(layers.Average),
        Row(layers.CenterCrop, LAST),
        Row(layers.Dot),
        Row(layers.ELU),
        Row(
            layers.Embedding,
            {"mask_zero": (False, None), "lora_rank": (None,), "lora_alpha": (None,), "quantization_config": (None,)},
        ),
        Row(layers.GaussianDropout),
        Row(layers.GaussianNoise),
        Row(layers.GroupNormalization),
        Row(layers.LeakyReLU),
        Row(layers.Maximum),
        Row(layers.MelSpectrogram),
        Row(layers.Minimum),
        Row(layers.Multiply),
        Row(layers.PReLU),
        Row(layers.Permute),
        Row(layers.RepeatVector),
        Row(layers.Resizing, LAST),
        Row(layers.Subtract),
        Row(layers.UnitNormalization),
        Row(layers.AveragePooling1D, LAST),
        Row(layers.AveragePooling3D, LAST),
        Row(layers.Conv1D, LAST),
        Row(layers.Conv1DTranspose, LAST),
        Row(layers.Conv2DTranspose, LAST),
        Row(layers.Conv3D, LAST),
        Row(layers.Conv3DTranspose, LAST),
        Row(layers.Cropping1D),
        Row(layers.Cropping2D, LAST),
        Row(layers.Cropping3D, LAST),
        Row(layers.DepthwiseConv1D, LAST),
        Row(layers.DepthwiseConv2D, LAST),
        Row(layers.GlobalAveragePooling1D, LAST),
        Row(layers.GlobalAveragePooling3D, LAST),
        Row(layers.GlobalMaxPooling1D, LAST),
        Row(layers.GlobalMaxPooling3D, LAST),
        Row(layers.MaxPooling1D, LAST),
        Row(layers.MaxPooling3D, LAST),
        Row(layers.SeparableConv1D, LAST),
        Row(layers.SeparableConv2D, LAST),
        Row(layers.SpatialDropout1D, {"noise_shape": (None,)}, ("trainable",)),
        Row(layers.SpatialDropout3D, {**LAST, "noise_shape": (None,)}, ("trainable",)),
        Row(layers.UpSampling1D),
        Row(layers.UpSampling2D, LAST),
        Row(layers.UpSampling3D, LAST),
        Row(layers.CutMix, LAST),
        Row(layers.MixUp, LAST),
        Row(layers.RandAugment, LAST),
        Row(layers.RandomBrightness, LAST),
        Row(layers.RandomColorJitter, LAST),
        Row(layers.RandomContrast, LAST),
        Row(layers.RandomCrop, LAST),
        Row(layers.RandomErasing, LAST),
        Row(layers.RandomFlip, LAST),
        Row(layers.RandomHue, LAST),
        Row(layers.RandomRotation, LAST),
        Row(layers.RandomSaturation, LAST),
        Row(layers.RandomTranslation, LAST),
        Row(layers.RandomZoom, LAST),
        Row(layers.RandomGain, own=True),
        Row(layers.RandomNoise, own=True),
        Row(layers.RandomSwap, own=True),
        Row(layers.RandomTimeShift, own=True),
        Row(layers.SpecAugment, own=True),
        Row(layers.TrivialAugment, own=True),
        Row(layers.ZeroPadding1D, LAST),
        Row(layers.ZeroPadding3D, LAST),
        Row(layers.LogMelSpectrogram, own=True),
        Row(layers.SeriesNormalization, own=True),
        Row(layers.Statistics, own=True),
        Row(layers.PCA, own=True),
        Row(layers.SelectFeatures, own=True),
    )
}

FITTED = [name for name, row in ROWS.items() if issubclass(row.layer, Fitted)]  # that a file may name below OURS


def to_config(model: BaseModel) -> dict[str, Json]:
    """Keras 3's configuration of a model.

    Raises:
        BadValue: a layer that the format has no word for, or a sub-model that is met in two ways.
    """
    names = model.lowered.names
    calls = calls_of(model.inputs, model.outputs)
    _check_submodels(model)
    if isinstance(model, Sequential):
        rows = [_layer_config(layer, name) for layer, name in names.items()]
        inner: dict[str, Json] = {"name": model.name or "sequential", "trainable": True, "layers": rows}
        return {"module": "keras", "class_name": "Sequential", "config": inner, "registered_name": None}
    places = {call: [other for other in calls if other.layer is call.layer].index(call) for call in calls}
    rows = []
    for layer, name in names.items():
        nodes = [_node(call, names, places) for call in calls if call.layer is layer and call.inputs]
        rows.append({**_layer_config(layer, name), "name": name, "inbound_nodes": nodes})
    ends = [[_end(s, names, places) for s in side] for side in (model.inputs, model.outputs)]
    inner = {
        "name": model.name or "functional",
        "trainable": True,
        "layers": rows,
        "input_layers": ends[0][0] if len(ends[0]) == 1 else ends[0],
        "output_layers": ends[1][0] if len(ends[1]) == 1 else ends[1],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": inner,
        "registered_name": "Functional",
    }


def _check_submodels(model: BaseModel) -> None:
    """Raises BadValue for a sub-model that is met in two ways: Keras makes two of it and cannot read the file."""
    met = _submodels(model)
    twice = next((inner for inner in met if met.count(inner) > 1), None)
    if twice is not None:
        raise BadValue(
            f"model {twice.name!r} stands in two models of {model.name!r}; the .keras format cannot say that they are "
            "one, so call it in one of them only."
        )


def _submodels(model: BaseModel) -> list[BaseModel]:
    inner = [layer for layer in model.lowered.names if isinstance(layer, BaseModel)]
    return inner + [one for layer in inner for one in _submodels(layer)]


def _layer_config(layer: Source, name: str) -> dict[str, Json]:
    if isinstance(layer, BaseModel):
        config = to_config(layer)
        config["config"]["name"] = name
        return config
    assert isinstance(layer, Layer)
    kind = type(layer).__name__
    if kind not in ROWS or ROWS[kind].layer is not type(layer):
        raise BadValue(f"layer {name!r}: the .keras format has no word for {kind}; save its weights with save_weights.")
    left_out = ("input_shape", *ROWS[kind].without)
    settings = {key: to_json(value) for key, value in layer.settings().items() if key not in left_out}
    settings["name"] = name
    if isinstance(layer, InputLayer):
        settings["batch_shape"] = [None, *settings.pop("shape")]
        settings["dtype"] = "float32"
    if isinstance(layer, layers.Normalization) and layer.mean is None:
        settings |= {"mean": 0.0, "variance": 1.0}  # or Keras would look for them among the weights
    if settings.get("activity_regularizer", 0) is None:  # Keras names it only where there is one
        del settings["activity_regularizer"]
    if isinstance(layer, Fitted):
        row = _layer_config(layer.dense(), name)
        return {**row, OURS: {"class_name": kind, "config": settings}}
    module, registered = ("holdfast.layers", f"holdfast>{kind}") if ROWS[kind].own else ("keras.layers", None)
    return {"module": module, "class_name": kind, "config": settings, "registered_name": registered}


def to_json(value: Json) -> Json:
    """Settings as Keras writes them."""
    if isinstance(value, FromArray):
        array = {"class_name": "__numpy__", "config": {"value": value.value.tolist(), "dtype": "float32"}}
        return {"module": "keras.initializers", "class_name": "Constant", "config": {"value": array}}
    if isinstance(value, Numbers):
        return value.to_dict()
    if isinstance(value, (Constraint, Initializer, Regularizer)):
        module = f"keras.{next(word for kind, word in KINDS.items() if isinstance(value, kind))}"
        config = {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
        plain = {"module": module, "class_name": type(value).__name__, "config": config, "registered_name": None}
        return {**plain, OURS: {"proximal": True}} if config.pop("proximal", False) else plain
    return [to_json(item) for item in value] if isinstance(value, tuple) else value


def _node(call: Call, names: Mapping[Source, str], places: Mapping[Call, int]) -> dict[str, Json]:
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": [None, *symbol.shape],
                "dtype": "float32",
                "keras_history": [names[symbol.call.layer], places[symbol.call], symbol.index],
            },
        }
        for symbol in call.inputs
    ]
    takes_list = len(tensors) > 1 or (isinstance(call.layer, Layer) and call.layer.inputs_accepted[1] is None)
    return {"args": [tensors] if takes_list else tensors, "kwargs": {}}


def _end(symbol: Symbol, names: Mapping[Source, str], places: Mapping[Call, int]) -> list[Json]:
    """The (layer, call, output) of an input or output; here, and here only, Keras counts a Model's calls from 1."""
    layer = symbol.call.layer
    return [names[layer], places[symbol.call] + isinstance(layer, Model), symbol.index]


def from_config(config: Mapping[str, Json], *, seed: int | None = None) -> BaseModel:
    """The model of a configuration written by `to_config` or by Keras 3; weights are fresh.

    Raises:
        BadValue: a layer or setting that holdfast does not have, or a malformed configuration.
    """
    kind, inner = config.get("class_name"), config.get("config")
    if not isinstance(inner, Mapping) or not isinstance(inner.get("layers"), list):
        raise BadValue('the model configuration has no "config" with "layers".')
    if len(inner["layers"]) > MOST_LAYERS:
        raise BadValue(f"the model configuration has {len(inner['layers']):,} layers; up to {MOST_LAYERS:,} are read.")
    _check_whole_numbers(inner["layers"])
    if kind == "Sequential":
        return Sequential([_layer(row) for row in inner["layers"]], inner.get("name"), seed=seed)
    if kind in ("Functional", "Model"):
        return _functional(inner, seed)
    raise BadValue(f"the model configuration is of class {kind!r}; 'Sequential' and 'Functional' are known.")


def _check_whole_numbers(rows: Sequence[Mapping[str, Json]]) -> None:
    """Raises BadValue for pictures of whole numbers that are scaled: Keras rounds them again, here they are floats."""
    settings: list[Mapping[str, Json]] = [row.get("config", {}) for row in rows]
    whole = {one["name"] for one in settings if one.get("dtype") in INTEGERS and "name" in one}
    for place, (row, one) in enumerate(zip(rows, settings, strict=True)):
        if row.get("class_name") == "Resizing" and one.get("interpolation") != "nearest":
            nodes, before = row.get("inbound_nodes"), settings[max(place - 1, 0)]
            sources = [history[0] for history in _histories(nodes, steady=True)] if nodes else [before.get("name")]
            source = next((name for name in sources if name in whole), None)
            if source is not None:
                raise BadValue(
                    f"Resizing({one.get('name')!r}): scales the whole numbers of {source!r}, which Keras "
                    "rounds again; give that input the dtype 'float32'."
                )


def _functional(inner: Mapping[str, Json], seed: int | None) -> Model:
    made = {row["config"]["name"]: _layer(row) for row in inner["layers"]}
    given: dict[tuple[str, int], tuple[Symbol, ...]] = {}  # the outputs of each call
    nodes: dict[tuple[str, int], list[Sequence[Json]]] = {}
    for row in inner["layers"]:
        name = row["config"]["name"]
        layer = made[name]
        if isinstance(layer, InputLayer):
            given[name, 0] = (layer([]),)
        steady = isinstance(layer, SCALING)
        for number, node in enumerate(row.get("inbound_nodes", []), len(given.get((name, 0), ()))):
            nodes[name, number] = _histories(node, steady=steady)
    for name, number in _in_order(nodes, given):
        symbols = [given[history[0], history[1]][history[2]] for history in nodes[name, number]]
        source: Any = made[name]  # Any: a layer or a model; both are called with symbols
        result = source(symbols[0] if len(symbols) == 1 else symbols)
        given[name, number] = tuple(result) if isinstance(result, list) else (result,)

    def end(history: Sequence[Json]) -> Symbol:
        name, call, index = history[:3]
        call -= isinstance(made.get(name), Model)  # see _end
        last = max((number for other, number in given if other == name), default=0)
        call = call if call >= 0 else last  # files of before had no 1 to subtract
        if not 0 <= index < len(given.get((name, call), ())):
            raise BadValue(
                f"the model configuration has no call {call} of {name!r}, which it says is an input or output."
            )
        return given[name, call][index]

    inputs, outputs = ([end(one) for one in _ends(inner[side])] for side in ("input_layers", "output_layers"))
    return Model(inputs, outputs, inner.get("name"), seed=seed)


def _in_order(
    nodes: Mapping[tuple[str, int], list[Sequence[Json]]], given: Mapping[tuple[str, int], object]
) -> list[tuple[str, int]]:
    """The calls (layer, number), each after those that it needs and after the earlier ones of its layer."""
    sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
    for (name, number), histories in nodes.items():
        before = [(name, number - 1)] if (name, number - 1) in nodes else []
        sorter.add((name, number), *before, *((history[0], history[1]) for history in histories))
    try:
        order = [call for call in sorter.static_order() if call not in given]
    except CycleError as error:
        order = [error.args[1][0]]
        nodes = {}
    lost = next((call for call in order if call not in nodes), None)
    if lost is not None:
        raise BadValue(f"the model configuration has no way to reach the layer {lost[0]!r}.")
    return order


def _ends(ends: Json) -> list[Sequence[Json]]:
    """The (layer, call, output) triples of a model's inputs or outputs: one, a list, or a dict, taken by its keys."""
    if isinstance(ends, Mapping):
        return [ends[key] for key in sorted(ends)]
    return ends if isinstance(ends[0], list) else [ends]


def _histories(node: Json, *, steady: bool = False) -> list[Sequence[Json]]:
    """The (layer, call, output) triples that a node takes, in order; `steady` layers are the same in training."""
    if isinstance(node, Mapping) and node.get("class_name") == "__keras_tensor__":
        return [node["config"]["keras_history"]]
    if isinstance(node, Mapping):
        for key, value in node.get("kwargs", {}).items():
            if value is not None and not (key == "training" and (steady or value is False)):
                raise BadValue(f"the model configuration calls a layer with {key}={value!r}, which is not supported.")
        return _histories(node.get("args", []))
    return [one for item in node for one in _histories(item, steady=steady)] if isinstance(node, list) else []


def _layer(row: Mapping[str, Json]) -> Layer | BaseModel:
    ours = row.get(OURS)
    if isinstance(ours, Mapping) and ours.get("class_name") in FITTED:
        row = ours
    kind, settings = row.get("class_name"), dict(row.get("config", {}))
    kind = FORMER.get(str(kind), kind)
    if kind in ("Sequential", "Functional", "Model"):
        return from_config(row)
    if kind in CODE:
        raise BadValue(
            f"{kind}({settings.get('name', '')!r}): holds code, which is never run; say what it does with layers "
            "(Rescaling, Activation, Reshape, Add, ...), and save the model again."
        )
    if kind not in ROWS:
        said = suggestion(str(kind), list(ROWS)) or "; docs/keras.md lists those that there are"
        raise BadValue(f"unknown layer {kind!r}{said}")
    label = f"{kind}({settings.get('name', '')!r})"
    dtype = settings.pop("dtype", "float32")
    if isinstance(dtype, Mapping):
        dtype = dtype.get("config", {}).get("name")
    if dtype not in ("float32", None) and not (kind == "InputLayer" and dtype in INTEGERS):
        raise BadValue(f"{label}: dtype {dtype!r} is not supported; it must be 'float32'.")
    if kind == "InputLayer" and ("batch_shape" in settings or "batch_input_shape" in settings):
        settings["shape"] = (settings.pop("batch_shape", None) or settings.pop("batch_input_shape"))[1:]
    for key, accepted in ROWS[kind].only.items():
        if key in settings and (value := settings.pop(key)) not in accepted:
            raise BadValue(f"{label}: {key}={value!r} is not supported; it must be {accepted[0]!r}.")
    known = {item.name for item in fields(ROWS[kind].layer) if item.init}
    for key in [key for key in settings if key not in known]:
        if settings.pop(key) is not None:
            raise BadValue(f"{label}: has no setting {key!r}{suggestion(key, sorted(known))}")
    if isinstance(settings.get("axis"), list) and len(settings["axis"]) < 2:
        settings["axis"] = settings["axis"][0] if settings["axis"] else None
    return ROWS[kind].layer(**{key: from_json(value) for key, value in settings.items()})


def from_json(value: Json) -> Json:
    """Settings as Keras writes them, without what says only how Keras is organised."""
    if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
        return value["config"]["value"]
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        config = {key: item for key, item in {**value["config"], **value.get(OURS, {})}.items() if item is not None}
        array = config.get("value")
        if value["class_name"] == "Constant" and isinstance(array, Mapping):
            return FromArray(torch.tensor(array["config"]["value"]))
        return {"class_name": value["class_name"], "config": config}
    return value
