"""How far the training of `small` and `big` is from the machine's arithmetic, that of large matrix products.

By turns: a product of two square matrices in float32 and one in bfloat16, then an epoch or more of each model, as `fit`
trains it by default.  Operations of a training step are counted as three forward passes, less the gradient of the
pictures, which nobody needs.  The limit in images a second is what the machine would train if it did nothing else.

    python benchmarks/limit.py                                        # two minutes
"""

import time
from contextlib import ExitStack

import torch
from common import Spread, parser_for, write
from peers.driver import HOLDFAST, running
from peers.tasks import TASKS
from throughput import epochs_for, train

import holdfast

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def training_flops(model: str) -> int:
    """Operations of a training step for one image."""
    rows = TASKS[model].model(holdfast).summary().rows
    forward: int = sum(row.flops for row in rows)
    first: int = next(row.flops for row in rows if row.parameters)
    return 3 * forward - first


def product_flops_per_s(size: int, dtype: torch.dtype) -> float:
    """Operations a second of one product of (size, size) matrices."""
    a, b = (torch.rand(size, size, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    began = time.perf_counter()
    torch.mm(a, b)
    return 2 * size**3 / (time.perf_counter() - began)


def main() -> None:
    """Measures, prints and writes."""
    parser = parser_for(__doc__, turns=9)
    parser.add_argument("--models", nargs="+", choices=TASKS, default=["small", "big"])
    parser.add_argument("--size", type=int, default=4096, help="of the square matrices; 4096")
    parser.add_argument("--turn-s", type=float, default=2.0)
    parser.add_argument("--images", type=int, help="an epoch; by default what the model's task says")
    given = parser.parse_args()
    products: dict[str, list[float]] = {name: [] for name in DTYPES}
    rates: dict[str, list[float]] = {name: [] for name in given.models}
    with ExitStack() as stack:
        peers = {}
        for name in given.models:
            task = running([HOLDFAST], model=name, data="random", images=given.images)
            peers[name] = stack.enter_context(task)[HOLDFAST]
        epochs = {name: epochs_for(peer, given.turn_s) for name, peer in peers.items()}
        for _ in range(given.turns):
            for name, dtype in DTYPES.items():
                products[name].append(product_flops_per_s(given.size, dtype))
            for name, peer in peers.items():
                rates[name].append(train(peer, epochs[name]).epochs)
    flops = {name: training_flops(name) for name in given.models}
    for name, found in products.items():
        print(f"{name}: {Spread.of([each / 1e9 for each in found]).text()} GFLOP/s")
    for name, found in rates.items():
        reached = Spread.of(found).median * flops[name]
        shares = [f"{reached / Spread.of(products[each]).median:.1%} of {each}" for each in DTYPES]
        print(f"{name}: {Spread.of(found).text()} images/s, {', '.join(shares)}")
    write(given.out, "limit", size=given.size, products=products, flops=flops, images_per_s=rates)


if __name__ == "__main__":
    main()
