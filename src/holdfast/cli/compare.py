"""`holdfast compare`."""

from pathlib import Path
from typing import Annotated

import typer

from ..core import BadValue
from .app import app
from .options import Quiet


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or of cross-validations.")],
    twin: Annotated[
        bool,
        typer.Option(
            "--twin",
            help="Of one RUN: train its dense twin, the network without convolutions of as many parameters, under "
            "equal settings, and compare the two.",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the page; left out: where the first run is.")] = None,
    quiet: Quiet = False,
) -> None:
    """Compare runs: say which is better, if one is.

    They are compared sample by sample on the best part that all have in common: test where it was opened for all, else
    out-of-fold predictions, else validation.  "A beats B" is said only with the difference, its interval, p and n.
    """
    from ..runs import compare_runs, train_twin

    if twin and len(runs) != 1:
        raise BadValue(f"--twin compares one run with its dense twin; {len(runs)} are given.")
    if len(runs) == 1 and not twin:
        raise BadValue(f"{runs[0]} is one run; give another to compare it with, or --twin.")
    folders = [runs[0], train_twin(runs[0], verbose=0 if quiet else 1)] if twin else runs
    compared = compare_runs(folders, out=out)
    if not quiet:
        print(f"{compared}\npage      {compared.page}")
