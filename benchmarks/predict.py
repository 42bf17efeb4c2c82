"""Claim: `predict` is ten times as fast as Keras's `model.predict` for one image, and 1.5 times for 10,000.

The model `small` in float32, by turns.  For 10,000 images Keras takes the batch size that suits it best of several,
found before; holdfast takes none.

    python benchmarks/predict.py                                      # a minute
"""

from collections.abc import Sequence
from dataclasses import dataclass

from common import Spread, parser_for, ratios, write
from peers.driver import HOLDFAST, PEERS, Peer, check_built, running

BATCH_SIZES = (None, 128, 512, 2048)
CALLS = {1: 50, 10_000: 3}  # a turn, by images a call


@dataclass(frozen=True)
class Asked:
    """Seconds of a call, the median of each turn."""

    peer: str
    images: int
    batch_size: int | None
    seconds: list[float]


def median_s(peer: Peer, images: int, batch_size: int | None) -> float:
    """Of the calls of one turn."""
    answer = peer.ask("predict", images=images, times=CALLS[images], batch_size=batch_size)
    return Spread.of(answer["seconds"]).median


def best_batch_size(peer: Peer, images: int) -> int | None:
    """The one with which a peer is fastest; holdfast and single images have none."""
    sizes: Sequence[int | None] = BATCH_SIZES if images > 1 and peer.name != HOLDFAST else (None,)
    for size in sizes:
        median_s(peer, images, size)  # does not count
    return min(sizes, key=lambda size: median_s(peer, images, size))


def measure(peers: dict[str, Peer], images: int, turns: int) -> list[Asked]:
    """All turns with so many images a call."""
    asked = [Asked(name, images, best_batch_size(peer, images), []) for name, peer in peers.items()]
    for _ in range(turns):
        for one in asked:
            one.seconds.append(median_s(peers[one.peer], images, one.batch_size))
    return asked


def main() -> None:
    """Measures, prints and writes."""
    parser = parser_for(__doc__, turns=15)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["keras-tf"])
    given = parser.parse_args()
    check_built(given.peers)
    with running([HOLDFAST, *given.peers], model="small", data="random", images=max(CALLS)) as peers:
        found = [one for images in CALLS for one in measure(peers, images, given.turns)]
        about = {name: peer.about for name, peer in peers.items()}
    ours = {one.images: one.seconds for one in found if one.peer == HOLDFAST}
    for one in found:
        times = Spread.of([second * 1e3 for second in one.seconds]).text(".2f")
        speed = ratios(one.seconds, ours[one.images]).text(".2f")
        print(f"{one.images:6} images  {one.peer:10} {times:>24} ms a call   holdfast is {speed} times as fast")
    write(given.out, "predict", peers=about, asked=found)


if __name__ == "__main__":
    main()
