"""Claim: eight or more small dense nets are trained in 0.5 to 0.6 of the time that they take one by one.

The same trainings, which differ in their seeds, three ways: one `fit` after another; together, as seeds and folds are
trained (`models.together.trained`, whose trial decides whether and in which groups); and `torch.func`'s way of model
ensembling, stacked weights and `vmap`, by hand and without dropout, validation or metrics.  They take turns in one
process, on one thread; a ratio is that of neighbours.  On a CPU its time is taken, not the clock's.  Weights of the
first two ways agree to 1e-5, which is checked in every turn.

    python benchmarks/stacked.py            # a quarter of an hour; writes benchmarks/results/stacked.json
    python benchmarks/stacked.py --device cuda
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from common import Spread, keep_memory, parser_for, ratios, write
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from holdfast.data import Dataset, load, order
from holdfast.layers.dropout import DropoutModule
from holdfast.models import Fitting, prepare, ready_for
from holdfast.models.together import at_once, trained

STEPS = 160  # of each model a turn, about
WORTH = 1000  # epochs that the trial is told of, so that it takes place


@dataclass(frozen=True)
class Case:
    """A data set, a ready-made net, the batch and how many models."""

    data: str
    net: str
    batch_size: int
    models: int

    @property
    def name(self) -> str:
        return f"{self.net} on {self.data}, batch {self.batch_size}, {self.models} models"


@dataclass(frozen=True)
class Result:
    """What was found: microseconds a step of a model, turn by turn."""

    name: str
    parameters: int
    at_once: int  # models that `trained` trains together
    alone_us: list[float] = field(default_factory=list)
    together_us: list[float] = field(default_factory=list)
    vmap_us: list[float] = field(default_factory=list)


NETS = (
    ("demo:table", "dense", 32),
    ("demo:table", "dense", 128),
    ("digits", "dense", 32),
    ("digits", "dense", 128),
    ("digits", "convnet", 32),  # in larger batches it is arithmetic only
)


def sessions(case: Case, data: Dataset, epochs: int, device: str) -> list[Fitting]:
    """Trainings that differ in their seeds."""
    made = []
    for seed in range(case.models):
        model = ready_for(case.net, data, seed=seed)
        model.compile("adam", metrics=["accuracy"], precision="float32", device=device)
        made.append(
            prepare(model, data.train, batch_size=case.batch_size, epochs=epochs, verbose=0, measure_train="never")
        )
    return made


def one_by_one(some: Sequence[Fitting]) -> None:
    """As a loop over seeds has it."""
    for session in some:
        session.run()


def together(some: Sequence[Fitting]) -> None:
    """As `--seeds` and `crossval` train them."""
    for _ in trained([partial(some.__getitem__, number) for number in range(len(some))]):
        pass


def by_vmap(some: Sequence[Fitting], epochs: int) -> None:
    """torch's tutorial of model ensembling: stacked weights, gradients by vmap, and one fused Adam."""
    first = some[0]
    (inputs,), (labels,) = first.batches.data.inputs, first.batches.data.targets
    models = [without_dropout(session.state.model).train() for session in some]
    weights = stacked([dict(one.named_parameters()) for one in models])
    constants = stacked([dict(one.named_buffers()) for one in models])
    optimizer = torch.optim.Adam(weights.values(), eps=1e-7, fused=True)

    def loss(weights: dict[str, Tensor], constants: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(models[0], (weights, constants), (x,)), y)

    gradient = torch.func.vmap(torch.func.grad(loss))
    size = first.batches.batch_size
    for epoch in range(epochs):
        places = torch.stack([order(len(labels), seed, epoch) for seed in range(len(some))]).to(labels.device)
        for start in range(0, len(labels), size):
            chosen = places[:, start : start + size]
            found = gradient(weights, constants, inputs[chosen], labels[chosen].long())
            for name, weight in weights.items():
                weight.grad = found[name]
            optimizer.step()


def stacked(several: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """`stack_module_state`, which does not take graphs, as each of them has a class of its own."""
    return {name: torch.stack([one[name].detach() for one in several]).requires_grad_() for name in several[0]}


def without_dropout(model: nn.Module) -> nn.Module:
    """The model with a rate of 0, for vmap does not take draws from seeds of our own."""
    for part in model.modules():
        if isinstance(part, DropoutModule):
            part.rate = 0.0
    return model


def compare(case: Case, turns: int, device: str, at_least: int) -> Result:
    """Takes turns, the first of which does not count."""
    data = load(case.data)
    steps = -(-len(data.train) // case.batch_size)
    epochs = max(1, round(at_least / steps))
    clock = time.process_time if device == "cpu" else time.perf_counter
    (asked, *_) = sessions(case, data, WORTH, device)
    result = Result(case.name, asked.model.count_params(), at_once(asked, case.models))

    def timed(run: Callable[[Sequence[Fitting]], object]) -> tuple[float, list[Fitting]]:
        some = sessions(case, data, epochs, device)
        began = clock()
        run(some)
        if device != "cpu":
            torch.cuda.synchronize()
        return (clock() - began) / (steps * epochs * case.models) * 1e6, some

    for turn in range(turns + 1):
        alone, mine = timed(one_by_one)
        several, theirs = timed(together)
        vmap, _ = timed(partial(by_vmap, epochs=epochs))
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a.state.model.state_dict(), b.state.model.state_dict(), rtol=1e-5, atol=1e-5)
        if turn:
            result.alone_us.append(alone)
            result.together_us.append(several)
            result.vmap_us.append(vmap)
    return result


def main() -> None:
    """Measures, prints the table and writes the results."""
    parser = parser_for(__doc__, turns=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", type=int, nargs="+", default=(8, 64), help="how many at once")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each model a turn, about; {STEPS}")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    table = Table("case", "at once", "one by one", "together", "by vmap", "one by one / together", title="us a step")
    results = []
    for case in (Case(*net, models) for net in NETS for models in given.models):
        results.append(one := compare(case, given.turns, given.device, given.steps))
        print(one.name, ratios(one.alone_us, one.together_us).text(".2f"), flush=True)
        columns = (Spread.of(times).text() for times in (one.alone_us, one.together_us, one.vmap_us))
        table.add_row(case.name, str(one.at_once), *columns, ratios(one.alone_us, one.together_us).text(".2f"))
    Console().print(table)
    name = "stacked" if given.device == "cpu" else f"stacked-{given.device}"
    write(given.out, name, device=given.device, threads=1, results=results)


if __name__ == "__main__":
    main()
