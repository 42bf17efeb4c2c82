"""Claim: holdfast decodes photos as fast as Keras's image_dataset_from_directory, and reads them again 9 times as fast.

Folders of JPEGs to arrays of one size, by turns, each in a process of its own that has done its imports.  Keras goes
through an epoch of its batches, stretched, in float32; it keeps nothing, so its second epoch is as its first.  holdfast
decodes, as `predict` does; then it reads the folder as `load` does before it splits: it lists, looks at all headers,
decodes, hashes, draws thumbnails for near copies, and writes what is kept for the next time to an empty folder; then
the same again, which finds it there.  Milliseconds of processors count all threads, and hardly depend on other work.

    python benchmarks/decode.py                                       # two minutes
    python benchmarks/decode.py --photos ~/photos --sizes 224 --turns 3
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import Spread, parser_for, ratios, write
from peers.driver import KINDS, check_built

PHOTOS = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "clothing"
QUESTIONS = """
import json, os, sys, time
def timed(work):
    began, used = time.perf_counter(), time.process_time()
    pictures = work()
    return {"pictures": pictures, "seconds": time.perf_counter() - began, "processors": time.process_time() - used}
for line in sys.stdin:
    folder, size = json.loads(line)
    print(json.dumps(answer(folder, size)), flush=True)
"""
KERAS = """
import keras
def answer(folder, size):
    made = keras.utils.image_dataset_from_directory(folder, image_size=(size, size), batch_size=32, verbose=False)
    return {"decode": timed(lambda: sum(len(images) for images, _ in made))}
"""
HOLDFAST = """
import os, tempfile
from pathlib import Path
from holdfast.data.files import read_picture_files
from holdfast.data.options import Reading
from holdfast.data.reads import Pictures
def answer(folder, size):
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    def read():
        source = read_picture_files(Path(folder), Reading(image_size=(size, size), resize="stretch"))
        return len(source.images) if source.images[:].sum() else 0
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HOLDFAST_CACHE"] = cache
        decoded = timed(lambda: len(Pictures((size, size), 3).read(paths)))
        return {"decode": decoded, "read": timed(read), "read again": timed(read)}
"""


@dataclass(frozen=True)
class Pass:
    """Once through all pictures, in pictures a second, and in milliseconds of processors for each."""

    rate: float
    processors_ms: float

    @classmethod
    def of(cls, told: dict[str, float]) -> "Pass":
        return cls(told["pictures"] / told["seconds"], 1000 * told["processors"] / told["pictures"])


@dataclass(frozen=True)
class Turn:
    """What each did, neighbours in time: holdfast's "decode", "read" and "read again", and Keras's epoch."""

    ours: dict[str, Pass]
    keras: Pass | None


class Reader:
    """A process that answers with seconds."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, folder: Path, size: int) -> dict[str, Pass]:
        """What it did with the pictures of a folder.  Raises SystemExit when it is dead."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            print(json.dumps([str(folder), size]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args!r} ended with {self.process.wait()}.")
        return {what: Pass.of(told) for what, told in json.loads(line).items()}


@contextmanager
def reader(python: Path, program: str) -> Iterator[Reader]:
    """A reader that ends with the block."""
    variables = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [str(python), "-c", program + QUESTIONS],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if program is KERAS else None,
        text=True,
    )
    try:
        yield Reader(process)
    finally:
        process.kill()
        process.communicate()


def measure(folder: Path, size: int, turns: int, ours: Reader, keras: Reader | None) -> list[Turn]:
    """The turns, after one that does not count."""
    found = []
    for _ in range(1 + turns):
        mine = ours.ask(folder, size)
        found.append(Turn(mine, keras.ask(folder, size)["decode"] if keras else None))
    return found[1:]


def told(size: int, turns: list[Turn]) -> dict[str, Any]:  # Any: JSON values
    """What is printed and written of a size."""
    keras = [turn.keras for turn in turns if turn.keras]
    print(f"{size} px")
    if keras:
        print(f"  keras-tf    {Spread.of([each.rate for each in keras]).text()} pictures/s")
    for what in turns[0].ours:
        ours = [turn.ours[what] for turn in turns]
        line = f"  {what:10}  {Spread.of([each.rate for each in ours]).text()} pictures/s"
        if keras:
            rate = ratios([each.rate for each in ours], [each.rate for each in keras])
            times = ratios([each.processors_ms for each in keras], [each.processors_ms for each in ours])
            line += f", {rate.text('.2f')} times Keras; by milliseconds of processors {times.text('.2f')} times"
        print(line, flush=True)
    return {"size": size, "turns": turns}


def main() -> None:
    """Measures, prints and writes."""
    parser = parser_for(__doc__, turns=9)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="a folder of one folder of JPEGs for each class")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 180, 128], help="sides in pixels; 224 180 128")
    parser.add_argument("--peers", nargs="*", choices=["keras-tf"], default=["keras-tf"])
    given = parser.parse_args()
    check_built(given.peers)
    if not given.photos.is_dir():
        raise SystemExit(f"there are no photos at {given.photos}; name a folder: --photos FOLDER.")
    with ExitStack() as stack:
        ours = stack.enter_context(reader(Path(sys.executable), HOLDFAST))
        keras = stack.enter_context(reader(KINDS["keras-tf"].python, KERAS)) if given.peers else None
        sizes = [told(size, measure(given.photos, size, given.turns, ours, keras)) for size in given.sizes]
    write(given.out, "decode", photos=given.photos.name, sizes=sizes)


if __name__ == "__main__":
    main()
