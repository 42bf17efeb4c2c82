"""`holdfast data`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app
from .options import DATA_HELP, ModelName, Quiet, given, how_of, reading_of


@app.command()
@given("how", how_of)
@given("reading", reading_of)
def data(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP)] = None,
    model: ModelName = "convnet",
    how: Any = None,  # How, of the options of training
    reading: Any = None,  # a dict, of the options of reading
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where the page goes.")] = Path("data.html"),
    quiet: Quiet = False,
) -> None:
    """Look at DATA before training on it.

    Prints and draws what is there: classes and counts, sizes, copies, groups, files that cannot be read or look odd,
    samples, and what training --model would take here: memory, time, and a batch that fits.  The test part stays
    sealed.  Without DATA it lists the sets that have a name, with licence and size.

    Begin with:  holdfast data photos/   or   holdfast data mnist --model dense
    """
    if data is None:
        _list_sets()
        return
    from ..runs import describe_data

    describe_data(data, model, out=out, verbose=0 if quiet else 1, reading=reading, **how)


def _list_sets() -> None:
    """Prints the named sets, and where each lies."""
    from ..data.load import NAMES
    from ..data.public import PUBLIC
    from ..runs.formats import size

    rows = [("name", "what", "licence", "to fetch", "where")]
    rows += [(name, _about(read), "", "", "comes with holdfast") for name, read in NAMES.items()]
    for one in PUBLIC.values():
        place = one.found()
        rows.append(
            (one.name, one.about, one.licence, size(one.size), "to be fetched" if place is None else str(place))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _about(read: object) -> str:
    """The first sentence of its docstring."""
    return (read.__doc__ or "").partition("\n")[0].rstrip(".")
