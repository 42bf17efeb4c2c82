"""Zeros in front of a pooling, so that ONNX Runtime leaves them there."""

from typing import Any

import numpy as np

POOLS = ("MaxPool", "AveragePool")
NEARLY_ZERO = float(np.finfo(np.float32).tiny)  # 1.2e-38


def keep_pads(proto: Any) -> None:  # Any: onnx.ModelProto
    """Pads with `NEARLY_ZERO` in front of poolings, in place.

    ONNX Runtime 1.31 takes a Pad of zeros into the pooling behind it: of negative numbers the largest is then no longer
    the zero beside them, and with as many zeros as the window is wide the file does not load.
    """
    from onnx import numpy_helper

    graph, name = proto.graph, "holdfast_nearly_zero"
    pooled = {source for node in graph.node if node.op_type in POOLS for source in node.input}
    zeros = {one.name for one in graph.initializer if not one.dims and numpy_helper.to_array(one) == 0}
    met = [node for node in graph.node if node.op_type == "Pad" and node.output[0] in pooled]
    met = [node for node in met if len(node.input) < 3 or node.input[2] in ("", *zeros)]
    for node in met:
        node.input[:] = [*node.input[:2], name, *node.input[3:]]
    if met:
        used = {source for node in graph.node for source in node.input}
        kept = [one for one in graph.initializer if one.name in used]
        del graph.initializer[:]
        graph.initializer.extend([*kept, numpy_helper.from_array(np.array(NEARLY_ZERO, np.float32), name)])
