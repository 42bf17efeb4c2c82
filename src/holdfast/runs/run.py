"""A run: a trained model in a folder, judged; with all that is needed to believe it, to use it and to make it again."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadData, BadFile, BadValue
from ..data import Dataset, Part
from ..data.remote import is_url
from ..evaluate import Ledger, Report, Revealed, Verdict, score, unseal, verdict, without_optimism
from ..evaluate.score import PartName
from ..models import BaseModel, Pictures, load_keras, pick_device
from .bases import with_what_was_seen
from .facts import facts_of
from .lines import quoted, sealed_line
from .loading import load_shown
from .pages.report import as_json, card, report
from .predictions import Predictions
from .record import Record
from .searched import Searched, judges, tempered
from .write import write_history, write_text

MODEL, REPORT, CARD, HISTORY, LEDGER = "model.keras", "report.html", "card.md", "history.csv", "ledger.db"
REPORT_JSON = "report.json"
WHAT = {
    "crossval": "cross-validation",
    "curve": "learning curve",
    "dims": "study of dimensions",
    "pays": "study of a base",
    "tune": "search",
}  # besides a run
VALIDATION, TEST, OUT_OF_FOLD = "validation.npz", "test.npz", "out-of-fold.npz"  # what the model says of these parts
ANSWERS_OF: Mapping[PartName, str] = {"test": TEST, "out-of-fold": OUT_OF_FOLD, "validation": VALIDATION}


@dataclass(frozen=True)
class Run:
    """A run that has been judged.

    Attributes:
        folder: where it is.
        record: what its run.json holds.
        model: with the weights that were kept.
        train, validation: what the model is worth on these parts, both in evaluation mode.
        verdict: what the two say together.
        test: what it is worth on the test part; None while that is sealed.
        openings: how often the test part had been opened when it was judged, over all runs in the ledger.
    """

    folder: Path
    record: Record
    model: BaseModel
    train: Report
    validation: Report
    verdict: Verdict
    test: Report | None
    openings: int

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """A finished run as it was last judged; nothing is computed, nothing is looked at.

        Raises:
            BadFile: no run there.
            BadValue: a run that has not finished.
        """
        folder = Path(folder)
        record = Record.read(folder)
        check_finished(record, folder)
        scores = record.scores
        return cls(
            folder,
            record,
            kept_model(folder),
            Report.from_dict(scores["train"]),
            Report.from_dict(scores["validation"]),
            Verdict.from_dict(scores["verdict"]),
            Report.from_dict(scores["test"]) if "test" in scores else None,
            record.openings,
        )

    @property
    def kept_sealed(self) -> str:
        """Why the score of its last opening of the test part is not told; empty where it is, or there was none."""
        told = Revealed(**self.record.scores["ladder"]) if "ladder" in self.record.scores else None
        return "" if told is None or told.new else sealed_line(told, self.openings, self.record.sizes["test"])

    def predict(self, samples: Sequence[str | Path] | NDArray[Any]) -> NDArray[np.float32]:  # Any: of any number type
        """Class probabilities (N, K), in the order of `record.classes`.

        Args:
            samples: paths of files of the kind that the model was trained on, or an array (N, *shape) of such values.

        Raises:
            BadFile: a file that holds no such sample.
        """
        if isinstance(samples, np.ndarray):
            result: NDArray[np.float32] = self.model.predict(samples)
            return result
        # Models of before do not say how pictures are read.
        reads = self.model.reads or (Pictures.of(self.model) if self.record.pictures else None)
        if reads is None:
            raise BadValue(f"{self.folder}: was trained on numbers of its own range, not on files; give an array.")
        return self.predict(reads.read(samples))

    def __str__(self) -> str:
        return f"{self.folder}: {self.validation}"


def evaluate(folder: str | Path, data: Dataset | None = None, *, open_test: bool = False) -> Run:
    """Judges a finished run again, and writes its report anew.

    Args:
        folder: of the run.
        data: what it was trained on; read again from where it came when None.
        open_test: whether to open the sealed test part.  The opening is in the ledger before the part is read.

    Raises:
        BadFile: no run there, or not the ledger that it was made with.
        BadValue: a run that has not finished, or whose data came from memory and is not given.
        BadData: the data is no longer what the run was trained on.
    """
    folder = Path(folder)
    record = Record.read(folder)
    check_finished(record, folder)
    data = data_of(record, folder) if data is None else data
    check_same(record, data)
    data = with_what_was_seen(data, record.settings.base)
    with ledger_of(folder, record) as ledger:
        run = judge(folder, record, kept_model(folder), data, ledger, open_test=open_test)
    record.write(folder)
    return run


def kept_model(folder: Path) -> BaseModel:
    """The model of a run, on the GPU where there is one."""
    model = load_keras(folder / MODEL)
    model.module.to(pick_device("auto"))
    return model


def judge(
    folder: Path, record: Record, model: BaseModel, data: Dataset, ledger: Ledger, *, open_test: bool = False
) -> Run:
    """Scores a model on train and validation, on test only if told to; writes the report, fills in the record.

    The winner of a search that has learned from validation, too, is judged by the answers of its trial.
    """
    part, judged, said = judged_by(folder, record, model, data)
    probabilities, learned = said.probabilities, data.pool if record.settings.whole else data.train
    looks = ledger.looks(judged.fingerprint)
    validation = score(said.labels, probabilities, part=part, looks=looks, classes=data.classes)
    if record.settings.patience is not None:  # the epoch was chosen by looking
        seen = [row.get("val_accuracy") for row in record.logs]
        validation = without_optimism(validation, [value for value in seen if value is not None])
    if (searched := Searched.of(record)) is not None:
        validation = searched.corrected(validation)
    train = score(learned.labels.numpy(), model.predict(learned), part="train", classes=data.classes)
    ledger.look(record.ledger_id, part, judged.fingerprint, values_of(validation), purpose="report")
    test = Report.from_dict(record.scores["test"]) if "test" in record.scores else None
    if open_test:
        test = judge_on_test(folder, record, model, data, ledger) or test
    verdict_on = verdict(train, validation)
    record.scores |= {"train": train.to_dict(), "validation": validation.to_dict(), "verdict": verdict_on.to_dict()}
    record.scores |= {part: validation.to_dict()}
    record.scores |= {"test": test.to_dict()} if test else {}
    record.openings = ledger.openings(data.test.fingerprint)
    run = Run(folder, record, model, train, validation, verdict_on, test, record.openings)
    write_history(folder / HISTORY, record.logs)
    said.write(folder / ANSWERS_OF[part])
    write_pages(run, data, probabilities)
    return run


def judged_by(folder: Path, record: Record, model: BaseModel, data: Dataset) -> tuple[PartName, Part, Predictions]:
    """What judges a run: validation; of one that has learned from that, too, what judged its trial of a search."""
    if not record.settings.whole:
        return "validation", data.validation, Predictions.of(data.validation, model.predict(data.validation))
    part, samples, kept = judges(folder, data)
    return part, samples, replace(kept, probabilities=tempered(kept.probabilities, record.temperature))


def write_pages(run: Run, data: Dataset, probabilities: NDArray[np.float32]) -> None:
    """Writes report, card and report.json; `probabilities` (N, K) are of what judges the run."""
    facts = facts_of(run, data, probabilities)
    write_text(run.folder / REPORT, report(facts))
    write_text(run.folder / CARD, card(facts))
    write_text(run.folder / REPORT_JSON, as_json(facts))


def judge_on_test(folder: Path, record: Record, model: BaseModel, data: Dataset, ledger: Ledger) -> Report | None:
    """Opens the test part and scores the model on it; None where the Ladder keeps that score sealed."""
    part = unseal(data.test, ledger=ledger, run=record.ledger_id)
    probabilities, labels = model.predict(part), part.labels.numpy()
    told = ledger.reveal(record.ledger_id, part.fingerprint, probabilities.argmax(1) == labels)
    record.scores["ladder"] = asdict(told)
    if not told.new:
        return None
    test = score(labels, probabilities, part="test", looks=told.opening, classes=data.classes)
    Predictions.of(part, probabilities).write(folder / TEST)
    ledger.look(record.ledger_id, "test", part.fingerprint, values_of(test), purpose="report")
    return test


def values_of(measured: Report) -> dict[str, float]:
    """What the ledger keeps of a report."""
    return {"accuracy": measured.accuracy.naive, "loss": measured.log_loss.value}


def check_finished(record: Record, folder: Path) -> None:
    """Raises BadValue for what is no run, or one without a final model."""
    if record.kind != "run":
        raise BadValue(f"{folder}: is a {WHAT[record.kind]}, not a run; what it found is in {folder / REPORT}.")
    if record.status != "finished":
        raise BadValue(f"{folder}: this run has not finished; go on with: holdfast train --resume {quoted(folder)}")


def data_of(record: Record, folder: Path, *, quiet: bool = False) -> Dataset:
    """The data of a run, read again from where it came.

    Raises:
        BadFile: it is no longer there.
        BadValue: it came from memory.
    """
    if not record.origin:
        raise BadValue(
            f"{folder}: its data came from memory; give it in Python: holdfast.resume(folder, data), "
            "holdfast.evaluate_run(folder, data) or holdfast.export_run(folder, data=data)."
        )
    place = record.origin["path"]
    try:
        return load_shown(quiet=quiet, **record.origin)
    except BadFile as error:
        if Path(place).exists() or is_url(place):
            raise
        raise BadFile(f"{place}: is not there, and {folder} was trained on it; put it back, or a link.") from error


def check_same(record: Record, data: Dataset) -> None:
    """Raises BadData unless the parts hold exactly the samples that the run was split into."""
    if not isinstance(data, Dataset):
        raise BadValue(f"data={data!r}: must be a Dataset, as holdfast.data.load(path) gives it.")
    if data.split_fingerprint != record.prints["split"]:
        raise BadData(
            f"{record.data}: the data has changed since {record.name} was trained, so its parts are not the same; "
            "restore the files, or train anew."
        )


def openings(folder: str | Path) -> int:
    """How often the test part of a run has been opened by now, over all runs in the ledger."""
    record = Record.read(Path(folder))
    with ledger_of(Path(folder), record) as ledger:
        return ledger.openings(record.prints["test"])


@contextmanager
def ledger_of(folder: Path, record: Record) -> Iterator[Ledger]:
    """The ledger that a run is in, open.

    Raises:
        BadFile: it is not there, or is another; with a new one the count of openings would begin anew.
    """
    with existing_ledger(folder.resolve().parent) as ledger:
        if not any((row.id, row.name) == (record.ledger_id, record.name) for row in ledger.runs()):
            raise BadFile(
                f"{folder}: the ledger {ledger.where} does not know this run; keep it beside the ledger.db that it was "
                "made with, which counts the openings of its test part."
            )
        yield ledger


def existing_ledger(out: Path) -> Ledger:
    """The ledger of a folder of runs, open; none is made.

    Raises:
        BadFile: there is none.
    """
    if not (out / LEDGER).exists() and not os.environ.get("HOLDFAST_LEDGER"):
        raise BadFile(f"{out}: there is no {LEDGER}, which every folder of runs has; try: holdfast train digits")
    return Ledger.open(out / LEDGER)
