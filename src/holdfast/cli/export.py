"""`holdfast export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .options import Quiet, RunFolder


class Format(StrEnum):
    """Words for --to."""

    keras = "keras"
    tfjs = "tfjs"
    onnx = "onnx"
    all = "all"


class Quantize(StrEnum):
    """Words for --quantize."""

    int8 = "int8"
    float16 = "float16"


@app.command()
def export(
    run: RunFolder,
    to: Annotated[Format, typer.Option("--to", help="For Keras 3, for the browser (TF.js Layers), for ONNX Runtime.")],
    quantize: Annotated[
        Quantize | None, typer.Option("--quantize", help="Smaller files; the loss of accuracy is measured.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where a folder for each format is made; left out: RUN/export.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the model of a run for elsewhere, verified.

    Held-out files go through the model and through what was exported.  What does not answer as the model does is not
    handed over, and the command fails.
    """
    from .. import runs

    runs.export_run(
        run, to.value, quantize=None if quantize is None else quantize.value, out=out, verbose=0 if quiet else 1
    )
