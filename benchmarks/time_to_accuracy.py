"""Claim: holdfast's default recipe takes a fifteenth of Keras's time to 98.8 % on MNIST, and a fifth to 99.4 %.

The net of 33,194 parameters on MNIST.  The classic recipe is that of the browser example: RMSprop, batches of 320, 12
epochs on the first 85 % of the training pictures, after which it has 98.8 %.  holdfast's is `compile()` and
`fit(x, y, epochs=n)` on the same pictures, from scratch for each n.  Seconds are those of the training epochs, for a
model that was compiled (Keras) or of a kind that was trained before (holdfast); the calls as a whole stand beside them.
A turn is a seed: Keras on TensorFlow trains in each, other peers in the first only, for the picture.  Nothing is chosen
by what is read off the test part: all n are shown, with their validation accuracies.

    python benchmarks/time_to_accuracy.py                             # half an hour
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import LEDGER, Spread, parser_for, write
from peers.driver import HOLDFAST, PEERS, Peer, check_built, running
from peers.tasks import MNIST

CLASSIC_EPOCHS = 12
CLAIMED = ("keras-tf", "keras-tf-bf16")  # in every turn


@dataclass(frozen=True)
class Point:
    """Where a training stands: seconds of its epochs, of its calls, and accuracies.

    Attributes:
        looks: how often this machine's ledger has seen the test part opened, this time included; of holdfast.
    """

    seed: int
    epochs: int
    seconds: float
    call_s: float
    validation: float
    test: float
    looks: int | None = None


def by_recipe(peer: Peer, seed: int, epochs: int, ledger: Path) -> Point:
    """holdfast's default recipe, from scratch."""
    peer.ask("start", seed=seed)
    answer = peer.ask("train", epochs=epochs, recipe="default")
    return point(peer, seed, epochs, sum(answer["epochs_s"]), answer["call_s"], ledger)


def by_classic(peer: Peer, seed: int, epochs: int, ledger: Path, *, every: bool) -> list[Point]:
    """The classic recipe, from scratch, judged after the last epoch, or after every one as well."""
    peer.ask("start", seed=seed)
    seconds, call_s, done, points = 0.0, 0.0, 0, []
    for more in [1] * epochs if every else [epochs]:
        answer = peer.ask("train", epochs=more)
        seconds, call_s, done = seconds + sum(answer["epochs_s"]), call_s + answer["call_s"], done + more
        points.append(point(peer, seed, done, seconds, call_s, ledger))
    return points


def point(peer: Peer, seed: int, epochs: int, seconds: float, call_s: float, ledger: Path) -> Point:
    """Judges; that takes no time that counts."""
    found = peer.ask("accuracy", ledger=str(ledger.resolve()))
    return Point(seed, epochs, seconds, call_s, found["validation"], found["accuracy"], found.get("looks"))


def draw(found: dict[str, list[Point]], path: Path) -> None:
    """Test accuracy against seconds of training, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "holdfast"  # the same picture each time
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, points in found.items():
        means = mean_points(points)
        ours = name == HOLDFAST
        x, y = [seconds for _, seconds, _ in means], [100 * (1 - test) for _, _, test in means]
        axes.plot(x, y, marker="o", markersize=4, linewidth=2.5 if ours else 1.2, label=name, zorder=3 if ours else 2)
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test accuracy, %")
    ticks = [98, 98.5, 98.8, 99, 99.2, 99.4, 99.5]
    axes.set_yticks([100 - tick for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(3, 0.45)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    axes.set_title("MNIST, 33,194 parameters: holdfast's recipe for n epochs, the classic one epoch by epoch")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def mean_points(points: list[Point]) -> list[tuple[int, float, float]]:
    """Epochs, median seconds and mean test accuracy, by epochs."""
    counts = sorted({each.epochs for each in points})
    groups = {epochs: [each for each in points if each.epochs == epochs] for epochs in counts}
    return [
        (epochs, Spread.of([each.seconds for each in group]).median, sum(each.test for each in group) / len(group))
        for epochs, group in groups.items()
    ]


def main() -> None:
    """Measures, prints, writes and draws."""
    parser = parser_for(__doc__, turns=10)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6], help="of the default recipe")
    parser.add_argument("--classic-epochs", type=int, default=CLASSIC_EPOCHS, help=f"{CLASSIC_EPOCHS}")
    parser.add_argument("--images", type=int, help="to train on; by default 51,000")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where looks at the test part are counted")
    given = parser.parse_args()
    check_built(given.peers)
    if not MNIST.is_dir():
        raise SystemExit(f"no MNIST at {MNIST}; HOLDFAST_DATA names the folder that holds mnist/.")
    found: dict[str, list[Point]] = {name: [] for name in (HOLDFAST, *given.peers)}
    with running(list(found), model="small", data="mnist", images=given.images) as peers:
        by_recipe(
            peers[HOLDFAST], 0, 1, given.ledger
        )  # does not count: what is found out about the machine is known from here on
        for seed in range(given.turns):
            for name in given.peers:
                if name in CLAIMED or seed == 0:
                    found[name] += by_classic(peers[name], seed, given.classic_epochs, given.ledger, every=seed == 0)
            found[HOLDFAST] += [by_recipe(peers[HOLDFAST], seed, epochs, given.ledger) for epochs in given.epochs]
            print(f"seed {seed}: " + ", ".join(_last(name, points) for name, points in found.items()), flush=True)
        about: dict[str, Any] = {name: peer.about for name, peer in peers.items()}
    for epochs, seconds, test in mean_points(found[HOLDFAST]):
        print(f"{HOLDFAST}, {epochs} epochs: {seconds:.2f} s, test {test:.2%}")
    write(given.out, "time_to_accuracy", classic_epochs=given.classic_epochs, peers=about, points=found)
    draw(found, given.out / "time_to_accuracy.svg")


def _last(name: str, points: list[Point]) -> str:
    return f"{name} {points[-1].test:.2%} in {points[-1].seconds:.2f} s"


if __name__ == "__main__":
    main()
