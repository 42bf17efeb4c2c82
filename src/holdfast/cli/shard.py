"""`holdfast shard`."""

from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .options import Data, GroupBy, ImageSize, Quiet, Seed, SkipBad, TimeBy


@app.command()
def shard(
    data: Data,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the shards.")],
    shard_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Of a shard, about, such as 100MB or 1GiB.")
    ] = "256MB",
    image_size: ImageSize = None,
    skip_bad: SkipBad = False,
    group_by: GroupBy = None,
    time_by: TimeBy = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write DATA as tar shards, which train without fitting into memory.

    Pictures keep their files; with --image-size they are stored as pixels, which takes room and saves
    decoding.  Train on them with:  holdfast train OUT
    """
    from ..data import write_shards
    from ..data.shard_manifest import ShardManifest
    from ..runs.lines import counted, say
    from ..runs.loading import Loading

    with Loading(quiet=quiet) as progress:
        manifest = write_shards(
            data,
            out,
            shard_size=shard_size,
            image_size=image_size,
            skip_bad=skip_bad,
            group_by=group_by,
            time_by=time_by,
            seed=seed,
            progress=progress,
        )
    if quiet:
        return
    found = ShardManifest.read(manifest)
    size = sum(one.bytes for one in found.shards)
    say("shards", f"{counted(len(found.shards), 'shard')} of {found.samples:,} samples, {size / 1e6:,.1f} MB, in {out}")
    say("train", f"holdfast train {out}")
