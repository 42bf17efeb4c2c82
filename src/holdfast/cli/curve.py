"""`holdfast curve`."""

from pathlib import Path
from typing import Annotated

import typer

from ..core import BadValue
from .app import app
from .options import (
    BatchSize,
    Data,
    Device,
    Epochs,
    GroupBy,
    ImageSize,
    LearningRate,
    ModelName,
    OptimizerName,
    Out,
    Patience,
    Precision,
    PrecisionName,
    Quiet,
    Seed,
    Shift,
    SkipBad,
    TimeBy,
    how_of,
)


@app.command()
def curve(
    data: Data,
    model: ModelName = "convnet",
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of training samples; left out: all, half, a quarter, ..., at most 6, with 10 of each class.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings a size, each with a draw and a seed of its own.")] = 3,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    optimizer: OptimizerName = None,
    learning_rate: LearningRate = None,
    patience: Patience = None,
    shift: Shift = None,
    validation: Annotated[float, typer.Option(help="Share of the samples that judges all sizes.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the samples that stays sealed; 0 for none.")] = 0.15,
    image_size: ImageSize = None,
    skip_bad: SkipBad = False,
    group_by: GroupBy = None,
    time_by: TimeBy = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: PrecisionName = Precision.auto,
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Say whether more data would pay, or a bigger model.

    A learning curve.  Trains on all of the training part, on half of it, on a quarter and so on, several times each,
    and judges every model on the same validation part.  It all takes about twice as long as the trainings on all of
    it.  The test part stays sealed.
    """
    from ..runs import learning_curve
    from ..runs.loading import load_shown
    from ..runs.plan import check_settings

    how = how_of(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        patience=patience,
        shift=shift,
        seed=seed,
        device=device,
        precision=precision,
    )
    check_settings(model, how, out)
    wanted = None if sizes is None else _numbers(sizes)
    dataset = load_shown(
        quiet=quiet,
        out=out,
        path=data,
        validation=validation,
        test=test,
        seed=seed,
        image_size=image_size,
        skip_bad=skip_bad,
        group_by=group_by,
        time_by=time_by,
    )
    learning_curve(dataset, model, sizes=wanted, repeats=repeats, out=out, verbose=0 if quiet else 1, **how)


def _numbers(sizes: str) -> list[int]:
    words = [word.strip() for word in sizes.split(",")]
    if not all(word.isdecimal() for word in words):
        raise BadValue(f"--sizes {sizes}: must be whole numbers with commas between them, such as 100,200,400.")
    return [int(word) for word in words]
