"""MobileNet V1 and V2 (Howard et al. 2017, Sandler et al. 2018) of `transformers`, and torchvision's V2."""

import re

from ..layers import Add, GlobalAveragePooling2D, Symbol
from .net import Config, Net, activation_of

STRIDES_1 = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)  # of the 13 depthwise convolutions behind the first
STRIDES_2 = (2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)  # of the 16 blocks behind the stem


def mobilenet_v1(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the means of the last maps."""
    act = activation_of(config, "relu6")
    x = _conv(net, x, "conv_stem", "stem", act, config, stride=2)
    for number, stride in enumerate(STRIDES_1):
        name = f"block{number + 1}"
        x = _conv(net, x, f"layer.{2 * number}", f"{name}_depthwise", act, config, stride=stride)
        x = _conv(net, x, f"layer.{2 * number + 1}", f"{name}_pointwise", act, config)
    return GlobalAveragePooling2D(name="pool")(x)


def mobilenet_v2(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the means of the last maps."""
    act = activation_of(config, "relu6")
    x = _conv(net, x, "conv_stem.first_conv", "stem", act, config, stride=2)
    x = _bottleneck(net, x, "conv_stem", "block0", act, config, stride=1, dilation=1)
    reached, dilation, limit = 2, 1, config.get("output_stride", 32)
    for number, stride in enumerate(STRIDES_2):
        place, name = f"layer.{number}", f"block{number + 1}"
        if reached == limit:  # maps stay as large as they are, and kernels see further instead
            y = _bottleneck(net, x, place, name, act, config, stride=1, dilation=dilation)
            dilation, stride = dilation * stride, 1
        else:
            y = _bottleneck(net, x, place, name, act, config, stride=stride, dilation=1)
            reached *= stride
        x = Add(name=f"{name}_out")([x, y]) if stride == 1 and x.shape == y.shape else y
    x = _conv(net, x, "conv_1x1", "top", act, config)
    return GlobalAveragePooling2D(name="pool")(x)


def _bottleneck(
    net: Net, x: Symbol, place: str, name: str, act: str, config: Config, *, stride: int, dilation: int
) -> Symbol:
    if net.has(f"{place}.expand_1x1.convolution.weight"):
        x = _conv(net, x, f"{place}.expand_1x1", f"{name}_expand", act, config)
    x = _conv(net, x, f"{place}.conv_3x3", f"{name}_depthwise", act, config, stride=stride, dilation=dilation)
    return _conv(net, x, f"{place}.reduce_1x1", f"{name}_project", "linear", config)


def _conv(
    net: Net, x: Symbol, place: str, name: str, act: str, config: Config, *, stride: int = 1, dilation: int = 1
) -> Symbol:
    return net.block(
        x,
        f"{place}.convolution",
        f"{place}.normalization",
        name,
        act,
        float(config.get("layer_norm_eps", 1e-3)),
        stride=stride,
        dilation=dilation,
        pad="same" if config.get("tf_padding", True) else None,
    )


def from_torchvision(name: str) -> str:
    """The name of a tensor of torchvision's MobileNetV2 as `transformers` has it."""
    if name.startswith("classifier.1."):
        return "classifier." + name.removeprefix("classifier.1.")
    if inside := re.fullmatch(r"features\.(0|18)\.([01])\.(\w+)", name):
        place = "conv_stem.first_conv" if inside[1] == "0" else "conv_1x1"
        return f"{place}.{'normalization' if inside[2] == '1' else 'convolution'}.{inside[3]}"
    if inside := re.fullmatch(r"features\.(\d+)\.conv\.([\d.]+)\.(\w+)", name):
        number, part, word = int(inside[1]), inside[2], inside[3]
        places = ["expand_1x1", "conv_3x3", "reduce_1x1"][number == 1 :]
        step = int(part.split(".")[0])
        norm = part.endswith(".1") if "." in part else step == len(places)
        place = places[min(step, len(places) - 1)]
        block = "conv_stem" if number == 1 else f"layer.{number - 2}"
        return f"{block}.{place}.{'normalization' if norm else 'convolution'}.{word}"
    return name
