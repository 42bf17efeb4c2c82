"""Claim: on a GPU MNIST takes 0.5 s to 99.0 %, and `resnet8` trains within 3 % of a CUDA-graph loop by hand.

MNIST is trained by the default recipe, from scratch for each number of epochs and each seed, after one training that
does not count.  The loop by hand trains the ResNet of 32x32x3 pictures in batches of 512: data on the device, bf16
autocast, channels last, fused SGD, the whole step one CUDA graph.  They take turns.  Without a GPU nothing is measured.

    python benchmarks/gpu.py
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import LEDGER, Spread, parser_for, ratios, write
from peers.on_holdfast import Clock, HoldfastTrainer
from peers.on_torch import NETS
from peers.tasks import MNIST, TASKS, Data, data_for, random_data

import holdfast
from holdfast.training import SGD

BATCH_SIZE = 512


def mnist(epochs: int, seeds: int, ledger: Path) -> dict[str, Any]:
    """Seconds of training epochs and test accuracies, a seed each."""
    trainer = HoldfastTrainer()
    trainer.build(TASKS["small"], data_for(TASKS["small"], "mnist", None))
    seconds, test = [], []
    for seed in range(-1, seeds):
        trainer.start(max(seed, 0))
        found = sum(trainer.train_by_recipe(epochs))
        if seed >= 0:
            seconds.append(found)
            test.append(trainer.test_accuracy(ledger)["accuracy"])
    return {"epochs": epochs, "seconds": seconds, "test": test}


def by_holdfast(data: Data) -> Callable[[], float]:
    """Trains an epoch and gives its seconds."""
    task = TASKS["resnet8"]
    model = task.model(holdfast).compile(SGD(0.01, 0.9), metrics=["accuracy"])

    def epoch() -> float:
        clock = Clock()
        model.fit(data.images, data.labels, BATCH_SIZE, verbose=0, callbacks=clock)
        return sum(clock.seconds)

    return epoch


def by_hand(data: Data) -> Callable[[], float]:
    """The same, as one CUDA graph a step."""
    images = torch.from_numpy(data.images).cuda()
    labels = torch.from_numpy(data.labels).cuda()
    net = NETS["resnet8"]().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch has no types for it
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
    places = torch.zeros(BATCH_SIZE, dtype=torch.int64, device="cuda")
    total = torch.zeros((), device="cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):  # a cache would outlive the capture
            logits = net(images.index_select(0, places).permute(0, 3, 1, 2))
        loss = F.cross_entropy(logits.float(), labels.index_select(0, places))
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        optimizer.step()
        total.add_(loss.detach())

    graph = torch.cuda.CUDAGraph()
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no types for it
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        step()

    def epoch() -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        order = torch.randperm(len(labels), device="cuda")
        for piece in torch.split(order, BATCH_SIZE):
            places.copy_(piece)
            graph.replay()
        total.zero_().item()
        return time.perf_counter() - began

    return epoch


def resnet(turns: int) -> dict[str, list[float]]:
    """Images a second, turn by turn, after two that do not count."""
    data = random_data((32, 32, 3), 97 * BATCH_SIZE)
    epochs = {"holdfast": by_holdfast(data), "by_hand": by_hand(data)}
    found: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(-2, turns):
        for name, epoch in epochs.items():
            seconds = epoch()
            if turn >= 0:
                found[name].append(len(data.labels) / seconds)
    return found


def main() -> None:
    """Measures, prints and writes, where there is a GPU."""
    parser = parser_for(__doc__, turns=10)
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 2, 3, 4, 6])
    parser.add_argument("--ledger", type=Path, default=LEDGER)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here: nothing measured.")
        return
    trained = [mnist(epochs, given.turns, given.ledger) for epochs in given.epochs] if MNIST.is_dir() else []
    for one in trained:
        accuracy = sum(one["test"]) / len(one["test"])
        print(f"MNIST, {one['epochs']} epochs: {Spread.of(one['seconds']).text('.3f')} s, test {accuracy:.2%}")
    found = resnet(given.turns)
    print(f"resnet8, holdfast / by hand: {ratios(found['holdfast'], found['by_hand']).text('.3f')}")
    write(given.out, "gpu", device=torch.cuda.get_device_name(), mnist=trained, resnet=found)


if __name__ == "__main__":
    main()
