"""Networks whose tensors are called and shaped as torchvision's, written from their papers: what the registry reads.

torchvision is not installed here; the numbers of parameters that it documents are held against these.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def layer(
    inputs: int, filters: int, side: int = 3, stride: int = 1, groups: int = 1, act: nn.Module | None = None
) -> nn.Sequential:
    """Convolution, batch normalization and activation, as 0, 1 and 2."""
    conv = nn.Conv2d(inputs, filters, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), *([act] if act else []))


class Residual(nn.Module):
    """A block of ResNet; `wide` is 4 for bottlenecks and 1 for others."""

    def __init__(self, inputs: int, width: int, stride: int, wide: int) -> None:
        super().__init__()
        sides = (1, 3, 1) if wide > 1 else (3, 3)
        channels = [inputs, *[width] * (len(sides) - 1), width * wide]
        self.count = len(sides)
        for number, side in enumerate(sides):
            step = stride if number == int(wide > 1) else 1
            conv = nn.Conv2d(channels[number], channels[number + 1], side, step, side // 2, bias=False)
            setattr(self, f"conv{number + 1}", conv)
            setattr(self, f"bn{number + 1}", nn.BatchNorm2d(channels[number + 1]))
        same = stride == 1 and inputs == width * wide
        self.downsample = None if same else layer(inputs, width * wide, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = F.relu(y) if number < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depths: Sequence[int], wide: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, depth in enumerate(depths):
            width, blocks = 64 * 2**stage, []
            for block in range(depth):
                blocks.append(Residual(inputs, width, 2 if stage and not block else 1, wide))
                inputs = width * wide
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        y: Tensor = self.fc(x.mean((2, 3)))
        return y


class Inverted(nn.Module):
    """A block of MobileNetV2."""

    def __init__(self, inputs: int, filters: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        first = [layer(inputs, inner, 1, act=nn.ReLU6())] if expand > 1 else []
        depthwise = layer(inner, inner, 3, stride, inner, act=nn.ReLU6())
        self.conv = nn.Sequential(*first, depthwise, *layer(inner, filters, 1))
        self.adds = stride == 1 and inputs == filters

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.adds else y


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [layer(3, 32, 3, 2, act=nn.ReLU6())]
        inputs = 32
        rows = (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        )
        for expand, filters, count, stride in rows:
            for number in range(count):
                blocks.append(Inverted(inputs, filters, 1 if number else stride, expand))
                inputs = filters
        self.features = nn.Sequential(*blocks, layer(inputs, 1280, 1, act=nn.ReLU6()))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


class Squeeze(nn.Module):
    def __init__(self, channels: int, fewer: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, fewer, 1), nn.Conv2d(fewer, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return y


class Squeezed(nn.Module):
    """A block of EfficientNet."""

    def __init__(self, inputs: int, filters: int, side: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        first = [layer(inputs, inner, 1, act=nn.SiLU())] if expand > 1 else []
        depthwise = layer(inner, inner, side, stride, inner, act=nn.SiLU())
        self.block = nn.Sequential(*first, depthwise, Squeeze(inner, inputs // 4), layer(inner, filters, 1))
        self.adds = stride == 1 and inputs == filters

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.adds else y


class EfficientNetB0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = [layer(3, 32, 3, 2, act=nn.SiLU())]
        inputs = 32
        rows = (
            (1, 3, 1, 16, 1),
            (6, 3, 2, 24, 2),
            (6, 5, 2, 40, 2),
            (6, 3, 2, 80, 3),
            (6, 5, 1, 112, 3),
            (6, 5, 2, 192, 4),
            (6, 3, 1, 320, 1),
        )
        for expand, side, stride, filters, count in rows:
            blocks = []
            for number in range(count):
                blocks.append(Squeezed(inputs, filters, side, 1 if number else stride, expand))
                inputs = filters
            stages.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*stages, layer(inputs, 1280, 1, act=nn.SiLU()))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


class Last(nn.Module):
    """A move of the channels to the last place, or back."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(self.before, self.after)


class Norm(nn.LayerNorm):
    """Over the channels of maps (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """A block of ConvNeXt."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width),
            Last(1, -1),
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            Last(-1, 1),
        )
        self.layer_scale = nn.Parameter(torch.empty(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.layer_scale * self.block(x)
        return y


class ConvNeXtTiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, 96, 4, 4), Norm(96, eps=1e-6))]
        for width, depth in ((96, 3), (192, 3), (384, 9), (768, 3)):
            if width > 96:
                parts.append(nn.Sequential(Norm(width // 2, eps=1e-6), nn.Conv2d(width // 2, width, 2, 2)))
            parts.append(nn.Sequential(*(Block(width) for _ in range(depth))))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(Norm(768, eps=1e-6), nn.Flatten(), nn.Linear(768, 1000))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(x).mean((2, 3), keepdim=True))
        return y


def net(name: str) -> nn.Module:
    """The network of a base."""
    made = {
        "resnet18": lambda: ResNet((2, 2, 2, 2), 1),
        "resnet34": lambda: ResNet((3, 4, 6, 3), 1),
        "resnet50": lambda: ResNet((3, 4, 6, 3), 4),
        "resnet50_v2": lambda: ResNet((3, 4, 6, 3), 4),
        "mobilenet_v2": MobileNetV2,
        "efficientnet_b0": EfficientNetB0,
        "convnext_tiny": ConvNeXtTiny,
    }
    return made[name]()
