"""PyTorch by hand: "tutorial", as its tutorials write it, or "tuned", in "float32" or "bfloat16".

The tuned loop has its data in memory as tensors, channels last, bf16 autocast, a fused optimizer, and a C library that
keeps freed memory; it adds up the loss, and reads nothing until the epoch is over.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from .serve import Trainer, serve
from .tasks import CLASSES, Data, Images, Task, scaled


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 42), nn.ReLU(), nn.Linear(42, CLASSES))


def small() -> nn.Module:
    first = (nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2))
    then = (nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    return nn.Sequential(*first, *then)


def big() -> nn.Module:
    first = (nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2))
    then = (nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25))
    last = (nn.Flatten(), nn.Linear(1024, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, CLASSES))
    return nn.Sequential(*first, *then, *last)


class Residual(nn.Module):
    """Two convolutions beside the identity, or beside a 1x1 convolution when they halve the picture."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, filters, 3, stride, 1), nn.BatchNorm2d(filters)
        self.conv2, self.norm2 = nn.Conv2d(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters)
        self.beside = nn.Conv2d(channels, filters, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.beside(x))


def resnet8() -> nn.Module:
    first = (nn.Conv2d(3, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU())
    stages = (Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
    return nn.Sequential(*first, *stages, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, CLASSES))


NETS: dict[str, Callable[[], nn.Module]] = {"dense": dense, "small": small, "big": big, "resnet8": resnet8}


class TorchTrainer(Trainer):
    """What both loops share.  Pictures lie in memory as (N, C, H, W)."""

    packages = ("torch", "numpy")

    def build(self, task: Task, data: Data) -> int:
        self.task = task
        self.images, self.labels = self.prepared(data.as_float()), torch.from_numpy(data.labels)
        self.start(0)
        return sum(parameter.numel() for parameter in self.net.parameters())

    def start(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.net = self.fresh()
        self.optimizer = self.made_optimizer()

    def train(self, epochs: int) -> list[float]:
        self.net.train()
        times = [time.perf_counter()]
        for _ in range(epochs):
            self.epoch()
            times.append(time.perf_counter())
        return [end - begin for begin, end in pairwise(times)]

    @torch.no_grad()
    def predict(self, images: Images, batch_size: int | None) -> NDArray[np.float32]:
        self.net.eval()
        pieces = torch.split(self.prepared(scaled(images)), batch_size or 256)
        return torch.cat([self.net(piece) for piece in pieces]).softmax(-1).numpy()

    def prepared(self, images: NDArray[np.float32]) -> Tensor:
        """(N, H, W, C) to (N, C, H, W), in whatever order of memory."""
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def fresh(self) -> nn.Module:
        return NETS[self.task.name]()

    def made_optimizer(self) -> torch.optim.Optimizer:
        raise NotImplementedError

    def epoch(self) -> float:
        """One pass; the mean loss."""
        raise NotImplementedError


class Tutorial(TorchTrainer):
    def made_optimizer(self) -> torch.optim.Optimizer:
        if self.task.optimizer == "sgd":
            return torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9)
        return torch.optim.RMSprop(self.net.parameters(), lr=0.001, alpha=0.9)

    def epoch(self) -> float:
        loader = DataLoader(TensorDataset(self.images, self.labels), batch_size=self.task.batch_size, shuffle=True)
        criterion, running = nn.CrossEntropyLoss(), 0.0
        for images, labels in loader:
            self.optimizer.zero_grad()
            loss = criterion(self.net(images), labels)
            loss.backward()
            self.optimizer.step()
            running += loss.item()
        return running / len(loader)


class Tuned(TorchTrainer):
    def __init__(self, precision: str) -> None:
        from common import keep_memory

        keep_memory()
        self.bfloat16 = precision == "bfloat16"

    def prepared(self, images: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(images).permute(0, 3, 1, 2)  # a view, so it is channels last

    def fresh(self) -> nn.Module:
        return super().fresh().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]  # torch has no types for it

    def made_optimizer(self) -> torch.optim.Optimizer:
        if self.task.optimizer == "sgd":
            return torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9, fused=True)
        return torch.optim.Adam(self.net.parameters(), lr=0.001, fused=True)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        flat = self.images.permute(0, 2, 3, 1)  # rows of memory, which index_select copies fastest
        for places in torch.split(torch.randperm(len(self.labels)), self.task.batch_size):
            yield flat.index_select(0, places).permute(0, 3, 1, 2), self.labels.index_select(0, places)

    def epoch(self) -> float:
        total = torch.zeros(())
        for images, labels in self.batches():
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                logits = self.net(images)
            loss = F.cross_entropy(logits.float(), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
            self.optimizer.step()
            total += loss.detach()
        return total.item() / -(-len(self.labels) // self.task.batch_size)


if __name__ == "__main__":
    serve(Tutorial() if sys.argv[1] == "tutorial" else Tuned(sys.argv[2]))
