"""`holdfast labels`."""

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core import BadData, BadFile, BadValue, whole_file
from .app import app
from .options import (
    Device,
    Epochs,
    ModelName,
    OptimizerName,
    Out,
    Quiet,
    Seed,
    given,
    how_of,
    reading_of,
)

if TYPE_CHECKING:
    from ..evaluate import Agreement, Annotator, Answers, Ceiling

SHOWN = 12  # pairs of annotators


@app.command()
@given("reading", reading_of)
def labels(
    data: Annotated[
        str, typer.Argument(metavar="DATA|ANSWERS.csv", help="As in train; or a CSV of item,annotator,label.")
    ],
    gold: Annotated[
        Path | None, typer.Option(metavar="GOLD.csv", help="Of answers: a CSV of item,label that is known to be right.")
    ] = None,
    model: ModelName = "convnet",
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validation.")] = 5,
    epochs: Epochs = None,
    optimizer: OptimizerName = None,
    reading: Any = None,  # a dict, of the options of reading
    seed: Seed = 0,
    device: Device = "auto",
    out: Out = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Look for wrong labels, or ask how far annotators agree.

    Of DATA, every picture is judged by a model that has not learned from it, and a sheet shows those whose label it
    finds improbable.  Of ANSWERS.csv, the consensus is written beside it.  Needs: pip install 'holdfast[labels]'
    """
    from ..evaluate import holds_answers

    if holds_answers(Path(data)):
        _annotators(Path(data), gold)
        return
    if gold is not None:
        raise BadValue(f"--gold goes with answers, and {data} is no CSV with the columns item,annotator,label.")
    from ..runs import review_labels
    from ..runs.loading import load_shown
    from ..runs.plan import check_settings

    how = how_of(epochs=epochs, optimizer=optimizer, seed=seed, device=device)
    check_settings(model, how, out)
    try:
        dataset = load_shown(quiet=quiet, out=out, path=data, seed=seed, **reading)
    except (BadData, BadFile) as error:
        if Path(data).suffix.lower() != ".csv":
            raise
        raise type(error)(f"{error}  For answers of annotators its columns must be item,annotator,label.") from error
    review_labels(dataset, model, folds=folds, out=out, verbose=0 if quiet else 1, **how)


def _annotators(path: Path, gold: Path | None) -> None:
    """Prints what the answers are worth, and writes their consensus."""
    from ..evaluate import agreement, read_answers, read_gold
    from ..runs.lines import counted, say

    answers = read_answers(path)
    found = agreement(answers, None if gold is None else read_gold(gold))
    n = len(answers.annotators)
    say("answers", f"{len(answers):,} on {len(answers.items):,} items by {n} annotators, {len(answers.classes)} labels")
    say("agreement", _coefficients(found))
    for pair in found.cohen[:SHOWN]:
        say("", f"Cohen's kappa of {pair.first} and {pair.second} {_number(pair.kappa)} n={pair.n:,}")
    if len(found.cohen) > SHOWN:
        say("", f"and {counted(len(found.cohen) - SHOWN, 'pair')} more, see holdfast.evaluate.agreement")
    for one in found.annotators:
        say("annotator", _annotator(one))
    say("ceiling", f"a perfect model scores {_ceiling(found.single)} against the answers of one annotator")
    say("", f"and {_ceiling(found.against_consensus)} against the consensus")
    consensus = path.with_name(f"{path.stem}-consensus.csv")
    _write(consensus, answers, found)
    say("consensus", str(consensus))


def _coefficients(found: "Agreement") -> str:
    said = [
        f"Krippendorff's alpha {_number(found.krippendorff)}",
        f"Fleiss' kappa {_number(found.fleiss)} n={found.fleiss_n:,}",
    ]
    if not math.isnan(found.cronbach):
        said.append(f"Cronbach's alpha {_number(found.cronbach)}, the labels taken as numbers")
    return " · ".join(said)


def _annotator(one: "Annotator") -> str:
    said = f"{one.name}: {one.n:,} answers, "
    said += (
        "accuracy takes three annotators or gold"
        if math.isnan(one.accuracy)
        else f"estimated accuracy {one.accuracy:.1%}"
    )
    if one.gold is not None and one.interval is not None and one.gold[1]:
        right, n = one.gold
        said += f", on gold {right / n:.1%} [{100 * one.interval[0]:.1f}, {100 * one.interval[1]:.1f}] n={n:,}"
    return said.replace("%", " %")


def _ceiling(ceiling: "Ceiling") -> str:
    if math.isnan(ceiling.value):
        return "an unknown share (give --gold)"
    if ceiling.interval is None:
        return f"{100 * ceiling.value:.1f} % (estimated)"
    low, high = ceiling.interval
    return f"{100 * ceiling.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n={ceiling.n:,} on gold)"


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"


def _write(path: Path, answers: "Answers", found: "Agreement") -> None:
    counts = answers.votes.sum(1)
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["item", "label", "probability", "answers"])
        for place, item in enumerate(answers.items):
            label = answers.classes[int(found.consensus[place])]
            table.writerow([item, label, f"{found.probability[place]:.4f}", int(counts[place])])
