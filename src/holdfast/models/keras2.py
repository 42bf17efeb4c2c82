"""Keras 2's configuration of a model, as h5 files and TF.js have it, from and to Keras 3's.  `ROWS2` has what differs.

What TF.js alone does otherwise, export/tfjs.py knows; `check_tfjs` names what means something else there when read.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..core import BadValue

Json: TypeAlias = Any  # what json.loads gives


@dataclass(frozen=True)
class Row2:
    """How a layer stood in Keras 2, where that is not how it stands in Keras 3.

    Attributes:
        renamed: settings, Keras 2's name -> Keras 3's.
        only: settings that Keras 3 has no place for, each with the values that mean what Keras 3 does; () for any.
        layer: Keras 3's class, if it has another name there.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    layer: str | None = None


KERNEL: dict[str, tuple[Json, ...]] = {  # that of a plain convolution, which the depthwise ones inherited
    "kernel_initializer": (),
    "kernel_regularizer": (),
    "kernel_constraint": (),
    "filters": (),
}
GROUPS = {"groups": (1,)}
NORM = {"fused": (), "virtual_batch_size": (None,), "adjustment": (None,)}
ROWS2 = {
    "BatchNormalization": Row2(only=NORM),
    "Conv1DTranspose": Row2(only=GROUPS),
    "Conv2DTranspose": Row2(only=GROUPS),
    "Conv3DTranspose": Row2(only=GROUPS),
    "DepthwiseConv1D": Row2(only={**KERNEL, **GROUPS}),
    "DepthwiseConv2D": Row2(only={**KERNEL, **GROUPS}),
    "Embedding": Row2(only={"input_length": (), "dtype": ()}),
    "LeakyReLU": Row2({"alpha": "negative_slope"}),
    "SeparableConv1D": Row2(only={**{key: () for key in KERNEL if key != "filters"}, **GROUPS}),
    "SeparableConv2D": Row2(only={**{key: () for key in KERNEL if key != "filters"}, **GROUPS}),
    "ThresholdedReLU": Row2({"theta": "threshold"}, layer="ReLU"),
}
MODELS = ("Sequential", "Functional", "Model")
ACTIVATIONS = {"softmax_v2": "softmax"}  # Keras 2's name -> Keras 3's
ACTIVATIONS2 = {"silu": "swish"}  # Keras 3's name -> Keras 2's
HARD_SIGMOID = (
    "activation='hard_sigmoid' is another function in Keras 2 and TF.js, clip(0.2 x + 0.5, 0, 1), than in Keras 3, "
    "clip(x / 6 + 0.5, 0, 1)"
)


def from_keras2(config: Mapping[str, Json], *, by_keras_3: bool = False) -> dict[str, Json]:
    """Keras 3's configuration of a model, as `from_config` takes it, from Keras 2's.

    Args:
        config: {"class_name": "Sequential" or "Functional" or "Model", "config": ...} of any Keras 2 or TF.js, or of an
            h5 file by Keras 3, which mixes the two.
        by_keras_3: whether Keras 3 wrote it, whose "hard_sigmoid" is another function.

    Raises:
        BadValue: a setting that means something else in Keras 3, or a malformed configuration.
    """
    inner = config.get("config")
    if config.get("class_name") == "Sequential":
        inner = inner if isinstance(inner, Mapping) else {"layers": inner}  # before Keras 2.2.3 it was the list itself
        rows = [_new_row(row, by_keras_3) for row in _rows(inner)]
        shape = _first_shape(_rows(inner)) or inner.get("build_input_shape")
        if shape and rows and rows[0]["class_name"] not in (*MODELS, "InputLayer"):
            first = {"name": f"{rows[0]['config'].get('name', 'first')}_input", "batch_shape": shape}
            rows.insert(0, {"class_name": "InputLayer", "config": first})
        return {"class_name": "Sequential", "config": {"name": inner.get("name"), "layers": rows}}
    if config.get("class_name") not in MODELS or not isinstance(inner, Mapping):
        raise BadValue(f"the model configuration is of class {config.get('class_name')!r}; it must be of {MODELS}.")
    rows = _rows(inner)
    early = _numbered_from_one(rows, inner)
    nodes = {_name(row): [_new_node(node, early) for node in row.get("inbound_nodes") or []] for row in rows}
    ends = {
        side: [_end(end, early, rows) for end in ends_of(inner.get(side))] for side in ("input_layers", "output_layers")
    }
    new = [{**_new_row(row, by_keras_3), "name": _name(row), "inbound_nodes": nodes[_name(row)]} for row in rows]
    return {"class_name": "Functional", "config": {"name": inner.get("name"), "layers": new, **ends}}


def _rows(inner: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The layers of a model.  Raises BadValue unless each has a class and a configuration."""
    rows = inner.get("layers")
    if not isinstance(rows, list):
        raise BadValue('the model configuration has no "layers".')
    for row in rows:
        if not isinstance(row, Mapping) or not isinstance(row.get("class_name"), str) or "config" not in row:
            raise BadValue('the model configuration has a layer without "class_name" or "config".')
        if not isinstance(row["config"], Mapping) and row["class_name"] != "Sequential":
            raise BadValue(f'the model configuration has a {row["class_name"]} whose "config" is no object.')
    return rows


def _name(row: Mapping[str, Json]) -> str:
    name = row.get("name") or (row["config"].get("name") if isinstance(row["config"], Mapping) else None)
    if not isinstance(name, str):
        raise BadValue(f"the model configuration has a {row['class_name']} without a name.")
    return name


def _first_shape(rows: Sequence[Mapping[str, Json]]) -> Json:
    first = rows[0]["config"] if rows else {}
    return first.get("batch_input_shape") if isinstance(first, Mapping) else None


def _new_row(row: Mapping[str, Json], by_keras_3: bool) -> dict[str, Json]:
    """A layer, or a model that stands for one, in Keras 3's form."""
    if row["class_name"] in MODELS:
        new = from_keras2(row, by_keras_3=by_keras_3)
        name = row.get("name") or new["config"]["name"]
        return {**new, "config": {**new["config"], "name": name}}
    kind = re.sub(r"V[12]$", "", row["class_name"])  # TensorFlow 1 and 2 under one roof: "BatchNormalizationV1"
    changes, label = ROWS2.get(kind, Row2()), f"{kind}({row['config'].get('name', '')!r})"
    settings: dict[str, Json] = {}
    for key, value in row["config"].items():
        if key in changes.only:
            if changes.only[key] and value not in changes.only[key]:
                raise BadValue(f"{label}: {key}={value!r} is not supported; it must be {changes.only[key][0]!r}.")
        elif key == "activation" and value == "hard_sigmoid" and not by_keras_3:
            raise BadValue(f"{label}: {HARD_SIGMOID}; put Rescaling(0.2, 0.5) and ReLU(max_value=1) behind the layer.")
        elif key == "batch_input_shape" and kind == "InputLayer":
            settings["batch_shape"] = value
        elif key != "batch_input_shape":  # elsewhere it only repeats the shape that the layer is given
            settings[changes.renamed.get(key, key)] = _new_value(key, value)
    return {"class_name": changes.layer or kind, "config": settings}


def _new_value(key: str, value: Json) -> Json:
    if key == "activation" and isinstance(value, str):
        return ACTIVATIONS.get(value, value)
    if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
        return value
    config = dict(value["config"])
    if key != "dtype":
        config.pop("dtype", None)
    if config.get("distribution") == "normal":
        config["distribution"] = "truncated_normal"
    return {**value, "class_name": re.sub(r"V[12]$", "", str(value.get("class_name"))), "config": config}


def _numbered_from_one(rows: Sequence[Mapping[str, Json]], inner: Mapping[str, Json]) -> set[str]:
    """Models inside whose calls Keras 2 counts from 1, for the first is that of their own making."""
    calls = {_name(row): len(row.get("inbound_nodes") or []) for row in rows if row["class_name"] in MODELS}
    ends = [end for side in ("input_layers", "output_layers") for end in ends_of(inner.get(side))]
    triples = [triple for row in rows for node in row.get("inbound_nodes") or [] for triple in _triples(node)]
    return {str(name) for name, call, *_ in (*triples, *ends) if name in calls and call == calls[name]}


def _triples(node: Json) -> Iterator[Sequence[Json]]:
    """The (layer, call, output) of Keras 2's form of a node; none for Keras 3's."""
    if isinstance(node, list):
        for item in node:
            if not isinstance(item, list) or len(item) not in (3, 4) or not isinstance(item[0], str):
                raise BadValue('the model configuration has "inbound_nodes" that are no [[layer, call, output, {}]].')
            yield item


def _new_node(node: Json, early: set[str]) -> Json:
    if isinstance(node, Mapping):  # Keras 3 wrote this h5 file: its layers are in the old form, its nodes are not
        return node
    triples = list(_triples(node))
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call - (name in early), output]}}
        for name, call, output, *_ in triples
    ]
    kwargs: Json = next((triple[3] for triple in triples if len(triple) == 4 and triple[3]), {})
    return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": kwargs}


def ends_of(ends: Json) -> list[Json]:
    """The (layer, call, output) triples of a model's inputs or outputs: one, a list, or a dict, taken by its keys."""
    if isinstance(ends, Mapping):
        ends = [ends[key] for key in sorted(ends)]
    found = [ends] if isinstance(ends, list) and ends and isinstance(ends[0], str) else ends
    if not isinstance(found, list) or not all(isinstance(end, list) and len(end) >= 3 for end in found):
        raise BadValue(
            'the model configuration has "input_layers" or "output_layers" that are no [layer, call, output].'
        )
    return found


def _end(end: Sequence[Json], early: set[str], rows: Sequence[Mapping[str, Json]]) -> Sequence[Json]:
    """Keras 3 counts from 1, too, where a functional model gives an output."""
    if any(isinstance(node, Mapping) for row in rows for node in row.get("inbound_nodes") or []):
        return end  # Keras 3 wrote it
    name, call, output = end[:3]
    functional = any(_name(row) == name and row["class_name"] in ("Functional", "Model") for row in rows)
    return [name, call - (name in early) + functional, output]


def to_keras2(config: Mapping[str, Json]) -> dict[str, Json]:
    """Keras 2's configuration of a model, from Keras 3's as `to_config` writes it.

    Raises:
        BadValue: a setting that means something else in Keras 2.
    """
    inner = config["config"]
    if config["class_name"] == "Sequential":
        rows = [_old_row(row) for row in inner["layers"]]
        return {"class_name": "Sequential", "config": {"name": inner["name"], "layers": rows}}
    models = {row["name"] for row in inner["layers"] if row["class_name"] in MODELS}
    functional = {row["name"] for row in inner["layers"] if row["class_name"] in ("Functional", "Model")}
    rows = [
        {**_old_row(row), "name": row["name"], "inbound_nodes": [_old_node(n, models) for n in row["inbound_nodes"]]}
        for row in inner["layers"]
    ]
    ends = {  # of functional models they count from 1 already
        side: [
            [name, call + (name in models and name not in functional), output]
            for name, call, output in ends_of(inner[side])
        ]
        for side in ("input_layers", "output_layers")
    }
    return {"class_name": "Model", "config": {"name": inner["name"], "layers": rows, **ends}}


def _old_row(row: Mapping[str, Json]) -> dict[str, Json]:
    if row["class_name"] in MODELS:
        return to_keras2(row)
    kind, label = row["class_name"], f"{row['class_name']}({row['config'].get('name', '')!r})"
    names = {new: old for old, new in ROWS2.get(kind, Row2()).renamed.items()}
    settings = {names.get(key, key): _old_value(key, value) for key, value in row["config"].items()}
    if settings.get("activation") == "hard_sigmoid":
        raise BadValue(f"{label}: {HARD_SIGMOID}; put Rescaling(1 / 6, 0.5) and ReLU(max_value=1) behind the layer.")
    if kind == "InputLayer":
        settings["batch_input_shape"] = settings.pop("batch_shape")
        settings["sparse"] = False
    return {"class_name": kind, "config": settings}


def _old_value(key: str, value: Json) -> Json:
    if key == "activation" and isinstance(value, str):
        return ACTIVATIONS2.get(value, value)
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    kind, config = value["class_name"], value.get("config", {})
    if kind == "Constant" and isinstance(config.get("value"), Mapping):
        return {"class_name": "Zeros", "config": {}}  # an array, which the weights hold in any case
    if kind in ("L1", "L2"):
        return {"class_name": "L1L2", "config": {"l1": config.get("l1", 0.0), "l2": config.get("l2", 0.0)}}
    return {"class_name": kind, "config": dict(config)}


def _old_node(node: Mapping[str, Json], models: set[str]) -> list[Json]:
    tensors = node["args"][0] if isinstance(node["args"][0], list) else node["args"]
    triples = [tensor["config"]["keras_history"] for tensor in tensors]
    return [[name, call + (name in models), output, dict(node["kwargs"])] for name, call, output in triples]


@dataclass(frozen=True)
class Elsewhere:
    """A layer's setting that is another function in TF.js.

    Attributes:
        met: whether the layer's settings, as Keras names them, are such.
        what: the setting and why it is refused; "Layer('name'): " goes before, "." behind.
    """

    met: Callable[[Mapping[str, Json]], bool]
    what: str


TFJS = {
    "Resizing": Elsewhere(
        lambda settings: True,
        "TF.js takes the corners of a picture for the middles of its corner pixels, which Keras does not; resize "
        "before the model",
    ),
    "UpSampling2D": Elsewhere(
        lambda settings: settings.get("interpolation", "nearest") != "nearest",
        "interpolation='bilinear' begins at the corner of a pixel in TF.js and at its middle in Keras; 'nearest' is "
        "the same in both",
    ),
}


def check_tfjs(config: Mapping[str, Json]) -> None:
    """Raises BadValue for a model, in Keras 2's or 3's form, with a layer that computes something else in TF.js."""
    inner = config.get("config")
    for row in _rows(inner if isinstance(inner, Mapping) else {"layers": inner}):
        if row["class_name"] in MODELS:
            check_tfjs(row)
        elif row["class_name"] in TFJS and TFJS[row["class_name"]].met(row["config"]):
            label = f"{row['class_name']}({row['config'].get('name', '')!r})"
            raise BadValue(f"{label}: {TFJS[row['class_name']].what}.")
