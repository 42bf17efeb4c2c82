"""The commands: each parses, calls one function below, and prints.  Nothing heavy is imported before it is needed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..core import BadFile, BadValue
from .options import (
    DATA_HELP,
    Config,
    Out,
    Quiet,
    RunFolder,
    RunOrModel,
    by_config,
    given,
    how_of,
    model_of,
    reading_of,
    said_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..data import Dataset
    from ..evaluate import RunRow
    from ..models import Unknown
    from ..runs import Run

app = typer.Typer(
    help="Train convolutional classifiers fast, and believe the score.\n\n"
    "Begin with:  holdfast train digits   or   holdfast train photos/  (a folder for each class).",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        print(f"holdfast {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; may stand anywhere.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which holdfast this is.")
    ] = False,
) -> None:
    """Read by `main`, before any command."""


@app.command()
@given("model", model_of)
@given("how", how_of)
@given("reading", reading_of)
def train(
    context: typer.Context,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP)] = None,
    model: Any = None,  # ModelChoice, of the options of the model
    how: Any = None,  # How, of the options of training
    validation: Annotated[float, typer.Option(help="Share of the samples to select by.")] = 0.15,
    test: Annotated[
        float | None,
        typer.Option(help="Share of the samples to seal for the end; 0 for none; 0.15, of up to 6 groups none."),
    ] = None,
    reading: Any = None,  # a dict, of the options of reading
    seeds: Annotated[
        int, typer.Option(min=1, help="Train so many models that differ in their seed, and say how much they agree.")
    ] = 1,
    coverage: Annotated[
        float, typer.Option(help="Share of pictures of the known kind that the model answers; others are unknown.")
    ] = 0.95,
    config: Config = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="ray[://ADDRESS]",
            help="Train on a Ray cluster: of this machine; ray://auto, the one that it belongs to; ray://HOST:10001.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share each batch, with --on; of GPUs one each.")
    ] = 1,
    out: Out = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with an interrupted run; DATA only if it has moved.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a classifier on DATA.

    Writes a run: model, score, report, and a ledger of every look at the score.
    """
    from .. import runs
    from ..models.unknown import check_coverage
    from ..runs.loading import load_for
    from ..runs.plan import check_settings
    from ..training.parallel import in_turn, joined, leads

    verbose = 0 if quiet else 1
    if on is None and workers > 1:
        raise BadValue(f"--workers {workers} needs --on ray, or start them by torchrun -m holdfast train.")
    if resume is not None:
        check_resume(context, "on", "workers")
        here = moved(resume, data, quiet=quiet)
        if on is not None:
            runs.resume_on_ray(resume, here, on=on, workers=workers, verbose=verbose)
            return
        runs.resume(resume, here, verbose=verbose)  # type: ignore[arg-type]  # 0 or 1
        return
    if data is None:
        raise BadValue("DATA is missing; try: holdfast train digits")
    model, how, reading = by_config(context, config, model, how, reading)
    check_coverage(coverage)
    check_settings(model, how, out)
    if on is not None:
        reading |= {"validation": validation, "test": test}
        told = {**how, "seeds": seeds, "coverage": coverage, "out": out, "verbose": verbose}
        runs.train_on_ray(data, model, on=on, workers=workers, reading=reading, **told)
        return
    with joined() as team:
        with in_turn(team):
            dataset = load_for(
                model,
                quiet=quiet or not leads(team),
                out=out,
                path=data,
                validation=validation,
                test=test,
                seed=how["seed"],
                **reading,
            )
        runs.train(dataset, model, **how, seeds=seeds, coverage=coverage, out=out, verbose=verbose)  # type: ignore[arg-type]  # 0 or 1


@app.command()
def predict(
    run: RunOrModel,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files of the kind that it was trained on, pictures say.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 3,
) -> None:
    """Say what is on pictures, in sounds or other files, or "unknown".

    It is unknown where the model is unsure, or where the sample is unlike those that it learned from.
    """
    model = _classifier(run)
    bad = []
    for file in files:
        try:
            for name, shares in zip(*model.answers(file), strict=True):
                best = shares.argsort()[::-1][:top]
                named = [f"{model.classes[place]} {100 * shares[place]:.1f} %" for place in best]
                unknown = model.unknown is not None and bool(model.unknown(shares[None])[0])
                print(f"{name}  {f'unknown (best guess {named[0]})' if unknown else '  '.join(named)}")
        except BadFile as error:
            bad.append(str(error))
    if bad:
        raise BadFile("; ".join(bad))


class _Classifier(NamedTuple):
    """What says what is in files."""

    predict: "Callable[[list[str | Path]], NDArray[np.float32]]"  # files -> probabilities (N, K)
    unknown: "Unknown | None"
    classes: "Sequence[str]"

    def answers(self, file: Path) -> "tuple[list[str], NDArray[np.float32]]":
        """The samples of a file, which may be one or, of a table, many, by name; and their probabilities."""
        shares = self.predict([file])
        return [str(file)] if len(shares) == 1 else [f"{file}[{row}]" for row in range(len(shares))], shares


def _classifier(place: Path) -> _Classifier:
    """The model of a run, or one in a file.  Raises BadValue for one that does not say which classes it knows."""
    from ..models import load
    from ..runs import Run

    if not place.is_file() and not (place / "model.json").is_file():
        run = Run.load(place)
        return _Classifier(run.predict, run.model.unknown, run.record.classes)
    model = load(place)
    if model.classes is None or [one.shape for one in model.outputs] != [(len(model.classes),)]:
        raise BadValue(f"{place}: does not name a class for each output; ask it in Python: holdfast.load(path).")
    return _Classifier(model.predict, model.unknown, model.classes)


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
    cells = [("run", "data", "status", "started (UTC)", "accuracy of the kept weights on validation")]
    for row in rows:
        started = f"{row.started:%Y-%m-%d %H:%M}"
        cells.append((row.name, row.dataset, row.status, started, _score(out / row.name, row)))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    for line in cells:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _score(folder: Path, row: "RunRow") -> str:
    """As the run itself tells it; nothing where it is not there, or has not finished."""
    from ..evaluate import Report
    from ..runs import Record
    from ..runs.dims_words import best_words

    try:
        scores = Record.read(folder).scores
    except BadFile:
        return ""
    if "tune" in scores:
        return _searched(scores["tune"])
    if "dims" in scores:
        return best_words(scores["dims"]["best"])
    judged = next((scores[part] for part in ("validation", "out-of-fold") if part in scores), None)
    if judged is None:
        return ""
    accuracy = Report.from_dict(judged).accuracy
    if accuracy.part == "out-of-fold":
        return f"{accuracy.text} n={accuracy.n:,}, cross-validated"
    return f"{accuracy.text} n={accuracy.n:,}, {row.looks:,} look{'s' * (row.looks != 1)}"


def _searched(told: dict[str, Any]) -> str:  # Any: what JSON holds
    """What a search found, without the luck of the choice."""
    from ..evaluate import Score
    from ..runs.formats import percent

    score = Score.from_dict(told["score"])
    seen = f"the best of {len(told['trials']):,} trials without the luck (seen: {percent(score.naive)})"
    return f"{score.text} n={score.n:,}, {seen}"


def moved(folder: Path, data: str | None, *, quiet: bool) -> "Dataset | None":
    """The data of what goes on, where it is elsewhere now."""
    from ..runs import Record
    from ..runs.loading import load_shown

    return None if data is None else load_shown(quiet=quiet, **{**Record.read(folder).origin, "path": data})


def check_resume(context: typer.Context, *heeded: str) -> None:
    """Raises BadValue for options that a resumed run cannot heed."""
    heeded = ("data", "resume", "quiet", *heeded)
    extra = [f"--{name.replace('_', '-')}" for name in said_in(context) if name not in heeded]
    if extra:
        raise BadValue(f"--resume goes on with the options that the run began with; leave {extra[0]} out.")


def _test(judged: "Run") -> str:
    """What is known of the test part."""
    if not judged.record.sizes["test"]:
        return "none was split off"
    if judged.test is None:
        if judged.kept_sealed:
            return f"n={judged.record.sizes['test']:,}, {judged.kept_sealed}"
        known = f"opened {_times(judged.openings)} by other runs" if judged.openings else "sealed, never opened"
        return f"n={judged.record.sizes['test']:,}, {known}"
    later = judged.openings > judged.test.accuracy.looks
    return f"{judged.test}{f' · opened {_times(judged.openings)} by now' if later else ''}"


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
