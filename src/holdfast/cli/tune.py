"""`holdfast tune`."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core import BadValue
from .app import app, check_resume, moved
from .options import DATA_HELP, Out, Quiet, SealedShare, given, how_of, model_of, reading_of

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Sampler(StrEnum):
    """Words for --sampler."""

    tpe = "tpe"
    gp = "gp"
    cmaes = "cmaes"
    random = "random"
    grid = "grid"
    qmc = "qmc"


class Pruner(StrEnum):
    """Words for --pruner."""

    auto = "auto"
    asha = "asha"
    hyperband = "hyperband"
    median = "median"
    wilcoxon = "wilcoxon"
    none = "none"


class Refit(StrEnum):
    """Words for --refit."""

    auto = "auto"
    same = "same"
    all = "all"
    none = "none"


@app.command()
@given("model", model_of)
@given("how", how_of)
@given("reading", reading_of)
def tune(
    context: typer.Context,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP)] = None,
    trials: Annotated[int, typer.Option(min=1, help="How many, the first being what `holdfast train` does.")] = 50,
    time: Annotated[
        str | None,
        typer.Option(metavar="90s|30m|2h", help="Begin no trial after so long; one under way ends."),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="What may be chosen: a line such as `units = { low = 16, high = 256, log = true }` or "
            '`optimizer = ["sgd", "adamw"]` for each dimension.  Left out: by the kind of data.',
        ),
    ] = None,
    model: Any = None,  # ModelChoice, of the options of the model
    cv: Annotated[
        str | None,
        typer.Option(
            metavar="N|groups",
            help="Judge each trial by so many folds, or one group at a time, in place of the validation part.",
        ),
    ] = None,
    nested: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Also search K times without a fold of the samples, which then judges the way of searching; K + 1 "
            "searches in all.",
        ),
    ] = None,
    sampler: Annotated[
        Sampler,
        typer.Option(
            help="What chooses the values: tpe, gp and cmaes learn from the trials; random, grid, qmc do not."
        ),
    ] = Sampler.tpe,
    pruner: Annotated[
        Pruner,
        typer.Option(
            help="What stops a trial that looks worse than others: asha, hyperband, median; wilcoxon of folds; none."
        ),
    ] = Pruner.auto,
    refit: Annotated[
        Refit,
        typer.Option(
            help="How the winner becomes a run: the same training again, or on all but the test part, which nothing "
            "judges then; none; auto: same, with --cv all."
        ),
    ] = Refit.auto,
    on: Annotated[
        str | None, typer.Option(metavar="ray[://ADDRESS]", help="Carry trials out on a Ray cluster, here or there.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials at once, with --on.")] = 1,
    how: Any = None,  # How, of the options of training
    validation: Annotated[float, typer.Option(help="Share of the samples that trials are compared on.")] = 0.15,
    test: SealedShare = None,
    reading: Any = None,  # a dict, of the options of reading
    out: Out = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Go on with an interrupted search; DATA only if it has moved.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Search for what trains best on DATA, and say what that is worth.

    Hyperparameters: the first trial is what `holdfast train` does by itself, later ones are chosen by what the earlier
    ones reached.  All are compared on validation, or by folds.  The best of many is too good by luck: its score is told
    without that.  The winner becomes a run, as `holdfast train` makes it; best.toml has its values, for `holdfast train
    DATA --config best.toml`.  The test part stays sealed.

    Ctrl-C or a crash loses no trial that has ended: go on with --resume.
    """
    from ..runs.loading import load_for
    from ..tune.search import check_told, resume_search, search

    verbose = 0 if quiet else 1
    if resume is not None:
        check_resume(context)
        resume_search(resume, moved(resume, data, quiet=quiet), verbose=verbose)  # type: ignore[arg-type]  # 0 or 1
        return
    if data is None:
        raise BadValue("DATA is missing; try: holdfast tune digits")
    folds: Any = int(cv) if cv is not None and cv.isdecimal() else cv
    told = {
        "trials": trials,
        "time_s": None if time is None else seconds(time),
        "cv": folds,
        "sampler": sampler.value,
        "pruner": pruner.value,
        "refit": None if refit is Refit.none else refit.value,
        "nested": nested,
        "on": on,
        "workers": workers,
    }
    chosen = check_told(model, how, out, space, **told)
    dataset = load_for(
        model, quiet=quiet, out=out, path=data, validation=validation, test=test, seed=how["seed"], **reading
    )
    search(dataset, chosen, model=model, out=out, verbose=verbose, **told, **how)  # type: ignore[arg-type]  # 0 or 1


def seconds(text: str) -> float:
    """`90s`, `30m`, `2h` or `1h30m` in seconds; a bare number is none, for it could mean any unit."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text.strip().lower())
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text.strip().lower():
        raise BadValue(f"--time {text}: must be a number with its unit, such as 90s, 30m, 2h or 1h30m.")
    found = sum(float(number) * UNITS[unit] for number, unit in parts)
    if not found:
        raise BadValue(f"--time {text}: must be more than nothing.")
    return found
