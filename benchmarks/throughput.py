"""Claim: holdfast trains the same model on the same data faster than Keras on any backend and than PyTorch by hand.

How many images a second each trains, by turns: holdfast before every peer, so a ratio is that of two neighbours.  All
have their data in memory and print nothing; holdfast is `fit` at its default settings.  The first epoch, in which is
compiled and probed, does not count.  Two figures each: of the epochs, from the first step to the last, which is the
same work for all; and of the call, in which holdfast also measures the training data at the end, and Keras prepares it.

    python benchmarks/throughput.py                                    # an hour
    python benchmarks/throughput.py --models small --peers keras-tf torch-tuned-bf16 --turns 3
"""

import time
from dataclasses import dataclass

from common import Spread, parser_for, ratios, write
from peers.driver import HOLDFAST, PEERS, Peer, check_built, running
from peers.tasks import MNIST, TASKS, Task


@dataclass(frozen=True)
class Turn:
    """What one trained: images a second of its epochs, and of the call as a whole."""

    epochs: float
    call: float


@dataclass(frozen=True)
class Duel:
    """Turns of holdfast and of a peer, neighbours in time."""

    peer: str
    ours: list[Turn]
    theirs: list[Turn]

    def line(self) -> str:
        """As printed."""
        theirs = Spread.of([turn.epochs for turn in self.theirs])
        ratio = ratios([turn.epochs for turn in self.ours], [turn.epochs for turn in self.theirs])
        return f"{self.peer:17} {theirs.text():>28} images/s   holdfast / peer {ratio.text('.2f')}"


def train(peer: Peer, epochs: int) -> Turn:
    """One turn."""
    answer = peer.ask("train", epochs=epochs)
    return Turn(answer["images"] / sum(answer["epochs_s"]), answer["images"] / answer["call_s"])


def epochs_for(peer: Peer, turn_s: float) -> int:
    """Epochs that take about `turn_s`, after an epoch that does not count and one that says how long they take."""
    peer.ask("train", epochs=1)
    epoch_s: float = sum(peer.ask("train", epochs=1)["epochs_s"])
    return max(1, round(turn_s / epoch_s))


def measure(task: Task, data: str, names: list[str], *, turns: int, turn_s: float, images: int) -> dict[str, object]:
    """All turns of a model on "random" data or "mnist"; what is written."""
    began = time.perf_counter()
    with running([HOLDFAST, *names], model=task.name, data=data, images=images) as peers:
        epochs = {name: epochs_for(peer, turn_s) for name, peer in peers.items()}
        duels = {name: Duel(name, [], []) for name in names}
        alone = []
        for _ in range(turns):
            for name in names:
                duels[name].ours.append(train(peers[HOLDFAST], epochs[HOLDFAST]))
                duels[name].theirs.append(train(peers[name], epochs[name]))
            if not names:
                alone.append(train(peers[HOLDFAST], epochs[HOLDFAST]))
        about = {name: peer.about for name, peer in peers.items()}
    ours = Spread.of([turn.epochs for duel in duels.values() for turn in duel.ours] or [turn.epochs for turn in alone])
    print(f"\n{task.name} on {data} data, {turns} turns, {time.perf_counter() - began:.0f} s")
    print(f"{HOLDFAST:17} {ours.text():>28} images/s")
    for duel in duels.values():
        print(duel.line(), flush=True)
    return {
        "model": task.name,
        "data": data,
        "batch_size": task.batch_size,
        "images": images,
        "epochs": epochs,
        "peers": about,
        "duels": list(duels.values()),
        "alone": alone,
    }


def main() -> None:
    """Measures each model on each kind of data, prints the figures and writes them."""
    parser = parser_for(__doc__, turns=7)
    parser.add_argument("--models", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--data", nargs="+", choices=("random", "mnist"), default=["random", "mnist"])
    parser.add_argument("--turn-s", type=float, default=2.0, help="how long a turn is to take, at least an epoch; 2")
    parser.add_argument("--images", type=int, help="an epoch; by default what the model's task says")
    given = parser.parse_args()
    check_built(given.peers)
    for name in given.models:
        task = TASKS[name]
        for data in given.data:
            if data == "mnist" and not (task.shape == (28, 28, 1) and MNIST.is_dir()):
                continue
            images = given.images or task.images
            if data == "mnist":
                images = min(images, 51_000)
            found = measure(task, data, given.peers, turns=given.turns, turn_s=given.turn_s, images=images)
            write(given.out, f"throughput-{name}-{data}", **found)


if __name__ == "__main__":
    main()
