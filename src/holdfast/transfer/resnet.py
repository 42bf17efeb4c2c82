"""ResNet and RegNet (He et al. 2015, Radosavovic et al. 2020) of `transformers`, and torchvision's ResNet."""

import re

from ..core import BadFile
from ..layers import Add, GlobalAveragePooling2D, MaxPooling2D, Symbol, ZeroPadding2D
from .net import Config, Net, activated, activation_of

EPSILON = 1e-5  # torch's


def resnet(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the means of the last maps."""
    act = activation_of(config, "relu")
    if act not in ("relu", "relu6", "sigmoid"):
        raise BadFile(
            f"its hidden_act {act!r} can be negative in front of the pooling; relu, relu6 or sigmoid are read."
        )
    x = _conv(net, x, "embedder.embedder", "stem", act, stride=2)
    x = ZeroPadding2D(1, name="stem_pool_pad")(x)  # zeros, where torch has minus infinity: nothing is below them
    x = MaxPooling2D(3, 2, name="stem_pool")(x)
    bottleneck = config.get("layer_type", "bottleneck") == "bottleneck"
    early = int(bool(config.get("downsample_in_bottleneck", False)))
    for stage, depth in enumerate(config.get("depths", (3, 4, 6, 3))):
        for block in range(depth):
            down = block == 0 and (stage > 0 or bool(config.get("downsample_in_first_stage", False)))
            stride = 2 if down else 1
            place, name = f"encoder.stages.{stage}.layers.{block}", f"stage{stage + 1}_block{block + 1}"
            count, strided = (3, 1 - early) if bottleneck else (2, 0)
            y = x
            for number in range(count):
                inner = "linear" if number == count - 1 else "relu"  # whatever hidden_act says, as theirs
                step = stride if number == strided else 1
                y = _conv(net, y, f"{place}.layer.{number}", f"{name}_conv{number + 1}", inner, stride=step)
            x = _joined(net, x, y, place, name, act, stride)
    return GlobalAveragePooling2D(name="pool")(x)


def regnet(net: Net, x: Symbol, config: Config) -> Symbol:
    """Pictures to the means of the last maps."""
    act = activation_of(config, "relu")
    x = _conv(net, x, "embedder.embedder", "stem", act, stride=2)
    for stage, depth in enumerate(config.get("depths", (2, 6, 12, 2))):
        for block in range(depth):
            down = block == 0 and (stage > 0 or bool(config.get("downsample_in_first_stage", True)))
            stride = 2 if down else 1
            place, name = f"encoder.stages.{stage}.layers.{block}", f"stage{stage + 1}_block{block + 1}"
            y = _conv(net, x, f"{place}.layer.0", f"{name}_conv1", act)
            y = _conv(net, y, f"{place}.layer.1", f"{name}_conv2", act, stride=stride)
            last = 2
            if config.get("layer_type", "y") == "y":
                means = f"{place}.layer.2.attention"
                y, last = net.squeezed(y, f"{means}.0", f"{means}.2", f"{name}_squeeze", "relu"), 3
            y = _conv(net, y, f"{place}.layer.{last}", f"{name}_conv3", "linear")
            x = _joined(net, x, y, place, name, act, stride)
    return GlobalAveragePooling2D(name="pool")(x)


def _conv(net: Net, x: Symbol, place: str, name: str, act: str, *, stride: int = 1) -> Symbol:
    return net.block(x, f"{place}.convolution", f"{place}.normalization", name, act, EPSILON, stride=stride)


def _joined(net: Net, x: Symbol, y: Symbol, place: str, name: str, act: str, stride: int) -> Symbol:
    """What a block adds to its input, which is brought to the same shape first where there are weights for that."""
    if net.has(f"{place}.shortcut.convolution.weight"):
        x = _conv(net, x, f"{place}.shortcut", f"{name}_shortcut", "linear", stride=stride)
    if x.shape != y.shape:
        raise BadFile(f"has no tensor '{place}.shortcut.convolution.weight', which its configuration asks for.")
    return activated(Add(name=f"{name}_add")([x, y]), act, f"{name}_out")


def from_torchvision(name: str) -> str:
    """The name of a tensor of torchvision's ResNet as `transformers` has it."""
    inside = re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)\.(\w+)", name)
    if inside:
        stage, block, kind, number, word = inside.groups()
        place = f"encoder.stages.{int(stage) - 1}.layers.{block}"
        if kind == "downsample.":
            return f"{place}.shortcut.{'normalization' if int(number) else 'convolution'}.{word}"
        return f"{place}.layer.{int(number) - 1}.{'convolution' if kind == 'conv' else 'normalization'}.{word}"
    for theirs, ours in (
        ("conv1.", "embedder.embedder.convolution."),
        ("bn1.", "embedder.embedder.normalization."),
        ("fc.", "classifier.1."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
