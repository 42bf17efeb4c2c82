"""Claim: training through holdfast's loop costs at most 3 % more than a loop by hand with the MNIST-shaped net.

Both do the same torch calls on the same model, data and order: batch, forward, loss, gradients, RMSprop, and the sums
of loss and accuracy on the device.  holdfast is heard by History and by Progress that prints to no terminal.  They take
turns in one process, A B A B, on one thread, so that what else the machine does meets both; a ratio is that of two
neighbours.  On a CPU its time is taken, not the clock's.  The tiny net shows what a step costs beside its arithmetic.

    python benchmarks/loop_cost.py            # a minute; writes benchmarks/results/loop_cost.json
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from common import Spread, keep_memory, parser_for, ratios, write
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from holdfast.callbacks import History, Progress
from holdfast.data import Batch, Batches, order
from holdfast.metrics import Accuracy
from holdfast.training import Head, Program, RMSprop, SparseCategoricalCrossentropy, State, fit, train

PROGRAM = Program(
    RMSprop(), (Head(SparseCategoricalCrossentropy(from_logits=True), metrics=(Accuracy(),), activation="softmax"),)
)


class ChannelsFirst(nn.Module):
    """(N, H, W, C) uint8 to (N, C, H, W) in [0, 1]."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float() / 255


def mnist_net() -> nn.Module:
    """The 33,194-parameter net: 16C3-P2-32C3-P2-32C3-64D-10."""
    return nn.Sequential(
        ChannelsFirst(),
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(288, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def tiny_net() -> nn.Module:
    """So little arithmetic that nearly all of a step is the calling of functions."""
    return nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10))


@dataclass(frozen=True)
class Case:
    """A net, the shape of its inputs, and how much one turn trains."""

    name: str
    net: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch_size: int
    steps: int  # an epoch
    epochs: int  # a turn

    def data(self, device: str) -> Batch:
        """Random pictures, or random numbers, with random labels."""
        draw = torch.Generator().manual_seed(0)
        n = self.batch_size * self.steps
        labels = torch.randint(0, 10, (n,), generator=draw)
        if len(self.shape) == 1:
            inputs = torch.randn(n, *self.shape, generator=draw)
        else:
            inputs = torch.randint(0, 256, (n, *self.shape), generator=draw, dtype=torch.uint8)
        return Batch((inputs.to(device),), (labels.to(device),))


CASES = (
    Case("MNIST, batch 320", mnist_net, (28, 28, 1), batch_size=320, steps=20, epochs=1),
    Case("tiny, batch 32", tiny_net, (16,), batch_size=32, steps=200, epochs=2),
)


def by_holdfast(model: nn.Module, case: Case, data: Batch) -> list[float]:
    """The losses of the epochs."""
    history = History()
    batches = Batches(data, batch_size=case.batch_size, shuffle=True, device=data.inputs[0].device)
    state = State.start(model, PROGRAM)
    fit(train(state, PROGRAM, batches, epochs=case.epochs), [Progress(console=Console(file=io.StringIO())), history])
    return history.history["loss"]


def by_hand(model: nn.Module, case: Case, data: Batch) -> list[float]:
    """The same, as one would write it for this one purpose."""
    (images,), (labels,) = data.inputs, data.targets
    parameters: list[Tensor] = list(model.parameters())
    velocity = [torch.zeros_like(parameter) for parameter in parameters]
    losses = []
    for epoch in range(case.epochs):
        model.train()
        places = order(len(labels), 0, epoch).to(labels.device)
        loss_sum = torch.zeros((), dtype=torch.float64, device=labels.device)
        right = torch.zeros((), dtype=torch.int64, device=labels.device)
        for start in range(0, len(labels), case.batch_size):
            piece = places[start : start + case.batch_size]
            targets = labels[piece]
            logits = model(images[piece])
            values = F.cross_entropy(logits, targets, reduction="none")
            gradients = torch.autograd.grad(values.mean(), parameters)
            with torch.no_grad():
                torch._foreach_mul_(velocity, 0.9)
                torch._foreach_addcmul_(velocity, gradients, gradients, 0.1)
                denominator = torch._foreach_add(velocity, 1e-7)
                torch._foreach_sqrt_(denominator)
                torch._foreach_addcdiv_(parameters, gradients, denominator, -0.001)
                loss_sum += values.sum(dtype=torch.float64)
                right += (logits.argmax(-1) == targets).sum()
        losses.append(loss_sum.item() / len(labels))
        assert 0 <= right.item() <= len(labels)
    model.eval()
    return losses


@dataclass(frozen=True)
class Result:
    """What was found: microseconds a step, turn by turn."""

    name: str
    holdfast_us: list[float]
    by_hand_us: list[float]


def compare(case: Case, turns: int, device: str) -> Result:
    """Takes turns, the first of which does not count."""
    data, model = case.data(device), case.net().to(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def timed(run: Callable[[nn.Module, Case, Batch], list[float]]) -> tuple[float, list[float]]:
        model.load_state_dict(first)
        began = clock()
        losses = run(model, case, data)  # reads its losses, so it has waited for the device
        return (clock() - began) / (case.steps * case.epochs) * 1e6, losses

    result = Result(case.name, [], [])
    for turn in range(turns + 1):
        (ours, found), (theirs, expected) = timed(by_holdfast), timed(by_hand)
        torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-3, atol=1e-3)
        if turn:
            result.holdfast_us.append(ours)
            result.by_hand_us.append(theirs)
    return result


def main() -> None:
    """Measures, prints the table and writes the results."""
    parser = parser_for(__doc__, turns=30)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    results = [compare(case, given.turns, given.device) for case in CASES]
    table = Table("net", "ratio", "holdfast", "by hand", title="microseconds a step, medians and quartiles")
    for one in results:
        ours, theirs = Spread.of(one.holdfast_us).text(), Spread.of(one.by_hand_us).text()
        table.add_row(one.name, ratios(one.holdfast_us, one.by_hand_us).text(".3f"), ours, theirs)
    Console().print(table)
    write(given.out, "loop_cost", device=given.device, threads=1, results=results)


if __name__ == "__main__":
    main()
