"""`holdfast crossval`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app
from .options import Config, Data, Folds, Out, Quiet, SealedShare, by_config, given, how_of, model_of, reading_of


@app.command()
@given("model", model_of)
@given("how", how_of)
@given("reading", reading_of)
def crossval(
    context: typer.Context,
    data: Data,
    model: Any = None,  # ModelChoice, of the options of the model
    folds: Folds = "5",
    repeats: Annotated[int, typer.Option(min=1, help="How often the samples are dealt out anew.")] = 1,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train one more model, on all but the test part, and keep it; not judged.")
    ] = False,
    how: Any = None,  # How, of the options of training
    test: SealedShare = None,
    reading: Any = None,  # a dict, of the options of reading
    config: Config = None,
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Cross-validate: judge a way of training on all samples.

    No sample is judged by a model that has seen it.  Every fold trains a model on the others; stratified by class, and
    no group or copy stands on two sides.  The score is the mean over the folds with an interval that knows that they
    overlap.  The test part stays sealed.
    """
    from ..runs import cross_validate
    from ..runs.loading import load_for
    from ..runs.plan import check_settings

    model, how, reading = by_config(context, config, model, how, reading)
    check_settings(model, how, out)
    cv: Any = int(folds) if folds.isdecimal() else folds
    dataset = load_for(
        model,
        quiet=quiet,
        out=out,
        path=data,
        test=test,
        seed=how["seed"],
        **reading,
    )
    cross_validate(
        model,
        dataset,
        cv=cv,
        repeats=repeats,
        refit=refit,
        out=out,
        verbose=0 if quiet else 1,
        **how,
    )
