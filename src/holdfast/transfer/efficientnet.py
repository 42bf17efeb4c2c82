"""EfficientNet (Tan and Le 2019) of `transformers` and of torchvision."""

import math
import re
from collections.abc import Callable, Sequence

from ..core import BadFile
from ..layers import Add, GlobalAveragePooling2D, GlobalMaxPooling2D, Symbol
from .net import Config, Net, Sides, activation_of

STRIDES, REPEATS = (1, 2, 2, 2, 1, 2, 1), (1, 2, 2, 3, 3, 4, 1)  # of the seven stages of B0


def efficientnet(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the means of the last maps.

    Args:
        config: of `transformers`; "torch_padding" besides, of torchvision's, which pads all strided kernels alike.
    """
    act, epsilon = activation_of(config, "swish"), float(config.get("batch_norm_eps", 1e-3))
    even = bool(config.get("torch_padding", False))
    square = config.get("depthwise_padding", ())
    stem = None if even else ((0, 1), (0, 1))
    x = net.block(x, "embeddings.convolution", "embeddings.batchnorm", "stem", act, epsilon, stride=2, pad=stem)
    number, depth = 0, float(config.get("depth_coefficient", 3.1))
    pairs = zip(config.get("strides", STRIDES), config.get("num_block_repeats", REPEATS), strict=True)
    for stage, (first, repeats) in enumerate(pairs):
        for block in range(math.ceil(depth * repeats)):
            stride = 1 if block else first
            if stride not in (1, 2):
                raise BadFile(f"its configuration has a stride of {stride!r}; 1 and 2 are read.")
            place, name = f"encoder.blocks.{number}", f"stage{stage + 1}_block{block + 1}"
            y = _block(net, x, place, name, act, epsilon, stride=stride, even=even or number in square)
            x = Add(name=f"{name}_out")([x, y]) if block else y
            number += 1
    x = net.block(x, "encoder.top_conv", "encoder.top_bn", "top", act, epsilon)
    pool = GlobalMaxPooling2D if config.get("pooling_type", "mean") == "max" else GlobalAveragePooling2D
    return pool(name="pool")(x)


def _block(net: Net, x: Symbol, place: str, name: str, act: str, epsilon: float, *, stride: int, even: bool) -> Symbol:
    if net.has(f"{place}.expansion.expand_conv.weight"):
        parts = (f"{place}.expansion.expand_conv", f"{place}.expansion.expand_bn")
        x = net.block(x, *parts, f"{name}_expand", act, epsilon)
    parts = (f"{place}.depthwise_conv.depthwise_conv", f"{place}.depthwise_conv.depthwise_norm")
    pad: Sides | None = None
    if stride == 2 and not even and net.has(f"{parts[0]}.weight"):
        tops = [(side // 2 - 1, side // 2) for side in net.tensors[f"{parts[0]}.weight"].shape[2:] if side > 1]
        pad = (tops[0], tops[1]) if len(tops) == 2 else None
    x = net.block(x, *parts, f"{name}_depthwise", act, epsilon, stride=stride, pad=pad)
    x = net.squeezed(x, f"{place}.squeeze_excite.reduce", f"{place}.squeeze_excite.expand", f"{name}_squeeze", act)
    parts = (f"{place}.projection.project_conv", f"{place}.projection.project_bn")
    return net.block(x, *parts, f"{name}_project", "linear", epsilon)


def from_torchvision(repeats: Sequence[int]) -> Callable[[str], str]:
    """What gives the name of a tensor of torchvision's EfficientNet as `transformers` has it; `repeats`: by stage."""
    top = str(len(repeats) + 1)

    def named(name: str) -> str:
        if name.startswith("classifier.1."):
            return "classifier." + name.removeprefix("classifier.1.")
        if inside := re.fullmatch(rf"features\.(0|{top})\.([01])\.(\w+)", name):
            stem = ("embeddings.convolution", "embeddings.batchnorm")
            return (
                f"{(stem if inside[1] == '0' else ('encoder.top_conv', 'encoder.top_bn'))[int(inside[2])]}.{inside[3]}"
            )
        if inside := re.fullmatch(r"features\.(\d+)\.(\d+)\.block\.(\d)\.(\w+)\.(\w+)", name):
            stage, block, part, inner, word = inside.groups()
            place = f"encoder.blocks.{sum(repeats[: int(stage) - 1]) + int(block)}"
            return f"{place}.{PARTS.get((int(part) + (stage == '1'), inner), part)}.{word}"
        return name

    return named


PARTS = {
    (0, "0"): "expansion.expand_conv",
    (0, "1"): "expansion.expand_bn",
    (1, "0"): "depthwise_conv.depthwise_conv",
    (1, "1"): "depthwise_conv.depthwise_norm",
    (2, "fc1"): "squeeze_excite.reduce",
    (2, "fc2"): "squeeze_excite.expand",
    (3, "0"): "projection.project_conv",
    (3, "1"): "projection.project_bn",
}
