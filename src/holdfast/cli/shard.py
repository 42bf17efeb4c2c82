"""`holdfast shard`."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core import BadValue
from .app import app
from .options import Data, Quiet, Seed, given, reading_of


@app.command()
@given("reading", reading_of)
def shard(
    data: Data,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the shards.")],
    shard_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Of a shard, about, such as 100MB or 1GiB.")
    ] = "256MB",
    reading: Any = None,  # a dict, of the options of reading
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write DATA as tar shards, to train from the disk.

    Pictures keep their files; with --image-size they are stored as pixels, which takes room and saves
    decoding.  Train on them with:  holdfast train OUT
    """
    from ..data import write_shards
    from ..data.shard_manifest import ShardManifest
    from ..runs.lines import counted, say
    from ..runs.loading import Loading

    if reading["gap"] is not None:
        raise BadValue(f"--gap {reading['gap']:g} is of a split, and shards are split when they are trained on.")
    with Loading(quiet=quiet) as progress:
        manifest = write_shards(data, out, shard_size=shard_size, seed=seed, progress=progress, **reading)
    if quiet:
        return
    found = ShardManifest.read(manifest)
    size = sum(one.bytes for one in found.shards)
    say("shards", f"{counted(len(found.shards), 'shard')} of {found.samples:,} samples, {size / 1e6:,.1f} MB, in {out}")
    say("train", f"holdfast train {shlex.quote(str(out))}")
