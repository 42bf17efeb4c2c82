"""`holdfast pays`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..core import BadValue
from .app import app
from .options import Data, ModelName, Out, PreprocessingName, Quiet, SealedShare, Until, given, how_of, reading_of


@app.command()
@given("how", how_of)
@given("reading", reading_of)
def pays(
    data: Data,
    base: Annotated[
        str,
        typer.Option("--base", metavar="MODEL|NAME", help="A model that has learned elsewhere, as `train` takes it."),
    ],
    until: Until = None,
    fine_tune: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Layers of --base that the fine-tuned way trains, from its end; 3."),
    ] = None,
    preprocessing: PreprocessingName = None,
    model: ModelName = "convnet",
    labels: Annotated[
        str, typer.Option(metavar="P%,P%,...", help="Shares of the training part, stratified by class.")
    ] = "1%,5%,10%,100%",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each way with each share.")] = 3,
    time: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For each training; what the slowest way needs by its own recipe."),
    ] = None,
    how: Any = None,  # How, of the options of training
    validation: Annotated[float, typer.Option(help="Share of the samples that judges all trainings.")] = 0.15,
    test: SealedShare = None,
    reading: Any = None,  # a dict, of the options of reading
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Say with how many labels a base pays.

    Trains three ways, with paired seeds and under equal time: --model from scratch; fine-tuned, which begins with the
    weights of --base; and transfer, a new head on the frozen base.  Each with 1 %, 5 %, ... of the training part.  All
    are judged on the same validation part.  It says what the base gains, with intervals, from how many labels on no
    difference can be told, and when there is no gain.  The test part stays sealed.
    """
    from .. import runs
    from ..runs.loading import load_for
    from ..runs.plan import check_settings
    from ..transfer import FromBase

    shares = _shares(labels)
    choice = FromBase(base, until, fine_tune or 0, None if preprocessing is None else preprocessing.value)
    for one in (model, choice):
        check_settings(one, how, out)
    dataset = load_for(
        choice, quiet=quiet, out=out, path=data, validation=validation, test=test, seed=how["seed"], **reading
    )
    runs.pays(
        dataset,
        choice,
        model=model,
        labels=shares,
        seeds=seeds,
        time_s=time,
        out=out,
        verbose=0 if quiet else 1,
        **how,
    )


def _shares(labels: str) -> list[float]:
    """ "1%,5%" -> [0.01, 0.05]."""
    try:
        shares = [float(word.strip().removesuffix("%")) / 100 for word in labels.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise BadValue(
            f"--labels {labels}: must be shares of up to 100 % with commas between them, such as 1%,10%,100%."
        )
    return shares
