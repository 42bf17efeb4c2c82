"""`holdfast dims`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app
from .options import Data, Folds, Out, Quiet, SealedShare, Seed, given, reading_of


@app.command()
@given("reading", reading_of)
def dims(
    data: Data,
    folds: Folds = "5",
    repeats: Annotated[int, typer.Option(min=1, help="How often the samples are dealt out anew.")] = 2,
    seed: Seed = 0,
    test: SealedShare = None,
    reading: Any = None,  # a dict, of the options of reading
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Say whether there are samples enough for the features.

    How many samples there are for each feature; whether more of them would pay; and the classic remedies for too many
    dimensions: selection of features, PCA, an autoencoder, an L1 penalty, statistics.  Each is fitted inside the folds
    and compared with a standardised logistic regression in the same folds, with intervals that allow for how many are
    tried.  It says when nothing was found, and when nothing helps.  The test part stays sealed.  Try demo:noise.
    """
    from ..runs import dimensions
    from ..runs.loading import load_shown

    cv: Any = int(folds) if folds.isdecimal() else folds
    dataset = load_shown(quiet=quiet, out=out, path=data, test=test, seed=seed, **reading)
    dimensions(dataset, cv=cv, repeats=repeats, seed=seed, out=out, verbose=0 if quiet else 1)
