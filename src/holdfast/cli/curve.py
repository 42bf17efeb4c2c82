"""`holdfast curve`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..core import BadValue
from .app import app
from .options import Data, Out, Quiet, SealedShare, given, how_of, model_of, reading_of


@app.command()
@given("model", model_of)
@given("how", how_of)
@given("reading", reading_of)
def curve(
    data: Data,
    model: Any = None,  # ModelChoice, of the options of the model
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of training samples; left out: all, half, a quarter, ..., at most 6, with 10 of each class.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings a size, each with a draw and a seed of its own.")] = 3,
    how: Any = None,  # How, of the options of training
    validation: Annotated[float, typer.Option(help="Share of the samples that judges all sizes.")] = 0.15,
    test: SealedShare = None,
    reading: Any = None,  # a dict, of the options of reading
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Say whether more data would pay, or a bigger model.

    A learning curve.  Trains on all of the training part, on half of it, on a quarter and so on, several times each,
    and judges every model on the same validation part.  It all takes about twice as long as the trainings on all of
    it.  The test part stays sealed.
    """
    from ..runs import learning_curve
    from ..runs.loading import load_for
    from ..runs.plan import check_settings

    check_settings(model, how, out)
    wanted = None if sizes is None else _numbers(sizes)
    dataset = load_for(
        model,
        quiet=quiet,
        out=out,
        path=data,
        validation=validation,
        test=test,
        seed=how["seed"],
        **reading,
    )
    learning_curve(dataset, model, sizes=wanted, repeats=repeats, out=out, verbose=0 if quiet else 1, **how)


def _numbers(sizes: str) -> list[int]:
    words = [word.strip() for word in sizes.split(",")]
    if not all(word.isdecimal() for word in words):
        raise BadValue(f"--sizes {sizes}: must be whole numbers with commas between them, such as 100,200,400.")
    return [int(word) for word in words]
