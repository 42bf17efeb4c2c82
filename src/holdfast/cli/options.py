"""Arguments and options that several commands share, and what they become."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..runs.plan import How


class Precision(StrEnum):
    """Words for --precision."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


DATA_HELP = (
    "digits; a folder with a folder of pictures for each class, or train/, validation/ and test/ above "
    "these; a folder of IDX files such as MNIST's; an .npz; a CSV of path,label[,group]."
)
Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)]
Out = Annotated[Path, typer.Option(help="Folder of the runs and of their ledger.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, such as runs/photos-001.")]
RunOrModel = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Folder of a run, such as runs/photos-001, or a model file: model.keras or model.json."
    ),
]
ModelName = Annotated[
    str, typer.Option("--model", help="convnet, dense, or a FILE.json with the configuration of a Keras model.")
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the data, which the recipe's cycle spans; 30, of much data 10."),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples a step; by the size of the data.")]
OptimizerName = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        help="sgd, rmsprop, adam, adamw, adagrad, adadelta, nadam or lion, as in Keras.  Left out: the default "
        "recipe, AdamW under one cycle of the learning rate, label smoothing and small shifts of pictures.",
    ),
]
LearningRate = Annotated[
    float | None, typer.Option(help="Instead of the optimizer's own; of the recipe, at the top of its cycle.")
]
Patience = Annotated[
    int | None,
    typer.Option(min=0, help="Epochs without improvement before it stops; 5 with an optimizer, else none."),
]
Shift = Annotated[
    int | None,
    typer.Option(min=0, help="Pixels by which pictures move at most in training; by the recipe, else 0."),
]
ImageSize = Annotated[int | None, typer.Option(min=6, help="Side of the pictures in pixels.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")]
GroupBy = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX|COLUMN",
        help="What stays on one side, such as all pictures of a patient: found by a regular expression in the paths of "
        "the files (its first group, or all of it), or a column of the CSV, or an array of the .npz.",
    ),
]
TimeBy = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX|COLUMN",
        help="Numbers or ISO dates, found as by --group-by: the earliest train, the latest are the test part.",
    ),
]
Seed = Annotated[int, typer.Option(help="Of the split, the weights, the order and dropout.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
PrecisionName = Annotated[
    Precision, typer.Option("--precision", help="auto takes bfloat16 where a short trial finds it faster.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def how_of(
    *,
    epochs: int | None,
    batch_size: int | None,
    optimizer: str | None,
    learning_rate: float | None,
    patience: int | None,
    shift: int | None,
    seed: int,
    device: str,
    precision: Precision,
) -> "How":
    """How to train, in the words of Python."""
    from ..data import RandomShift
    from ..runs.plan import How

    return How(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        patience=patience,
        augment="auto" if shift is None else RandomShift(shift) if shift else None,
        seed=seed,
        device=device,
        precision=precision.value,
    )
