"""Comparing runs: which is better on the same samples, what each costs, and a page that shows it."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from ..core import BadFile, BadValue
from ..evaluate import Chosen, Comparison, Report, Score, bbc, compare
from ..evaluate.score import PartName
from ..models import BaseModel, from_config, pick_device
from . import lines
from .formats import duration
from .pages.compare import Shown, page
from .predictions import Predictions
from .record import Record
from .run import ANSWERS_OF, OUT_OF_FOLD, VALIDATION, WHAT, check_finished, ledger_of, values_of
from .write import write_text

CALLS = 30  # of each model, to take the median of


@dataclass(frozen=True)
class Row:
    """A run beside others.

    Attributes:
        name: of its folder; where two folders have one name, their paths.
        model: what its model is called.
        accuracy: on the part that all have in common, as the run was last judged: without the optimism of its looks,
            where that is known.  Pairs compare the answers as they are.
        parameters: of the model.
        seconds: of training, of a cross-validation all folds together.
        latency_ms: what the answer for one sample takes here and now, the median of 30.
        looks: how often the part has been looked at, or the test part opened, over all runs in the ledger.
    """

    name: str
    model: str
    accuracy: Score
    parameters: int
    seconds: float
    latency_ms: float
    looks: int


@dataclass(frozen=True)
class Compared:
    """What `compare_runs` found.  `str` is a table, and then a sentence for each pair.

    Attributes:
        part: that all runs have in common.
        rows: one a run, in the order given.
        pairs: every two runs, with Holm's correction where there are several.
        leaning: how far the comparison can be relied on.
        page: the HTML file.
    """

    part: PartName
    rows: tuple[Row, ...]
    pairs: tuple[Comparison, ...]
    leaning: str
    page: Path

    def __str__(self) -> str:
        cells = [("run", "model", f"{self.part} accuracy", "parameters", "training", "one sample", "looks")]
        cells += [
            (
                row.name,
                row.model,
                f"{row.accuracy.text} n={row.accuracy.n:,}",
                f"{row.parameters:,}",
                duration(row.seconds),
                f"{row.latency_ms:.2f} ms",
                f"{row.looks:,}",
            )
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        table = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        ]
        return "\n".join([*table, "", *map(str, self.pairs), self.leaning])


def compare_runs(folders: Sequence[str | Path], *, out: str | Path | None = None) -> Compared:
    """Says which of several runs is better, on the best part that all have in common.

    That is the test part where it was opened for all, else out-of-fold predictions, else validation, whose looks are
    then written into the ledger: the choice leans on them.

    Args:
        folders: two runs or more, trainings or cross-validations on the same data, divided in the same way.
        out: folder of the page; None: where the first run is.

    Raises:
        BadFile: no run there, not the ledger that it was made with, or an answer that was not kept.
        BadValue: fewer than two runs, one that has not finished, or no samples that all were judged on.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < max(2, len(paths)):
        raise BadValue(f"compare: got {', '.join(map(str, paths)) or 'nothing'}; it takes two or more different runs.")
    records = [Record.read(path) for path in paths]
    for path, record in zip(paths, records, strict=True):
        check_comparable(path, record)
    part, kept = common_part(paths, records)
    names = [record.name for record in records]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    pairs = compare(kept[0].labels, {name: one.said for name, one in zip(names, kept, strict=True)})
    looks = _looked(paths, records, part, kept[0].fingerprint)
    models = [_model(record) for record in records]
    rows = tuple(
        Row(name, model.name or "model", _score(record, part), model.count_params(), record.seconds, latency, seen)
        for name, record, model, latency, seen in zip(
            names, records, models, _latencies(models, records), looks, strict=True
        )
    )
    place = Path(out or paths[0].parent) / f"compare-{_joined([record.name for record in records])}.html"
    best = None if part == "test" or pairs[0].n < 2 else bbc(np.stack([one.right for one in kept]))
    compared = Compared(part, rows, pairs, _leaning(part, max(looks), names, best), place)
    runs = [Shown(name, record.logs, one) for name, record, one in zip(names, records, kept, strict=True)]
    write_text(place, page(compared, runs, records[0].classes))
    return compared


def check_comparable(folder: Path, record: Record) -> None:
    """Raises BadValue for what has no answers to compare."""
    if record.kind not in ("run", "crossval"):
        raise BadValue(f"{folder}: is a {WHAT[record.kind]}; compare takes trainings or cross-validations.")
    if record.kind == "run":
        check_finished(record, folder)
    elif record.status != "finished":
        raise BadValue(f"{folder}: this cross-validation has not finished; make it anew: holdfast crossval")


def common_part(folders: Sequence[Path], records: Sequence[Record]) -> tuple[PartName, list[Predictions]]:
    """The best part on which all runs were judged, and what each said of it.

    Raises:
        BadFile: a run whose answers were not kept.
        BadValue: there is none; the message says what differs.
    """
    for part, file in ANSWERS_OF.items():  # the best first
        if all((folder / file).exists() for folder in folders):
            found = [Predictions.read(folder / file) for folder in folders]
            if len({one.fingerprint for one in found}) == 1:
                return part, found
    raise _nothing_common(folders, records)


def _nothing_common(folders: Sequence[Path], records: Sequence[Record]) -> BadFile | BadValue:
    """What to say, of the first run and the first that does not fit it."""
    for folder, record in zip(folders, records, strict=True):
        file = VALIDATION if record.kind == "run" else OUT_OF_FOLD
        if record.settings.whole and not (folder / file).exists():
            return BadValue(
                f"{folder}: won a search by folds, so out-of-fold answers judge it, which the others lack; compare it "
                "with a cross-validation or another such winner, or open the test part of all."
            )
        if not (folder / file).exists():
            return BadFile(f"{folder}: its answers were not kept; write them: holdfast evaluate {lines.quoted(folder)}")
    first, *rest = zip(folders, records, strict=True)
    for folder, record in rest:
        both = f"{first[0]} and {folder}"
        if record.prints["data"] != first[1].prints["data"]:
            names = "" if record.data == first[1].data else f" ({first[1].data}, {record.data})"
            return BadValue(f"{both} are of different data{names}; compare runs on the same data.")
        if record.kind != first[1].kind:
            return BadValue(f"{both} are a training and a cross-validation; compare two of one kind.")
    return BadValue(
        f"{', '.join(map(str, folders))}: the data is the same, but divided differently, so no samples judge them all; "
        "give all the same --seed, --validation and --test."
    )


def _looked(folders: Sequence[Path], records: Sequence[Record], part: PartName, fingerprint: str) -> list[int]:
    """How often the part has been looked at, in the ledger of each run; unless it is test, this is one look more."""
    with ExitStack() as held:
        ledgers = [held.enter_context(ledger_of(*pair)) for pair in zip(folders, records, strict=True)]
        if part == "test":
            return [ledger.openings(fingerprint) for ledger in ledgers]
        for ledger, record in zip(ledgers, records, strict=True):
            seen = values_of(Report.from_dict(record.scores[part]))
            ledger.look(record.ledger_id, part, fingerprint, seen, purpose="selection")
        return [ledger.looks(fingerprint) for ledger in ledgers]


def _leaning(part: PartName, looks: int, names: Sequence[str], best: Chosen | None) -> str:
    """How often the part was looked at; and what the best run is worth without the luck of being chosen, if known."""
    times = "once" if looks == 1 else f"{looks:,} times"
    if part == "test":
        return f"The test part was opened {times}; each opening makes it a little more like validation."
    worth = f"  The best, {names[best.chosen]}: {best}." if best else ""
    return (
        f"The {part} samples were looked at {times}, this time included, and a choice between runs leans on them."
        f"{worth}  Judge the one you choose on its test part."
    )


def _score(record: Record, part: PartName) -> Score:
    return Report.from_dict(record.scores[part]).accuracy


def _model(record: Record) -> BaseModel:
    """The model of a run with other weights, which cost the same; the folds of a cross-validation keep none."""
    model = from_config(record.config)
    model.build_for(_sample(record))
    model.module.to(pick_device("auto"))
    return model


def _sample(record: Record) -> np.ndarray:
    return np.zeros((1, *record.shape), np.uint8 if record.pictures else np.float32)


def _latencies(models: Sequence[BaseModel], records: Sequence[Record]) -> list[float]:
    """Milliseconds that each model takes for one sample, by turns, so that a busy machine is so for all."""
    samples = [_sample(record) for record in records]
    taken = list[list[float]]()
    for _ in range(CALLS + 3):
        taken.append([])
        for model, sample in zip(models, samples, strict=True):
            began = time.perf_counter()
            model.predict(sample)
            taken[-1].append(1000 * (time.perf_counter() - began))
    return [median(column) for column in zip(*taken[3:], strict=True)]  # the first ones warm up


def _joined(names: Sequence[str]) -> str:
    return "-".join(names) if len(names) <= 3 else f"{'-'.join(names[:2])}-and-{len(names) - 2}-more"
