"""`holdfast pretrain`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app
from .options import BatchSize, Device, Quiet, given, reading_of


class Method(StrEnum):
    """Words for --method."""

    contrastive = "contrastive"
    denoising = "denoising"
    masked = "masked"
    autoencoder = "autoencoder"


@app.command()
@given("reading", reading_of)
def pretrain(
    data: Annotated[
        str,
        typer.Argument(
            metavar="UNLABELLED",
            help="A folder of files without class folders; or DATA as of `holdfast train`, such as a folder with "
            "unlabelled/ beside its classes: its validation and test parts stay unseen, its labels are not read.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the base goes.")] = Path("base"),
    method: Annotated[
        Method | None,
        typer.Option(
            help="contrastive: find the other changed copy of a picture; denoising, masked, autoencoder: make the "
            "sample from a noisy, a partly hidden, or its own copy.  Left out: contrastive for pictures, else "
            "denoising.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; 10, of few files up to 100.")] = None,
    batch_size: BatchSize = None,
    validation: Annotated[
        float, typer.Option(help="Share of labelled samples that stays unseen; take that of `train`.")
    ] = 0.15,
    test: Annotated[
        float | None, typer.Option(help="The same of the sealed test part; 0.15, of up to 6 groups none.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split, take that of `train`; and of all that is drawn.")] = 0,
    device: Device = "auto",
    reading: Any = None,  # a dict, of the options of reading
    quiet: Quiet = False,
) -> None:
    """Learn from files without labels, so that few labels are enough.

    Writes a base, an encoder from pictures or rows to features, with a page that shows what it learned.  Then a
    classifier is trained on it:

    holdfast pretrain unsorted/ --out base/   and then   holdfast train photos/ --base base/ --fine-tune 4
    """
    from .. import runs

    runs.pretrain(
        data,
        method=None if method is None else method.value,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        device=device,
        out=out,
        verbose=0 if quiet else 1,
        reading={**reading, "validation": validation, "test": test},
    )
