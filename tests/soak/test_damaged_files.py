"""Files in which bytes were changed at random are read or refused in one line, at once, and never crash.

HOLDFAST_FUZZ_S says for how many seconds, HOLDFAST_FUZZ_SEED where chance begins.  A crash or a hang leaves the file
that did it in the test's folder, as "last".
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from holdfast import load
from holdfast.core import HoldfastError
from holdfast.layers import BatchNormalization, Conv2D, Dense, Flatten, Input
from holdfast.models import Sequential
from models.foreign import write_keras2, write_tfjs

LASTS_S = float(os.environ.get("HOLDFAST_FUZZ_S", "60"))
SEED = int(os.environ.get("HOLDFAST_FUZZ_SEED", "0"))
SLOW_S = 2.0
HANG_S = 10


@pytest.mark.soak
def test_files_with_bytes_changed_at_random_are_read_or_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", __file__, str(tmp_path), str(LASTS_S), str(SEED)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, f"{tmp_path / 'last'}: {done.stderr[-3000:]}"
    print(done.stdout)


def originals(folder: Path) -> dict[str, bytes]:
    """A small model in every format; "packed.h5" has the newest layout, and its numbers are packed."""
    layers = [Conv2D(3, 3, name="c"), BatchNormalization(name="b"), Flatten(), Dense(4, name="d")]
    model = Sequential([Input((6, 6, 2)), *layers])
    model.save(folder / "m.keras")
    write_keras2(model, folder / "m.h5")
    write_tfjs(model, folder / "t")
    with h5py.File(folder / "packed.h5", "w", libver="latest") as packed, h5py.File(folder / "m.h5") as plain:
        packed.attrs.update(plain.attrs)

        def copy(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                ways = {"compression": "gzip", "shuffle": True, "fletcher32": True} if item.shape else {}
                packed.create_dataset(name, data=item[()], **ways)
            else:
                packed.create_group(name).attrs.update(plain[name].attrs)

        plain.visititems(copy)
    return {name: (folder / name).read_bytes() for name in ("m.keras", "m.h5", "packed.h5", "t/model.json")}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with bytes changed, overwritten by others of it, or cut out."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        # Half of the changes meet the first bytes, where HDF5 describes what is in a file.
        at = chance.randrange(chance.choice([len(data), min(len(data), 6_000)]))
        numbers = (0, 2**64 - 1, 2**31, len(data), chance.randrange(len(data)))
        other = chance.randrange(len(data))
        kind = chance.random()
        if kind < 0.5:
            data[at] = chance.randrange(256)
        elif kind < 0.7:
            data[at : at + 8] = chance.choice(numbers).to_bytes(8, "little")
        elif kind < 0.85:
            data[at : at + 16] = data[other : other + 16]
        else:
            del data[at : at + chance.choice([1, 8, 100])]
    return bytes(data)


def main(folder: Path, lasts_s: float, seed: int) -> None:
    """Reads damaged files for so long."""
    import faulthandler

    sources, chance, read, refused, text = originals(folder), random.Random(seed), 0, 0, ""
    end = time.monotonic() + lasts_s
    while time.monotonic() < end:
        name = chance.choice(list(sources))
        content = damaged(sources[name], chance)
        (folder / name).write_bytes(content)
        (folder / "last").write_bytes(content)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        start = time.monotonic()
        try:
            load(folder / name)
            read += 1
        except HoldfastError as error:
            refused += 1
            text = str(error)
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert "\n" not in text, text
        assert time.monotonic() - start < SLOW_S, name
    print(f"{read + refused:,} files: {read:,} read, {refused:,} refused")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
