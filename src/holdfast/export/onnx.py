"""ONNX: one file with weights and metadata, float32, or quantised.  torch writes the graph, ONNX Runtime quantises."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import BadValue, HoldfastError, need, whole_file
from ..models import BaseModel, extras
from ..models.arrays import Arrays, as_inputs
from .pads import keep_pads

Quantize: TypeAlias = Literal["float16", "int8"]
Proto: TypeAlias = Any  # onnx.ModelProto; onnx may be missing

METADATA = "holdfast"  # the key of what travels besides the graph
CALIBRATION = 512  # samples that show which values occur
CALIBRATION_BATCH = 32
LARGEST = 2**31 - 1  # bytes of a message in protocol buffers
ORT_WARNING, ORT_ERROR = 2, 3  # what ONNX Runtime's logger tells from on; the first is its own choice
FLOAT16_LARGEST = 65504.0
INT8_OPERATORS = [
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "Relu", "Clip", "LeakyRelu", "PRelu"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Pad", "Reshape", "Transpose", "Resize"),
]


def export_onnx(
    model: BaseModel, path: Path | str, *, quantize: Quantize | None = None, samples: Arrays = None
) -> tuple[Path, ...]:
    """Writes a model as ONNX.  Inputs: float32, channels last, named as in the model, any number of them.

    Args:
        model: with weights.
        path: appears whole or not at all.
        quantize: "float16" halves kernels and tables, and computes in float32; "int8" computes in bytes.
        samples: for "int8", what the model was trained on, as `predict` takes it: it shows which values occur.

    Returns:
        The file.  Its `metadata_props["holdfast"]` is the JSON of `models.extras`.

    Raises:
        BadValue: a layer that ONNX has no words for, or a setting that is not accepted; the message names it.
        MissingExtra: the packages of the extra "onnx" are not installed.
        BadFile: the file cannot be written.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        need(module, extra="onnx")
    if quantize not in (None, "float16", "int8"):
        raise BadValue(f"export_onnx(quantize={quantize!r}): must be 'float16', 'int8' or None.")
    with _quiet():
        proto = _graph(model)
        if quantize == "float16":
            _halve(proto)
        if quantize == "int8":
            proto = _int8(proto, model, samples)
    _describe(proto, model)
    content = proto.SerializeToString()
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return (Path(path),)


def _graph(model: BaseModel) -> Proto:
    """The model in torch's translation."""
    import torch._dynamo
    import torch.onnx._internal.exporter  # torch's own import of them swallows Ctrl-C

    module = deepcopy(model.module).cpu().eval()
    sample = tuple(torch.zeros((2, *symbol.shape)) for symbol in model.inputs)
    ends = [f"holdfast_{n}" for n in range(len(model.inputs) + len(model.outputs))]  # no value inside is called so
    try:
        program = torch.onnx.export(
            module,
            sample,
            dynamo=True,
            dynamic_shapes=tuple({0: "batch"} for _ in sample),
            input_names=ends[: len(sample)],
            output_names=ends[len(sample) :],
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # whatever torch's exporter meets
        if isinstance(error, HoldfastError):
            raise
        if isinstance(error.__context__, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise BadValue(f"ONNX: {_culprit(model, error)}.") from error
    assert program is not None
    proto = program.model_proto
    if proto.ByteSize() > LARGEST:
        raise BadValue(f"ONNX: the model takes {proto.ByteSize() / 1e9:.1f} GB; one file holds at most 2 GB.")
    keep_pads(proto)
    _rename(proto.graph, dict(zip(ends, _names(model), strict=True)))
    return proto


def _names(model: BaseModel) -> list[str]:
    """Of inputs and outputs; an output that is an input's own gets a name of its own."""
    inputs = model.input_names
    return [*inputs, *(f"{name}_output" if name in inputs else name for name in model.output_names)]


def _rename(graph: Any, names: dict[str, str]) -> None:  # Any: onnx.GraphProto
    """Gives values their names; torch may have given these to others inside, which then get a number."""
    given = {name for node in graph.node for name in (*node.input, *node.output)} | {
        one.name for one in graph.initializer
    }
    taken = given | set(names.values())
    for name in given & set(names.values()):
        names[name] = next(word for n in count(1) if (word := f"{name}_{n}") not in taken)
        taken.add(names[name])
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    for one in (*graph.initializer, *graph.value_info, *graph.input, *graph.output):
        one.name = names.get(one.name, one.name)


def _culprit(model: BaseModel, error: Exception) -> str:
    """Which layer torch met last, and what it has against it, as far as its message tells."""
    said = str(error)
    target = re.search(r"call_module\[target=(\w+)\]", said)
    reason = re.search(r"<class '[\w.]+'>: ([^\n]+)", said)
    why = reason[1] if reason else said.strip().partition("\n")[0] or type(error).__name__
    mains = {id(main): model.lowered.names[layer] for layer, main in model.lowered.mains.items()}
    name = mains.get(id(model.module.get_submodule(target[1]))) if target and hasattr(model.module, target[1]) else None
    where = "the model" if name is None else f"layer {name!r}"
    return f"torch cannot translate {where}: {why.strip().rstrip('.')}; build it from other layers"


def _describe(proto: Proto, model: BaseModel) -> None:
    """Puts in what travels with the model, and takes out what torch says of the program that wrote it: its paths."""
    graphs = [proto.graph, *proto.functions]
    for graph in graphs:
        for thing in (
            graph,
            *graph.node,
            *graph.value_info,
            *getattr(graph, "input", []),
            *getattr(graph, "output", []),
        ):
            for field in ("metadata_props", "doc_string"):
                if hasattr(thing, field):
                    thing.ClearField(field)
    del proto.metadata_props[:]
    proto.producer_name = "holdfast"
    proto.graph.name = model.name or "model"
    proto.metadata_props.add(key=METADATA, value=json.dumps(extras(model)))


def _halve(proto: Proto) -> None:
    """Tables and kernels (float32, two or more axes) are kept in float16 and made float32 when the model is loaded."""
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = proto.graph, []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        values = numpy_helper.to_array(weight)
        largest = float(np.abs(values).max(initial=0))
        if not largest <= FLOAT16_LARGEST:
            raise BadValue(
                f"ONNX: weight {weight.name!r} reaches {largest:g}; float16 holds numbers up to {FLOAT16_LARGEST:,.0f}."
            )
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [weight.name], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _int8(proto: Proto, model: BaseModel, samples: Arrays) -> Proto:
    """The model with its operators between quantised and back (QDQ), scales by channel, ranges as samples show them.

    The last operators keep their outputs in float32: 256 steps of a logit are too few for probabilities.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if samples is None:
        raise BadValue("export_onnx(quantize='int8'): samples are needed that show which values occur; give some.")
    inputs = as_inputs(samples, [symbol.shape for symbol in model.inputs], model.input_names)
    places = np.linspace(0, len(inputs[0]) - 1, min(len(inputs[0]), CALIBRATION)).astype(np.int64)
    arrays = {name: tensor[places].float().numpy() for name, tensor in zip(model.input_names, inputs, strict=True)}

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is not annotated
        """The samples, batch by batch."""

        def __init__(self) -> None:
            self.batches = _batches(arrays, len(places))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    with TemporaryDirectory() as folder:
        written, plain, quantised = (Path(folder) / f"{name}.onnx" for name in ("written", "plain", "quantised"))
        onnx.save(proto, written)
        quant_pre_process(written, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            quantised,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=INT8_OPERATORS,
            nodes_to_exclude=_ends(onnx.load(plain)),
        )
        return onnx.load(quantised)


def _batches(arrays: dict[str, NDArray[np.float32]], n: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    for first in range(0, n, CALIBRATION_BATCH):
        yield {name: array[first : first + CALIBRATION_BATCH] for name, array in arrays.items()}


def _ends(proto: Proto) -> list[str]:
    """The nodes that give logits: of each output the last that has weights of its own."""
    makers = {output: node for node in proto.graph.node for output in node.output}
    found = []
    for output in proto.graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            found.append(node.name)
            node = makers.get(node.input[0])
        found += [node.name] if node is not None else []
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's and ONNX Runtime's remarks to their own developers are not shown."""
    import onnxruntime

    before = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        onnxruntime.set_default_logger_severity(ORT_ERROR)
        try:
            yield
        finally:
            logging.disable(before)
            onnxruntime.set_default_logger_severity(ORT_WARNING)


def session_of(path: Path) -> tuple[Any, dict[str, Any]]:  # Any: onnxruntime is not annotated; JSON
    """An ONNX Runtime session of a file that holdfast wrote, with as many threads as torch has, and its metadata."""
    runtime = need("onnxruntime", extra="onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = ORT_ERROR
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map.get(METADATA, "{}"))
