"""The commands: each parses, calls one function below, and prints.  Nothing heavy is imported before it is needed."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core import BadFile, BadValue

if TYPE_CHECKING:
    from ..evaluate import RunRow
    from ..runs import Run

app = typer.Typer(
    help="Train convolutional classifiers fast, and believe the score.\n\n"
    "Begin with:  holdfast train digits   or   holdfast train photos/  (a folder for each class).",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option(help="Folder of the runs and of their ledger.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, such as runs/photos-001.")]


class Precision(StrEnum):
    """Words for --precision."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; may stand anywhere.")] = False,
) -> None:
    """Read by `main`, before any command."""


@app.command()
def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="digits; a folder with a folder of pictures for each class, or train/, validation/ and test/ above "
            "these; a folder of IDX files such as MNIST's; an .npz; a CSV of path,label[,group].",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="convnet, dense, or a FILE.json with the configuration of a Keras model.")
    ] = "convnet",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data, which the recipe's cycle spans; 30, of much data 10."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples a step; by the size of the data.")] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="sgd, rmsprop, adam, adamw, adagrad, adadelta, nadam or lion, as in Keras.  Left out: the default "
            "recipe, AdamW under one cycle of the learning rate, label smoothing and small shifts of pictures."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Instead of the optimizer's own; of the recipe, at the top of its cycle.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=0, help="Epochs without improvement before it stops; 5 with an optimizer, else none."),
    ] = None,
    shift: Annotated[
        int | None,
        typer.Option(min=0, help="Pixels by which pictures move at most in training; by the recipe, else 0."),
    ] = None,
    validation: Annotated[float, typer.Option(help="Share of the samples to select by.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the samples to seal for the end; 0 for none.")] = 0.15,
    image_size: Annotated[int | None, typer.Option(min=6, help="Side of the pictures in pixels.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")] = False,
    seed: Annotated[int, typer.Option(help="Of the split, the weights, the order and dropout.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="auto takes bfloat16 where a short trial finds it faster.")
    ] = Precision.auto,
    out: Out = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with an interrupted run; DATA only if it has moved.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a classifier on DATA.

    Writes a run: model, score, report, and a ledger of every look at the score.
    """
    from .. import runs
    from ..data import RandomShift
    from ..runs.loading import load_shown
    from ..runs.plan import How, check_settings

    verbose = 0 if quiet else 1
    if resume is not None:
        _check_resume(context)
        moved = None
        if data is not None:
            moved = load_shown(quiet=quiet, **{**runs.Record.read(resume).origin, "path": data})
        runs.resume(resume, moved, verbose=verbose)  # type: ignore[arg-type]  # 0 or 1
        return
    if data is None:
        raise BadValue("DATA is missing; try: holdfast train digits")
    how = How(
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
    check_settings(model, how, out)
    dataset = load_shown(
        quiet=quiet,
        path=data,
        validation=validation,
        test=test,
        seed=seed,
        image_size=image_size,
        skip_bad=skip_bad,
    )
    runs.train(dataset, model, **how, out=out, verbose=verbose)  # type: ignore[arg-type]  # 0 or 1


@app.command()
def predict(
    run: RunFolder,
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 3,
) -> None:
    """Say what is on pictures."""
    from ..runs import Run

    model = Run.load(run)
    bad = []
    for picture in pictures:
        try:
            shares = model.predict([picture])[0]
        except BadFile as error:
            bad.append(str(error))
            continue
        best = shares.argsort()[::-1][:top]
        named = "  ".join(f"{model.record.classes[place]} {100 * shares[place]:.1f} %" for place in best)
        print(f"{picture}  {named}")
    if bad:
        raise BadFile("; ".join(bad))


@app.command()
def evaluate(
    run: RunFolder,
    unseal: Annotated[bool, typer.Option("--unseal", help="Open the sealed test part; this is counted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before opening the test part.")] = False,
) -> None:
    """Judge the model of a run again.

    Says how often the sealed test part has been opened.
    """
    from .. import runs
    from ..runs.run import openings

    if unseal and not yes and sys.stdin.isatty():
        past = _times(openings(run))
        typer.confirm(f"The test part was opened {past} so far; each opening is counted.  Open it?", abort=True)
    judged = runs.evaluate(run, open_test=unseal)
    print(f"score     {judged.validation}")
    print(f"verdict   {judged.verdict}")
    print(f"test      {_test(judged)}")
    print(f"report    {judged.folder / 'report.html'}")


@app.command("runs")
def list_runs(out: Out = Path("runs")) -> None:
    """List the runs and what they reached."""
    from ..runs.run import existing_ledger

    with existing_ledger(out) as ledger:
        rows = ledger.runs()
    cells = [("run", "data", "status", "started (UTC)", "validation accuracy of the kept weights")]
    for row in rows:
        started = f"{row.started:%Y-%m-%d %H:%M}"
        cells.append((row.name, row.dataset, _status(row, out), started, _score(out / row.name, row)))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    for line in cells:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _score(folder: Path, row: "RunRow") -> str:
    """As the run itself tells it; nothing where it is not there, or has not finished."""
    from ..evaluate import Report
    from ..runs import Record

    try:
        scores = Record.read(folder).scores
    except BadFile:
        return ""
    if "validation" not in scores:
        return ""
    accuracy = Report.from_dict(scores["validation"]).accuracy
    return f"{accuracy.text} n={accuracy.n:,}, {row.looks:,} look{'s' * (row.looks != 1)}"


def _status(row: "RunRow", out: Path) -> str:
    """As in the ledger, but for a run that nobody trains any more."""
    from ..runs.watch import in_training

    folder = out / row.name
    return "killed" if row.status == "running" and folder.is_dir() and not in_training(folder) else row.status


def _check_resume(context: typer.Context) -> None:
    """Raises BadValue for options that a resumed run cannot heed."""
    given = [name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")]
    extra = [f"--{name.replace('_', '-')}" for name in given if name not in ("data", "resume", "quiet")]
    if extra:
        raise BadValue(f"--resume goes on with the options that the run began with; leave {extra[0]} out.")


def _test(judged: "Run") -> str:
    """What is known of the test part."""
    if not judged.record.sizes["test"]:
        return "none was split off"
    if judged.test is None:
        known = f"opened {_times(judged.openings)} by other runs" if judged.openings else "sealed, never opened"
        return f"n={judged.record.sizes['test']:,}, {known}"
    later = judged.openings > judged.test.accuracy.looks
    return f"{judged.test}{f' · opened {_times(judged.openings)} by now' if later else ''}"


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
