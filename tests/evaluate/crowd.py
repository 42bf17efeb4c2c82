"""Many processes at one ledger: those that write what they can, and those that are killed while they do."""

import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized

from evaluate.making import rows, small
from holdfast.evaluate import Ledger, ledger

CONTEXT = multiprocessing.get_context("forkserver")  # what takes its time is imported once, not by each
CONTEXT.set_forkserver_preload(
    ["holdfast.data", "holdfast.evaluate.tables", "alembic.command", "sklearn.model_selection"]
)


def write_looks(where: str, name: str, count: int) -> None:
    """A process that opens the ledger, or makes it, and writes `count` looks of one metric."""
    with Ledger.open(where) as book:
        run = book.begin_run(name, small())
        for epoch in range(count):
            book.look(run, "validation", "part", {"accuracy": 0.5}, purpose="early stopping", epoch=epoch)


def crowd(where: str, processes: int, count: int) -> list[int | None]:
    """Exit codes of processes that write at once."""
    started = [CONTEXT.Process(target=write_looks, args=(where, f"run-{index}", count)) for index in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


def train_forever(where: str, run: "Synchronized[int]", looks: "Synchronized[int]", heartbeat_s: float) -> None:
    """A process whose run is at work until it is killed; tells its id, and how many looks it has been promised."""
    ledger.HEARTBEAT_S = heartbeat_s
    with Ledger.open(where) as book:
        run.value = book.begin_run("doomed", small())
        with book.beating(run.value):
            while True:
                book.look(run.value, "validation", "part", {"accuracy": 0.5, "loss": 1.0}, purpose="early stopping")
                looks.value += 1


@dataclass(frozen=True)
class Writer:
    """A process of `train_forever`."""

    process: ForkServerProcess
    run: "Synchronized[int]"
    looks: "Synchronized[int]"

    @classmethod
    def start(cls, where: str, heartbeat_s: float) -> "Writer":
        run, looks = CONTEXT.Value("i", 0), CONTEXT.Value("i", 0)
        process = CONTEXT.Process(target=train_forever, args=(where, run, looks, heartbeat_s))
        process.start()
        return cls(process, run, looks)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def kill_writers(where: str, *, kills: int, writers: int, heartbeat_s: float, seed: int = 0) -> list[Writer]:
    """Kills a random writer again and again, and starts another in its place; at last it kills them all."""
    draw = random.Random(seed)
    Ledger.open(where).close()
    alive = [Writer.start(where, heartbeat_s) for _ in range(writers)]
    dead: list[Writer] = []
    while len(dead) < kills:
        time.sleep(draw.uniform(0, 0.2))
        place = draw.randrange(writers)
        dead.append(alive[place])
        alive[place].kill()
        alive[place] = Writer.start(where, heartbeat_s)
    for writer in alive:
        writer.kill()
    return dead + alive


def check_nothing_is_torn(book: Ledger, writers: list[Writer]) -> None:
    """What was promised is there; a look is there with all its rows, or not at all."""
    found = {run: (looks, lines) for run, looks, lines in rows(book, COUNTS)}
    for writer in writers:
        looks, lines = found.get(writer.run.value, (0, 0))
        assert looks - writer.looks.value in (0, 1)  # 1: written, but killed before it could tell
        assert lines == 2 * looks


COUNTS = "select run, count(distinct number), count(*) from looks group by run"
