"""ConvNeXt (Liu et al. 2022) of `transformers` and of torchvision."""

import re

from ..layers import Add, GlobalAveragePooling2D, Symbol
from .net import Config, Net, activated, activation_of


def convnext(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the normalized means of the last maps.  What scales a block goes into the weights before it."""
    act = activation_of(config, "gelu")
    patch = config.get("patch_size", 4)
    x = net.conv(x, "embeddings.patch_embeddings", "stem_conv", stride=patch, pad=((0, 0), (0, 0)))
    x = net.layer_norm(x, "embeddings.layernorm", "stem_norm")
    for stage, depth in enumerate(config.get("depths", (3, 3, 9, 3))):
        place = f"encoder.stages.{stage}"
        if net.has(f"{place}.downsampling_layer.1.weight"):
            stride = 2 if stage else 1
            x = net.layer_norm(x, f"{place}.downsampling_layer.0", f"stage{stage + 1}_down_norm")
            down = f"{place}.downsampling_layer.1"
            x = net.conv(x, down, f"stage{stage + 1}_down_conv", stride=stride, pad=((0, 0), (0, 0)))
        for block in range(depth):
            x = _block(net, x, f"{place}.layers.{block}", f"stage{stage + 1}_block{block + 1}", act)
    x = GlobalAveragePooling2D(name="pool")(x)
    return net.layer_norm(x, "layernorm", "norm", float(config.get("layer_norm_eps", 1e-12)))


def _block(net: Net, x: Symbol, place: str, name: str, act: str) -> Symbol:
    y = net.conv(x, f"{place}.dwconv", f"{name}_depthwise")
    y = net.layer_norm(y, f"{place}.layernorm", f"{name}_norm")
    y = net.pointwise(y, f"{place}.pwconv1", f"{name}_expand")
    y = activated(y, act, f"{name}_act")
    scale = f"{place}.layer_scale_parameter"
    factor = None
    if net.has(scale):
        net.tensors[scale] = net.tensors[scale].flatten()  # torchvision has (C, 1, 1)
        factor = net.vector(scale, x.shape[-1])
    y = net.pointwise(y, f"{place}.pwconv2", f"{name}_project", factor)
    return Add(name=f"{name}_out")([x, y])


PARTS = {"0": "dwconv", "2": "layernorm", "3": "pwconv1", "5": "pwconv2"}
ENDS = {
    "features.0.0.": "embeddings.patch_embeddings.",
    "features.0.1.": "embeddings.layernorm.",
    "classifier.0.": "layernorm.",
    "classifier.2.": "classifier.",
}


def from_torchvision(name: str) -> str:
    """The name of a tensor of torchvision's ConvNeXt as `transformers` has it."""
    for theirs, ours in ENDS.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    if inside := re.fullmatch(r"features\.(\d+)\.(\d+)\.block\.(\d)\.(\w+)", name):
        part, block, number, word = inside.groups()
        return f"encoder.stages.{int(part) // 2}.layers.{block}.{PARTS.get(number, number)}.{word}"
    if inside := re.fullmatch(r"features\.(\d+)\.(\d+)\.layer_scale", name):
        return f"encoder.stages.{int(inside[1]) // 2}.layers.{inside[2]}.layer_scale_parameter"
    if inside := re.fullmatch(r"features\.(\d+)\.(\d)\.(\w+)", name):
        return f"encoder.stages.{int(inside[1]) // 2}.downsampling_layer.{inside[2]}.{inside[3]}"
    return name
